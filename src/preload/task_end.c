/* How a task ends: its figures are closed, its record is made, and appended to HEAPLOG_RESULTS. */
#include "preload/tasks.h"

#include "preload/closing.h"
#include "preload/exact.h"
#include "preload/futex.h"
#include "preload/output.h"
#include "preload/result.h"
#include "preload/runtime.h"
#include "preload/sampler.h"
#include "preload/stack.h"

#include <errno.h>
#include <sys/wait.h>

/* Two summaries suffice. The sampler writes the one that is not published and then publishes it; whoever ends the task
 * sets closed first and then reads the published one. A sampler that had looked at closed just before may still publish
 * once, but that writes the other summary, and before the next write it looks again. */
bool tasks_publish(struct task *task)
{
	const uint32_t other = !atomic_load(&task->active);

	if (atomic_load(&task->closed))
		return false;
	task->summary[other] = task->peak.summary;
	atomic_store(&task->active, other);
	board_file_publish(task, &task->peak.summary, false);
	return true;
}

static void note_exit(struct task *task, int status)
{
	const enum heaplog_exit kind = WIFSIGNALED(status) ? HEAPLOG_EXIT_SIGNAL : HEAPLOG_EXIT_CODE;
	const int value = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

	/* Nx ends a worker that has done its work by SIGTERM: that says nothing about its tasks. */
	if (task->batch && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)
		return;
	/* Of several children the first that failed speaks for the task. */
	if (task->exit == HEAPLOG_EXIT_UNKNOWN || (task->exit == HEAPLOG_EXIT_CODE && task->exit_value == 0)) {
		task->exit = kind;
		task->exit_value = value;
	}
}

uint64_t tasks_largest(uint64_t now)
{
	enum { LATELY_NS = 1000000000 };
	uint64_t largest = 0;

	for (const struct task *task = tasks_first(); task; task = atomic_load(&task->next)) {
		const bool counts = atomic_load(&task->state) == TASK_RUNNING || now - task->end_ns < LATELY_NS;
		const uint64_t held = counts ? oom_watch_held(&task->oom) : 0;

		largest = held > largest ? held : largest;
	}
	return largest;
}

enum { LEAST_BYTES = 1 << 20 };

/* From outside nobody knows what came and went between two looks, and no bound is about it: 151 MB were "exact" of 275,
 * three children for 2 ms. */
static bool is_complete(const struct task *task)
{
	return !atomic_load(&task->missed) && !atomic_load(&heaplog_board->missed) && exact_is_complete(task->key);
}

/* What its processes said last, to which no look was left. untold: of that, what the sampler has heard. */
static void account_words(struct task *task, struct heaplog_summary *summary, uint64_t untold)
{
	uint64_t more, upper;

	/* First: who leaves from now on is in no sum. */
	task->complete = is_complete(task);
	more = untold + exact_unheard(task->key);
	upper = summary->peak_upper_bytes + more;
	if (!heaplog_runtime.pss)
		heaplog_peak_reaped(summary, exact_largest(task->key), 0, (sampler_now() - task->start_ns) / 1000000);
	/* All of it may have been held beside what was seen, and nothing else where each has said its own. */
	if (!task->complete)
		summary->peak_upper_bytes += more;
	else
		summary->peak_upper_bytes = upper > summary->peak_bytes ? upper : summary->peak_bytes;
}

