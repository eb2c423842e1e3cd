/* How much is left of a signal's stack. */
#ifndef HEAPLOG_PRELOAD_STACK_H
#define HEAPLOG_PRELOAD_STACK_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that our work takes, the deepest of it with what libc adds below.
 *   STACK_WORK  to note a child, to edit an environment, to end a task, to start a thread: up to 14 KB were seen
 *               (HEAPLOG_EXACT with HEAPLOG_TASK=all, posix_spawn, the first time), and it may be resolved lazily
 *   STACK_END   what the runner has to say at its end: 3 KB were seen */
enum { STACK_WORK = 24 << 10, STACK_END = 4 << 10 };

/* Has the caller less than so many bytes left below it? Where it has, a wrapper does what libc's function does, and no
 * more: a handler on an alternate stack of SIGSTKSZ, long 8192 bytes of which the kernel takes up to half, may fork,
 * exec and wait, and our frames would end its program (seen: SIGSEGV).
 *
 * Returns  true where the thread is on an alternate signal stack (sigaltstack(2)) that has less. Other stacks are not
 *          asked about, nor one set with SS_AUTODISARM, of which the kernel tells nothing while its handler runs
 * Async-signal-safe, also between fork or vfork and exec: one raw system call. Keeps errno. */
bool stack_lacks(size_t bytes);

#endif
