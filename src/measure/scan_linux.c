/* A kernel without children files (CONFIG_PROC_CHILDREN): all processes of the machine with their parents, in one list
 * that serves all trees of this process. */
#include "measure/tree.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS_MAX = 1 << 15, FRESH_MS = 5 };

struct pair {
	pid_t pid, parent;
};

static struct {
	_Atomic pid_t
	    owner; /* a lock: the process whose thread has it; another process's is a copy that nobody holds */
	char proc[PROCFS_PATH_MAX];
	pid_t process;     /* that made the list */
	uint64_t taken_ns; /* 0: never */
	size_t count;
	struct pair *pairs;
} scan;

static void lock(void)
{
	const pid_t self = getpid();

	for (;;) {
		pid_t holder = atomic_load(&scan.owner);

		if (holder != self && atomic_compare_exchange_strong(&scan.owner, &holder, self))
			return;
		sched_yield();
	}
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static bool visit(void *context, pid_t pid)
{
	struct procfs_stat stat;

	if (procfs_stat(context, pid, &stat) == 0)
		scan.pairs[scan.count++] = (struct pair){.pid = pid, .parent = stat.parent};
	return scan.count < PAIRS_MAX;
}

static void take(const char *proc)
{
	const int fd = procfs_open(proc, 0, 0, "", O_RDONLY | O_DIRECTORY);

	scan.count = 0;
	if (!scan.pairs) {
		scan.pairs = mmap(NULL, PAIRS_MAX * sizeof *scan.pairs, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (scan.pairs == MAP_FAILED)
			scan.pairs = NULL;
	}
	if (fd >= 0 && scan.pairs)
		procfs_each_number(fd, visit, (void *)(uintptr_t)proc);
	procfs_close(fd);
	strcpy(scan.proc, proc);
	scan.process = getpid();
	scan.taken_ns = now();
}

void tree_scan_all(struct heaplog_tree *tree)
{
	size_t before;

	lock();
	if (scan.process != getpid() || strcmp(scan.proc, tree->proc) != 0 ||
	    now() - scan.taken_ns > FRESH_MS * 1000000ULL)
		take(tree->proc);
	/* Each pass finds one more generation. */
	do {
		before = tree->count;
		for (size_t i = 0; i < scan.count; i++)
			if (tree_is_member(tree, scan.pairs[i].parent))
				tree_add_child(tree, scan.pairs[i].pid, scan.pairs[i].parent);
	} while (tree->count > before);
	atomic_store(&scan.owner, 0);
}
