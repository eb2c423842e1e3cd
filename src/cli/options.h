/* The command line of `heaplog run`. Pure. */
#ifndef HEAPLOG_CLI_OPTIONS_H
#define HEAPLOG_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { OPTIONS_ERROR = 256, OPTIONS_INTERVAL_MIN_MS = 10, OPTIONS_INTERVAL_MAX_MS = 60000 };

enum summary { SUMMARY_AUTO, SUMMARY_ALWAYS, SUMMARY_NEVER };

enum usage_flag { FLAG_UNSET, FLAG_ON, FLAG_OFF }; /* --log-heap-usage */

struct run_options {
	enum usage_flag log_heap_usage;
	enum summary summary;
	const char *results;  /* NULL: as the environment has it */
	const char *metric;   /* "rss" or "pss"; NULL likewise */
	const char *runner;   /* preset or pattern; NULL: nx, or what the command needs */
	const char *warn;     /* as given, a valid size */
	unsigned interval_ms; /* 0: not given */
	bool exact;
	bool help, version;
	char **command; /* the runner's own words, NULL-terminated */
	size_t count;
	char error[OPTIONS_ERROR]; /* what is wrong, where options_parse returned false */
};

/* Parse argv (argv[0] is the name we go by; options end at the first word that is none, or at "--"). argv itself is
 * changed: --log-heap-usage is taken out of the runner's words, see options_take_flag. Returns false with error set on
 * wrong usage. A command that is missing is not an error here: count is 0. */
bool options_parse(int argc, char **argv, struct run_options *options);

/* Take --log-heap-usage, --log-heap-usage=true|1|false|0 and --no-log-heap-usage out of a runner's words. Up to "--",
 * behind which words belong to the tasks; but a launcher's (npm, pnpm, yarn, bun) first "--" only ends its own options.
 * --logHeapUsage stays: it is Jest's and Vitest's. Returns the new count; *flag is set by the last one, and *bad to a
 * word with another value. */
size_t options_take_flag(size_t count, char **words, enum usage_flag *flag, const char **bad);

#endif
