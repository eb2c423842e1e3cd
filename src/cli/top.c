/* heaplog top: the tasks of all runners of this user, live. */
#include "cli/arguments.h"
#include "cli/boards.h"
#include "cli/cli.h"
#include "cli/complain.h"
#include "cli/find.h"
#include "cli/format.h"
#include "cli/screen.h"
#include "cli/terminal.h"
#include "cli/utf8.h"
#include "heaplog.h"
#include "record/record.h"
#include "record/size.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_MS = 500, PERIOD_LEAST_MS = 100, PERIOD_MOST_MS = 60000, FIXED_COLUMNS = 38, RUNNER_COLUMNS = 16 };

static const char *const orders[] = {"peak", "now", "age", "name", NULL};
enum { BY_PEAK, BY_NOW, BY_AGE, BY_NAME };

struct view {
	struct boards boards;
	int order;
	size_t first; /* the task in the first row */
	bool unicode;
};

static int sort_order; /* qsort has no context in C11 */

static uint64_t age_ns(const struct heaplog_board_figures *figures)
{
	struct timespec now;
	uint64_t end = figures->end_ns;

	if (!end) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		end = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	}
	return end > figures->start_ns ? end - figures->start_ns : 0;
}

/* Of a runner in another pid namespace nobody here can tell whether it lives: it does not count. */
static bool runs(const struct boards_task *task)
{
	return task->figures.state == HEAPLOG_BOARD_RUNNING && task->state == BOARDS_LIVES;
}

