/* What a task needed in an earlier run, for the line of a cache hit. */
#ifndef HEAPLOG_PRELOAD_LAST_PEAK_H
#define HEAPLOG_PRELOAD_LAST_PEAK_H

#include "preload/annotate.h"
#include "preload/nx.h"

/* The figure for a cached result line: from the last record in HEAPLOG_RESULTS of the task that the line names. peak 0:
 * there is none. The file is read once, at the first such line, and no more than its last LAST_PEAK_BYTES. Called by
 * the runner's write, without the lock; keeps errno. */
struct figure last_peak(const char *chunk, size_t length, const struct nx_line *line);

/* The part that is arithmetic: in records (lines, the last may be incomplete), the last whose task the line names.
 * Returns false when there is none. Pure. */
bool last_peak_find(const char *records, size_t size, const char *chunk, size_t length, const struct nx_line *line,
		    struct figure *figure);

enum { LAST_PEAK_BYTES = 4 << 20 };

#endif
