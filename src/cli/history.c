/* `heaplog history TASK FILE...`: one task's peaks over time. */
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/csv.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/terminal.h"
#include "cli/utf8.h"

#include <stdlib.h>
#include <string.h>

static const char name[] = "heaplog history";

static const char help[] =
    "usage: heaplog history [OPTIONS] TASK FILE|DIRECTORY|-...\n"
    "The peaks of TASK (\"project:target[:configuration]\"), the earliest run first, with a sparkline.\n\n"
    "  -n, --last N         the last N runs (text: 30; csv and json: all)\n"
    "  -f, --format FORMAT  text (default), csv, json\n"
    "      --help\n\n"
    "Exit status 1: there is no record of TASK. 2: wrong usage, or unreadable input.\n";

enum format { HISTORY_TEXT, HISTORY_CSV, HISTORY_JSON };
static const char *const format_names[] = {"text", "csv", "json", NULL};

struct entry {
	struct table_record record;
	uint32_t sequence;
	uint32_t metric; /* number in history.metrics */
};

struct history {
	const char *task;
	struct entry *entries;
	size_t count, capacity;
	struct intern runs, metrics;
	struct intern others; /* names of other tasks that contain TASK, for the message */
};

static void visit(void *context, const struct line *line)
{
	struct history *history = context;

	if (strcmp(line->task, history->task) != 0) {
		if (history->count == 0 && history->others.count < 10 && strstr(line->task, history->task))
			intern(&history->others, line->task);
		return;
	}
	if (history->count == history->capacity) {
		history->capacity = history->capacity ? history->capacity * 2 : 64;
		history->entries = must_realloc(history->entries, history->capacity, sizeof *history->entries);
	}
	history->entries[history->count] = (struct entry){
	    .record = table_record_of(line, intern(&history->runs, line->run)),
	    .sequence = (uint32_t)history->count,
	    .metric = intern(&history->metrics, line->metric),
	};
	history->count++;
}

static int by_run(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->metric != y->metric)
		return x->metric < y->metric ? -1 : 1;
	if (x->record.run != y->record.run)
		return x->record.run < y->record.run ? -1 : 1;
	return x->sequence < y->sequence ? -1 : 1;
}

static int by_start(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->record.start_ms != y->record.start_ms)
		return x->record.start_ms < y->record.start_ms ? -1 : 1;
	return x->sequence < y->sequence ? -1 : 1;
}

/* One entry per run and metric, the last that was read; then by time. */
static void settle(struct history *history)
{
	size_t kept = 0;

	qsort(history->entries, history->count, sizeof *history->entries, by_run);
	for (size_t i = 0; i < history->count; i++) {
		const struct entry *entry = &history->entries[i], *next = entry + 1;

		if (i + 1 == history->count || next->metric != entry->metric || next->record.run != entry->record.run)
			history->entries[kept++] = *entry;
	}
	history->count = kept;
	qsort(history->entries, history->count, sizeof *history->entries, by_start);
}

/* Entries in which something was measured with the metric of the last one: a curve mixes no metrics. */
static size_t comparable(const struct history *history, const struct entry *entries, size_t count, uint64_t *peaks)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		if (entries[i].record.peak > 0 && entries[i].metric == history->entries[history->count - 1].metric)
			peaks[used++] = entries[i].record.peak;
	return used;
}

static void print_spark(const uint64_t *peaks, size_t count, bool unicode)
{
	const size_t width = terminal_width(stdout) - 2, from = count > width ? count - width : 0;
	uint64_t least = UINT64_MAX, most = 0;

	for (size_t i = from; i < count; i++) {
		least = peaks[i] < least ? peaks[i] : least;
		most = peaks[i] > most ? peaks[i] : most;
	}
	for (size_t i = from; i < count; i++)
		fputs(terminal_spark((double)peaks[i], (double)least, (double)most, unicode), stdout);
	putchar('\n');
}

static void print_text(const struct history *history, const struct entry *entries, size_t count)
{
	const bool colour = terminal_colour(stdout), unicode = terminal_unicode();
	uint64_t *peaks = must_realloc(NULL, count, sizeof *peaks);
	const size_t used = comparable(history, entries, count, peaks);
	const char *metric = intern_text(&history->metrics, history->entries[history->count - 1].metric);
	char a[FORMAT_TEXT], b[FORMAT_TEXT], c[FORMAT_TEXT], d[FORMAT_TEXT];
	uint64_t most = 0, before = 0;

	utf8_print(stdout, history->task, SIZE_MAX, unicode);
	putchar('\n');
	if (used > 0) {
		print_spark(peaks, used, unicode);
		const uint64_t median = table_median(peaks, used); /* sorts them */
		printf("%zu of %zu runs, %zu of them measured: median %s, range %s to %s\n\n", count, history->count,
		       used, format_peak(median, metric, a), format_peak(peaks[0], "rss", b),
		       format_peak(peaks[used - 1], "rss", c));
		most = peaks[used - 1];
	}
	printf("%-16s  %10s  %-20s  %8s  %8s  exit\n", "start (UTC)", "peak", "", "change", "time");
	for (size_t i = 0; i < count; i++) {
		const struct table_record *record = &entries[i].record;
		const bool same = entries[i].metric == history->entries[history->count - 1].metric;

		printf("%-16s  %10s  ", format_time(record->start_ms, true, a),
		       format_peak(record->peak, intern_text(&history->metrics, entries[i].metric), b));
		terminal_bar(stdout, same ? (double)record->peak : 0, (double)most, 20, unicode);
		printf("  %8s  %8s  %s%s%s\n",
		       same && before && record->peak ? format_change(before, record->peak, c) : "",
		       format_duration(record->duration_ms, d), colour && format_failed(record) ? "\033[31m" : "",
		       format_exit(record, b), colour && format_failed(record) ? "\033[0m" : "");
		if (same && record->peak)
			before = record->peak;
	}
	free(peaks);
}

