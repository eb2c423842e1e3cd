/* The processes of one task and their memory. The operating system's part is in process_tree_linux.c. */
#ifndef HEAPLOG_MEASURE_PROCESS_TREE_H
#define HEAPLOG_MEASURE_PROCESS_TREE_H

#include "measure/peak.h"

struct heaplog_tree; /* lives in its own mapping; no malloc anywhere in this file */

/* A new, empty tree.
 * proc: where procfs is, normally "/proc" (tests give a fake directory). fd_budget: how many descriptors it may keep
 * open in the calling thread's table (0: none are kept). Returns NULL when memory cannot be mapped.
 * A tree belongs to the thread that made it. */
struct heaplog_tree *heaplog_tree_create(const char *proc, unsigned fd_budget);
void heaplog_tree_destroy(struct heaplog_tree *tree);

/* A direct child of the runner. It is not counted before it has exec'ed (PF_FORKNOEXEC), because until then its memory
 * is the runner's. Returns 0, or -1 when there is no memory. */
int heaplog_tree_add_root(struct heaplog_tree *tree, pid_t pid);

/* One look: finds new descendants, drops the gone, reads the memory of all and accounts it in peak.
 * Returns the number of live members (0: none is left), sets *changed when the membership differs from the last look.
 */
size_t heaplog_tree_tick(struct heaplog_tree *tree, uint64_t now_ns, struct heaplog_peak *peak, bool *changed);

/* Has pid exec'ed since its fork? 1 yes, 0 no, -1 gone or unreadable. */
int heaplog_process_has_execed(const char *proc, pid_t pid);

#endif
