/* The runner's writes: where a result line passes, its suffix goes with it; where Nx prints none, a line of our own. */
#ifndef HEAPLOG_PRELOAD_OUTPUT_H
#define HEAPLOG_PRELOAD_OUTPUT_H

#include "preload/own_line.h"
#include "preload/runtime.h"
#include "preload/stream.h"

#include <sys/types.h>
#include <sys/uio.h>

/* Must a write be looked at before the kernel has it? False for the whole time in which no task of the runner is
 * finished. */
static inline bool output_matters(void)
{
	return atomic_load_explicit(&heaplog_process->pending, memory_order_relaxed) || own_line_learns();
}

/* Is one of the chunks the line of a cache hit, of which HEAPLOG_RESULTS may know more? */
bool output_is_cached_line(const struct iovec *iov, int count);

/* As writev(2) for the caller: the same bytes, the same errors, and counts of the caller's bytes only. Cancellation
 * point like the real one; no lock is held across it. */
ssize_t output_writev(int fd, const struct iovec *iov, int count);

/* As write(2), likewise. buffer is not NULL. */
ssize_t output_write(int fd, const void *buffer, size_t count);

/* The kernel has taken so many bytes of a chunk: is it a header before a task's start, the alternate screen, or a row
 * that is drawn again? Keeps errno. */
void output_passed(int fd, const char *chunk, size_t length, size_t taken);

/* Can this be what output_passed looks for? All else costs this much. What the kernel has read can be read. */
static inline bool output_is_passage(int fd, const char *chunk, size_t length, ssize_t taken)
{
	return taken > 0 && chunk && (length >= 8 || length == 4) && !stream_is_sink(fd) &&
	       (chunk[0] == '>' || chunk[0] == '\x1b');
}

/* A task is about to be finished: what passed before it was perhaps not seen. */
void output_awaits(void);

/* A runner that begins anew, in the child of a fork. */
void output_forget(void);

#endif