/* A number, or nothing (csv), or null (json) where it is not known. */
static const char *known(uint64_t value, const char *unknown, char text[static FORMAT_TEXT])
{
	if (value == LINE_UNKNOWN)
		return unknown;
	snprintf(text, FORMAT_TEXT, "%llu", (unsigned long long)value);
	return text;
}

static void print_csv(const struct history *history, const struct entry *entries, size_t count)
{
	char a[FORMAT_TEXT], b[FORMAT_TEXT], c[FORMAT_TEXT], d[FORMAT_TEXT];

	puts("start,metric,peak_bytes,peak_upper_bytes,duration_ms,exit");
	for (size_t i = 0; i < count; i++) {
		const struct table_record *record = &entries[i].record;

		fputs(record->start_ms == INT64_MIN ? "" : format_time(record->start_ms, false, a), stdout);
		putchar(',');
		csv_text(stdout, intern_text(&history->metrics, entries[i].metric));
		printf(",%llu,%s,%s,", (unsigned long long)record->peak, known(record->peak_upper, "", b),
		       known(record->duration_ms, "", c));
		csv_text(stdout, format_exit(record, d));
		putchar('\n');
	}
}

static void print_json(const struct history *history, const struct entry *entries, size_t count)
{
	char a[FORMAT_TEXT], b[FORMAT_TEXT], c[FORMAT_TEXT];

	fputs("{\"task\":", stdout);
	json_print(stdout, history->task);
	fputs(",\"runs\":[", stdout);
	for (size_t i = 0; i < count; i++) {
		const struct table_record *record = &entries[i].record;

		fputs(i ? ",\n{\"run\":" : "\n{\"run\":", stdout);
		json_print(stdout, intern_text(&history->runs, record->run));
		fputs(",\"start\":", stdout);
		json_print(stdout, record->start_ms == INT64_MIN ? NULL : format_time(record->start_ms, false, a));
		fputs(",\"metric\":", stdout);
		json_print(stdout, intern_text(&history->metrics, entries[i].metric));
		printf(",\"peak_bytes\":%llu,\"peak_upper_bytes\":%s,\"duration_ms\":%s,\"exit\":",
		       (unsigned long long)record->peak, known(record->peak_upper, "null", b),
		       known(record->duration_ms, "null", c));
		json_print(stdout, format_exit(record, a));
		putchar('}');
	}
	puts("\n]}");
}

static int none(const struct history *history)
{
	fprintf(stderr, "%s: no record of ", name);
	utf8_print(stderr, history->task, SIZE_MAX, 1);
	fputs(history->others.count ? "; there are:\n" : "\n", stderr);
	for (uint32_t i = 0; i < history->others.count; i++) {
		fputs("  ", stderr);
		utf8_print(stderr, intern_text(&history->others, i), SIZE_MAX, 1);
		putc('\n', stderr);
	}
	return CLI_FOUND;
}

static void free_history(struct history *history)
{
	free(history->entries);
	intern_free(&history->runs);
	intern_free(&history->metrics);
	intern_free(&history->others);
}

int cmd_history(int argc, char **argv)
{
	enum { HELP = 256 };
	static const struct option known_options[] = {
	    {"last", required_argument, NULL, 'n'},
	    {"format", required_argument, NULL, 'f'},
	    {"help", no_argument, NULL, HELP},
	    {0},
	};
	struct history history = {0};
	struct input input = {.visit = visit, .context = &history, .command = "history"};
	int option, format = HISTORY_TEXT;
	size_t last = 0, from;
	bool good;

	while ((option = arguments_next(name, argc, argv, "n:f:", known_options)) != -1) {
		if (option == HELP)
			return arguments_help(help);
		if (option == 'n'
			? !arguments_count(name, "--last", optarg, 1, &last)
			: option != 'f' || (format = arguments_word(name, "--format", optarg, format_names)) < 0)
			return CLI_USAGE;
	}
	if (argc - optind < 2)
		return arguments_wrong(name, "TASK and a results file are needed");
	history.task = argv[optind];
	good = input_read(&input, argv + optind + 1);
	if (history.count == 0) {
		const int status = none(&history);

		free_history(&history);
		return good ? status : CLI_USAGE;
	}
	settle(&history);
	if (last == 0)
		last = format == HISTORY_TEXT ? 30 : history.count;
	from = history.count > last ? history.count - last : 0;
	if (format == HISTORY_TEXT)
		print_text(&history, history.entries + from, history.count - from);
	else if (format == HISTORY_CSV)
		print_csv(&history, history.entries + from, history.count - from);
	else
		print_json(&history, history.entries + from, history.count - from);
	good &= arguments_flush(name);
	free_history(&history);
	return good ? CLI_OK : CLI_USAGE;
}
