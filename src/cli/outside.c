#include "cli/outside.h"

#include "cli/discover.h"
#include "cli/outside_board.h"
#include "cli/proc.h"
#include "measure/process_tree.h"
#include "measure/schedule.h"
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
	TREE_FDS = 64,   /* descriptors that a task's tree may keep open */
	SCAN_MS = 10,    /* how often new tasks are looked for ... */
	SCAN_SHARE = 50, /* ... but within 1/50 of a core */
	PENDING_MS = 1,
	REAP_TRIES = 20, /* how often the status of an ended process is asked for, a millisecond apart */
	PACKAGE_NAME_MAX = 256,
};

#define MS UINT64_C(1000000)
#define NS UINT64_C(1000000000)

struct watched {
	pid_t pid;
	int pidfd;
	struct heaplog_tree *tree;
	struct heaplog_peak peak;
	struct heaplog_schedule schedule;
	uint64_t due, glance;
	struct timespec start; /* CLOCK_REALTIME */
	bool named;            /* nothing better is to be had */
	char name[TASK_NAME_MAX * 4], project[PACKAGE_NAME_MAX], target[PACKAGE_NAME_MAX], hash[TASK_NAME_MAX];
	char runner[TASK_RUNNER_MAX];
	bool ended;
	uint64_t ended_ns;
	unsigned tries;
	uint32_t place; /* on the board */
};

struct outside {
	struct outside_settings settings;
	struct discovery *discovery;
	struct watched *tasks[TASKS_MAX];
	size_t count;
	uint64_t scan_due;
	unsigned recorded;
	int results_error;
	char run[64];
	struct outside_board board;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* "package:script" for turbo's tasks; asked again until a process of the script itself has told it. */
static void find_name(const struct outside *outside, struct watched *task)
{
	bool sure = false;
	const bool found = outside->settings.turbo && !task->named &&
			   discovery_script_name(task->pid, task->project, sizeof task->project, task->target,
						 sizeof task->target, &sure);

	if (!found)
		return;
	snprintf(task->name, sizeof task->name, "%s:%s", task->project, task->target);
	task->named = sure;
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

static void look(struct outside *outside, struct watched *task)
{
	uint64_t cost = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	bool moved = false;

	heaplog_tree_tick(task->tree, now_ns(), &task->peak, &moved);
	task->peak.summary.interval_ms = (uint32_t)(task->schedule.period_ns / MS);
	find_name(outside, task);
	cost = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cost;
	task->due = now_ns() + heaplog_schedule_next(&task->schedule, cost, moved);
	task->glance = now_ns() + heaplog_schedule_glance(&task->schedule);
	publish(outside, task, HEAPLOG_EXIT_UNKNOWN, 0);
}

/* What is due of a task now: a look, or a glance at whether one is worth it. */
static void attend(struct outside *outside, struct watched *task)
{
	const uint64_t now = now_ns();

	if (now >= task->due) {
		look(outside, task);
	} else if (now >= task->glance) {
		task->glance = now + heaplog_schedule_glance(&task->schedule);
		if (heaplog_tree_glance(task->tree, now))
			look(outside, task);
	}
}

/* An orphan of the task still has turbo's word for it. */
static bool belongs(void *context, const char *environment, size_t length)
{
	static const char variable[] = "TURBO_HASH=";
	const struct watched *task = context;

	for (size_t at = 0; at < length; at += strnlen(environment + at, length - at) + 1)
		if (length - at > sizeof variable - 1 && strncmp(environment + at, variable, sizeof variable - 1) == 0)
			return strncmp(environment + at + sizeof variable - 1, task->hash, length - at) == 0;
	return false;
}

/* A tree is faster with descriptors that it keeps, and works without. */
static unsigned fd_budget(const struct outside *outside)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (outside->count + 2) * TREE_FDS < limit.rlim_cur ? TREE_FDS : 0;
}

static void found(void *context, const struct discovered *discovered)
{
	struct outside *outside = context;
	const uint64_t now = now_ns();
	struct watched *task;
	struct heaplog_tree_options options = {
	    .proc = "/proc",
	    .fd_budget = fd_budget(outside),
	    .metric = outside->settings.pss ? HEAPLOG_METRIC_PSS : HEAPLOG_METRIC_RSS,
	    .belongs = outside->settings.turbo ? belongs : NULL,
	};

	if (outside->count == TASKS_MAX || !(task = calloc(1, sizeof *task)))
		return;
	options.context = task;
	task->pid = discovered->pid;
	task->pidfd = proc_pidfd(task->pid);
	task->tree = heaplog_tree_create(&options);
	if (!task->tree || heaplog_tree_add_root(task->tree, task->pid) != 0) {
		if (task->tree)
			heaplog_tree_destroy(task->tree);
		if (task->pidfd >= 0)
			close(task->pidfd);
		free(task);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &task->start);
	/* It began a moment before it was found. */
	if (discovered->start_ns < now) {
		const uint64_t start =
		    (uint64_t)task->start.tv_sec * NS + (uint64_t)task->start.tv_nsec - (now - discovered->start_ns);

		task->start = (struct timespec){.tv_sec = (time_t)(start / NS), .tv_nsec = (long)(start % NS)};
	}
	heaplog_peak_init(&task->peak, discovered->start_ns, outside->settings.interval_ms);
	heaplog_schedule_init(&task->schedule, outside->settings.interval_ms);
	snprintf(task->runner, sizeof task->runner, "%s",
		 outside->settings.runner ? outside->settings.runner : discovered->runner);
	if (outside->settings.turbo) {
		snprintf(task->hash, sizeof task->hash, "%s", discovered->name->text);
		snprintf(task->name, sizeof task->name, "task %s", discovered->name->text);
	} else {
		const struct task_name *name = discovered->name;

		if (name->text[0])
			snprintf(task->name, sizeof task->name, "%s", name->text);
		else
			snprintf(task->name, sizeof task->name, "%s:%s%s%s", name->project, name->target,
				 name->configuration ? ":" : "", name->configuration ? name->configuration : "");
		snprintf(task->project, sizeof task->project, "%s", name->project ? name->project : "");
		snprintf(task->target, sizeof task->target, "%s", name->target ? name->target : "");
	}
	task->place = outside_board_place(&outside->board);
	outside->tasks[outside->count++] = task;
	look(outside, task);
}

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

/* Write the record of a task; known: status is how it ended. */
static void record(struct outside *outside, struct watched *task, bool known, int status)
{
	char line[HEAPLOG_RECORD_MAX];
	const uint64_t end = task->ended ? task->ended_ns : now_ns();
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
	    .summary = &task->peak.summary,
	};
	size_t length;
	int error = 0;

