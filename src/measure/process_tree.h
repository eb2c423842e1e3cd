/* The processes of one task and their memory. The operating system's part is in *_linux.c. */
#ifndef HEAPLOG_MEASURE_PROCESS_TREE_H
#define HEAPLOG_MEASURE_PROCESS_TREE_H

#include "measure/peak.h"

struct heaplog_tree; /* lives in its own mapping; no malloc anywhere */

enum heaplog_metric {
	HEAPLOG_METRIC_RSS, /* resident set size */
	HEAPLOG_METRIC_PSS, /* proportional set size: a page that n processes share counts 1/n in each */
	HEAPLOG_METRIC_FOOTPRINT = HEAPLOG_METRIC_PSS, /* macOS, in its place: physical footprint */
};

struct heaplog_tree_options {
	const char *proc;   /* where procfs is, normally "/proc" (tests give a fake directory) */
	unsigned fd_budget; /* how many descriptors it may keep open in the calling thread's table (0: none) */
	enum heaplog_metric metric;
	/* Does a process with this environment (entries with their NULs, length bytes in all) belong to the task? For
	 * orphans that were never seen under their parent. NULL: they are not looked for. */
	bool (*belongs)(void *context, const char *environment, size_t length);
	/* Which other runners have, or have had since this task began, a task that belongs would take for this one? Fills
	 * owners, at most max; returns how many. NULL: nobody knows. */
	unsigned (*rivals)(void *context, pid_t *owners, unsigned max);
	/* A member, other than a root, has gone and was not heard of before (heaplog_tree_left). NULL: nobody asks. */
	void (*gone)(void *context, pid_t pid);
	void *context;
};

/* A new, empty tree. Returns NULL when memory cannot be mapped. A tree belongs to the thread that made it. */
struct heaplog_tree *heaplog_tree_create(const struct heaplog_tree_options *options);
void heaplog_tree_destroy(struct heaplog_tree *tree);

/* A direct child of the runner. It is not counted before it has exec'ed (PF_FORKNOEXEC), because until then its memory
 * is the runner's. Returns 0, or -1 when there is no memory. */
int heaplog_tree_add_root(struct heaplog_tree *tree, pid_t pid);

/* A process that says itself that it belongs to the task. */
int heaplog_tree_add(struct heaplog_tree *tree, pid_t pid, pid_t parent);

/* May a process be added, or what it left be counted, of which nothing is known but that it has the task's variables?
 * Not when it might be another run's. */
bool heaplog_tree_takes(struct heaplog_tree *tree, pid_t pid, uint64_t now_ns);

bool heaplog_tree_has(const struct heaplog_tree *tree, pid_t pid);

/* A process that leaves (ends), or becomes another program, says the most that it has held, in bytes (0: it does not
 * know), and what it cannot have held more than. */
void heaplog_tree_left(struct heaplog_tree *tree, struct heaplog_peak *peak, pid_t pid, uint64_t high_water,
		       uint64_t bound, bool ends, uint64_t now_ns);

/* What a member is known to have held, bytes; 0: no member. After a look all of it is in the peak's upper bound. */
uint64_t heaplog_tree_known(const struct heaplog_tree *tree, pid_t pid);

/* One look: finds new descendants, drops the gone, reads the memory of all and accounts it in peak.
 * Returns the number of live members (0: none is left). *moved: the membership or the memory has changed since the last
 * look, so that the next should come soon. */
size_t heaplog_tree_tick(struct heaplog_tree *tree, uint64_t now_ns, struct heaplog_peak *peak, bool *moved);

/* A glance, at a fraction of the cost (one read when nothing happened on the machine, and one per process of a small
 * tree): has anything changed since the last look? Then it is time for a tick. */
bool heaplog_tree_glance(struct heaplog_tree *tree, uint64_t now_ns);

/* Has pid exec'ed since its fork? 1 yes, 0 no, -1 gone or unreadable. */
int heaplog_process_has_execed(const char *proc, pid_t pid);

#endif
