/* Did the kernel's out-of-memory killer end a task, or a process of it? */
#ifndef HEAPLOG_PRELOAD_OOM_WATCH_H
#define HEAPLOG_PRELOAD_OOM_WATCH_H

#include "preload/cause.h"

#include <stdbool.h>
#include <stdint.h>

/* What is known of one task. The sampler writes it; read when the task has ended. */
struct oom_watch {
	bool begun;               /* first is known */
	_Atomic int64_t first;    /* the count at the first look */
	_Atomic int64_t last;     /* and at the last */
	_Atomic uint64_t rise;    /* when it was last seen to have risen, CLOCK_MONOTONIC in ns; 0: never */
	_Atomic uint64_t held[2]; /* the largest sums of this second and of the one before */
	uint64_t second;          /* when this one began */
	_Atomic bool hit;         /* at such a moment so much went as the largest task had, or a good part of it */
};

/* After each look at the task: before and after are the sums of its processes' memory at the last look and at this one.
 * For sampler threads, whose descriptors are their own: *kept is the thread's, -1 at first. */
void oom_watch_look(struct oom_watch *watch, int *kept, uint64_t now, uint64_t before, uint64_t after);

/* The largest sum of the last second or two. */
uint64_t oom_watch_held(const struct oom_watch *watch);

/* The task ends now. Opens a descriptor for a moment: only for ends that are failures. */
enum oom oom_watch_end(const struct oom_watch *watch, uint64_t now);

#endif
