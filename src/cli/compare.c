/* `heaplog compare BASE HEAD`: what grew, what shrank, and whether that means anything. */
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/markdown.h"
#include "cli/statistics.h"
#include "cli/terminal.h"
#include "cli/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char name[] = "heaplog compare";

static const char help[] =
    "usage: heaplog compare [OPTIONS] BASE HEAD\n"
    "Per task: the median peak before (BASE) and after (HEAD). Each is a results file or a directory of them.\n\n"
    "      --fail-over N%   exit status 1 where a task's median grew by more than N percent (\"10%\")\n"
    "      --fail-over SIZE the same, by more than SIZE (\"200MB\")\n"
    "      --min-growth SIZE  with --fail-over: growth below SIZE never fails (small tasks vary)\n"
    "  -a, --all            also tasks that changed by less than 1 %\n"
    "  -f, --format FORMAT  text (default), markdown, json\n"
    "      --help\n\n"
    "Sizes are medians; where a task has several runs on a side, their range stands behind. One run on each side is "
    "shown\n"
    "as it is and proves nothing. From four runs on each side, p is that of the two-sided Mann-Whitney test (exact up "
    "to 40\n"
    "runs); --fail-over then passes over growth with p >= 0.05. p is per task: among 100 unchanged tasks expect 5 "
    "below 0.05.\n"
    "Tasks on one side only are listed and never fail; where there are no others, --fail-over ends with 2, as for "
    "wrong\n"
    "usage and unreadable input.\n";

enum format { COMPARE_TEXT, COMPARE_MARKDOWN, COMPARE_JSON };
static const char *const format_names[] = {"text", "markdown", "json", NULL};
static const double significant = 0.05;

struct options {
	double percent;  /* < 0: not given */
	uint64_t growth; /* bytes; 0: not given */
	uint64_t min_growth;
	bool all;
	int format;
};

struct pair {
	const struct table_task *before, *after; /* one may be NULL */
	double p;                                /* < 0: no test */
	bool failed;
};

/* One of the two is always there. */
static const char *name_of(const struct pair *pair)
{
	const struct table_task *task = pair->after ? pair->after : pair->before;

	return task ? task->name : "";
}

static uint64_t absolute(const struct pair *pair)
{
	const uint64_t a = pair->before ? pair->before->median : 0, b = pair->after ? pair->after->median : 0;

	return a > b ? a - b : b - a;
}

/* Pairs first, the largest change first; then what is on one side only. */
static int by_change(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	const bool x_pair = x->before && x->after, y_pair = y->before && y->after;

	if (x_pair != y_pair)
		return x_pair ? -1 : 1;
	if (absolute(x) != absolute(y))
		return absolute(x) > absolute(y) ? -1 : 1;
	return strcmp(name_of(x), name_of(y));
}

static bool grew(const struct pair *pair, const struct options *options)
{
	const uint64_t before = pair->before->median, after = pair->after->median;

	if (before == 0 || after <= before || after - before < options->min_growth)
		return false;
	if (pair->p >= significant)
		return false;
	if (options->percent >= 0)
		return (double)(after - before) > (double)before * options->percent / 100;
	return options->growth > 0 && after - before > options->growth;
}

static void test(struct pair *pair)
{
	uint64_t *a = must_realloc(NULL, pair->before->count, sizeof *a);
	uint64_t *b = must_realloc(NULL, pair->after->count, sizeof *b);
	const size_t a_count = table_peaks(pair->before, a), b_count = table_peaks(pair->after, b);

	pair->p = statistics_rank_sum(a, a_count, b, b_count);
	free(a);
	free(b);
}

static int compare_tasks(const struct table_task *x, const struct table_task *y)
{
	const int names = strcmp(x->name, y->name);

	return names ? names : strcmp(x->metric, y->metric);
}

/* Both tables, sorted by name, as pairs. */
static size_t match(const struct table *base, const struct table *head, const struct options *options,
		    struct pair *pairs)
{
	size_t count = 0;

	for (uint32_t i = 0, j = 0; i < base->count || j < head->count;) {
		struct pair *pair = &pairs[count++];
		const int order = i == base->count   ? 1
				  : j == head->count ? -1
						     : compare_tasks(&base->tasks[i], &head->tasks[j]);

		*pair = (struct pair){.p = -1};
		if (order <= 0)
			pair->before = &base->tasks[i++];
		if (order >= 0)
			pair->after = &head->tasks[j++];
		if (order == 0) {
			test(pair);
			pair->failed = grew(pair, options);
		}
	}
	qsort(pairs, count, sizeof *pairs, by_change);
	return count;
}

/* Whether a pair is worth a line. */
static bool is_shown(const struct pair *pair, const struct options *options)
{
	if (options->all || pair->failed || !pair->before || !pair->after)
		return true;
	return pair->before->median == 0 || pair->after->median == 0 ||
	       (double)absolute(pair) >= (double)pair->before->median / 100;
}

