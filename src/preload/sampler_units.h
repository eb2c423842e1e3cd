/* What a sampler thread has: tasks to look at, and children of which it is not known yet what they become. Its own alone. */
#ifndef HEAPLOG_PRELOAD_SAMPLER_UNITS_H
#define HEAPLOG_PRELOAD_SAMPLER_UNITS_H

#include "measure/process_tree.h"
#include "measure/schedule.h"
#include "preload/tasks.h"

enum {
	UNITS_MAX = 64,    /* tasks of one thread, once there are more tasks than threads */
	CHILDREN_MAX = 16, /* for which there is no thread, seen to by one thread at once */
};

/* One task in the hands of a sampler thread. */
struct unit {
	struct task *task;
	struct heaplog_tree *tree;
	struct heaplog_schedule schedule;
	uint64_t due;      /* next look */
	uint64_t glance;   /* next glance, where that is sooner */
	uint64_t soonest;  /* no look before, whatever the news */
	uint64_t finished; /* when its last child was reaped; 0: running */
	uint64_t costs[2]; /* of the looks before; 0: there was none */
	uint64_t empty;    /* since when no process of it is left; 0: some are */
};

/* A child that has not become anything yet. */
struct child {
	pid_t pid;
	uint64_t pause; /* between two looks at it */
	uint64_t due;
};

/* A thread. */
struct sampler {
	uint32_t place;         /* heaplog_process->news, mail */
	_Atomic uint32_t *news; /* where it waits; in the exact mode a word that the task's processes know as well */
	struct unit units[UNITS_MAX];
	size_t count;
	struct child children[CHILDREN_MAX];
	size_t child_count;
	int oom_fd;
	int threads_fd; /* a directory with as many links as the process has threads, and two */
};

/* Is there nothing to do but to wait for one child? */
bool units_await_claim(const struct sampler *sampler);

/* See what has become of the children: the one that this thread was started for, and those that came by mail. Those that
 * are tasks are taken. Returns when the next of the others is due (CLOCK_MONOTONIC, ns). */
uint64_t units_see_to_children(struct sampler *sampler, uint64_t now);

/* Take claims that no thread was told of. */
void units_see_to_unsent(struct sampler *sampler);

/* Take further children of the tasks that this thread has, where other threads said that there are some. */
void units_take_over(struct sampler *sampler);

/* The unit at this place is done with. */
void units_drop(struct sampler *sampler, size_t at);

#endif
