/* `heaplog report`: records in, one of seven formats out. */
#include "cli/report.h"

#include "cli/arguments.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE_TASKS = 5000 }; /* of 200,000 the page would be of 600 MB, which no browser opens */

static const char name[] = "heaplog report";

static const char help[] =
    "usage: heaplog report [OPTIONS] FILE|DIRECTORY|-...\n"
    "Each task's peak memory, largest first, from results files (HEAPLOG_RESULTS) of one or many runs and machines.\n"
    "A row is the run of the task with the largest peak.\n\n"
    "  -f, --format FORMAT  text (default), json, csv, markdown (for $GITHUB_STEP_SUMMARY), html (one page, no\n"
    "                       network), openmetrics (Prometheus textfile), trace (Perfetto, beside an NX_PROFILE)\n"
    "  -s, --sort KEY       peak (default), name, median, duration, processes, runs, start\n"
    "  -n, --top N          only the first N tasks\n"
    "  -p, --processes      with the processes at each task's peak (text, markdown)\n"
    "      --warn SIZE      mark peaks above SIZE (default: HEAPLOG_WARN)\n"
    "      --memory SIZE    html: the machine's memory (default: this machine's, or its cgroup's limit)\n"
    "      --runs N         html, trace: the timelines of the last N runs (default 10)\n"
    "  -o, --output FILE    write FILE instead of the standard output; a regular file is replaced in one step when "
    "all\n"
    "                       is well\n"
    "      --help\n\n"
    "A line that is no record is named on stderr and skipped. Exit status 2: wrong usage, or unreadable input.\n";

enum format { FORMAT_TXT, FORMAT_JSON, FORMAT_CSV, FORMAT_MARKDOWN, FORMAT_HTML, FORMAT_OPENMETRICS, FORMAT_TRACE };
static const char *const format_names[] = {"text", "json", "csv", "markdown", "html", "openmetrics", "trace", NULL};
static void (*const format_functions[])(const struct report *) = {
    report_text, report_json, report_csv, report_markdown, report_html, report_openmetrics, report_trace,
};
static const char *const order_names[] = {"peak", "name", "median", "duration", "processes", "runs", "start", NULL};

struct options {
	int format, order;
	size_t top, runs;
	const char *output;
};

/* Parse the command line into options and report. Returns -1 to go on, or the exit status. */
static int parse(int argc, char **argv, struct options *options, struct report *report)
{
	enum { WARN = 256, MEMORY, RUNS, HELP };
	static const struct option known[] = {
	    {"format", required_argument, NULL, 'f'},    {"sort", required_argument, NULL, 's'},
	    {"top", required_argument, NULL, 'n'},       {"processes", no_argument, NULL, 'p'},
	    {"output", required_argument, NULL, 'o'},    {"warn", required_argument, NULL, WARN},
	    {"memory", required_argument, NULL, MEMORY}, {"runs", required_argument, NULL, RUNS},
	    {"help", no_argument, NULL, HELP},           {0},
	};
	const char *warn = getenv("HEAPLOG_WARN");
	int option;

	if (warn && *warn && !arguments_size(name, "HEAPLOG_WARN", warn, &report->warn))
		report->warn = 0; /* said, and without it */
	while ((option = arguments_next(name, argc, argv, "f:s:n:po:", known)) != -1) {
		bool good = true;

		switch (option) {
		case 'f':
			good = (options->format = arguments_word(name, "--format", optarg, format_names)) >= 0;
			break;
		case 's':
			good = (options->order = arguments_word(name, "--sort", optarg, order_names)) >= 0;
			break;
		case 'n':
			good = arguments_count(name, "--top", optarg, 1, &options->top);
			break;
		case 'p':
			report->processes = true;
			break;
		case 'o':
			options->output = optarg;
			break;
		case WARN:
			good = arguments_size(name, "--warn", optarg, &report->warn);
			break;
		case MEMORY:
			good = report->memory_given = arguments_size(name, "--memory", optarg, &report->memory);
			break;
		case RUNS:
			good = arguments_count(name, "--runs", optarg, 1, &options->runs);
			break;
		case HELP:
			return arguments_help(help);
		default:
			return CLI_USAGE;
		}
		if (!good)
			return CLI_USAGE;
	}
	return optind < argc ? -1 : arguments_wrong(name, "which results file?");
}

