/* What heaplog itself says, on the program's descriptors. */
#ifndef HEAPLOG_PRELOAD_SAY_H
#define HEAPLOG_PRELOAD_SAY_H

#include <stddef.h>

/* Write text to fd, in pieces that a pipe takes whole. Whatever fd is, the program does not feel it: no signal for a
 * reader that has gone or a file that may not grow (SIGPIPE, SIGXFSZ), no stop in the background (SIGTTOU), and no wait
 * of more than a fifth of a second for a reader that does not read; what could not be said by then is left out.
 * Async-signal-safe; changes errno. */
void say(int fd, const char *text, size_t length);

#endif
