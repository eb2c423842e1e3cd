/* The peak of a task from readings of its processes: pure arithmetic, no I/O, no allocation. */
#ifndef HEAPLOG_MEASURE_PEAK_H
#define HEAPLOG_MEASURE_PEAK_H

#include "measure/summary.h"

/* One process as one tick saw it. Bytes. */
struct heaplog_reading {
	pid_t pid;
	uint64_t resident;   /* now, in the metric */
	uint64_t alone;      /* the most that it has held since its exec, in the metric; 0: not known */
	uint64_t high_water; /* no less than it held at any moment since the last tick; >= resident */
};

struct heaplog_peak {
	struct heaplog_summary summary;
	uint64_t start_ns;       /* CLOCK_MONOTONIC */
	uint64_t series_step_ms; /* thinning: one point per so many ms */
	bool top_stale;          /* the last tick set a new peak: the caller fills summary.top[].command */
};

/* Begin: everything 0. start_ns: CLOCK_MONOTONIC at the task's start. */
void heaplog_peak_init(struct heaplog_peak *peak, uint64_t start_ns, uint32_t interval_ms);

/* Account one look at the whole task: count readings, taken at now_ns. gone: bytes, the high-water marks of processes
 * that have gone since the last tick, and what others have lost by an exec: it may have coincided with all that is
 * there now. */
void heaplog_peak_tick(struct heaplog_peak *peak, uint64_t now_ns, const struct heaplog_reading *readings, size_t count,
		       uint64_t gone);

/* Account what one process was known to have held at some moment, whatever the others held then. Bytes. */
void heaplog_peak_alone(struct heaplog_peak *peak, uint64_t now_ns, pid_t pid, uint64_t bytes);

/* What ru_maxrss counts in: bytes on macOS, KiB elsewhere (getrusage(2) of both). */
#ifdef __APPLE__
#define HEAPLOG_MAXRSS_UNIT 1U
#else
#define HEAPLOG_MAXRSS_UNIT 1024U
#endif

/* Account ru_maxrss of a reaped direct child, in bytes. carry_over: what the child had inherited as ru_maxrss before
 * its exec (a child of a 1 GB runner reports 1 GB); only more than that counts. Where it is more than any process was
 * seen with, the upper bound rises by all of it. */
void heaplog_peak_reaped(struct heaplog_summary *summary, uint64_t maxrss, uint64_t carry_over, uint64_t at_ms);

#endif
