/* Is the caller in a signal handler? */
#ifndef HEAPLOG_PRELOAD_HANDLER_H
#define HEAPLOG_PRELOAD_HANDLER_H

#include <stdbool.h>

/* May the caller be in a signal handler, where pthread_create and atexit must not be called? Both allocate, and the
 * handler can have interrupted malloc: a deadlock (seen with a timer's handler that waits).
 *
 * Returns  false only where it certainly is not. Async-signal-safe, takes no lock, may change errno */
bool handler_may_run(void);

#endif
