/* What is said on stderr at a runner's end, where heaplog does not know the runner's own lines. */
#ifndef HEAPLOG_PRELOAD_CLOSING_H
#define HEAPLOG_PRELOAD_CLOSING_H

#include "preload/tasks.h"

/* Put a task into the table, once. Under the lock, or when no other thread has tasks in hand. */
void closing_add(struct task *task);

/* Make sure that the table is printed while the program still has its stderr: GNU's tools close it in a function that
 * they gave to atexit, before the destructors of libraries run. Only in a process without other threads: a fork while
 * another thread is in atexit would leave the child with a lock that nobody holds. In a signal handler: nothing. */
void closing_arm(void);

/* A child was reaped: print the table when the program is at its exit and this was the last. */
void closing_reaped(void);

/* Print the table, if there is one, and begin a new one. */
void closing_print(void);

/* Forget the parent's table. */
void closing_forget(void);

#endif