static void visit(void *context, const struct line *line)
{
	struct report *report = context;
	const uint32_t number = table_add(&report->table, line);

	runs_add(&report->runs, line, number);
}

static bool write_out(struct report *report, const struct options *options)
{
	bool written;

	if (!report->out)
		return false;
	format_functions[options->format](report);
	written = fflush(report->out) == 0 && !ferror(report->out);
	return fclose(report->out) == 0 && written;
}

/* Write the report to a new file beside path and rename it: who reads path finds the old or the new one, whole. */
static bool replace_file(struct report *report, const struct options *options, const char *path, mode_t mode)
{
	const size_t size = strlen(path) + sizeof ".XXXXXX";
	char *temporary = must_realloc(NULL, size, 1);
	bool written = false;
	int fd;

	snprintf(temporary, size, "%s.XXXXXX", path);
	fd = mkstemp(temporary);
	if (fd >= 0) {
		written = fchmod(fd, mode) == 0;
		report->out = fdopen(fd, "w");
		written = write_out(report, options) && written && rename(temporary, path) == 0;
		if (!written)
			unlink(temporary);
	}
	free(temporary);
	return written;
}

/* A device, a fifo, somebody else's file, /dev/stdout: these are written to, not replaced, or root would lose its
 * /dev/null. A link stays, and what it leads to is replaced. */
static bool write_file(struct report *report, const struct options *options)
{
	const mode_t mask = umask(0);
	char *target = realpath(options->output, NULL);
	struct stat status;
	bool written;

	umask(mask);
	if (stat(options->output, &status) != 0) {
		written = replace_file(report, options, options->output, 0666 & ~mask);
	} else if (!target || !S_ISREG(status.st_mode) || status.st_uid != geteuid() || status.st_nlink > 1 ||
		   strncmp(options->output, "/dev/", 5) == 0 || strncmp(options->output, "/proc/", 6) == 0) {
		report->out = fopen(options->output, "w");
		written = write_out(report, options);
	} else {
		written = replace_file(report, options, target, status.st_mode & 07777);
	}
	if (!written)
		fprintf(stderr, "%s: %s: %s\n", name, options->output, strerror(errno));
	free(target);
	return written;
}

int cmd_report(int argc, char **argv)
{
	struct options options = {.runs = 10};
	struct report report = {.out = stdout};
	struct input input = {.visit = visit, .context = &report, .command = "report"};
	int status = parse(argc, argv, &options, &report);
	bool good;

	if (status >= 0)
		return status;
	report.table.want_top = report.processes || options.format == FORMAT_JSON;
	report.runs.limit = options.format == FORMAT_HTML || options.format == FORMAT_TRACE ? options.runs : 0;
	if (!report.memory_given)
		report.memory = report_machine_memory();
	good = input_read(&input, argv + optind);
	report.records = input.records;
	report.bad = input.bad;
	table_finish(&report.table);
	table_sort(&report.table, (enum table_order)options.order);
	runs_finish(&report.runs);
	if (options.format == FORMAT_HTML && !options.top && report.table.count > PAGE_TASKS) {
		fprintf(stderr, "%s: the page has the first %d of %u tasks; --top tells how many it is to have\n", name,
			PAGE_TASKS, report.table.count);
		options.top = PAGE_TASKS;
	}
	report.shown = options.top && options.top < report.table.count ? options.top : report.table.count;
	for (uint32_t i = 0; i < report.table.count; i++)
		report.several |= report.table.tasks[i].count > 1;
	if (options.output) {
		good &= write_file(&report, &options);
	} else {
		format_functions[options.format](&report);
		good &= arguments_flush(name);
	}
	table_free(&report.table);
	runs_free(&report.runs);
	return good ? CLI_OK : CLI_USAGE;
}
