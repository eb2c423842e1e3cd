/* Which tasks there are: from a child's slot on the board to the task that it belongs to. Their end is in task_end.c. */
#include "preload/tasks.h"

#include "preload/closing.h"
#include "preload/exact.h"
#include "preload/futex.h"
#include "preload/output.h"
#include "preload/result.h"
#include "preload/runtime.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
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
				if (heaplog_runtime.lines)
					atomic_fetch_sub(&heaplog_process->pending, 1);
				atomic_store(&task->closed, 0);
			} else {
				task = NULL;
			}
		}
		if (!task)
			task = make(slot, bulk);
		if (task) {
			task->live++;
			if (!slot->announced)
				atomic_store(&task->missed, true);
		}
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

void tasks_over(struct task *task)
{
	bool again = false;
	uint64_t mask[16];

	if (!heaplog_runtime.exact || atomic_load(&task->state) != TASK_ANNOTATED)
		return;
	runtime_lock(mask);
	for (struct task *other = tasks_first(); other; other = atomic_load(&other->next))
		again =
		    again || (other != task && other->key == task->key && atomic_load(&other->state) != TASK_ANNOTATED);
	if (!again)
		exact_end(task->key);
	runtime_unlock(mask);
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

void tasks_forked(void)
{
	const int saved = errno;

	result_forked();
	errno = saved;
}