static int descending(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

/* Running tasks first, equals by name, so that rows do not jump about. */
static int compare(const void *a, const void *b)
{
	const struct boards_task *one = a, *other = b;
	int order = (int)runs(other) - (int)runs(one);

	if (!order && sort_order == BY_PEAK)
		order = descending(one->figures.peak_bytes, other->figures.peak_bytes);
	if (!order && sort_order == BY_NOW)
		order = descending(one->figures.current_bytes, other->figures.current_bytes);
	if (!order && sort_order == BY_AGE)
		order = descending(other->figures.start_ns, one->figures.start_ns);
	if (!order)
		order = strcmp(one->figures.name, other->figures.name);
	return order ? order : one->figures.pid - other->figures.pid;
}

static void refresh_view(struct view *view)
{
	boards_read(&view->boards);
	sort_order = view->order;
	if (view->boards.count)
		qsort(view->boards.tasks, view->boards.count, sizeof *view->boards.tasks, compare);
}

/* What a task holds now, or how it ended. */
static const char *now_text(const struct boards_task *task, char text[static FORMAT_TEXT])
{
	const struct heaplog_board_figures *figures = &task->figures;
	const char *name;

	if (figures->state == HEAPLOG_BOARD_RUNNING && task->state == BOARDS_GONE)
		return "lost"; /* with its runner */
	if (figures->state == HEAPLOG_BOARD_RUNNING && task->state == BOARDS_UNKNOWN)
		return "?";
	if (figures->state == HEAPLOG_BOARD_RUNNING) {
		heaplog_size_format(figures->current_bytes, text);
		return figures->current_bytes ? text : "-"; /* not yet measured, or about to be reaped */
	}
	if (figures->oom)
		return "OOM";
	if (figures->exit_kind == HEAPLOG_EXIT_SIGNAL) {
		name = heaplog_signal_name(figures->exit_value);
		return name ? name : "signal";
	}
	if (figures->exit_kind == HEAPLOG_EXIT_CODE && figures->exit_value == 0)
		return "done";
	snprintf(text, FORMAT_TEXT, "exit %d", figures->exit_value);
	return figures->exit_kind == HEAPLOG_EXIT_CODE ? text : "ended";
}

static void print_task(FILE *out, const struct boards_task *task, size_t width, bool unicode)
{
	const size_t room = width > FIXED_COLUMNS + RUNNER_COLUMNS + 12 ? width - FIXED_COLUMNS - RUNNER_COLUMNS : 12;
	const struct heaplog_board_figures *figures = &task->figures;
	char peak[FORMAT_TEXT], now[FORMAT_TEXT], age[FORMAT_TEXT], runner[64];
	size_t used;

	snprintf(runner, sizeof runner, "%s %ld", task->runner, (long)task->owner);
	fprintf(out, "%9s %9s %8s %5u  ", format_peak(figures->peak_bytes, figures->metric, peak), now_text(task, now),
		format_duration(age_ns(figures) / 1000000, age), figures->processes_max);
	used = utf8_print(out, figures->name, room, unicode);
	fprintf(out, "%*s  ", (int)(room - used), "");
	utf8_print(out, runner, RUNNER_COLUMNS, unicode);
}

static uint64_t memory_available(void)
{
	char text[4096];
	const char *at;

	if (find_read("/proc/meminfo", text, sizeof text) <= 0 || !(at = strstr(text, "MemAvailable:")))
		return 0;
	return strtoull(at + 13, NULL, 10) * 1024;
}

static void print_summary(FILE *out, const struct view *view)
{
	char now[HEAPLOG_SIZE_TEXT], available[HEAPLOG_SIZE_TEXT];
	uint64_t sum = 0;
	size_t running = 0;

	for (size_t i = 0; i < view->boards.count; i++)
		if (runs(&view->boards.tasks[i])) {
			running++;
			sum += view->boards.tasks[i].figures.current_bytes;
		}
	heaplog_size_format(sum, now);
	heaplog_size_format(memory_available(), available);
	fprintf(out, "heaplog: %zu running, %s now; %zu ended; runners: %zu; available memory: %s", running, now,
		view->boards.count - running, view->boards.runners, available);
}

static void print_head(FILE *out, size_t width)
{
	const size_t room = width > FIXED_COLUMNS + RUNNER_COLUMNS + 12 ? width - FIXED_COLUMNS - RUNNER_COLUMNS : 12;

	fprintf(out, "%9s %9s %8s %5s  %-*s  RUNNER", "PEAK", "NOW", "AGE", "PROCS", (int)room, "TASK");
}

static int once(struct view *view)
{
	const size_t width = isatty(STDOUT_FILENO) ? terminal_width(stdout) : 120;

	refresh_view(view);
	print_summary(stdout, view);
	putchar('\n');
	print_head(stdout, width);
	putchar('\n');
	for (size_t i = 0; i < view->boards.count; i++) {
		print_task(stdout, &view->boards.tasks[i], width, view->unicode);
		putchar('\n');
	}
	if (view->boards.damaged)
		complain("%zu files are no boards of this version of heaplog", view->boards.damaged);
	return arguments_flush("heaplog top") ? CLI_OK : CLI_USAGE;
}

/* ---- the screen ---- */

static volatile sig_atomic_t ended_by;

static void on_signal(int number)
{
	ended_by = number;
}

/* One row, cut at the right edge: what utf8_print made of names is safe for the terminal. */
static void draw_row(int row, enum screen_look look, void (*print)(FILE *, const void *, size_t), const void *what)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	print(out, what, (size_t)screen_columns());
	fclose(out);
	screen_row(row, look, text);
	free(text);
}

static void row_summary(FILE *out, const void *what, size_t width)
{
	(void)width;
	print_summary(out, what);
}

static void row_head(FILE *out, const void *what, size_t width)
{
	(void)what;
	print_head(out, width);
}

static void row_task(FILE *out, const void *what, size_t width)
{
	print_task(out, what, width, terminal_unicode());
}

static void row_help(FILE *out, const void *what, size_t width)
{
	(void)width;
	fprintf(out, "by %s   q quit   sort: p peak  n now  a age  t task   arrows scroll",
		orders[((const struct view *)what)->order]);
}

static void draw(struct view *view)
{
	const int height = screen_rows();
	const size_t rows = height > 4 ? (size_t)height - 3 : 1;
	const size_t last = view->boards.count > rows ? view->boards.count - rows : 0;
	int row = 0;

	view->first = view->first < last ? view->first : last;
	screen_clear();
	draw_row(row++, SCREEN_NORMAL, row_summary, view);
	draw_row(row++, SCREEN_REVERSE, row_head, view);
	for (size_t i = view->first; i < view->boards.count && i < view->first + rows; i++) {
		const struct boards_task *task = &view->boards.tasks[i];

		draw_row(row++, runs(task) ? SCREEN_NORMAL : SCREEN_DIM, row_task, task);
	}
	if (!view->boards.count)
		draw_row(row++, SCREEN_DIM, row_help, view);
	else if (height > 4)
		draw_row(height - 1, SCREEN_DIM, row_help, view);
	screen_show();
}

