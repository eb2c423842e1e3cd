#include "cli/outside.h"

#include "cli/discover.h"
#include "cli/outside_board.h"
#include "cli/watched.h"
#include "record/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	TASKS_MAX = 1000,
	SCAN_MS = 10,    /* how often new tasks are looked for ... */
	SCAN_SHARE = 20, /* ... but within 1/20 of a core */
	PENDING_MS = 1,
	LOOKS_LEAST = 2, /* one may have been in the middle of an exec, which says next to nothing */
};

#define MS UINT64_C(1000000)

struct outside {
	struct outside_settings settings;
	struct watched_options watching;
	struct discovery *discovery;
	struct watched *tasks[TASKS_MAX];
	size_t count;
	uint64_t scan_due;
	unsigned recorded;
	int results_error;
	char run[64];
	struct outside_board board;
};

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* What `heaplog top` sees of it. exit, value: how it ended, once it has. */
static void publish(struct outside *outside, const struct watched *task, enum heaplog_exit exit, int value)
{
	const struct heaplog_summary *summary = &task->peak.summary;
	struct heaplog_board_figures figures = {
	    .state = task->ended ? HEAPLOG_BOARD_FINISHED : HEAPLOG_BOARD_RUNNING,
	    .pid = task->pid,
	    .start_ns = task->peak.start_ns,
	    .start_ms = (int64_t)task->start.tv_sec * 1000 + task->start.tv_nsec / 1000000,
	    .end_ns = task->ended ? task->ended_ns : 0,
	    .current_bytes = task->ended ? 0 : summary->current_bytes,
	    .peak_bytes = summary->peak_bytes,
	    .upper_bytes = summary->peak_upper_bytes,
	    .peak_at_ms = summary->peak_at_ms,
	    .processes = summary->processes,
	    .processes_max = summary->processes_max,
	    .samples = summary->samples,
	    .interval_ms = summary->interval_ms,
	    .exit_kind = exit,
	    .exit_value = value,
	};

	snprintf(figures.metric, sizeof figures.metric, "%s", outside->settings.pss ? "pss" : "rss");
	snprintf(figures.name, sizeof figures.name, "%.*s", (int)sizeof figures.name - 1, task->name);
	snprintf(figures.project, sizeof figures.project, "%.*s", (int)sizeof figures.project - 1, task->project);
	snprintf(figures.target, sizeof figures.target, "%.*s", (int)sizeof figures.target - 1, task->target);
	snprintf(figures.hash, sizeof figures.hash, "%.*s", (int)sizeof figures.hash - 1, task->hash);
	outside_board_put(&outside->board, task->place, &figures);
}

static void found(void *context, const struct discovered *discovered)
{
	struct outside *outside = context;
	struct watched *task;

	if (outside->count == TASKS_MAX || !(task = watched_create(&outside->watching, discovered, outside->count)))
		return;
	task->place = outside_board_place(&outside->board);
	outside->tasks[outside->count++] = task;
	publish(outside, task, HEAPLOG_EXIT_UNKNOWN, 0);
}

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

/* Write the record of a task; known: status is how it ended. */
static void record(struct outside *outside, struct watched *task, bool known, int status)
{
	char line[HEAPLOG_RECORD_MAX];
	const uint64_t end = task->ended ? task->ended_ns : watched_now();
	struct heaplog_record record = {
	    .run = outside->run,
	    .task = task->name,
	    .project = or_null(task->project),
	    .target = or_null(task->target),
	    .hash = or_null(task->hash),
	    .runner = task->runner,
	    .pid = task->pid,
	    .start = task->start,
	    .duration_ms = (end - task->peak.start_ns) / MS,
	    .exit = !known                ? HEAPLOG_EXIT_UNKNOWN
		    : WIFSIGNALED(status) ? HEAPLOG_EXIT_SIGNAL
					  : HEAPLOG_EXIT_CODE,
	    .interval_ms = task->peak.summary.interval_ms,
	    .metric = outside->settings.pss ? "pss" : "rss",
	    .partial = true,
	    .summary = &task->peak.summary,
	};
	size_t length;
	int error = 0;

	record.exit_value = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	task->ended = true;
	task->ended_ns = end;
	publish(outside, task, record.exit, record.exit_value);
	/* Nothing was measured: no figure is better than a wrong one. */
	if (!task->peak.summary.peak_bytes || task->peak.summary.samples < LOOKS_LEAST)
		return;
	length = heaplog_record_format(&record, line, sizeof line);
	if (!length)
		return;
	outside->recorded++;
	if (outside->settings.results)
		error = heaplog_record_append(outside->settings.results, line, length);
	if (error && !outside->results_error)
		outside->results_error = error;
	if (outside->settings.records >= 0 && write(outside->settings.records, line, length) != (ssize_t)length)
		outside->settings.records = -1;
}

