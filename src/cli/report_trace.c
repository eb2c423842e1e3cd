/* report --format trace: the Chrome trace format (an array of events), which ui.perfetto.dev and chrome://tracing open.
 *
 * An NX_PROFILE is an array of the same kind with the same clock (microseconds since 1970), so that both lie beside
 * each other when joined: jq -s add profile.json heaplog.json. A process of the trace is a run, a thread of it a lane
 * in which tasks do not overlap, and a counter each task's memory. */
#include "cli/format.h"
#include "cli/json.h"
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

/* Numbers of the trace's processes: far above any pid, which NX_PROFILE's events have. */
enum { PROCESS_FIRST = 1000000000 };

/* ,"KEY":ms in microseconds: without leading zeros, which JSON does not have. */
static void microseconds(FILE *out, const char *key, int64_t ms)
{
	fprintf(out, ",\"%s\":%lld%s", key, (long long)ms, ms ? "000" : "");
}

static void event(FILE *out, const char *phase, const char *name, size_t process, size_t lane)
{
	fprintf(out, ",\n{\"ph\":\"%s\",\"pid\":%zu,\"tid\":%zu,\"name\":", phase, PROCESS_FIRST + process, lane);
	json_print(out, name);
}

/* The first lane that is free at start, from 1; ends has room for one lane per task. */
static size_t lane_of(int64_t *ends, size_t *lanes, int64_t start, int64_t end)
{
	size_t lane = 0;

	while (lane < *lanes && ends[lane] > start)
		lane++;
	if (lane == *lanes)
		(*lanes)++;
	ends[lane] = end;
	return lane + 1;
}

static void task_event(FILE *out, const struct run_task *task, size_t process, size_t lane)
{
	const struct table_record *record = &task->record;
	char text[FORMAT_TEXT];

	event(out, "X", task->task, process, lane);
	microseconds(out, "ts", record->start_ms);
	microseconds(out, "dur", record->duration_ms == LINE_UNKNOWN ? 0 : (int64_t)record->duration_ms);
	fprintf(out, ",\"cat\":\"heaplog\",\"args\":{\"peak_bytes\":%llu,\"peak\":\"%s\"",
		(unsigned long long)record->peak, format_peak(record->peak, task->metric, text));
	fputs(",\"exit\":", out);
	json_print(out, format_exit(record, text));
	fputs("}}", out);
}

static void counter_events(FILE *out, const struct run_task *task, size_t process)
{
	const char *at = task->series;
	uint64_t ms, bytes;
	bool any = false;

	while (line_next_sample(&at, &ms, &bytes)) {
		event(out, "C", task->task, process, 0);
		microseconds(out, "ts", task->record.start_ms + (int64_t)ms);
		fprintf(out, ",\"args\":{\"bytes\":%llu}}", (unsigned long long)bytes);
		any = true;
	}
	if (any && task->record.duration_ms != LINE_UNKNOWN) { /* a counter keeps its value until it is told another */
		event(out, "C", task->task, process, 0);
		microseconds(out, "ts", task->record.start_ms + (int64_t)task->record.duration_ms);
		fputs(",\"args\":{\"bytes\":0}}", out);
	}
}

void report_trace(const struct report *report)
{
	FILE *out = report->out;

	/* A first event that says nothing spares each of the others the question whether a comma is due. */
	fputs("[{\"ph\":\"M\",\"pid\":0,\"tid\":0,\"name\":\"heaplog\",\"args\":{}}", out);
	for (size_t i = 0; i < report->runs.count; i++) {
		const struct run *run = &report->runs.runs[i];
		int64_t *ends = must_realloc(NULL, run->count, sizeof *ends);
		size_t lanes = 0;
		char when[FORMAT_TEXT], title[2 * FORMAT_TEXT];

		snprintf(title, sizeof title, "heaplog, run of %s", format_time(run->start_ms, true, when));
		event(out, "M", "process_name", i, 0);
		fputs(",\"args\":{\"name\":", out);
		json_print(out, title);
		fputs("}}", out);
		for (size_t j = 0; j < run->count; j++) {
			const struct table_record *record = &run->tasks[j].record;
			const int64_t duration = record->duration_ms == LINE_UNKNOWN ? 0 : (int64_t)record->duration_ms;

			task_event(out, &run->tasks[j], i,
				   lane_of(ends, &lanes, record->start_ms, record->start_ms + duration));
			counter_events(out, &run->tasks[j], i);
		}
		free(ends);
	}
	fputs("\n]\n", out);
}
