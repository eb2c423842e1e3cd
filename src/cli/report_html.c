/* report --format html: one page that holds its style, its script and its data, and asks nobody for anything.
 *
 * The page stands in html/; the Makefile turns it into lines of C (html/lines.h in the build directory). */
#include "cli/format.h"
#include "cli/json.h"
#include "cli/report.h"
#include "heaplog.h"

#include <stdlib.h>
#include <string.h>

static const char *const lines[] = {
#include "cli/html/lines.h"
};

enum { HISTORY_MOST = 60 }; /* runs of a task in its small chart */

static void number(FILE *out, const char *key, uint64_t value)
{
	if (value == LINE_UNKNOWN)
		fprintf(out, ",\"%s\":null", key);
	else
		fprintf(out, ",\"%s\":%llu", key, (unsigned long long)value);
}

static void top(FILE *out, const char *text)
{
	char *copy = text ? must_strdup(text) : NULL, *at = copy;
	struct line_top process;
	bool first = true;

	fputs(",\"top\":[", out);
	for (; line_next_top(&at, &process); first = false) {
		fputs(first ? "[" : ",[", out);
		json_print(out, process.command);
		fprintf(out, ",%llu]", (unsigned long long)process.bytes);
	}
	putc(']', out);
	free(copy);
}

/* What a task has in common whether it stands for one run or for many. */
static void record(FILE *out, const char *name, const char *metric, const struct table_record *record)
{
	char text[FORMAT_TEXT];

	fputs("{\"name\":", out);
	json_print(out, name);
	fputs(",\"metric\":", out);
	json_print(out, metric);
	number(out, "peak", record->peak);
	number(out, "peakAt", record->peak_at_ms);
	number(out, "duration", record->duration_ms);
	fputs(",\"exit\":", out);
	json_print(out, format_exit(record, text));
	fputs(format_failed(record) ? ",\"failed\":true" : ",\"failed\":false", out);
}

static void task(const struct report *report, const struct table_task *task)
{
	FILE *out = report->out;
	const uint32_t from = task->count > HISTORY_MOST ? task->count - HISTORY_MOST : 0;
	bool first = true;

	record(out, task->name, task->metric, &task->largest);
	number(out, "upper", task->largest.peak_upper);
	number(out, "processes", task->largest.processes_max);
	number(out, "median", task->median);
	number(out, "least", task->least);
	number(out, "runs", task->count);
	number(out, "measured", task->measured);
	fputs(task->largest.oom ? ",\"oom\":true" : ",\"oom\":false", out);
	if (task->largest.start_ms == INT64_MIN)
		fputs(",\"start\":null", out);
	else
		fprintf(out, ",\"start\":%lld", (long long)task->largest.start_ms);
	top(out, task->top);
	fputs(",\"history\":[", out);
	for (uint32_t i = from; i < task->count; i++) {
		if (task->values[i].peak == 0)
			continue;
		fprintf(out, "%s[%u,%llu]", first ? "" : ",", task->values[i].run,
			(unsigned long long)task->values[i].peak);
		first = false;
	}
	fputs("]}", out);
}

static void run(const struct report *report, const struct run *run)
{
	FILE *out = report->out;

	fprintf(out, "{\"start\":%lld,\"tasks\":[", (long long)run->start_ms);
	for (size_t i = 0; i < run->count; i++) {
		const struct run_task *task = &run->tasks[i];
		const char *at = task->series;
		uint64_t ms, bytes;
		bool first = true;

		fputs(i ? ",\n" : "\n", out);
		record(out, task->task, task->metric, &task->record);
		fprintf(out, ",\"start\":%lld", (long long)(task->record.start_ms - run->start_ms));
		top(out, task->top);
		fputs(",\"series\":[", out); /* flat, and in KB: a curve of a few hundred pixels is not finer */
		for (; line_next_sample(&at, &ms, &bytes); first = false) {
			const unsigned long long kilobytes = bytes / 1024 + (bytes % 1024 >= 512);

			fprintf(out, "%s%llu,%llu", first ? "" : ",", (unsigned long long)ms, kilobytes);
		}
		fputs("]}", out);
	}
	fputs("]}", out);
}

static void page_data(const struct report *report)
{
	FILE *out = report->out;

	fprintf(out, "{\"heaplog\":\"" HEAPLOG_VERSION "\",\"records\":%llu,\"bad\":%llu,\"runCount\":%u,\"more\":%zu",
		(unsigned long long)report->records, (unsigned long long)report->bad, report->table.runs.count,
		report->table.count - report->shown);
	fprintf(out, ",\"warn\":%llu,\"memory\":%llu,\"memoryGiven\":%s,\n\"tasks\":[",
		(unsigned long long)report->warn, (unsigned long long)report->memory,
		report->memory_given ? "true" : "false");
	for (size_t i = 0; i < report->shown; i++) {
		fputs(i ? ",\n" : "\n", out);
		task(report, &report->table.tasks[i]);
	}
	fputs("],\n\"runs\":[", out);
	for (size_t i = 0; i < report->runs.count; i++) {
		fputs(i ? ",\n" : "\n", out);
		run(report, &report->runs.runs[i]);
	}
	fputs("]}\n", out);
}

void report_html(const struct report *report)
{
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (strcmp(lines[i], "@DATA@") == 0)
			page_data(report);
		else
			fprintf(report->out, "%s\n", lines[i]);
}