/* Close the task's figures and make its record. */
static const struct heaplog_summary *close_figures(struct task *task)
{
	struct heaplog_summary *summary;
	uint64_t untold;

	atomic_store(&task->closed, 1);
	/* Asked before the summary is chosen: none means that the published one has all that was heard. */
	untold = atomic_load(&task->untold);
	summary = &task->summary[atomic_load(&task->active)];
	summary->interval_ms = summary->interval_ms ? summary->interval_ms : heaplog_runtime.interval_ms;
	if (heaplog_runtime.exact)
		account_words(task, summary, untold);
	if (!heaplog_runtime.pss)
		heaplog_peak_reaped(summary, task->maxrss, 0, task->maxrss_at_ms);
	/* One look, and less than a program holds that has got to its main(): it was seen while the loader put it together
	 * (seen: 4KB for `true`). That is no figure of the task. */
	if (summary->samples <= 1 && summary->peak_bytes < LEAST_BYTES)
		summary->peak_bytes = 0;
	task->peak_bytes = summary->peak_bytes;
	task->end_ns = sampler_now();
	task->cause = cause_of(task->exit, task->exit_value, task->sent,
			       cause_is_failure(task->exit, task->exit_value) && !stack_lacks(STACK_WORK)
				   ? oom_watch_end(&task->oom, task->end_ns)
				   : OOM_NONE);
	if (atomic_load(&task->writing) == task->record_at + 1)
		task->record_at = !task->record_at;
	result_make(task, summary);
	if (task->record_length)
		atomic_fetch_add(&task->version, 1);
	return summary;
}

static void finish(struct task *task)
{
	board_file_publish(task, close_figures(task), true);
	if (heaplog_runtime.rule.preset == TASK_ALL) {
		/* Nothing more comes, neither a line nor another child: it is recorded at once, and then used again. */
		if (heaplog_runtime.exact)
			exact_end(task->key);
		atomic_store(&task->state, TASK_ANNOTATED);
		closing_add(task);
		return;
	}
	atomic_store(&task->state, TASK_FINISHED);
	if (heaplog_runtime.lines) {
		output_awaits();
		atomic_fetch_add(&heaplog_process->pending, 1);
	}
}

/* What a child's ru_maxrss may owe to the runner. One that shared the runner's memory until its exec said what that was
 * a moment before the exec, and another thread of the runner may have gone on filling it: it was no more than the
 * runner's own maximum is now. */
static uint64_t inherited(const struct slot *slot)
{
	struct rusage usage;
	uint64_t now;

	if (!slot->shared)
		return slot->carry_over;
	if (getrusage(RUSAGE_SELF, &usage) != 0)
		return UINT64_MAX;
	now = (uint64_t)usage.ru_maxrss * HEAPLOG_MAXRSS_UNIT;
	return now > slot->carry_over ? now : slot->carry_over;
}

void tasks_reaped(pid_t pid, bool known, int status, const struct rusage *usage)
{
	const int saved = errno;
	struct board *board = heaplog_board;
	uint64_t mask[16];
	struct slot *slot;
	struct task *task;
	bool over = false;

	if (!board || !atomic_load(&board->taken) || !runtime_is_owner() || !(slot = board_find(board, pid)))
		return;
	if (known && stack_lacks(STACK_WORK)) {
		slot->status = status;
		slot->maxrss = usage->ru_maxrss;
		atomic_store(&slot->ended, 1);
		return;
	}
	task = tasks_adopt(slot);
	runtime_lock(mask);
	if (task && board_find(board, pid) == slot) {
		const uint64_t maxrss = usage ? (uint64_t)usage->ru_maxrss * HEAPLOG_MAXRSS_UNIT : 0;

		if (maxrss > inherited(slot) && maxrss > task->maxrss) {
			task->maxrss = maxrss;
			task->maxrss_at_ms = (sampler_now() - task->start_ns) / 1000000;
		}
		if (known)
			note_exit(task, status);
		if (--task->live == 0) {
			finish(task);
			over = atomic_load(&task->state) == TASK_ANNOTATED;
		}
	}
	board_release(board, slot);
	runtime_unlock(mask);
	board_wake(board, pid);
	if (task)
		tasks_wake(task);
	if (over && !atomic_load(&task->sampled))
		tasks_record(task); /* no sampler will */
	result_warn();
	closing_reaped();
	errno = saved;
}

