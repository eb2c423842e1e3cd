/* The tasks of any number of records: per task what each run of it needed, and the run that needed most.
 *
 * Memory: what a task has once, and 16 bytes for each run of a task, so that the medians are exact and a later line of
 * the same run and task replaces the earlier, however far apart they stand. */
#ifndef HEAPLOG_CLI_TABLE_H
#define HEAPLOG_CLI_TABLE_H

#include "cli/input.h"
#include "cli/intern.h"

/* One run of a task. */
struct table_value {
	uint64_t peak; /* bytes; 0: nothing was measured */
	uint32_t run;  /* number in table.runs */
	uint32_t sequence;
};

/* One record, without its lists. Numbers may be LINE_UNKNOWN. */
struct table_record {
	int64_t start_ms; /* INT64_MIN: unknown */
	uint64_t peak, peak_upper, duration_ms, peak_at_ms, processes_max, samples, exit_code;
	uint32_t run;
	char signal[16]; /* "": none, or unknown */
	bool oom, exact;
};

struct table_task {
	const char *name; /* "project:target[:configuration]" */
	char *metric;     /* "rss"; the same name with another metric is another task: their sizes do not compare */
	char *project, *target, *configuration, *runner; /* of its first record; NULL: unknown */
	struct table_value *values;                      /* after table_finish: one per run, in the order of the runs */
	uint32_t count, capacity;
	struct table_record largest; /* of the run with the largest peak */
	struct table_record latest;
	char *top; /* of largest, JSON; NULL: none, or not wanted */
	/* After table_finish, over the runs in which something was measured, in bytes: */
	uint64_t least, median;
	uint32_t measured;  /* how many those are */
	uint64_t upper_max; /* the largest upper bound of all records; >= largest.peak */

	uint32_t name_number, other_metric; /* internal */
};

struct table {
	struct table_task *tasks;
	uint32_t count, capacity;
	struct intern runs;
	bool want_top; /* set it before the first record: keep the processes of each task's largest run */

	/* Internal: names to tasks. */
	struct intern names;
	uint32_t *first; /* of name n: its task, or TABLE_NONE; more with other metrics by other_metric */
	uint32_t first_size, named, sequence;
};

#define TABLE_NONE UINT32_MAX

/* The record of a line, whose run has that number. Pure. */
struct table_record table_record_of(const struct line *line, uint32_t run);

/* Add a record to a table, all zero at first. Returns the number of its run. */
uint32_t table_add(struct table *table, const struct line *line);

/* After the last record: values, medians and ranges. Add nothing afterwards. */
void table_finish(struct table *table);

void table_free(struct table *table);

enum table_order {
	TABLE_BY_PEAK, /* all but name: the largest first */
	TABLE_BY_NAME,
	TABLE_BY_MEDIAN,
	TABLE_BY_DURATION,
	TABLE_BY_PROCESSES,
	TABLE_BY_RUNS,
	TABLE_BY_START, /* the latest first */
};

/* Sort the tasks; equal ones by name. */
void table_sort(struct table *table, enum table_order order);

/* The peaks of all measured runs of task into peaks, which has room for task->count; returns how many. */
size_t table_peaks(const struct table_task *task, uint64_t *peaks);

/* The median of count numbers, which are sorted by this; of an even count the mean of the middle two, rounded down. */
uint64_t table_median(uint64_t *values, size_t count);

#endif
