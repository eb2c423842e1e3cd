/* The runner's writes: where a result line passes, its suffix goes with it. */
#ifndef HEAPLOG_PRELOAD_OUTPUT_H
#define HEAPLOG_PRELOAD_OUTPUT_H

#include <sys/types.h>
#include <sys/uio.h>

/* As writev(2) for the caller: the same bytes, the same errors, and counts of the caller's bytes only. Cancellation
 * point like the real one; no lock is held across it. */
ssize_t output_writev(int fd, const struct iovec *iov, int count);

/* As write(2), likewise. buffer is not NULL. */
ssize_t output_write(int fd, const void *buffer, size_t count);

#endif
