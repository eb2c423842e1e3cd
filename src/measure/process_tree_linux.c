/* The processes of a task by /proc. Raw system calls throughout: this runs in a thread of somebody else's program, and
 * the hooks of other preloaded libraries on open() and read() are not for us. */
#include "measure/process_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH_SIZE = 256, THREADS_KEPT = 32, FORK_NO_EXEC = 0x40, MEMBERS_FIRST = 64 };

struct member {
	pid_t pid;
	pid_t parent;
	bool is_root;
	bool has_execed;
	bool looked_at;             /* between fork and exec: seen in an earlier tick */
	bool reads;                 /* its memory counted in this tick */
	unsigned threads;           /* as "Threads:" said when its tasks were listed; 0: not listed yet */
	unsigned kept;              /* children descriptors in use */
	unsigned long long started; /* field 22 of stat, where no status descriptor is kept */
	int status_fd;              /* -1: opened for each look */
	int children_fd[THREADS_KEPT];
	uint64_t resident, high_water, previous_high_water;
};

struct heaplog_tree {
	struct member *members;
	struct heaplog_reading *readings;
	size_t count, capacity;
	unsigned budget, open;
	bool changed;
	bool no_children_files; /* a kernel without CONFIG_PROC_CHILDREN */
	char proc[PATH_SIZE];
};

static size_t put_number(char *text, unsigned long value)
{
	char reversed[24];
	size_t length = 0;

	do
		reversed[length++] = (char)('0' + value % 10);
	while (value /= 10);
	for (size_t i = 0; i < length; i++)
		text[i] = reversed[length - 1 - i];
	text[length] = '\0';
	return length;
}

/* "<proc>/PID/<file>", or "<proc>/PID/task/TID/<file>" with tid > 0. */
static int open_file(const char *proc, pid_t pid, pid_t tid, const char *file, int flags)
{
	char path[PATH_SIZE + 96];

	strcpy(path, proc);
	strcat(path, "/");
	put_number(path + strlen(path), (unsigned long)pid);
	if (tid > 0) {
		strcat(path, "/task/");
		put_number(path + strlen(path), (unsigned long)tid);
	}
	strcat(path, "/");
	strcat(path, file);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0);
}

static ssize_t read_at(int fd, char *text, size_t size, long offset)
{
	const ssize_t length = syscall(SYS_pread64, fd, text, size - 1, offset);

	text[length > 0 ? length : 0] = '\0';
	return length;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		syscall(SYS_close, fd);
}

/* Flags and start time from stat; fields are counted from the last ')', because a process names itself as it likes. */
static int read_stat(const char *proc, pid_t pid, unsigned long *flags, unsigned long long *started, pid_t *parent)
{
	char text[2048];
	const int fd = open_file(proc, pid, 0, "stat", O_RDONLY);
	const ssize_t length = fd < 0 ? -1 : read_at(fd, text, sizeof text, 0);
	char *at;

	close_fd(fd);
	if (length <= 0 || !(at = strrchr(text, ')')))
		return -1;
	for (int field = 3; (at = strchr(at, ' ')); field++) {
		at++;
		if (field == 4 && parent)
			*parent = (pid_t)strtol(at, NULL, 10);
		else if (field == 9 && flags)
			*flags = strtoul(at, NULL, 10);
		else if (field == 22) {
			if (started)
				*started = strtoull(at, NULL, 10);
			return 0;
		}
	}
	return -1;
}

int heaplog_process_has_execed(const char *proc, pid_t pid)
{
	unsigned long flags;

	if (read_stat(proc, pid, &flags, NULL, NULL) != 0)
		return -1;
	return !(flags & FORK_NO_EXEC);
}

