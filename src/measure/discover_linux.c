/* Who has come: the new processes of a task. The kernel says in loadavg which process id it gave away last, so that one
 * read tells whether there can be anything new at all, and which ids are to be looked at. Only where that are many are
 * the children files read, one per thread. */
#include "measure/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum {
	PROBES = 48,    /* ids looked at in one look: about a millisecond when all of them live */
	BACKLOG = 2048, /* older ones are given up */
	APPEAR_MS = 20, /* an id is given away a moment before the process can be seen */
	ENVIRONMENT_MAX = 1 << 18,
	PID_MAX = 1 << 22, /* PID_MAX_LIMIT */
};

static pid_t read_last(const struct heaplog_tree *tree)
{
	char text[128];
	const char *space;

	/* "0.20 0.18 0.12 1/80 11206" */
	if (tree->cursor.fd < 0 || procfs_read(tree->cursor.fd, text, sizeof text, 0) <= 0)
		return 0;
	space = strrchr(text, ' ');
	const long last = space ? strtol(space, NULL, 10) : 0;
	return last > 0 && last <= PID_MAX ? (pid_t)last : 0;
}

static void note_ancestors(struct heaplog_tree *tree)
{
	const size_t room = sizeof tree->ancestors / sizeof *tree->ancestors;
	struct procfs_stat stat;

	tree->ancestor_count = 0;
	for (pid_t pid = getpid(); pid > 0 && tree->ancestor_count < room; pid = stat.parent) {
		tree->ancestors[tree->ancestor_count++] = pid;
		if (procfs_stat(tree->proc, pid, &stat) != 0)
			break;
	}
}

void tree_cursor_open(struct heaplog_tree *tree)
{
	struct tree_cursor *cursor = &tree->cursor;
	struct statfs file, directory;

	cursor->fd = tree->open < tree->budget ? procfs_open(tree->proc, 0, 0, "loadavg", O_RDONLY) : -1;
	if (cursor->fd < 0)
		return;
	tree->open++;
	cursor->last = cursor->old = cursor->from = read_last(tree);
	/* Not what lxcfs puts over it, which counts by itself, nor gVisor's, which is always 0. */
	cursor->trusted = cursor->last > 0 && fstatfs(cursor->fd, &file) == 0 && statfs(tree->proc, &directory) == 0 &&
			  file.f_type == directory.f_type;
}

bool tree_anything_new(struct heaplog_tree *tree)
{
	struct tree_cursor *cursor = &tree->cursor;

	if (!cursor->trusted)
		return true;
	cursor->last = read_last(tree);
	return cursor->last != cursor->from;
}

static bool is_ancestor(const struct heaplog_tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->ancestor_count; i++)
		if (tree->ancestors[i] == pid)
			return true;
	return pid == 1;
}

