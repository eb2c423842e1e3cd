/* What the environment says: LD_PRELOAD, the switches, the results file. */
#include "cli/doctor.h"
#include "cli/find.h"
#include "cli/library.h"
#include "cli/options.h"
#include "heaplog.h"
#include "measure/summary.h"
#include "task/task.h"
#include "record/size.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum state { STATE_UNSET, STATE_ON, STATE_OFF, STATE_MALFORMED };

static enum state state_of(const char *name)
{
	const char *value = getenv(name);

	if (!value || !*value)
		return STATE_UNSET;
	if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		return STATE_ON;
	if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		return STATE_OFF;
	/* The exact mode alone is no reason for not seeing a peak. */
	doctor_say(strcmp(name, "HEAPLOG_EXACT") == 0 ? DOCTOR_NOTE : DOCTOR_WRONG, name,
		   "%s is not true, 1, false or 0, and counts as false", value);
	return STATE_MALFORMED;
}

static void check_switches(bool meant)
{
	const enum state nx = state_of("NX_LOG_HEAP_USAGE"), own = state_of("HEAPLOG");

	if (nx == STATE_ON || own == STATE_ON)
		doctor_say(DOCTOR_GOOD, "switch", "%s is on", nx == STATE_ON ? "NX_LOG_HEAP_USAGE" : "HEAPLOG");
	else if (nx == STATE_OFF || own == STATE_OFF)
		doctor_say(DOCTOR_WRONG, "switch",
			   "%s is off, for the library and for heaplog run; "
			   "--log-heap-usage overrules it",
			   nx == STATE_OFF ? "NX_LOG_HEAP_USAGE" : "HEAPLOG");
	else if (meant && nx == STATE_UNSET && own == STATE_UNSET)
		doctor_say(DOCTOR_WRONG, "switch",
			   "the library is preloaded, but off: set NX_LOG_HEAP_USAGE=true, "
			   "or HEAPLOG=1");
	if (getenv("NX_TASK_TARGET_PROJECT") || getenv("TURBO_HASH"))
		doctor_say(DOCTOR_WRONG, "nested", "this is inside a task of %s: only the outermost runner shows peaks",
			   getenv("TURBO_HASH") ? "turbo" : "Nx");
	if (getenv("NX_BATCH_MODE") && strcmp(getenv("NX_BATCH_MODE"), "true") == 0)
		doctor_say(DOCTOR_NOTE, "NX_BATCH_MODE", "the tasks of a batch share one process and one figure");
}

/* As the library reads it: digits alone. */
static bool is_interval(const char *text)
{
	const unsigned long value = strtoul(text, NULL, 10);

	return strspn(text, "0123456789") == strlen(text) && value >= OPTIONS_INTERVAL_MIN_MS &&
	       value <= OPTIONS_INTERVAL_MAX_MS;
}

static void check_values(void)
{
	const char *results = getenv("HEAPLOG_RESULTS"), *task = getenv("HEAPLOG_TASK"), *warn = getenv("HEAPLOG_WARN");
	const char *interval = getenv("HEAPLOG_INTERVAL_MS"), *metric = getenv("HEAPLOG_METRIC");
	struct task_rule rule;
	struct stat status;
	uint64_t bytes;
	char directory[PATH_MAX];

	if (task && *task && !task_rule_read(&rule, task))
		doctor_say(DOCTOR_WRONG, "HEAPLOG_TASK", "%s is not nx, npm, all or a pattern; nx is used", task);
	else if (task && *task)
		doctor_say(DOCTOR_NOTE, "HEAPLOG_TASK", "tasks are recognised by %s", task);
	if (warn && *warn && (heaplog_size_parse(warn, &bytes) != 0 || !bytes))
		doctor_say(DOCTOR_NOTE, "HEAPLOG_WARN", "%s is not a size such as 1.5GB; there is no threshold", warn);
	if (interval && *interval && !is_interval(interval))
		doctor_say(DOCTOR_NOTE, "HEAPLOG_INTERVAL_MS",
			   "%s is not a number of milliseconds from %d to %d; 500 is used", interval,
			   OPTIONS_INTERVAL_MIN_MS, OPTIONS_INTERVAL_MAX_MS);
	if (metric && *metric && strcmp(metric, "rss") != 0 && strcmp(metric, HEAPLOG_OTHER_METRIC) != 0)
		doctor_say(DOCTOR_NOTE, "HEAPLOG_METRIC", "%s is not rss or " HEAPLOG_OTHER_METRIC "; rss is used",
			   metric);
	state_of("HEAPLOG_EXACT");
	if (!results || !*results)
		return;
	snprintf(directory, sizeof directory, "%.*s", (int)(find_basename(results) - results), results);
	if (lstat(results, &status) == 0 && !S_ISREG(status.st_mode))
		doctor_say(DOCTOR_WRONG, "HEAPLOG_RESULTS", "%s is %s, which the library does not write to", results,
			   S_ISLNK(status.st_mode) ? "a symbolic link" : "not a regular file");
	else if (access(results, F_OK) == 0 ? access(results, W_OK) != 0
					    : access(*directory ? directory : ".", W_OK) != 0)
		doctor_say(DOCTOR_WRONG, "HEAPLOG_RESULTS", "%s cannot be written: %s", results, strerror(errno));
	else
		doctor_say(DOCTOR_GOOD, "HEAPLOG_RESULTS", "%s", results);
}

bool doctor_check_environment(const struct elf *own, const char *library)
{
	const char *value = getenv(LIBRARY_VARIABLE);
	bool meant;
	const bool works = doctor_check_preload(value, own, &meant);

	/* Where the path cannot be an entry only heaplog can help, by a link. */
	if (!meant && library)
		doctor_say(DOCTOR_NOTE, LIBRARY_VARIABLE,
			   "does not name the library: peaks are shown by \"heaplog COMMAND\"%s%s",
			   strpbrk(library, ": \t\n$") ? "" : ", or with " LIBRARY_VARIABLE "=",
			   strpbrk(library, ": \t\n$") ? "" : library);
	check_switches(meant);
	check_values();
	return works;
}