struct heaplog_tree *heaplog_tree_create(const char *proc, unsigned fd_budget)
{
	struct heaplog_tree *tree =
	    mmap(NULL, sizeof *tree, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (tree == MAP_FAILED)
		return NULL;
	if (strlen(proc) >= sizeof tree->proc) {
		munmap(tree, sizeof *tree);
		return NULL;
	}
	strcpy(tree->proc, proc);
	tree->budget = fd_budget;
	return tree;
}

static void *grow(void *old, size_t old_size, size_t new_size)
{
	void *memory = old ? mremap(old, old_size, new_size, MREMAP_MAYMOVE)
			   : mmap(NULL, new_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool ensure_room(struct heaplog_tree *tree)
{
	const size_t wanted = tree->capacity ? tree->capacity * 2 : MEMBERS_FIRST;
	struct member *members;
	struct heaplog_reading *readings;

	if (tree->count < tree->capacity)
		return true;
	members = grow(tree->members, tree->capacity * sizeof *members, wanted * sizeof *members);
	if (!members)
		return false;
	tree->members = members;
	readings = grow(tree->readings, tree->capacity * sizeof *readings, wanted * sizeof *readings);
	if (!readings)
		return false;
	tree->readings = readings;
	tree->capacity = wanted;
	return true;
}

static void forget_threads(struct heaplog_tree *tree, struct member *member)
{
	for (unsigned i = 0; i < member->kept; i++)
		close_fd(member->children_fd[i]);
	tree->open -= member->kept;
	member->kept = 0;
	member->threads = 0;
}

static void drop(struct heaplog_tree *tree, size_t at)
{
	struct member *member = &tree->members[at];

	forget_threads(tree, member);
	if (member->status_fd >= 0) {
		close_fd(member->status_fd);
		tree->open--;
	}
	*member = tree->members[--tree->count];
	tree->changed = true;
}

void heaplog_tree_destroy(struct heaplog_tree *tree)
{
	while (tree->count)
		drop(tree, tree->count - 1);
	if (tree->members)
		munmap(tree->members, tree->capacity * sizeof *tree->members);
	if (tree->readings)
		munmap(tree->readings, tree->capacity * sizeof *tree->readings);
	munmap(tree, sizeof *tree);
}

static bool is_member(const struct heaplog_tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->count; i++)
		if (tree->members[i].pid == pid)
			return true;
	return false;
}

static int add(struct heaplog_tree *tree, pid_t pid, pid_t parent, bool is_root)
{
	struct member *member;

	if (pid <= 0 || is_member(tree, pid))
		return 0;
	if (!ensure_room(tree))
		return -1;
	member = &tree->members[tree->count];
	memset(member, 0, sizeof *member);
	member->pid = pid;
	member->parent = parent;
	member->is_root = is_root;
	member->status_fd = -1;
	if (tree->open < tree->budget) {
		member->status_fd = open_file(tree->proc, pid, 0, "status", O_RDONLY);
		if (member->status_fd < 0 && (errno == ENOENT || errno == ESRCH))
			return 0; /* gone already */
		tree->open += member->status_fd >= 0;
	}
	if (member->status_fd < 0 && read_stat(tree->proc, pid, NULL, &member->started, NULL) != 0)
		return 0;
	tree->count++;
	tree->changed = true;
	return 0;
}

int heaplog_tree_add_root(struct heaplog_tree *tree, pid_t pid)
{
	return add(tree, pid, 0, true);
}

static uint64_t field_kb(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

/* Without a kept descriptor the number may belong to another process by now. */
static ssize_t read_status(const struct heaplog_tree *tree, const struct member *member, char *text, size_t size)
{
	unsigned long long started;
	ssize_t length;
	int fd;

	if (member->status_fd >= 0)
		return read_at(member->status_fd, text, size,
			       0); /* ESRCH after the reap, even when the number is reused */
	fd = open_file(tree->proc, member->pid, 0, "status", O_RDONLY);
	length = fd < 0 ? -1 : read_at(fd, text, size, 0);
	close_fd(fd);
	if (read_stat(tree->proc, member->pid, NULL, &started, NULL) != 0 || started != member->started)
		return -1;
	return length;
}

/* Where the kernel does not say whether two processes share their memory (no CONFIG_KCMP, some seccomp profiles): after
 * vfork all figures of both are the same, after fork they are not, as pages of files are not copied. Two attempts,
 * since the parent's other threads run on. */
static bool looks_shared(const struct heaplog_tree *tree, const struct member *member)
{
	static const char *const names[] = {"VmSize:", "VmHWM:", "VmRSS:", "RssFile:", "VmData:", "VmPTE:"};
	const pid_t pids[2] = {member->pid, member->parent};

	for (int attempt = 0; attempt < 2; attempt++) {
		char text[2][4096];
		bool same = true;

		for (int i = 0; i < 2; i++) {
			const int fd = open_file(tree->proc, pids[i], 0, "status", O_RDONLY);
			const ssize_t length = fd < 0 ? -1 : read_at(fd, text[i], sizeof text[i], 0);

			close_fd(fd);
			if (length < 0)
				return false;
		}
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			same = same && field_kb(text[0], names[i]) == field_kb(text[1], names[i]);
		if (same)
			return true;
	}
	return false;
}

/* Is what the child holds its own? A root between fork and exec is the runner's copy and never counts. Others: not in
 * the first look, since most are about to exec, and never while the memory is shared with the parent (vfork). */
static bool counts(struct heaplog_tree *tree, struct member *member)
{
	const int execed = member->has_execed ? 1 : heaplog_process_has_execed(tree->proc, member->pid);

	if (execed == 1) {
		member->has_execed = true;
		return true;
	}
	if (execed < 0 || member->is_root)
		return false;
	if (!member->looked_at) {
		member->looked_at = true;
		return false;
	}
	const long order = syscall(SYS_kcmp, member->pid, member->parent, KCMP_VM, 0UL, 0UL);

	return order >= 0 ? order > 0 : !looks_shared(tree, member);
}

/* Reads one member; false: it is gone. *threads: how many it has. */
static bool read_member(struct heaplog_tree *tree, struct member *member, unsigned *threads)
{
	char text[4096];
	/* In this order: a bit that is clear stays clear, so that the status read after it is that of the new program.
	 */
	const bool counted = counts(tree, member);
	const ssize_t length = read_status(tree, member, text, sizeof text);

	member->reads = false;
	*threads = 0;
	if (length <= 0)
		return false;
	*threads = (unsigned)(field_kb(text, "\nThreads:") / 1024);
	member->resident = field_kb(text, "\nVmRSS:");
	if (!counted || !member->resident) /* a zombie has no memory left */
		return true;
	member->reads = true;
	member->previous_high_water = member->high_water;
	/* A fork copies the mark of its parent: before an exec it says nothing of this process. */
	member->high_water = member->has_execed ? field_kb(text, "\nVmHWM:") : member->resident;
	if (member->high_water < member->resident)
		member->high_water = member->resident;
	return true;
}

/* Add every number in a children file. A long list comes in several reads; a number may be cut between two. */
static bool read_children(struct heaplog_tree *tree, int fd, pid_t parent)
{
	char text[4096];
	long offset = 0;
	ssize_t length;
	unsigned long number = 0;
	bool in_number = false;

	while ((length = read_at(fd, text, sizeof text, offset)) > 0) {
		for (ssize_t i = 0; i < length; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				number = number * 10 + (unsigned long)(text[i] - '0');
				in_number = true;
			} else if (in_number) {
				add(tree, (pid_t)number, parent, false);
				number = 0;
				in_number = false;
			}
		}
		offset += length;
	}
	if (in_number)
		add(tree, (pid_t)number, parent, false);
	return length == 0;
}

struct directory_entry {
	uint64_t inode;
	int64_t next;
	unsigned short length;
	unsigned char type;
	char name[];
};

/* Call visit for every number in directory fd. */
static void each_number(int fd, void (*visit)(struct heaplog_tree *, size_t, pid_t), struct heaplog_tree *tree,
			size_t at)
{
	_Alignas(struct directory_entry) char buffer[4096];
	long length;

	while ((length = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
		for (long offset = 0; offset < length;) {
			const struct directory_entry *entry = (const void *)(buffer + offset);

			if (entry->name[0] >= '1' && entry->name[0] <= '9')
				visit(tree, at, (pid_t)strtol(entry->name, NULL, 10));
			offset += entry->length;
		}
}

/* One thread of member at: its children now, and its file kept for the next looks. */
static void visit_thread(struct heaplog_tree *tree, size_t at, pid_t tid)
{
	const pid_t pid = tree->members[at].pid;
	const int fd = open_file(tree->proc, pid, tid, "children", O_RDONLY);
	struct member *member;

	if (fd < 0) {
		if (errno == ENOENT && tid == pid && heaplog_process_has_execed(tree->proc, pid) >= 0)
			tree->no_children_files = true;
		return;
	}
	read_children(tree, fd, pid);
	member = &tree->members[at]; /* the array may have moved */
	if (member->kept < THREADS_KEPT && tree->open < tree->budget) {
		member->children_fd[member->kept++] = fd;
		tree->open++;
	} else {
		close_fd(fd);
	}
}

/* Nx spawns from several threads, and each has a file of its own. */
static void find_children(struct heaplog_tree *tree, size_t at, unsigned threads)
{
	struct member *member = &tree->members[at];
	int fd;

	if (threads && member->threads == threads && member->kept == threads) {
		for (unsigned i = 0; i < member->kept; i++)
			if (!read_children(tree, tree->members[at].children_fd[i], tree->members[at].pid))
				tree->members[at].threads = 0; /* a thread has gone: list anew next time */
		return;
	}
	forget_threads(tree, member);
	fd = open_file(tree->proc, member->pid, 0, "task", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return;
	each_number(fd, visit_thread, tree, at);
	close_fd(fd);
	tree->members[at].threads = threads;
}

static void visit_process(struct heaplog_tree *tree, size_t at, pid_t pid)
{
	pid_t parent;

	(void)at;
	if (read_stat(tree->proc, pid, NULL, NULL, &parent) == 0 && is_member(tree, parent))
		add(tree, pid, parent, false);
}

/* A kernel without children files: all processes, by their parents. Each pass finds one more generation. */
static void scan_all(struct heaplog_tree *tree)
{
	size_t before;

	do {
		const int fd = (int)syscall(SYS_openat, AT_FDCWD, tree->proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

		before = tree->count;
		if (fd < 0)
			return;
		each_number(fd, visit_process, tree, 0);
		close_fd(fd);
	} while (tree->count > before);
}

/* "node build.js": the arguments with spaces between, cut where a UTF-8 character begins. */
static void read_command(const struct heaplog_tree *tree, struct heaplog_top *top)
{
	const int fd = open_file(tree->proc, top->pid, 0, "cmdline", O_RDONLY);
	ssize_t length = fd < 0 ? 0 : read_at(fd, top->command, sizeof top->command, 0);

	close_fd(fd);
	if (length < 0)
		length = 0;
	while (length > 0 && top->command[length - 1] == '\0')
		length--;
	for (ssize_t i = 0; i < length; i++)
		if (top->command[i] == '\0')
			top->command[i] = ' ';
	if (length == HEAPLOG_COMMAND_MAX - 1)
		while (length > 0 && ((unsigned char)top->command[length - 1] & 0xc0) == 0x80)
			length--;
	if (length > 0 && (unsigned char)top->command[length - 1] >= 0xc0)
		length--;
	top->command[length] = '\0';
}

size_t heaplog_tree_tick(struct heaplog_tree *tree, uint64_t now_ns, struct heaplog_peak *peak, bool *changed)
{
	size_t count = 0;

	if (tree->no_children_files)
		scan_all(tree);
	for (size_t i = 0; i < tree->count;) {
		unsigned threads;

		if (!read_member(tree, &tree->members[i], &threads)) {
			drop(tree, i);
			continue;
		}
		if (!tree->no_children_files)
			find_children(tree, i, threads);
		i++;
	}
	for (size_t i = 0; i < tree->count; i++) {
		const struct member *member = &tree->members[i];

		if (member->reads)
			tree->readings[count++] = (struct heaplog_reading){
			    .pid = member->pid,
			    .resident = member->resident,
			    .high_water = member->high_water,
			    .previous_high_water = member->previous_high_water,
			};
	}
	heaplog_peak_tick(peak, now_ns, tree->readings, count);
	if (peak->top_stale)
		for (uint32_t i = 0; i < peak->summary.top_count; i++)
			read_command(tree, &peak->summary.top[i]);
	*changed = tree->changed;
	tree->changed = false;
	return tree->count;
}