static bool belongs(struct heaplog_tree *tree, pid_t pid)
{
	ssize_t length;
	bool result;
	char *text;

	if (!tree->options.belongs)
		return false;
	text = mmap(NULL, ENVIRONMENT_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (text == MAP_FAILED)
		return false;
	length = procfs_read_file(tree->proc, pid, "environ", text, ENVIRONMENT_MAX);
	result = length > 0 && tree->options.belongs(tree->options.context, text, (size_t)length);
	munmap(text, ENVIRONMENT_MAX);
	return result;
}

/* A process of the task? Returns false when there is no memory. An orphan has become the child of init or of the
 * nearest ancestor that takes orphans (PR_SET_CHILD_SUBREAPER), so that the tasks of another runner, whose variables
 * may be the same, are not mistaken for it. */
static bool probe(struct heaplog_tree *tree, pid_t pid)
{
	char text[4096];
	pid_t parent;

	if (tree_is_member(tree, pid) || procfs_read_file(tree->proc, pid, "status", text, sizeof text) <= 0 ||
	    (pid_t)procfs_field(text, "\nTgid:") != pid) /* a thread has an id as well */
		return true;
	parent = (pid_t)procfs_field(text, "\nPPid:");
	if (tree_is_member(tree, parent))
		return tree_add(tree, pid, parent, false) == 0;
	if (is_ancestor(tree, parent) && belongs(tree, pid))
		return tree_add(tree, pid, parent, false) == 0;
	return true;
}

bool tree_probe_new(struct heaplog_tree *tree)
{
	struct tree_cursor *cursor = &tree->cursor;
	const pid_t last = cursor->last;
	pid_t to = last;
	bool all;

	/* The first look finds what there is; and at the end of the numbers the kernel begins anew. */
	if (!cursor->trusted || last < cursor->from) {
		cursor->from = cursor->old = last;
		return false;
	}
	if (!tree->ancestor_count)
		note_ancestors(tree);
	if (last - cursor->from > BACKLOG)
		cursor->from = last - BACKLOG;
	all = last - cursor->from <= PROBES;
	if (!all)
		to = cursor->from + PROBES;
	for (pid_t pid = cursor->from + 1; pid <= to; pid++)
		if (!probe(tree, pid))
			break;
	if (!all) {
		cursor->from = to;
	} else if (tree->now_ns - cursor->old_ns >= APPEAR_MS * 1000000ULL) {
		cursor->from = cursor->old;
		cursor->old = last;
		cursor->old_ns = tree->now_ns;
	}
	if (cursor->from > cursor->old)
		cursor->old = cursor->from;
	return all;
}

/* Add every number in a children file. A long list comes in several reads; a number may be cut between two. */
static bool read_children(struct heaplog_tree *tree, int fd, pid_t parent)
{
	char text[4096];
	long offset = 0;
	ssize_t length;
	unsigned long number = 0;
	bool in_number = false;

	while ((length = procfs_read(fd, text, sizeof text, offset)) > 0) {
		for (ssize_t i = 0; i < length; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				number = number * 10 + (unsigned long)(text[i] - '0');
				in_number = true;
			} else if (in_number) {
				tree_add(tree, (pid_t)number, parent, false);
				number = 0;
				in_number = false;
			}
		}
		offset += length;
	}
	if (in_number)
		tree_add(tree, (pid_t)number, parent, false);
	return length == 0;
}

struct listing {
	struct heaplog_tree *tree;
	size_t at; /* the member whose threads are listed */
};

/* One thread: its children now, and its file kept for the next looks. */
static bool visit_thread(void *context, pid_t tid)
{
	const struct listing *listing = context;
	struct heaplog_tree *tree = listing->tree;
	const pid_t pid = tree->members[listing->at].pid;
	const int fd = procfs_open(tree->proc, pid, tid, "children", O_RDONLY);
	struct member *member;

	if (fd < 0) {
		if (errno == ENOENT && tid == pid && heaplog_process_has_execed(tree->proc, pid) >= 0)
			tree->no_children_files = true;
		return true;
	}
	read_children(tree, fd, pid);
	member = &tree->members[listing->at]; /* the array may have moved */
	/* In a large tree the descriptors are needed for memory. */
	if (member->kept < THREADS_KEPT && tree->open < tree->budget && tree->count <= MANY) {
		member->children_fd[member->kept++] = fd;
		tree->open++;
	} else {
		procfs_close(fd);
	}
	return true;
}

void tree_find_children(struct heaplog_tree *tree, size_t at, unsigned threads)
{
	struct listing listing = {.tree = tree, .at = at};
	struct member *member = &tree->members[at];
	int fd;

	if (threads && member->threads == threads && member->kept == threads) {
		for (unsigned i = 0; i < tree->members[at].kept; i++)
			if (!read_children(tree, tree->members[at].children_fd[i], tree->members[at].pid))
				tree->members[at].threads = 0; /* a thread has gone: list anew next time */
		return;
	}
	tree_forget_threads(tree, member);
	fd = procfs_open(tree->proc, member->pid, 0, "task", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return;
	procfs_each_number(fd, visit_thread, &listing);
	procfs_close(fd);
	tree->members[at].threads = threads;
}