static const char *side(const struct table_task *task, char text[static 2 * FORMAT_TEXT])
{
	char median[FORMAT_TEXT], least[FORMAT_TEXT], most[FORMAT_TEXT];

	if (!task || task->measured == 0)
		snprintf(text, 2 * FORMAT_TEXT, "-");
	else if (task->measured == 1)
		snprintf(text, 2 * FORMAT_TEXT, "%s", format_peak(task->median, task->metric, median));
	else
		snprintf(text, 2 * FORMAT_TEXT, "%.16s (%.12s-%.12s, %u)",
			 format_peak(task->median, task->metric, median), format_peak(task->least, "rss", least),
			 format_peak(task->largest.peak, "rss", most), task->measured);
	return text;
}

static const char *change(const struct pair *pair, char text[static FORMAT_TEXT])
{
	if (!pair->before || !pair->after)
		snprintf(text, FORMAT_TEXT, "%s", pair->before ? "gone" : "new");
	else if (pair->after->measured == 0)
		snprintf(text, FORMAT_TEXT, "-");
	else
		format_change(pair->before->median, pair->after->median, text);
	return text;
}

static const char *significance(const struct pair *pair, char text[static FORMAT_TEXT])
{
	if (pair->p < 0)
		text[0] = '\0';
	else if (pair->p < 0.001)
		snprintf(text, FORMAT_TEXT, "p<0.001");
	else
		snprintf(text, FORMAT_TEXT, "p=%.3f", pair->p);
	return text;
}

static size_t column(size_t width, const char *text)
{
	const size_t length = strlen(text);

	return length > width ? length : width;
}

static void print_text(const struct pair *pairs, size_t count, const struct options *options)
{
	const bool colour = terminal_colour(stdout), unicode = terminal_unicode();
	size_t width = 4, before = 6, after = 5, hidden = 0;
	char a[2 * FORMAT_TEXT], b[2 * FORMAT_TEXT], c[FORMAT_TEXT], d[FORMAT_TEXT];

	for (size_t i = 0; i < count; i++) {
		if (!is_shown(&pairs[i], options))
			continue;
		const size_t columns = utf8_width(name_of(&pairs[i]));
		width = columns > width ? columns : width;
		before = column(before, side(pairs[i].before, a));
		after = column(after, side(pairs[i].after, b));
	}
	const size_t rest = before + after + 30, all = terminal_width(stdout);
	if (width + rest > all)
		width = all > rest + 12 ? all - rest : 12;
	printf("%-*s  %*s  %*s  %9s\n", (int)width, "task", (int)before, "before", (int)after, "after", "change");
	for (size_t i = 0; i < count; i++) {
		const struct pair *pair = &pairs[i];
		const bool both = pair->before && pair->after;
		const char *shade = !colour || !both || pair->p >= significant   ? ""
				    : pair->failed                               ? "\033[31m"
				    : pair->after->median > pair->before->median ? "\033[33m"
										 : "\033[32m";

		if (!is_shown(pair, options)) {
			hidden++;
			continue;
		}
		for (size_t used = utf8_print(stdout, name_of(pair), width, unicode); used < width; used++)
			putchar(' ');
		significance(pair, d);
		printf("  %*s  %*s  %s%9s%s", (int)before, side(pair->before, a), (int)after, side(pair->after, b),
		       shade, change(pair, c), *shade ? "\033[0m" : "");
		printf("%s%s%s\n", *d ? "  " : "", d, pair->failed ? "  over the limit" : "");
	}
	if (hidden)
		printf("%zu tasks changed by less than 1 %%\n", hidden);
	if (count == 0)
		puts("no records");
}

static void print_markdown(const struct pair *pairs, size_t count, const struct options *options)
{
	char text[2 * FORMAT_TEXT], d[FORMAT_TEXT];
	size_t hidden = 0;

	puts("### Peak memory, before and after\n\n| Task | Before | After | Change | |\n|:--|--:|--:|--:|:--|");
	for (size_t i = 0; i < count; i++) {
		const struct pair *pair = &pairs[i];

		if (!is_shown(pair, options)) {
			hidden++;
			continue;
		}
		fputs("| ", stdout);
		markdown_cell(stdout, name_of(pair));
		printf(" | %s | ", side(pair->before, text));
		printf("%s | ", side(pair->after, text));
		printf("%s%s%s | ", pair->failed ? "**" : "", change(pair, d), pair->failed ? "** ❌" : "");
		printf("%s |\n", significance(pair, d));
	}
	if (hidden)
		printf("\n%zu tasks changed by less than 1 %%\n", hidden);
}

