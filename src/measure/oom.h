/* How often the kernel's out-of-memory killer has struck. */
#ifndef HEAPLOG_MEASURE_OOM_H
#define HEAPLOG_MEASURE_OOM_H

#include <stdbool.h>
#include <stdint.h>

enum { HEAPLOG_OOM_PATH = 4096 };

/* Where the count of this process's control group stands. */
struct heaplog_oom_counter {
	char path[HEAPLOG_OOM_PATH];
};

/* Find it: memory.events of the group (version 2; it counts the groups below as well), memory.oom_control (version 1),
 * or else vmstat, which every user may read and which counts the whole machine. Kernels before 4.13 count nowhere.
 *
 * proc     the proc file system, "/proc"
 * counter  filled when true is returned
 * Returns  whether there is a count. Opens and closes descriptors; no malloc, no stdio; errno is not kept
 * Source   proc's self/cgroup and self/mountinfo; https://docs.kernel.org/admin-guide/cgroup-v2.html */
bool heaplog_oom_find(const char *proc, struct heaplog_oom_counter *counter);

/* The count: processes that were killed so far. The kernel counts before it kills, so that who has reaped the victim
 * sees it (mm/oom_kill.c, __oom_kill_process). -1: it cannot be read. As above. */
int64_t heaplog_oom_count(const struct heaplog_oom_counter *counter);

/* The same for who asks often: *kept is the descriptor, -1 at first, and stays open. For sampler threads, whose
 * descriptors are their own and end with them. */
int64_t heaplog_oom_count_again(const struct heaplog_oom_counter *counter, int *kept);

#endif
