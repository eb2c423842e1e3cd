#include "cli/watched.h"

#include "cli/proc.h"
#include "task/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	TREE_FDS = 64,   /* descriptors that a task's tree may keep open */
	SPARE_FDS = 32,  /* for all that is no pidfd */
	REAP_TRIES = 20, /* how often the status of an ended process is asked for, a millisecond apart */
};

#define MS UINT64_C(1000000)
#define NS UINT64_C(1000000000)

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

uint64_t watched_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* "package:script" for turbo's tasks; asked again until a process of the script itself has told it. */
static void name_script(struct watched *task)
{
	bool sure = false;

	if (task->named || !discovery_script_name(task->pid, task->project, sizeof task->project, task->target,
						  sizeof task->target, &sure))
		return;
	snprintf(task->name, sizeof task->name, "%s:%s", task->project, task->target);
	task->named = sure;
}

/* The command of a task that has no other name. It may exec others before it is what it will be ("/usr/bin/env node x",
 * the shims of version managers), and was found at any moment of that: the last one gives the name, the same in every
 * run. But a line that a shell is given is the name, though bash becomes the last command of it. */
static void name_command(struct watched *task)
{
	static struct proc_words arguments;
	char text[TASK_NAME_MAX];
	struct proc_stat stat;

	if (task->named || proc_stat(task->pid, &stat) != 0 || stat.zombie || !stat.has_execed ||
	    stat.image == task->image)
		return;
	task->image = stat.image;
	if (!proc_words(task->pid, "cmdline", &arguments) || !command_text(arguments.words, text, sizeof text))
		return;
	snprintf(task->name, sizeof task->name, "%s", text);
	task->named = command_is_line(arguments.words);
}

static void look(struct watched *task)
{
	uint64_t cost = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	bool moved = false;

	heaplog_tree_tick(task->tree, watched_now(), &task->peak, &moved);
	task->peak.summary.interval_ms = (uint32_t)(task->schedule.period_ns / MS);
	if (task->options->turbo)
		name_script(task);
	else if (task->options->preset == TASK_ALL)
		name_command(task);
	cost = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cost;
	task->due = watched_now() + heaplog_schedule_next(&task->schedule, cost, moved);
	task->glance = watched_now() + heaplog_schedule_glance(&task->schedule, task->peak.summary.processes);
}

bool watched_attend(struct watched *task)
{
	const uint64_t now = watched_now();

	if (now < task->due) {
		if (now < task->glance)
			return false;
		task->glance = now + heaplog_schedule_glance(&task->schedule, task->peak.summary.processes);
		if (!heaplog_tree_glance(task->tree, now))
			return false;
	}
	look(task);
	return true;
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

/* How many descriptors are left when each of the others has its share; 0: none. */
static bool has_room(size_t others, unsigned each)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (others + 1) * each + SPARE_FDS < limit.rlim_cur;
}

static void set_name(struct watched *task, const struct task_name *name)
{
	if (task->options->turbo) {
		snprintf(task->hash, sizeof task->hash, "%s", name->text);
		snprintf(task->name, sizeof task->name, "task %s", name->text);
		return;
	}
	if (name->text[0])
		snprintf(task->name, sizeof task->name, "%s", name->text);
	else
		snprintf(task->name, sizeof task->name, "%s:%s%s%s", name->project, name->target,
			 name->configuration ? ":" : "", name->configuration ? name->configuration : "");
	snprintf(task->project, sizeof task->project, "%s", name->project ? name->project : "");
	snprintf(task->target, sizeof task->target, "%s", name->target ? name->target : "");
}

/* It began a moment before it was found. */
static void set_start(struct watched *task, uint64_t start_ns)
{
	const uint64_t now = watched_now();
	uint64_t start;

	clock_gettime(CLOCK_REALTIME, &task->start);
	if (start_ns >= now)
		return;
	start = (uint64_t)task->start.tv_sec * NS + (uint64_t)task->start.tv_nsec - (now - start_ns);
	task->start = (struct timespec){.tv_sec = (time_t)(start / NS), .tv_nsec = (long)(start % NS)};
}

struct watched *watched_create(const struct watched_options *options, const struct discovered *discovered,
			       size_t others)
{
	struct watched *task = calloc(1, sizeof *task);
	const struct heaplog_tree_options tree = {
	    .proc = "/proc",
	    .fd_budget = has_room(others, TREE_FDS + 1) ? TREE_FDS : 0, /* faster with descriptors that it keeps */
	    .metric = options->pss ? HEAPLOG_METRIC_PSS : HEAPLOG_METRIC_RSS,
	    .belongs = options->turbo ? belongs : NULL,
	    .context = task,
	};

	if (!task)
		return NULL;
	task->options = options;
	task->pid = discovered->pid;
	/* Without one its end is looked for, and how it ended may be missed. */
	task->pidfd = has_room(others, 1) ? proc_pidfd(task->pid) : -1;
	task->tree = heaplog_tree_create(&tree);
	if (!task->tree || heaplog_tree_add_root(task->tree, task->pid) != 0) {
		watched_destroy(task);
		return NULL;
	}
	set_start(task, discovered->start_ns);
	heaplog_peak_init(&task->peak, discovered->start_ns, options->interval_ms);
	heaplog_schedule_init(&task->schedule, options->interval_ms);
	snprintf(task->runner, sizeof task->runner, "%s", options->runner ? options->runner : discovered->runner);
	set_name(task, discovered->name);
	look(task);
	return task;
}

void watched_destroy(struct watched *task)
{
	if (task->tree)
		heaplog_tree_destroy(task->tree);
	if (task->pidfd >= 0)
		close(task->pidfd);
	free(task);
}

/* How it ended is known from its zombie, or, once the runner has waited for it, from the pidfd. */
bool watched_end(struct watched *task, bool *known, int *status)
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

bool watched_has_ended(const struct watched *task, const struct pollfd *fds, size_t count)
{
	struct proc_stat stat;

	if (task->pidfd < 0)
		return proc_stat(task->pid, &stat) != 0 || stat.zombie;
	for (size_t i = 0; i < count; i++)
		if (fds[i].fd == task->pidfd)
			return fds[i].revents != 0;
	return false;
}
