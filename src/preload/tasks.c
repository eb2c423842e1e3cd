#include "preload/tasks.h"

#include "preload/closing.h"
#include "preload/exact.h"
#include "preload/futex.h"
#include "preload/output.h"
#include "preload/result.h"
#include "preload/runtime.h"
#include "preload/sampler.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

void tasks_forget(void)
{
	atomic_store(&heaplog_process->first_task, NULL);
	board_file_forget();
	closing_forget();
	/* In the process that was started, and not forked, the first header came before its first child. */
	if (heaplog_runtime.started != getpid())
		output_forget();
}

struct task *tasks_first(void)
{
	return atomic_load(&heaplog_process->first_task);
}

const char *task_text(const struct task *task, uint32_t offset)
{
	return offset ? task->text + offset : NULL;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static const char *slot_text(const struct slot_bulk *bulk, uint32_t offset)
{
	return offset ? bulk->text + offset : NULL;
}

/* Does the task's result line come by the runner's hand, so that the write wrapper has something to wait for? */
static bool has_line(void)
{
	return heaplog_runtime.lines;
}

/* A task that has several commands has several children, at once or one after the other (run-commands): the same task
 * until its result line was printed. The same name after that is a new run of it. */
static struct task *find(const struct slot *slot, const struct slot_bulk *bulk)
{
	/* Two commands with the same words are two tasks, and a batch has no name at all. */
	if (heaplog_runtime.rule.preset == TASK_ALL || slot->batch)
		return NULL;
	for (struct task *task = tasks_first(); task; task = atomic_load(&task->next)) {
		const uint32_t state = atomic_load(&task->state);

		if (task->key == slot->key && (state == TASK_RUNNING || state == TASK_FINISHED) && !task->batch &&
		    (!slot->name || strcmp(task->name, slot_text(bulk, slot->name)) == 0) &&
		    same(task_text(task, task->project), slot_text(bulk, slot->project)) &&
		    same(task_text(task, task->target), slot_text(bulk, slot->target)) &&
		    same(task_text(task, task->configuration), slot_text(bulk, slot->configuration)) &&
		    same(task_text(task, task->hash), slot_text(bulk, slot->hash)))
			return task;
	}
	return NULL;
}

static void append_name(struct task *task, const char *separator, const char *text)
{
	if (text) {
		strcat(task->name, separator);
		strcat(task->name, text);
	}
}

static void append_number(char *text, unsigned number)
{
	char digits[3 * sizeof number + 1];
	size_t at = sizeof digits - 1;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	strcat(text, digits + at);
}

static void name_task(struct task *task, const struct slot *slot)
{
	static unsigned batches; /* under the lock */

	if (slot->batch) {
		strcpy(task->name, "batch ");
		append_number(task->name, ++batches);
	} else if (slot->name) {
		append_name(task, "", task->text + slot->name);
	} else {
		append_name(task, "", task_text(task, task->project));
		append_name(task, ":", task_text(task, task->target));
		append_name(task, ":", task_text(task, task->configuration));
	}
}

/* A build has ten thousand commands: a task that is over, recorded and in the table gives way to the next, once there
 * are so many. Its result fd goes with it. */
static struct task *reuse(void)
{
	enum { KEPT = 128 };
	struct task *oldest = NULL;
	size_t count = 0;

	if (heaplog_runtime.rule.preset != TASK_ALL)
		return NULL;
	for (struct task *task = tasks_first(); task; task = atomic_load(&task->next), count++)
		if (atomic_load(&task->state) == TASK_ANNOTATED && !task->live && !atomic_load(&task->sampled) &&
		    !atomic_load(&task->writing) &&
		    (!heaplog_runtime.results[0] || atomic_load(&task->recorded) == atomic_load(&task->version)) &&
		    (!oldest || task->end_ns < oldest->end_ns))
			oldest = task;
	if (count < KEPT || !oldest)
		return NULL;
	result_drop(oldest);
	/* Not the link to the next one: others may be on their way through the list. */
	memset((char *)oldest + offsetof(struct task, state), 0,
	       offsetof(struct task, record) - offsetof(struct task, state));
	return oldest;
}

/* Has an earlier run of the task left processes in the exact mode's table? */
static bool is_run_again(uint64_t key)
{
	for (struct task *task = tasks_first(); task; task = atomic_load(&task->next))
		if (task->key == key)
			return true;
	return false;
}

static struct task *make(const struct slot *slot, const struct slot_bulk *bulk)
{
	struct task *task = reuse();

	if (heaplog_runtime.exact && is_run_again(slot->key))
		exact_begin(slot->key);
	if (!task) {
		task = mmap(NULL, sizeof *task, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			    0);
		if (task == MAP_FAILED)
			return NULL;
		/* With a thousand tasks at once forks took longer than looks: no child needs this, and after each fork
		 * the next write to each page would copy it. A child's list is empty (runtime.h). */
		madvise(task, sizeof *task, MADV_DONTFORK);
		atomic_store(&task->next, tasks_first());
		atomic_store(&heaplog_process->first_task, task);
	}
	task->pid = slot->pid;
	task->start_ns = atomic_load(&slot->start_ns);
	task->key = slot->key;
	task->origin = slot->origin;
	task->place = NULL;
	task->start = slot->start;
	task->fd = -1;
	task->batch = slot->batch;
	task->project = slot->project;
	task->target = slot->target;
	task->configuration = slot->configuration;
	task->hash = slot->hash;
	memcpy(task->text, bulk->text, sizeof task->text);
	name_task(task, slot);
	heaplog_peak_init(&task->peak, task->start_ns, heaplog_runtime.interval_ms);
	task->peak.summary.interval_ms = heaplog_runtime.interval_ms;
	return task;
}

struct task *tasks_adopt(struct slot *slot)
{
	struct task *task = NULL;
	uint64_t mask[16];

	runtime_lock(mask);
	if (atomic_load(&slot->state) == SLOT_ADOPTED) {
		task = atomic_load(&slot->task);
	} else if (atomic_load(&slot->state) == SLOT_CLAIMED && atomic_load(&slot->kind) == SLOT_TASK) {
		const struct slot_bulk *bulk = board_bulk(heaplog_board, slot);

		task = find(slot, bulk);
		if (task && atomic_load(&task->state) == TASK_FINISHED) {
			uint32_t expected = TASK_FINISHED;

			/* The next of several commands. Lost to a thread that is annotating it just now: a new run. */
			if (atomic_compare_exchange_strong(&task->state, &expected, TASK_RUNNING)) {
				if (has_line())
					atomic_fetch_sub(&heaplog_process->pending, 1);
				atomic_store(&task->closed, 0);
			} else {
				task = NULL;
			}
		}
		if (!task)
			task = make(slot, bulk);
		if (task)
			task->live++;
		atomic_store(&slot->task, task);
		atomic_store(&slot->state, SLOT_ADOPTED);
	}
	runtime_unlock(mask);
	return task;
}

void tasks_wake(struct task *task)
{
	_Atomic uint32_t *const news = atomic_load(&task->news);

	if (!news)
		return;
	atomic_fetch_add(news, 1);
	futex_wake(news);
}

bool tasks_are_running(void)
{
	/* On a loaded machine nobody may have adopted the last ones yet. */
	if (heaplog_board && atomic_load(&heaplog_board->taken))
		return true;
	for (struct task *task = tasks_first(); task; task = atomic_load(&task->next))
		if (atomic_load(&task->state) == TASK_RUNNING)
			return true;
	return false;
}

bool tasks_has_environment(void *context, const char *environment, size_t length)
{
	enum { ENTRIES_MAX = 2048 };
	const struct task *task = context;
	char *entries[ENTRIES_MAX + 1];
	struct task_name name;
	size_t count = 0;

	for (size_t at = 0; at < length && count < ENTRIES_MAX; at += strlen(environment + at) + 1)
		entries[count++] = (char *)(uintptr_t)(environment + at);
	entries[count] = NULL;
	if (task->batch || task_recognise(&heaplog_runtime.rule, NULL, entries, &name) != TASK_ROOT)
		return false;
	if (name.origin != task->origin)
		return false;
	if (name.text[0])
		return strcmp(name.text, task->name) == 0;
	return same(task_text(task, task->project), name.project) && same(task_text(task, task->target), name.target) &&
	       same(task_text(task, task->configuration), name.configuration) &&
	       same(task_text(task, task->hash), name.hash);
}

/* Two summaries suffice. The sampler writes the one that is not published and then publishes it; whoever ends the task
 * sets closed first and then reads the published one. A sampler that had looked at closed just before may still publish
 * once, but that writes the other summary, and before the next write it looks again. */
void tasks_publish(struct task *task)
{
	const uint32_t other = !atomic_load(&task->active);

	if (atomic_load(&task->closed))
		return;
	task->summary[other] = task->peak.summary;
	atomic_store(&task->active, other);
	board_file_publish(task, &task->peak.summary, false);
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

/* Close the task's figures and make its record. */
static const struct heaplog_summary *close_figures(struct task *task)
{
	struct heaplog_summary *summary;

	atomic_store(&task->closed, 1);
	summary = &task->summary[atomic_load(&task->active)];
	summary->interval_ms = summary->interval_ms ? summary->interval_ms : heaplog_runtime.interval_ms;
	if (!heaplog_runtime.pss) {
		heaplog_peak_reaped(summary, task->maxrss, 0, task->maxrss_at_ms);
		if (heaplog_runtime.exact) /* what its processes said last, to which no look was left */
			heaplog_peak_reaped(summary, exact_largest(task->key), 0,
					    (sampler_now() - task->start_ns) / 1000000);
	}
	/* One look, and less than a program holds that has got to its main(): it was seen while the loader put it together
	 * (seen: 4KB for `true`). That is no figure of the task. */
	if (summary->samples <= 1 && summary->peak_bytes < LEAST_BYTES)
		summary->peak_bytes = 0;
	task->peak_bytes = summary->peak_bytes;
	task->end_ns = sampler_now();
	task->cause = cause_of(task->exit, task->exit_value, task->sent,
			       cause_is_failure(task->exit, task->exit_value) ? oom_watch_end(&task->oom, task->end_ns)
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
		atomic_store(&task->state, TASK_ANNOTATED);
		closing_add(task);
		return;
	}
	atomic_store(&task->state, TASK_FINISHED);
	if (has_line()) {
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
	for (struct task *task = tasks_first(); task; task = atomic_load(&task->next)) {
		snapshot(task);
		tasks_record(task);
		/* A sampler may be in the middle of it. */
		tasks_await_record(task);
		runtime_lock(mask);
		/* Of Nx what has neither a line nor a place for one of ours. */
		if (!has_line() || atomic_load(&task->state) != TASK_ANNOTATED)
			closing_add(task);
		runtime_unlock(mask);
	}
	result_warn();
}

void tasks_forked(void)
{
	const int saved = errno;

	result_forked();
	errno = saved;
}
