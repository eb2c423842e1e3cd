/* report --format json and csv: for programs. Sizes in bytes, times in milliseconds; unknown is null, or empty. */
#include "cli/csv.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/report.h"
#include "heaplog.h"

static void json_key(FILE *out, const char *key, const char *value)
{
	fprintf(out, ",\"%s\":", key);
	json_print(out, value);
}

static void json_number(FILE *out, const char *key, uint64_t value)
{
	if (value == LINE_UNKNOWN)
		fprintf(out, ",\"%s\":null", key);
	else
		fprintf(out, ",\"%s\":%llu", key, (unsigned long long)value);
}

static void json_record(const struct report *report, const char *key, const struct table_record *record)
{
	FILE *out = report->out;
	char text[FORMAT_TEXT];

	fprintf(out, ",\"%s\":{\"run\":", key);
	json_print(out, intern_text(&report->table.runs, record->run));
	json_key(out, "start", record->start_ms == INT64_MIN ? NULL : format_time(record->start_ms, false, text));
	json_number(out, "duration_ms", record->duration_ms);
	if (record->signal[0]) {
		fputs(",\"exit\":{\"signal\":", out);
		json_print(out, record->signal);
		putc('}', out);
	} else if (record->exit_code != LINE_UNKNOWN) {
		fprintf(out, ",\"exit\":{\"code\":%llu}", (unsigned long long)record->exit_code);
	} else {
		fputs(",\"exit\":null", out);
	}
	fputs(record->oom ? ",\"oom\":true" : ",\"oom\":false", out);
	json_number(out, "peak_bytes", record->peak);
	json_number(out, "peak_upper_bytes", record->peak_upper);
	json_number(out, "peak_at_ms", record->peak_at_ms);
	json_number(out, "processes_max", record->processes_max);
	fputs(record->exact ? ",\"exact\":true}" : ",\"exact\":false}", out);
}

static void json_top(FILE *out, char *top)
{
	struct line_top process;
	bool first = true;

	fputs(",\"top\":[", out);
	for (; line_next_top(&top, &process); first = false) {
		fputs(first ? "{\"command\":" : ",{\"command\":", out);
		json_print(out, process.command);
		json_number(out, "pid", process.pid);
		json_number(out, "bytes", process.bytes);
		putc('}', out);
	}
	putc(']', out);
}

void report_json(const struct report *report)
{
	FILE *out = report->out;

	fprintf(out, "{\"heaplog\":\"" HEAPLOG_VERSION "\",\"records\":%llu,\"bad_lines\":%llu,\"runs\":%u,\"tasks\":[",
		(unsigned long long)report->records, (unsigned long long)report->bad, report->table.runs.count);
	for (size_t i = 0; i < report->shown; i++) {
		const struct table_task *task = &report->table.tasks[i];

		fputs(i ? ",\n{\"task\":" : "\n{\"task\":", out);
		json_print(out, task->name);
		json_key(out, "project", task->project);
		json_key(out, "target", task->target);
		json_key(out, "configuration", task->configuration);
		json_key(out, "runner", task->runner);
		json_key(out, "metric", task->metric);
		json_number(out, "runs", task->count);
		json_number(out, "measured_runs", task->measured);
		json_number(out, "peak_bytes", task->largest.peak);
		json_number(out, "median_bytes", task->median);
		json_number(out, "least_bytes", task->least);
		json_record(report, "largest", &task->largest);
		json_record(report, "latest", &task->latest);
		if (task->top)
			json_top(out, task->top);
		putc('}', out);
	}
	fputs("\n]}\n", out);
}

static void csv_number(FILE *out, uint64_t value)
{
	putc(',', out);
	if (value != LINE_UNKNOWN)
		fprintf(out, "%llu", (unsigned long long)value);
}

void report_csv(const struct report *report)
{
	FILE *out = report->out;

	fputs(
	    "task,project,target,configuration,runner,metric,peak_bytes,peak_upper_bytes,median_bytes,least_bytes,runs,"
	    "duration_ms,processes_max,start,exit,oom\n",
	    out);
	for (size_t i = 0; i < report->shown; i++) {
		const struct table_task *task = &report->table.tasks[i];
		const struct table_record *largest = &task->largest;
		const char *const texts[] = {task->name,          task->project, task->target,
					     task->configuration, task->runner,  task->metric};
		const uint64_t numbers[] = {largest->peak, largest->peak_upper,  task->median,          task->least,
					    task->count,   largest->duration_ms, largest->processes_max};
		char text[FORMAT_TEXT];

		for (size_t j = 0; j < sizeof texts / sizeof *texts; j++) {
			if (j)
				putc(',', out);
			csv_text(out, texts[j]);
		}
		for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++)
			csv_number(out, numbers[j]);
		putc(',', out);
		if (largest->start_ms != INT64_MIN)
			fputs(format_time(largest->start_ms, false, text), out);
		putc(',', out);
		if (largest->signal[0])
			csv_text(out, largest->signal);
		else if (largest->exit_code != LINE_UNKNOWN)
			fprintf(out, "%llu", (unsigned long long)largest->exit_code);
		fputs(largest->oom ? ",true\n" : ",false\n", out);
	}
}
