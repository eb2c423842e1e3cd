/* `heaplog plan`: the highest --parallel that a memory carries. */
#include "cli/plan.h"

#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/terminal.h"
#include "cli/utf8.h"
#include "record/size.h"

#include <stdlib.h>
#include <string.h>

static const char name[] = "heaplog plan";

static const char help[] = "usage: heaplog plan --memory SIZE [OPTIONS] FILE|DIRECTORY|-...\n"
			   "The highest --parallel at which the recorded tasks fit into SIZE, and the set of tasks "
			   "that would not fit one higher.\n\n"
			   "  -m, --memory SIZE    what the machine, or its container, has (\"8GB\")\n"
			   "      --reserve SIZE   of that, kept for the runner itself and all else (default 0)\n"
			   "      --use WHICH      max (default): each task's largest recorded peak; median: of its "
			   "runs; upper: the largest upper\n"
			   "                       bound, for peaks are lower bounds\n"
			   "  -f, --format FORMAT  text (default), number (the number alone), json\n"
			   "      --help\n\n"
			   "The model: with --parallel=N at most N different tasks run at once, and any N may meet, "
			   "each at its peak, for records\n"
			   "do not tell which task waits for which. Where dependencies keep large tasks apart, more "
			   "may fit. Memory that tasks share\n"
			   "(metric rss) is counted in each. Exit status 1: not even the largest task fits. 2: wrong "
			   "usage, or unreadable input.\n";

enum use { USE_MAX, USE_MEDIAN, USE_UPPER };
static const char *const use_names[] = {"max", "median", "upper", NULL};
enum format { PLAN_TEXT, PLAN_NUMBER, PLAN_JSON };
static const char *const format_names[] = {"text", "number", "json", NULL};

struct options {
	uint64_t memory, reserve;
	int use, format;
};

struct candidate {
	const struct table_task *task;
	uint64_t bytes;
};

size_t plan_parallel(const uint64_t *peaks, size_t count, uint64_t memory)
{
	size_t parallel = 0;

	while (parallel < count && peaks[parallel] <= memory)
		memory -= peaks[parallel++];
	return parallel;
}

static uint64_t bytes_of(const struct table_task *task, int use)
{
	return use == USE_MEDIAN ? task->median : use == USE_UPPER ? task->upper_max : task->largest.peak;
}

static int largest_first(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return strcmp(x->task->name, y->task->name);
}

/* Each name once (with the metric that says more), largest first; tasks without any measurement are counted apart. */
static size_t candidates(const struct table *table, int use, struct candidate *all, size_t *unmeasured)
{
	size_t count = 0;

	*unmeasured = 0;
	for (uint32_t i = 0; i < table->count; i++) { /* sorted by name */
		const struct table_task *task = &table->tasks[i];
		const struct candidate here = {task, bytes_of(task, use)};

		if (here.bytes == 0)
			(*unmeasured)++;
		else if (count > 0 && strcmp(all[count - 1].task->name, task->name) == 0)
			all[count - 1] = all[count - 1].bytes >= here.bytes ? all[count - 1] : here;
		else
			all[count++] = here;
	}
	qsort(all, count, sizeof *all, largest_first);
	return count;
}

static size_t solve(const struct candidate *all, size_t count, uint64_t memory)
{
	uint64_t *peaks = must_realloc(NULL, count, sizeof *peaks);
	size_t parallel;

	for (size_t i = 0; i < count; i++)
		peaks[i] = all[i].bytes;
	parallel = plan_parallel(peaks, count, memory);
	free(peaks);
	return parallel;
}

/* The sum of the first count; UINT64_MAX where it is more. */
static uint64_t sum(const struct candidate *all, size_t count)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total = all[i].bytes > UINT64_MAX - total ? UINT64_MAX : total + all[i].bytes;
	return total;
}

static void print_set(const struct candidate *all, size_t count)
{
	enum { SHOWN = 20 };

	for (size_t i = 0; i < count && i < SHOWN; i++) {
		char text[FORMAT_TEXT];

		printf("  %10s  ", format_peak(all[i].bytes, all[i].task->metric, text));
		utf8_print(stdout, all[i].task->name, terminal_width(stdout) - 14, terminal_unicode());
		putchar('\n');
	}
	if (count > SHOWN)
		printf("  and %zu more\n", count - SHOWN);
}

