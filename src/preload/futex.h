/* Futex words in memory that processes share (no FUTEX_PRIVATE_FLAG: the waker may be another process). Raw system
 * calls: between fork and exec, too. */
#ifndef HEAPLOG_PRELOAD_FUTEX_H
#define HEAPLOG_PRELOAD_FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Wake all who wait for word to change. It has to be changed before. Changes errno. */
static inline void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Wait until somebody wakes, for timeout_ns at most; not at all where word is not seen any more. Changes errno. */
static inline void futex_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t timeout_ns)
{
	const struct timespec timeout = {
	    .tv_sec = (time_t)(timeout_ns / 1000000000U),
	    .tv_nsec = (long)(timeout_ns % 1000000000U),
	};

	syscall(SYS_futex, word, FUTEX_WAIT, seen, &timeout, NULL, 0);
}

#endif