void tasks_reaped_late(void)
{
	struct board *board = heaplog_board;
	const uint32_t used = board ? atomic_load(&board->used) : 0;

	for (uint32_t i = 0; i < used; i++) {
		struct slot *slot = &board->slots[i];
		struct rusage usage = {.ru_maxrss = 0};

		/* 0: a new process has its number (board_outdate). */
		if (!atomic_exchange(&slot->ended, 0) || !slot->pid)
			continue;
		usage.ru_maxrss = slot->maxrss;
		tasks_reaped(slot->pid, true, slot->status, &usage);
	}
}

void tasks_killed(pid_t pid)
{
	struct board *board = heaplog_board;
	struct slot *slot = NULL;
	struct task *known;

	if (!board || !atomic_load(&board->taken) || !runtime_is_owner())
		return;
	/* The leader of a group is a task's first process wherever a runner makes groups for its tasks. */
	if (pid > 0 || pid < -1)
		slot = board_find(board, pid > 0 ? pid : -pid);
	known = slot ? atomic_load(&slot->task) : NULL;
	/* A process further down belongs to one of the tasks: to which is not worth a walk. */
	for (struct task *task = tasks_first(); task; task = atomic_load(&task->next))
		if (!known || task == known)
			atomic_store(&task->sent, true);
}

void tasks_record(struct task *task)
{
	uint32_t version = 0;
	uint64_t mask[16];
	const char *line = NULL;
	size_t length = 0;
	int error;

	if (!heaplog_runtime.results[0] || atomic_load(&task->version) == atomic_load(&task->recorded))
		return;
	runtime_lock(mask);
	if (!atomic_load(&task->writing) && task->record_length) {
		version = atomic_load(&task->version);
		line = task->record[task->record_at];
		length = task->record_length;
		atomic_store(&task->writing, task->record_at + 1);
	}
	runtime_unlock(mask);
	if (!line)
		return;
	error = heaplog_record_append(heaplog_runtime.results, line, length);
	if (error)
		result_failed(error); /* before anybody can take the record for done and exit without a word */
	atomic_store(&task->recorded, version);
	atomic_store(&task->writing, 0);
	futex_wake(&task->recorded);
}

void tasks_await_record(struct task *task)
{
	enum { WRITES_MS = 10, COMES_MS = 100 };
	const int saved = errno;

	for (int i = 0; i < COMES_MS && heaplog_runtime.results[0]; i++) {
		const uint32_t seen = atomic_load(&task->recorded);

		/* On a busy machine its sampler may not have come to it yet; once it writes it is the file that is slow. */
		if (atomic_load(&task->version) == seen ||
		    (i >= WRITES_MS && (atomic_load(&task->writing) || !atomic_load(&task->sampled))))
			break;
		futex_wait(&task->recorded, seen, 1000000);
	}
	errno = saved;
}

/* A task that outlives its runner (a server, or any after Ctrl-C) is recorded as far as it was seen. Should the runner
 * live on, as after an exec that failed, the task goes on, and its later record replaces this one. */
static void snapshot(struct task *task)
{
	uint64_t mask[16];

	runtime_lock(mask);
	if (atomic_load(&task->state) == TASK_RUNNING) {
		close_figures(task);
		atomic_store(&task->closed, 0);
	}
	runtime_unlock(mask);
}

void tasks_flush(void)
{
	uint64_t mask[16];

	if (!runtime_is_owner())
		return;
	tasks_reaped_late();
	for (struct task *task = tasks_first(); task; task = atomic_load(&task->next)) {
		snapshot(task);
		tasks_record(task);
		/* A sampler may be in the middle of it. */
		tasks_await_record(task);
		runtime_lock(mask);
		/* Of Nx what has neither a line nor a place for one of ours. */
		if (!heaplog_runtime.lines || atomic_load(&task->state) != TASK_ANNOTATED)
			closing_add(task);
		runtime_unlock(mask);
	}
	result_warn();
}
