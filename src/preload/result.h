/* The result fd: one sealed memfd per finished task, in the runner's descriptor table, for every formatter to read. */
#ifndef HEAPLOG_PRELOAD_RESULT_H
#define HEAPLOG_PRELOAD_RESULT_H

#include "preload/annotate.h"
#include "preload/tasks.h"

/* Format the record of task and put it into a new result fd. Nothing is made where nothing was measured (peak 0), and
 * no fd where descriptors are scarce. Called with the lock held. */
void result_make(struct task *task, const struct heaplog_summary *summary);

/* "run" of this runner's records. With the lock held, or before there is a second thread that may ask. */
const char *result_run(void);

/* Have the kernel make room in the table of descriptors. In a process with threads that takes 10 ms and more (it waits
 * for all processors, expand_fdtable in fs/file.c), and in a wait wrapper this is too long: Nx up to 20 drops what a
 * task has written when it learns of its end first. For the constructor, which runs before there are threads. Keeps
 * errno. */
void result_reserve(void);

/* Close the task's result fd if the number still is ours. */
void result_drop(struct task *task);

/* In the child of a fork: close what is not its to inherit. Async-signal-safe. */
void result_forked(void);

/* What the suffix of the task says. The peak is as the result fd has it, or the task's own copy when the program has
 * closed the fd. */
struct figure result_figure(const struct task *task);

/* Note that HEAPLOG_RESULTS could not be written (errno value). A sampler thread has no stderr of its own, so that a
 * thread of the runner says it, once: result_warn. */
void result_failed(int error);
void result_warn(void);

#endif
