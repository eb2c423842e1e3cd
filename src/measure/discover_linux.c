/* Who has come: the new processes of a task. The kernel says in loadavg which process id it gave away last, so that one
 * read tells whether there can be anything new at all, and which ids are to be looked at. Either these are, one by one,
 * or the children files of all threads of the tree, whichever is less. */
#include "measure/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum {
	PROBES = 512,      /* ids in one look; the others wait for the next */
	BACKLOG = 4096,    /* older ones are given up */
	PROBE_COST = 6,    /* in reads of a children file: most ids belong to nobody any more */
	ORPHANS_READ = 2,  /* so many children of init are told in the time of one such read */
	FADES = 16,        /* looks until it is asked again how many there are, about */
	APPEAR_MS = 20,    /* an id is given away a moment before the process can be seen */
	PID_MAX = 1 << 22, /* PID_MAX_LIMIT */
};

pid_t tree_last_id(const struct heaplog_tree *tree)
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

/* Orphans come to init or to the nearest ancestor that takes them (PR_SET_CHILD_SUBREAPER), and there to its first
 * thread. The runner is one of those only where it takes orphans: otherwise each tree would look into the environment
 * of every other task's process, which with a thousand tasks at once took half a minute. */
static void note_ancestors(struct heaplog_tree *tree)
{
	const size_t room = sizeof tree->ancestors / sizeof *tree->ancestors;
	struct procfs_stat stat;
	pid_t pid = getpid();
	int takes = 0;

	tree->session = getsid(0);
	tree->group = getpgrp();
	if (pid != 1 && prctl(PR_GET_CHILD_SUBREAPER, &takes, 0L, 0L, 0L) == 0 && !takes)
		pid = procfs_stat(tree->proc, pid, &stat) == 0 && stat.parent > 0 ? stat.parent : 1;
	while (tree->ancestor_count < room) {
		struct ancestor *ancestor = &tree->ancestors[tree->ancestor_count++];

		ancestor->pid = pid;
		ancestor->fd = tree->open < tree->budget ? procfs_open(tree->proc, pid, pid, "children", O_RDONLY) : -1;
		tree->open += ancestor->fd >= 0;
		if (pid == 1)
			break;
		/* In a container the chain may begin outside: 0. */
		pid = procfs_stat(tree->proc, pid, &stat) == 0 && stat.parent > 0 ? stat.parent : 1;
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
	cursor->last = cursor->old = cursor->from = tree_last_id(tree);
	/* Not what lxcfs puts over it, which counts by itself, nor gVisor's, which is always 0. */
	cursor->trusted = cursor->last > 0 && fstatfs(cursor->fd, &file) == 0 && statfs(tree->proc, &directory) == 0 &&
			  file.f_type == directory.f_type;
}

static bool anything_new(struct heaplog_tree *tree)
{
	struct tree_cursor *cursor = &tree->cursor;

	if (!cursor->trusted)
		return true;
	cursor->last = tree_last_id(tree);
	return cursor->last != cursor->from;
}

bool tree_is_ancestor(const struct heaplog_tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->ancestor_count; i++)
		if (tree->ancestors[i].pid == pid)
			return true;
	return pid == 1;
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
		return tree_add_child(tree, pid, parent) == 0;
	if (tree_is_ancestor(tree, parent) && tree_takes_orphan(tree, pid))
		return tree_add(tree, pid, parent, false) == 0;
	return true;
}

/* The ids of this look: from behind *from to *to. Returns false when the kernel has begun anew with low numbers, or
 * does not say. */
static bool next_ids(struct heaplog_tree *tree, pid_t *from, pid_t *to)
{
	struct tree_cursor *cursor = &tree->cursor;

	if (!cursor->trusted || cursor->last < cursor->from) {
		cursor->from = cursor->old = cursor->last;
		return false;
	}
	if (cursor->last - cursor->from > BACKLOG)
		cursor->from = cursor->last - BACKLOG;
	*from = cursor->from;
	*to = cursor->last - *from > PROBES ? *from + PROBES : cursor->last;
	return true;
}

/* They have been looked at. Those of the last moment are so once more. */
static void ids_done(struct heaplog_tree *tree, pid_t to)
{
	struct tree_cursor *cursor = &tree->cursor;

	if (to != cursor->last) {
		cursor->from = to;
	} else if (tree->now_ns - cursor->old_ns >= APPEAR_MS * 1000000ULL) {
		cursor->from = cursor->old;
		cursor->old = cursor->last;
		cursor->old_ns = tree->now_ns;
	}
	if (cursor->from > cursor->old)
		cursor->old = cursor->from;
}

/* Every number in a children file. A long list comes in several reads; a number may be cut between two. */
static bool each_child(struct heaplog_tree *tree, int fd, void (*visit)(struct heaplog_tree *, pid_t, const void *),
		       const void *context)
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
				visit(tree, (pid_t)number, context);
				number = 0;
				in_number = false;
			}
		}
		offset += length;
		if ((size_t)length < sizeof text / 2) /* the rest of a list: another read would say no more */
			break;
	}
	if (in_number)
		visit(tree, (pid_t)number, context);
	return length >= 0;
}

static void visit_child(struct heaplog_tree *tree, pid_t pid, const void *parent)
{
	tree_add_child(tree, pid, *(const pid_t *)parent);
}

static bool read_children(struct heaplog_tree *tree, int fd, pid_t parent)
{
	return each_child(tree, fd, visit_child, &parent);
}

struct listing {
	struct heaplog_tree *tree;
	size_t at;               /* the member whose threads are listed */
	bool seen[THREADS_KEPT]; /* of those that are kept */
};