static void started(void *self, pid_t pid)
{
	struct outside *outside = self;
	struct rlimit limit;
	struct timespec now;

	/* Ours alone: the command has been started with the limit as it was. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(outside->run, sizeof outside->run, "%lld%09ld-%ld", (long long)now.tv_sec, now.tv_nsec, (long)pid);
	outside_board_open(&outside->board, outside->settings.program, outside->run);
	outside->discovery = discovery_create(pid, &outside->settings.rule, &outside->settings.own, found, outside);
	outside->scan_due = watched_now();
}

static size_t prepare(void *self, struct pollfd *fds, size_t max, int *timeout_ms)
{
	struct outside *outside = self;
	uint64_t due = outside->scan_due;
	const uint64_t now = watched_now();
	size_t count = 0;

	for (size_t i = 0; i < outside->count; i++) {
		const struct watched *task = outside->tasks[i];

		if (task->due < due)
			due = task->due;
		if (task->glance < due && !task->ended)
			due = task->glance;
		if (task->pidfd >= 0 && !task->ended && count < max)
			fds[count++] = (struct pollfd){.fd = task->pidfd, .events = POLLIN};
	}
	due = due > now ? (due - now + MS - 1) / MS : 0;
	if (*timeout_ms < 0 || due < (uint64_t)*timeout_ms)
		*timeout_ms = (int)due;
	return count;
}

static void work(void *self, const struct pollfd *fds, size_t fd_count)
{
	struct outside *outside = self;
	uint64_t cost, pause;

	for (size_t i = 0; i < outside->count;) {
		struct watched *task = outside->tasks[i];
		bool known;
		int status = 0;

		if (!task->ended && watched_has_ended(task, fds, fd_count)) {
			task->ended = true;
			task->ended_ns = watched_now();
			outside->scan_due = 0; /* the runner is about to start the next */
		}
		if (task->ended) {
			if (!watched_end(task, &known, &status)) {
				task->due = watched_now() + MS;
				i++;
				continue;
			}
			record(outside, task, known, status);
			watched_destroy(task);
			outside->tasks[i] = outside->tasks[--outside->count];
			continue;
		}
		if (watched_attend(task))
			publish(outside, task, HEAPLOG_EXIT_UNKNOWN, 0);
		i++;
	}
	if (watched_now() < outside->scan_due || !outside->discovery)
		return;
	cost = cpu_ns();
	pause = discovery_look(outside->discovery) ? PENDING_MS * MS : SCAN_MS * MS;
	cost = cpu_ns() - cost;
	outside->scan_due = watched_now() + (cost * SCAN_SHARE > pause ? cost * SCAN_SHARE : pause);
}

struct outside *outside_create(const struct outside_settings *settings, struct companion *companion)
{
	struct outside *outside = calloc(1, sizeof *outside);

	if (!outside)
		return NULL;
	outside->settings = *settings;
	outside->watching = (struct watched_options){
	    .turbo = settings->turbo,
	    .pss = settings->pss,
	    .interval_ms = settings->interval_ms,
	    .runner = settings->runner,
	    .preset = settings->rule.preset,
	};
	outside->board.fd = -1;
	*companion = (struct companion){.self = outside, .started = started, .prepare = prepare, .work = work};
	return outside;
}

void outside_destroy(struct outside *outside, unsigned *tasks, int *results_error)
{
	/* Those that have just ended with the runner, and those that outlive it. */
	for (size_t i = 0; i < outside->count; i++) {
		bool known;
		int status = 0;

		watched_end(outside->tasks[i], &known, &status);
		record(outside, outside->tasks[i], known, status);
		watched_destroy(outside->tasks[i]);
	}
	outside_board_close(&outside->board);
	*tasks = outside->recorded;
	*results_error = outside->results_error;
	discovery_destroy(outside->discovery);
	free(outside);
}
