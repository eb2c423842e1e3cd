/* How much is left of a small stack: a signal's, a coroutine's, one that clone was given. */
#ifndef HEAPLOG_PRELOAD_STACK_H
#define HEAPLOG_PRELOAD_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that our work takes, the deepest of it with what libc adds below.
 *   STACK_SEEN  the most that was seen (HEAPLOG_EXACT with HEAPLOG_TASK=all, posix_spawn, the first time)
 *   STACK_WORK  to note a child, to edit an environment, to end a task, to start a thread: that, and it may be resolved
 *               lazily
 *   STACK_END   what the runner has to say at its end: 3 KB were seen */
enum { STACK_SEEN = 14 << 10, STACK_WORK = 24 << 10, STACK_END = 4 << 10 };

/* Where the process's first stack ends, if here is on it: in its first thread and not deeper than 8 MiB. 0: it is not, or
 * one cannot tell. Async-signal-safe, also between fork or vfork and exec. */
uintptr_t stack_first_end(uintptr_t here);

/* Has the caller less than so many bytes left below it? Where it has, a wrapper does what libc's function does, and no
 * more: a handler on an alternate stack of SIGSTKSZ, long 8192 bytes of which the kernel takes up to half, may fork,
 * exec and wait, and our frames would end its program (seen: SIGSEGV).
 *
 * Returns  true where the thread is on an alternate signal stack (sigaltstack(2)) that has less, or on another than the
 *          process's first that cannot be read so far down, STACK_SEEN at most: a coroutine's (makecontext(3)), or one
 *          that clone(2) was given, with a guard page below. Where there is none, or the kernel tells nothing
 *          (SS_AUTODISARM, while its handler runs), such a stack is not told from a large one
 * Async-signal-safe, also between fork or vfork and exec: a few raw system calls. Keeps errno. */
bool stack_lacks(size_t bytes);

#endif
