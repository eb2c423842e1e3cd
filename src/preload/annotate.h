/* The suffix of a result line: pure, no I/O. */
#ifndef HEAPLOG_PRELOAD_ANNOTATE_H
#define HEAPLOG_PRELOAD_ANNOTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANNOTATE_SUFFIX_MAX = 96 };

/* Write " (peak: 512MB)" into text; dim (SGR 2 ... 22) when coloured. peak: bytes, > 0. signal: the number of the
 * signal that ended the task, 0 for none: then " (peak: 512MB, SIGKILL)". Returns the length, no NUL is needed; 0 when
 * peak is 0. */
size_t annotate_suffix(uint64_t peak, int signal, bool coloured, char text[static ANNOTATE_SUFFIX_MAX]);

#endif