	record.exit_value = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	task->ended = true;
	task->ended_ns = end;
	publish(outside, task, record.exit, record.exit_value);
	if (!task->peak.summary.peak_bytes) /* nothing was measured: no figure is better than a wrong one */
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

static void release(struct watched *task)
{
	heaplog_tree_destroy(task->tree);
	if (task->pidfd >= 0)
		close(task->pidfd);
	free(task);
}

/* Its process has ended: how is known from its zombie, or, once the runner has waited for it, from the pidfd. */
static bool end_of(struct watched *task, bool *known, int *status)
{
	struct proc_stat stat;

	*known = false;
	if (proc_stat(task->pid, &stat) == 0 && stat.zombie && stat.has_exit_status) {
		*status = stat.exit_status;
		*known = true;
	} else if (task->pidfd >= 0 && proc_pidfd_status(task->pidfd, status)) {
		*known = true;
	}
	return *known || ++task->tries >= REAP_TRIES;
}

static bool has_ended(const struct watched *task, const struct pollfd *fds, size_t count)
{
	struct proc_stat stat;

	if (task->pidfd < 0)
		return proc_stat(task->pid, &stat) != 0 || stat.zombie;
	for (size_t i = 0; i < count; i++)
		if (fds[i].fd == task->pidfd)
			return fds[i].revents != 0;
	return false;
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
	outside->scan_due = now_ns();
}

static size_t prepare(void *self, struct pollfd *fds, size_t max, int *timeout_ms)
{
	struct outside *outside = self;
	uint64_t due = outside->scan_due;
	const uint64_t now = now_ns();
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

		if (!task->ended && has_ended(task, fds, fd_count)) {
			task->ended = true;
			task->ended_ns = now_ns();
			outside->scan_due = 0; /* the runner is about to start the next */
		}
		if (task->ended) {
			if (!end_of(task, &known, &status)) {
				task->due = now_ns() + MS;
				i++;
				continue;
			}
			record(outside, task, known, status);
			release(task);
			outside->tasks[i] = outside->tasks[--outside->count];
			continue;
		}
		attend(outside, task);
		i++;
	}
	if (now_ns() < outside->scan_due || !outside->discovery)
		return;
	cost = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	pause = discovery_look(outside->discovery) ? PENDING_MS * MS : SCAN_MS * MS;
	cost = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cost;
	outside->scan_due = now_ns() + (cost * SCAN_SHARE > pause ? cost * SCAN_SHARE : pause);
}

struct outside *outside_create(const struct outside_settings *settings, struct companion *companion)
{
	struct outside *outside = calloc(1, sizeof *outside);

	if (!outside)
		return NULL;
	outside->settings = *settings;
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

		end_of(outside->tasks[i], &known, &status);
		record(outside, outside->tasks[i], known, status);
		release(outside->tasks[i]);
	}
	outside_board_close(&outside->board);
	*tasks = outside->recorded;
	*results_error = outside->results_error;
	discovery_destroy(outside->discovery);
	free(outside);
}
