/* What is known of a task's memory: the numbers that leave the measuring room. Plain data, no pointers. */
#ifndef HEAPLOG_MEASURE_SUMMARY_H
#define HEAPLOG_MEASURE_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What HEAPLOG_METRIC may name besides rss: where the kernel counts a page that n processes share 1/n in each, that; on
 * macOS the physical footprint, which Activity Monitor shows. */
#ifdef __APPLE__
#define HEAPLOG_OTHER_METRIC "footprint"
#else
#define HEAPLOG_OTHER_METRIC "pss"
#endif

enum { HEAPLOG_TOP_MAX = 8, HEAPLOG_SERIES_MAX = 120, HEAPLOG_COMMAND_MAX = 128 };

/* One process at the moment of the peak. */
struct heaplog_top {
	pid_t pid;
	uint64_t bytes;
	char command[HEAPLOG_COMMAND_MAX]; /* arguments joined by spaces, cut at a UTF-8 boundary, NUL-terminated */
};

/* One point of the thinned history. */
struct heaplog_point {
	uint64_t ms; /* since the start of the task */
	uint64_t bytes;
};

struct heaplog_summary {
	uint64_t peak_bytes;       /* lower bound, always true; 0: nothing was measured */
	uint64_t peak_upper_bytes; /* upper bound, >= peak_bytes */
	uint64_t largest_bytes;    /* the most that one process was seen to have held */
	uint64_t current_bytes;    /* the last sum */
	uint64_t peak_at_ms;       /* since the start of the task */
	uint32_t samples;
	uint32_t processes; /* counted in the last sum */
	uint32_t processes_max;
	uint32_t interval_ms; /* the period in use at the end: larger than configured when walks were too slow */
	uint32_t top_count;
	uint32_t series_count;
	struct heaplog_top top[HEAPLOG_TOP_MAX]; /* largest first */
	struct heaplog_point series[HEAPLOG_SERIES_MAX];
};

#endif
