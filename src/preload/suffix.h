/* A result line and its suffix, written as one. */
#ifndef HEAPLOG_PRELOAD_SUFFIX_H
#define HEAPLOG_PRELOAD_SUFFIX_H

#include "preload/annotate.h"
#include "preload/nx.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Write the chunk, a result line as it was parsed, with the figure's suffix, in one write. Returns as write(2): how many
 * of the chunk's bytes the kernel has, or -1 with errno. *annotated: the suffix is there. Cancellation point. */
ssize_t suffix_write(int fd, const char *chunk, size_t length, const struct nx_line *line, const struct figure *figure,
		     bool *annotated);

/* The kernel took a part of our text (a socket, a full disk): the rest, or the line would stay broken. Waits for room,
 * but not for ever. Changes errno. */
void suffix_rest(int fd, const char *text, size_t length);

#endif