static void print_text(const struct options *options, const struct candidate *all, size_t count, size_t parallel)
{
	char memory[HEAPLOG_SIZE_TEXT], worst[HEAPLOG_SIZE_TEXT], next[HEAPLOG_SIZE_TEXT];

	heaplog_size_format(options->memory - options->reserve, memory);
	heaplog_size_format(sum(all, parallel), worst);
	if (count == 0) {
		puts("no task with a recorded peak");
		return;
	}
	if (parallel == 0) {
		printf("none: not even the largest task fits into %s\n", memory);
		print_set(all, 1);
		return;
	}
	if (parallel == count) {
		printf("--parallel=%zu: all %zu tasks at once need %s of %s; more is no use\n", parallel, count, worst,
		       memory);
		return;
	}
	heaplog_size_format(sum(all, parallel + 1), next);
	printf("--parallel=%zu: the largest %zu at once need %s of %s\n", parallel, parallel, worst, memory);
	printf("one more would not fit, these %zu together need %s:\n", parallel + 1, next);
	print_set(all, parallel + 1);
}

static void print_json(const struct options *options, const struct candidate *all, size_t count, size_t parallel)
{
	const size_t too_many = parallel < count ? parallel + 1 : 0;

	printf("{\"parallel\":%zu,\"memory_bytes\":%llu,\"reserve_bytes\":%llu,\"use\":\"%s\",\"tasks\":%zu,"
	       "\"worst_bytes\":%llu,\"does_not_fit\":[",
	       parallel, (unsigned long long)options->memory, (unsigned long long)options->reserve,
	       use_names[options->use], count, (unsigned long long)sum(all, parallel));
	for (size_t i = 0; i < too_many; i++) {
		fputs(i ? ",\n{\"task\":" : "\n{\"task\":", stdout);
		json_print(stdout, all[i].task->name);
		printf(",\"bytes\":%llu}", (unsigned long long)all[i].bytes);
	}
	puts("]}");
}

static int parse(int argc, char **argv, struct options *options)
{
	enum { RESERVE = 256, USE, HELP };
	static const struct option known[] = {
	    {"memory", required_argument, NULL, 'm'}, {"reserve", required_argument, NULL, RESERVE},
	    {"use", required_argument, NULL, USE},    {"format", required_argument, NULL, 'f'},
	    {"help", no_argument, NULL, HELP},        {0},
	};
	int option;

	while ((option = arguments_next(name, argc, argv, "m:f:", known)) != -1) {
		bool good;

		if (option == 'm')
			good = arguments_size(name, "--memory", optarg, &options->memory);
		else if (option == RESERVE)
			good = arguments_size(name, "--reserve", optarg, &options->reserve);
		else if (option == USE)
			good = (options->use = arguments_word(name, "--use", optarg, use_names)) >= 0;
		else if (option == 'f')
			good = (options->format = arguments_word(name, "--format", optarg, format_names)) >= 0;
		else if (option == HELP)
			return arguments_help(help);
		else
			good = false;
		if (!good)
			return CLI_USAGE;
	}
	if (options->memory == 0)
		return arguments_wrong(name, "--memory SIZE is needed");
	if (options->reserve >= options->memory)
		return arguments_wrong(name, "--reserve leaves nothing of --memory");
	return optind < argc ? -1 : arguments_wrong(name, "which results file?");
}

static void visit(void *table, const struct line *line)
{
	table_add(table, line);
}

int cmd_plan(int argc, char **argv)
{
	struct options options = {0};
	struct table table = {0};
	struct input input = {.visit = visit, .context = &table, .command = "plan"};
	int status = parse(argc, argv, &options);
	struct candidate *all;
	size_t count, unmeasured, parallel;
	bool good;

	if (status >= 0)
		return status;
	good = input_read(&input, argv + optind);
	table_finish(&table);
	table_sort(&table, TABLE_BY_NAME);
	all = must_realloc(NULL, table.count, sizeof *all);
	count = candidates(&table, options.use, all, &unmeasured);
	parallel = solve(all, count, options.memory - options.reserve);
	if (options.format == PLAN_TEXT)
		print_text(&options, all, count, parallel);
	else if (options.format == PLAN_NUMBER)
		printf("%zu\n", parallel);
	else
		print_json(&options, all, count, parallel);
	if (unmeasured > 0)
		fprintf(stderr, "%s: %zu tasks without a measurement are left out\n", name, unmeasured);
	good &= arguments_flush(name);
	free(all);
	table_free(&table);
	return !good ? CLI_USAGE : parallel > 0 ? CLI_OK : CLI_FOUND;
}
