#include "preload/sampler_units.h"

#include "preload/boards.h"
#include "preload/exact.h"
#include "preload/runtime.h"
#include "preload/sampler.h"

#include <sys/resource.h>
#include <unistd.h>

#define MS 1000000U

static unsigned descriptor_budget(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < 64)
		return 0;
	return (unsigned)(limit.rlim_cur > 8192 ? 8192 : limit.rlim_cur - 32);
}

/* HEAPLOG_EXACT: it was killed, or had never registered. */
static void note_missed(void *context, pid_t pid)
{
	struct task *task = context;

	if (!exact_has_left(task->key, pid))
		atomic_store(&task->missed, true);
}

/* Take the task unless another thread has it. */
static void take(struct sampler *sampler, struct task *task)
{
	uint32_t expected = 0;
	struct unit *unit = &sampler->units[sampler->count];
	const struct heaplog_tree_options options = {
	    .proc = "/proc",
	    .fd_budget = descriptor_budget(),
	    .metric = heaplog_runtime.pss ? HEAPLOG_METRIC_PSS : HEAPLOG_METRIC_RSS,
	    .belongs = heaplog_runtime.rule.preset == TASK_ALL ? NULL : tasks_has_environment,
	    .rivals = boards_rivals,
	    .gone = heaplog_runtime.exact ? note_missed : NULL,
	    .context = task,
	};

	if (sampler->count == UNITS_MAX || !atomic_compare_exchange_strong(&task->sampled, &expected, 1))
		return;
	*unit = (struct unit){.task = task, .tree = heaplog_tree_create(&options)};
	if (!unit->tree) {
		atomic_store(&task->sampled, 0);
		return;
	}
	board_file_open(getpid());
	if (heaplog_runtime.exact && atomic_load(&heaplog_board_file))
		sampler->news = &atomic_load(&heaplog_board_file)->sampler[sampler->place].news;
	atomic_store(&task->news, sampler->news);
	heaplog_schedule_init(&unit->schedule, heaplog_runtime.interval_ms);
	sampler->count++;
}

void units_drop(struct sampler *sampler, size_t at)
{
	struct task *task = sampler->units[at].task;

	heaplog_tree_destroy(sampler->units[at].tree);
	tasks_over(task);
	atomic_store(&task->news, NULL);
	atomic_store(&task->sampled, 0);
	sampler->units[at] = sampler->units[--sampler->count];
}

static void add_root(struct unit *unit, struct slot *slot)
{
	uint64_t mask[16];
	pid_t pid = 0;

	/* Under the lock, with which a slot is given back: since the caller looked it may have become another child's, of
	 * another task. */
	runtime_lock(mask);
	if (atomic_load(&slot->state) == SLOT_ADOPTED && atomic_load(&slot->task) == unit->task &&
	    !atomic_load(&slot->in_tree)) {
		pid = atomic_load(&slot->pid);
		atomic_store(&slot->in_tree, 1);
	}
	runtime_unlock(mask);
	if (pid <= 0)
		return;
	heaplog_tree_add_root(unit->tree, pid);
	unit->due = 0;
	unit->finished = 0;
}

void units_take_over(struct sampler *sampler)
{
	struct board *board = heaplog_board;

	for (size_t u = 0; u < sampler->count; u++) {
		struct unit *unit = &sampler->units[u];

		if (!atomic_exchange(&unit->task->joins, 0))
			continue;
		for (uint32_t i = 0; i < atomic_load(&board->used); i++)
			if (atomic_load(&board->slots[i].state) == SLOT_ADOPTED &&
			    atomic_load(&board->slots[i].task) == unit->task)
				add_root(unit, &board->slots[i]);
	}
}

bool units_await_claim(const struct sampler *sampler)
{
	return sampler->count == 0 && sampler->child_count == 1;
}

/* See what has become of a child. Returns true when that is settled: a sampler thread has it, or it is no task. */
static bool see_to(struct sampler *sampler, pid_t pid)
{
	/* Read before the board: a claim precedes its exec, so that one which exec'ed without a claim is no task. */
	const int execed = heaplog_process_has_execed("/proc", pid);
	struct slot *slot = board_find(heaplog_board, pid);
	struct task *task = slot && atomic_load(&slot->kind) == SLOT_TASK ? tasks_adopt(slot) : NULL;

	if (!task) {
		if (execed != 0 && slot && atomic_load(&slot->kind) == SLOT_SCRATCH)
			board_release(heaplog_board, slot);
		return execed != 0;
	}
	take(sampler, task);
	for (size_t u = 0; u < sampler->count; u++)
		if (sampler->units[u].task == task)
			add_root(&sampler->units[u], slot);
	if (atomic_load(&slot->in_tree) || slot->pid != pid)
		return true;
	/* A further command of a task that another thread has. Ours until that one has said that it has it: it may just
	 * be letting go of the task. */
	atomic_store(&task->joins, 1);
	tasks_wake(task);
	return false;
}

uint64_t units_see_to_children(struct sampler *sampler, uint64_t now)
{
	uint64_t due = UINT64_MAX;
	pid_t mail;

	while (sampler->child_count < CHILDREN_MAX && (mail = sampler_mail(sampler->place)) != 0)
		sampler->children[sampler->child_count++] = (struct child){.pid = mail};
	for (size_t i = 0; i < sampler->child_count;) {
		struct child *child = &sampler->children[i];

		if (now >= child->due || units_await_claim(sampler)) {
			if (see_to(sampler, child->pid)) {
				*child = sampler->children[--sampler->child_count];
				continue;
			}
			child->pause = !child->pause ? MS : child->pause < 250 * MS ? child->pause * 2 : 500 * MS;
			child->due = now + child->pause;
		}
		due = child->due < due ? child->due : due;
		i++;
	}
	return due;
}

void units_see_to_unsent(struct sampler *sampler)
{
	struct board *board = heaplog_board;

	for (uint32_t i = 0; i < atomic_load(&board->used); i++) {
		struct slot *slot = &board->slots[i];
		const uint32_t state = atomic_load(&slot->state);

		if ((state == SLOT_CLAIMED || state == SLOT_ADOPTED) && atomic_load(&slot->kind) == SLOT_TASK &&
		    !atomic_load(&slot->in_tree) && slot->pid)
			see_to(sampler, slot->pid);
	}
}
