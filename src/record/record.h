/* One finished task as one line of JSON (the layout is documented in include/heaplog.h). */
#ifndef HEAPLOG_RECORD_RECORD_H
#define HEAPLOG_RECORD_RECORD_H

#include "measure/summary.h"

#include <stdbool.h>
#include <time.h>

enum { HEAPLOG_RECORD_MAX = 16384 }; /* the longest line, newline included */

enum heaplog_exit { HEAPLOG_EXIT_UNKNOWN, HEAPLOG_EXIT_CODE, HEAPLOG_EXIT_SIGNAL };

struct heaplog_record {
	const char *run;     /* one value for all tasks of one runner process */
	const char *task;    /* "project:target[:configuration]" */
	const char *project; /* NULL fields are left out of the line */
	const char *target;
	const char *configuration;
	const char *hash;
	const char *runner;    /* "nx" */
	pid_t pid;             /* of the task's first process */
	struct timespec start; /* CLOCK_REALTIME */
	uint64_t duration_ms;
	enum heaplog_exit exit; /* UNKNOWN: "exit" is left out */
	int exit_value;         /* exit code, or signal number */
	bool oom;               /* the kernel killed it for want of memory */
	uint32_t interval_ms;   /* as configured */
	const char *metric;     /* "rss" */
	bool partial;           /* it may have held more, between looks or after the last one */
	const struct heaplog_summary *summary;
};

/* Format record as one line of JSON with its newline into text. Any byte in a name is safe: control characters, quotes
 * and invalid UTF-8 are escaped. Returns the length; 0 when it does not fit even without series and top (then the
 * caller has no record). No malloc, stdio or locale. */
size_t heaplog_record_format(const struct heaplog_record *record, char *text, size_t size);

/* "SIGKILL" for 9 and so on for all standard signals; NULL for others ("SIG34" style is then the caller's). Pure. */
const char *heaplog_signal_name(int signal);

/* Append line to the results file at path with one write:
 * O_WRONLY|O_APPEND|O_CREAT|O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK|O_NOCTTY, mode 0600, regular files only. Returns 0, or a
 * positive errno (ELOOP: a symlink; EINVAL: not a regular file). */
int heaplog_record_append(const char *path, const char *line, size_t length);

#endif
