/* report --format openmetrics: OpenMetrics 1.0 text, which node_exporter's textfile collector reads as well (it takes
 * no timestamps, so there are none). Each task's latest run. */
#include "cli/report.h"

#include <string.h>

/* A label's value: backslash, quote and newline escaped; other bytes are UTF-8 as they are. */
static void label(FILE *out, const char *name, const char *value, bool first)
{
	if (!value)
		return;
	fprintf(out, "%s%s=\"", first ? "" : ",", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '\\' || *value == '"')
			fprintf(out, "\\%c", *value);
		else
			putc(*value, out);
	}
	putc('"', out);
}

static void sample(FILE *out, const char *metric, const struct table_task *task)
{
	fprintf(out, "%s{", metric);
	label(out, "task", task->name, true);
	label(out, "project", task->project, false);
	label(out, "target", task->target, false);
	label(out, "configuration", task->configuration, false);
	label(out, "metric", task->metric, false);
	fputs("} ", out);
}

/* One metric of all tasks; value returns false where a task has none. */
static void family(const struct report *report, const char *name, const char *unit, const char *help,
		   bool (*value)(const struct table_task *task, double *value))
{
	FILE *out = report->out;
	char full[80];

	snprintf(full, sizeof full, "%s%s%s", name, *unit ? "_" : "", unit);
	fprintf(out, "# TYPE %s gauge\n", full);
	if (*unit)
		fprintf(out, "# UNIT %s %s\n", full, unit);
	fprintf(out, "# HELP %s %s\n", full, help);
	for (size_t i = 0; i < report->shown; i++) {
		double number;

		if (!value(&report->table.tasks[i], &number))
			continue;
		sample(out, full, &report->table.tasks[i]);
		/* Whole milliseconds and whole bytes: more digits would be those of the double. */
		fprintf(out, "%.*f\n", strcmp(unit, "seconds") == 0 ? 3 : 0, number);
	}
}

static bool peak(const struct table_task *task, double *value)
{
	*value = (double)task->latest.peak;
	return task->latest.peak > 0;
}

static bool peak_upper(const struct table_task *task, double *value)
{
	*value = (double)task->latest.peak_upper;
	return task->latest.peak > 0 && task->latest.peak_upper != LINE_UNKNOWN;
}

static bool duration(const struct table_task *task, double *value)
{
	*value = (double)task->latest.duration_ms / 1000;
	return task->latest.duration_ms != LINE_UNKNOWN;
}

static bool processes(const struct table_task *task, double *value)
{
	*value = (double)task->latest.processes_max;
	return task->latest.processes_max != LINE_UNKNOWN;
}

static bool success(const struct table_task *task, double *value)
{
	const struct table_record *record = &task->latest;

	*value = record->exit_code == 0 && !record->oom && !record->signal[0];
	return record->oom || record->signal[0] || record->exit_code != LINE_UNKNOWN;
}

static bool oom(const struct table_task *task, double *value)
{
	*value = task->latest.oom;
	return true;
}

static bool start(const struct table_task *task, double *value)
{
	*value = (double)task->latest.start_ms / 1000;
	return task->latest.start_ms != INT64_MIN;
}

void report_openmetrics(const struct report *report)
{
	family(report, "heaplog_task_peak", "bytes",
	       "Largest memory that the task's processes were seen to hold together.", peak);
	family(report, "heaplog_task_peak_upper", "bytes", "Upper bound of the same.", peak_upper);
	family(report, "heaplog_task_duration", "seconds", "From the task's start to its end.", duration);
	family(report, "heaplog_task_processes_max", "", "Most processes of the task that were alive at once.",
	       processes);
	family(report, "heaplog_task_success", "", "1 where the task ended with exit code 0.", success);
	family(report, "heaplog_task_oom_killed", "", "1 where the kernel killed the task for want of memory.", oom);
	family(report, "heaplog_task_start_timestamp", "seconds", "When the task began, since 1970.", start);
	fputs("# EOF\n", report->out);
}
