/* One line of a results file as a record (the layout is documented in include/heaplog.h). */
#ifndef HEAPLOG_CLI_LINE_H
#define HEAPLOG_CLI_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number that the record does not have. */
#define LINE_UNKNOWN UINT64_MAX

struct line {
	/* Views into the text that was parsed; NULL where the record has none. run, task and metric are never NULL. */
	const char *run, *task, *project, *target, *configuration, *hash, *runner, *metric, *start;
	const char *signal; /* "SIGKILL"; NULL: it ended by itself, or that is not known */
	struct line_list {
		const char *text; /* from bracket to bracket; NULL: none */
		size_t length;
	} top, series; /* as JSON; read with line_next_top and line_next_sample */
	uint64_t exit_code;
	int64_t start_ms; /* since 1970, UTC; INT64_MIN: unknown */
	uint64_t pid, duration_ms, peak, peak_upper, peak_at_ms, samples, interval_ms, processes_max;
	bool oom, exact;
};

/* Parse text, a line without its newline, NUL-terminated, which is changed (strings are decoded in place). Returns
 * NULL, or what is wrong with it, in words that follow "FILE:LINE: ". Pure but for text. */
const char *line_parse(char *text, struct line *line);

struct line_top {
	const char *command;
	uint64_t pid, bytes;
};

/* The next process of the breakdown at *at (line->top.text at first; strings are decoded in place, so only once), or
 * false. */
bool line_next_top(char **at, struct line_top *top);

/* The next sample of the history at *at (line->series.text at first), or false. */
bool line_next_sample(const char **at, uint64_t *ms, uint64_t *bytes);

/* "2026-11-23T21:00:00.123Z" as milliseconds since 1970, or false. A fraction of any length, an offset instead of Z. */
bool line_parse_time(const char *text, int64_t *ms);

#endif
