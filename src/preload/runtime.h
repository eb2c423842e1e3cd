/* Whether the library works in this process, and with which settings. */
#ifndef HEAPLOG_PRELOAD_RUNTIME_H
#define HEAPLOG_PRELOAD_RUNTIME_H

#include "task/task.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum {
	RUNTIME_PATH_MAX = 4096,
	RUNTIME_NAME_MAX = 256,
	RUNTIME_DIRECTORY_MAX = 256,
	RUNTIME_SAMPLERS = 64,
	RUNTIME_MAIL = 8
};

/* Written by the constructor and read-only from then on. All zero, that is off, before it and where it declined. */
struct runtime {
	bool on;
	bool lines;           /* the runner's own lines are known, so that its writes are looked at */
	bool no_colour;       /* NO_COLOR */
	pid_t started;        /* the process in which the constructor ran */
	bool output_known[2]; /* stdout and stderr were open at the start */
	bool pss;             /* HEAPLOG_METRIC=pss */
	bool exact;           /* HEAPLOG_EXACT=1 */
	bool member;          /* off, but a process of a task that says what it holds (exact.h) */
	uint32_t interval_ms;
	struct task_rule rule; /* HEAPLOG_TASK */
	uint64_t warn_bytes;   /* HEAPLOG_WARN; 0: none */
	size_t tls_size;       /* bytes of static thread-local storage, which comes out of every thread's stack */
	dev_t output_device[2];
	ino_t output_inode[2];
	dev_t output_rdev[2];
	char library[RUNTIME_NAME_MAX];        /* last path component of this library */
	char results[RUNTIME_PATH_MAX];        /* HEAPLOG_RESULTS; "": none */
	char directory[RUNTIME_DIRECTORY_MAX]; /* for the board's file, XDG_RUNTIME_DIR/heaplog; "": none */
};
extern struct runtime heaplog_runtime;

struct task;

/* What a fork child must not believe about itself. These pages are MADV_WIPEONFORK: a child by fork, _Fork or clone sees
 * zeros without any atfork handler; a child by vfork sees its parent's values, and an owner that is not itself. */
struct process {
	_Atomic pid_t owner;             /* whose board and tasks these are; 0: nobody's yet */
	_Atomic uint32_t lock;           /* futex: 0 free, 1 held, 2 held and waited for */
	_Atomic uint32_t pending;        /* tasks that ended and are not annotated: the write hook's fast path */
	_Atomic uint32_t threads;        /* sampler threads */
	_Atomic uint32_t left;           /* those that have ended, ever; the last are in leavers */
	_Atomic bool leaving;            /* they are to end (wrap_thread.c) */
	struct task *_Atomic first_task; /* their memory is not the child's */
	/* Of the sampler threads, each of which has a place: which are taken, where it waits, and children that it is to
	 * see to because there can be no further thread; 0: none. */
	_Atomic uint64_t places[RUNTIME_SAMPLERS / 64];
	_Atomic uint32_t news[RUNTIME_SAMPLERS];
	_Atomic uint64_t unsent; /* until when claims are to be looked for that could not be sent; sampler_now */
	_Atomic pid_t mail[RUNTIME_SAMPLERS][RUNTIME_MAIL];
	/* Threads that have left their place, by number, since the kernel may have them still; 0: none. */
	_Atomic pid_t leavers[RUNTIME_SAMPLERS];
};
extern struct process *heaplog_process;

/* Bind what the library imports, once: before a process's first fork, since between fork and exec nothing is to be
 * resolved. Most processes never come to it, and are spared the 10 us. Async-signal-safe. */
void runtime_bind(void);

/* Make these pages: before a process's first fork, since most never come to one. Returns false where it cannot be had.
 * Async-signal-safe. */
bool runtime_prepare(void);

/* Does this process own the board and the tasks? Async-signal-safe. */
bool runtime_is_owner(void);

/* Lock the process's tasks with all signals blocked, so that no handler of this thread can come to wait for itself.
 * Nothing that blocks is done under it. *mask keeps the caller's signal mask. */
void runtime_lock(void *mask);
void runtime_unlock(const void *mask);

/* Can [at, at + length) be read? For arguments that the kernel would refuse with EFAULT, before anything of ours looks
 * at them. One cheap system call for each page. Async-signal-safe, keeps errno. */
bool runtime_readable(const void *at, size_t length);

/* The runner ends, or becomes another program, or is about to be killed by its own hand: record what there is and say
 * what is left to say. May be called more than once. Keeps errno; async-signal-safe. */
void runtime_finish(void);

/* Is what stands at descriptor 2 what was the program's stderr at its start? It may have closed it and have a file of
 * its own there. Async-signal-safe, keeps errno. */
bool runtime_has_stderr(void);

/* One line on stderr, if it is still there: "heaplog: " and the given pieces (up to the first NULL). One write, errno kept. */
void runtime_warn(const char *first, ...) __attribute__((sentinel));

#endif