/* Returns false for the end. */
static bool handle(struct view *view, int key)
{
	const size_t page = (size_t)screen_rows();

	switch (key) {
	case 'q':
	case 'Q':
	case SCREEN_GONE:
		return false;
	case 'p':
		view->order = BY_PEAK;
		break;
	case 'n':
		view->order = BY_NOW;
		break;
	case 'a':
		view->order = BY_AGE;
		break;
	case 't':
		view->order = BY_NAME;
		break;
	case SCREEN_UP:
	case 'k':
		view->first -= view->first > 0;
		break;
	case SCREEN_DOWN:
	case 'j':
		view->first++;
		break;
	case SCREEN_PAGE_UP:
		view->first -= view->first < page ? view->first : page;
		break;
	case SCREEN_PAGE_DOWN:
		view->first += page;
		break;
	default:
		break;
	}
	return true;
}

static int live(struct view *view, int period_ms)
{
	const struct sigaction action = {.sa_handler = on_signal};

	if (!terminal_is(stdout) || !screen_open()) {
		complain("top: the terminal \"%s\" cannot be drawn upon; heaplog top --once prints a table",
			 getenv("TERM") ? getenv("TERM") : "");
		return CLI_USAGE;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	while (!ended_by) {
		refresh_view(view);
		draw(view);
		if (!handle(view, screen_key(period_ms)))
			break;
	}
	screen_close();
	if (ended_by && ended_by != SIGINT) {
		signal(ended_by, SIG_DFL);
		raise(ended_by);
	}
	return CLI_OK;
}

static const char help[] =
    "usage: heaplog top [OPTIONS]\n"
    "The tasks of every runner of this user, live: peak and current memory, age, processes.\n\n"
    "  --once            print one table and end (also where stdout is no terminal)\n"
    "  --interval TIME   look again every TIME, 100ms to 60s; 500ms when not given\n"
    "  --sort BY         peak, now, age or name\n\n"
    "Keys: q quit; p, n, a, t sort by peak, now, age, task; arrows and Page Up/Down scroll.\n"
    "Tasks that have ended stay, dimmed, until their runner ends. \"lost\": the runner was killed.\n"
    "exit status: 0; 2 wrong usage, or a terminal that cannot be drawn upon\n";

/* "500", "500ms", "2s"; 0: none. */
static int parse_period(const char *text)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);
	const unsigned long ms = strcmp(end, "s") == 0 ? value * 1000 : value;

	if (*text < '0' || *text > '9' || (*end && strcmp(end, "s") != 0 && strcmp(end, "ms") != 0) ||
	    value > PERIOD_MOST_MS || ms < PERIOD_LEAST_MS || ms > PERIOD_MOST_MS)
		return 0;
	return (int)ms;
}

int cmd_top(int argc, char **argv)
{
	static const struct option options[] = {
	    {"once", no_argument, NULL, '1'},       {"interval", required_argument, NULL, 'i'},
	    {"sort", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},    {NULL, 0, NULL, 0},
	};
	static const char name[] = "heaplog top";
	struct view view = {.order = BY_PEAK};
	bool just_once = false;
	int period_ms = PERIOD_MS;
	int letter, status;

	while ((letter = arguments_next(name, argc, argv, "h", options)) != -1) {
		switch (letter) {
		case '1':
			just_once = true;
			break;
		case 'i':
			period_ms = parse_period(optarg);
			if (!period_ms)
				return arguments_wrong(name, "--interval: not a time from 100ms to 60s");
			break;
		case 's':
			view.order = arguments_word(name, "--sort", optarg, orders);
			if (view.order < 0)
				return CLI_USAGE;
			break;
		case 'h':
			return arguments_help(help);
		case 'V':
			puts("heaplog " HEAPLOG_VERSION);
			return arguments_flush(name) ? CLI_OK : CLI_USAGE;
		default:
			return CLI_USAGE;
		}
	}
	if (optind < argc)
		return arguments_wrong(name, "takes no file");
	setlocale(LC_CTYPE, "");
	view.unicode = terminal_unicode();
	status = just_once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) ? once(&view) : live(&view, period_ms);
	boards_free(&view.boards);
	return status;
}