static unsigned find_thread(const struct member *member, pid_t tid)
{
	unsigned at = 0;

	while (at < member->kept && member->children_tid[at] != tid)
		at++;
	return at;
}

/* One thread: its children now, and its file kept for the next looks. */
static bool visit_thread(void *context, pid_t tid)
{
	struct listing *listing = context;
	struct heaplog_tree *tree = listing->tree;
	struct member *member = &tree->members[listing->at];
	const pid_t pid = member->pid;
	const unsigned kept = find_thread(member, tid);
	int fd;

	if (kept < member->kept) {
		listing->seen[kept] = true;
		read_children(tree, member->children_fd[kept], pid);
		return true;
	}
	fd = procfs_open(tree->proc, pid, tid, "children", O_RDONLY);
	if (fd < 0) {
		if (errno == ENOENT && tid == pid && heaplog_process_has_execed(tree->proc, pid) >= 0)
			tree->no_children_files = true;
		return true;
	}
	read_children(tree, fd, pid);
	member = &tree->members[listing->at]; /* the array may have moved */
	/* In a large tree the descriptors are needed for memory. */
	if (member->kept < THREADS_KEPT && tree->open < tree->budget && tree->count <= MANY) {
		listing->seen[member->kept] = true;
		member->children_tid[member->kept] = tid;
		member->children_fd[member->kept++] = fd;
		tree->open++;
		tree->threads++;
	} else {
		procfs_close(fd);
	}
	return true;
}

static void forget_unseen(struct listing *listing)
{
	struct heaplog_tree *tree = listing->tree;
	struct member *member = &tree->members[listing->at];

	for (unsigned i = member->kept; i-- > 0;) {
		if (listing->seen[i])
			continue;
		procfs_close(member->children_fd[i]);
		tree->open--;
		tree->threads--;
		member->kept--;
		member->children_fd[i] = member->children_fd[member->kept];
		member->children_tid[i] = member->children_tid[member->kept];
	}
}

/* Which threads there are is asked each time: one may have come, and started a process, since status was read, or in the
 * place of another that has ended, whose file says nothing any more and no error either. */
static void find_children(struct heaplog_tree *tree, size_t at)
{
	struct listing listing = {.tree = tree, .at = at};
	struct member *member = &tree->members[at];
	const int kept = member->tasks_fd;
	int fd;

	if (member->kept == 1 && member->children_tid[0] == member->pid && procfs_threads(kept) == 1) {
		read_children(tree, member->children_fd[0], member->pid);
		return;
	}
	fd = kept >= 0 ? kept : procfs_open(tree->proc, member->pid, 0, "task", O_RDONLY | O_DIRECTORY);
	if (fd < 0 || (kept >= 0 && syscall(SYS_lseek, fd, 0L, SEEK_SET) != 0))
		return;
	procfs_each_number(fd, visit_thread, &listing);
	forget_unseen(&listing);
	member = &tree->members[at]; /* the array may have moved */
	if (kept < 0 && member->kept && tree->open < tree->budget) {
		member->tasks_fd = fd;
		tree->open++;
	} else if (kept < 0) {
		procfs_close(fd);
	}
}

/* The orphans among the ids of this look. */
struct ids {
	pid_t from, to;
};

static void visit_orphan(struct heaplog_tree *tree, pid_t pid, const void *context)
{
	const struct ids *ids = context;

	tree->orphans++;
	if (pid > ids->from && pid <= ids->to && !tree_is_member(tree, pid) && tree_takes_orphan(tree, pid))
		tree_add(tree, pid, 1, false);
}

void tree_each_orphan(struct heaplog_tree *tree, size_t first,
		      void (*visit)(struct heaplog_tree *, pid_t, const void *), const void *context)
{
	for (size_t i = first; i < tree->ancestor_count; i++)
		if (tree->ancestors[i].fd >= 0)
			each_child(tree, tree->ancestors[i].fd, visit, context);
}

static void walk(struct heaplog_tree *tree)
{
	if (tree->no_children_files)
		tree_scan_all(tree);
	for (size_t i = 0; i < tree->count && !tree->no_children_files; i++)
		find_children(tree, i);
}

/* Is it less to look at these ids than into all children files? Init may have thousands of children, in a container where
 * it is a program that does not wait for them. */
static bool is_less_to_probe(const struct heaplog_tree *tree, const struct ids *ids)
{
	return tree->count > MANY || (unsigned)(ids->to - ids->from) * PROBE_COST <=
					 tree->threads + tree->count + tree->orphans / ORPHANS_READ;
}

void tree_discover(struct heaplog_tree *tree)
{
	const bool anew = tree->unlisted;
	struct ids ids;

	tree->unlisted = false;
	if (!tree->ancestor_count)
		note_ancestors(tree);
	tree_see_elders(tree);
	if (!anything_new(tree) && !anew)
		return;
	if (!next_ids(tree, &ids.from, &ids.to)) {
		walk(tree);
		return;
	}
	if (anew)
		walk(tree);
	if (is_less_to_probe(tree, &ids)) {
		tree->orphans -= tree->orphans / FADES; /* there may be fewer by now */
		for (pid_t pid = ids.from + 1; pid <= ids.to; pid++)
			if (!probe(tree, pid))
				break;
	} else {
		ids.to = tree->cursor.last;
		if (!anew)
			walk(tree);
		tree->orphans = 0;
		if (tree->options.belongs)
			tree_each_orphan(tree, 0, visit_orphan, &ids);
	}
	ids_done(tree, ids.to);
}