static void json_side(const char *key, const struct table_task *task)
{
	if (!task)
		printf(",\"%s\":null", key);
	else
		printf(
		    ",\"%s\":{\"median_bytes\":%llu,\"least_bytes\":%llu,\"largest_bytes\":%llu,\"measured_runs\":%u}",
		    key, (unsigned long long)task->median, (unsigned long long)task->least,
		    (unsigned long long)task->largest.peak, task->measured);
}

static void print_json(const struct pair *pairs, size_t count)
{
	fputs("{\"tasks\":[", stdout);
	for (size_t i = 0; i < count; i++) {
		const struct pair *pair = &pairs[i];

		fputs(i ? ",\n{\"task\":" : "\n{\"task\":", stdout);
		json_print(stdout, name_of(pair));
		fputs(",\"metric\":", stdout);
		json_print(stdout, (pair->after ? pair->after : pair->before)->metric);
		json_side("before", pair->before);
		json_side("after", pair->after);
		if (pair->p >= 0)
			printf(",\"p\":%.6g", pair->p);
		else
			fputs(",\"p\":null", stdout);
		printf(",\"over_limit\":%s}", pair->failed ? "true" : "false");
	}
	puts("\n]}");
}

/* "10%" or "200MB". */
static bool parse_limit(const char *text, struct options *options)
{
	char *end;
	const double percent = strtod(text, &end);

	if (strcmp(end, "%") == 0 && text[0] >= '0' && text[0] <= '9' && isfinite(percent)) {
		options->percent = percent;
		return true;
	}
	return arguments_size(name, "--fail-over", text, &options->growth);
}

static int parse(int argc, char **argv, struct options *options)
{
	enum { FAIL_OVER = 256, MIN_GROWTH, HELP };
	static const struct option known[] = {
	    {"fail-over", required_argument, NULL, FAIL_OVER},
	    {"min-growth", required_argument, NULL, MIN_GROWTH},
	    {"all", no_argument, NULL, 'a'},
	    {"format", required_argument, NULL, 'f'},
	    {"help", no_argument, NULL, HELP},
	    {0},
	};
	int option;

	while ((option = arguments_next(name, argc, argv, "af:", known)) != -1) {
		bool good = true;

		switch (option) {
		case FAIL_OVER:
			good = parse_limit(optarg, options);
			break;
		case MIN_GROWTH:
			good = arguments_size(name, "--min-growth", optarg, &options->min_growth);
			break;
		case 'a':
			options->all = true;
			break;
		case 'f':
			good = (options->format = arguments_word(name, "--format", optarg, format_names)) >= 0;
			break;
		case HELP:
			return arguments_help(help);
		default:
			return CLI_USAGE;
		}
		if (!good)
			return CLI_USAGE;
	}
	if (argc - optind == 2 && strcmp(argv[optind], "-") == 0 && strcmp(argv[optind + 1], "-") == 0)
		return arguments_wrong(name, "only one of BASE and HEAD can be the standard input");
	return argc - optind == 2 ? -1 : arguments_wrong(name, "BASE and HEAD are needed, and no more");
}

static void visit(void *table, const struct line *line)
{
	table_add(table, line);
}

static bool read_side(struct table *table, char *path)
{
	struct input input = {.visit = visit, .context = table, .command = "compare"};
	const bool good = input_read(&input, (char *const[]){path, NULL});

	table_finish(table);
	table_sort(table, TABLE_BY_NAME);
	return good;
}

int cmd_compare(int argc, char **argv)
{
	struct options options = {.percent = -1};
	struct table base = {0}, head = {0};
	int status = parse(argc, argv, &options);
	struct pair *pairs;
	size_t count, failed = 0, pairs_count = 0;
	bool good;

	if (status >= 0)
		return status;
	good = read_side(&base, argv[optind]);
	good &= read_side(&head, argv[optind + 1]);
	pairs = must_realloc(NULL, (size_t)base.count + head.count, sizeof *pairs);
	count = match(&base, &head, &options, pairs);
	for (size_t i = 0; i < count; i++) {
		failed += pairs[i].failed;
		pairs_count += pairs[i].before && pairs[i].after;
	}
	if (options.format == COMPARE_TEXT)
		print_text(pairs, count, &options);
	else if (options.format == COMPARE_MARKDOWN)
		print_markdown(pairs, count, &options);
	else
		print_json(pairs, count);
	good &= arguments_flush(name);
	if (failed)
		fprintf(stderr, "%s: %zu %s by more than the limit\n", name, failed,
			failed == 1 ? "task grew" : "tasks grew");
	/* A gate that compared nothing is open by mistake: a file that was never written, another metric. */
	if (pairs_count == 0) {
		fprintf(stderr, "%s: no task is on both sides (with the same metric): nothing was compared\n", name);
		good &= options.percent < 0 && options.growth == 0;
	}
	free(pairs);
	table_free(&base);
	table_free(&head);
	return !good ? CLI_USAGE : failed ? CLI_FOUND : CLI_OK;
}
