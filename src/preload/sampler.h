/* One thread per task child, which looks at the task's processes from the runner. */
#ifndef HEAPLOG_PRELOAD_SAMPLER_H
#define HEAPLOG_PRELOAD_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* CLOCK_MONOTONIC in ns. Async-signal-safe. */
uint64_t sampler_now(void);

/* After a fork that made pid, begun at before_ns. In a process with threads a sampler starts now and waits for the
 * child's name: the runner may not call us again for seconds. A process without threads stays so until a child is known
 * to be a task, because single-threaded programs may rely on it (unshare, fork). Keeps errno. */
void sampler_forked(pid_t pid, uint64_t before_ns);

/* Is the caller in a signal handler, as far as can be told, of a program that has had threads of ours and has no other? It
 * counts on libc to take no locks in fork(), and may have interrupted who holds them; libc takes them for ever once there
 * was a thread (SINGLE_THREAD_P; seen: a handler that forks in the middle of a fork, when the last sampler had ended).
 * Async-signal-safe. Keeps errno. */
bool sampler_is_in_handler(void);

/* Start a sampler for pid. Where no further thread can be had (EAGAIN, the limit) a running one sees to it as well;
 * where there is none the task goes on as it would without us. Keeps errno. */
void sampler_start(pid_t pid);

/* All samplers are to end now. Any thread but theirs. */
void sampler_leave(void);

/* The life of a sampler thread with a place among RUNTIME_SAMPLERS, begun for the child pid: until there is nothing left
 * to look at. */
void sampler_run(pid_t pid, uint32_t place);

/* A child that was sent to the thread at this place since there can be no further thread; 0: none. */
pid_t sampler_mail(uint32_t place);

/* pid is to be settled by the next wait; claim: the word of its claim (board_claim) as it was before anybody looked. */
void settle_later(pid_t pid, uint32_t claim);

/* Before a wait. A process without threads that forked gets no other chance to learn that its child is a task (after a
 * wait with WNOHANG timeout sleeps in sigsuspend): wait, up to 20 ms and once for each child, until that child has
 * exec'ed or ended, and start its sampler. The caller's wait goes on meanwhile: attempt(call) is the same wait with
 * WNOHANG, and what it returns when that is not 0 is the wait's result. blocks: the caller's wait does; then a handler
 * without SA_RESTART ends it as it would have ended the real one: -1 and EINTR. 0: go on and wait. Keeps errno, but for
 * what attempt or EINTR set. */
long sampler_settle(long (*attempt)(const void *), const void *call, bool blocks);

/* Start samplers for tasks that were claimed meanwhile: called by wrappers in the runner. One atomic load when there
 * are none. */
void sampler_poll(void);

#endif
