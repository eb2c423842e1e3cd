#include "preload/board.h"

#include "preload/futex.h"
#include "preload/runtime.h"
#include "preload/tasks.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

struct board *heaplog_board;

/* A limit of the address space is the program's to use up: ours must not be what it lacks then. */
static bool has_room(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur / 64 >= sizeof(struct board);
}

void board_prepare(void)
{
	const int saved = errno;
	const pid_t self = getpid();
	uint64_t mask[16];
	pid_t owner;

	if (!runtime_prepare())
		return;
	owner = atomic_load(&heaplog_process->owner);

	/* An owner that is neither us nor nobody: we are a vfork child in our parent's memory, where nothing may
	 * change. */
	if (owner == self || owner != 0)
		return;
	/* A subshell of a runner whose children are all tasks: it is a part of that runner's work, not a runner. */
	if (heaplog_runtime.rule.preset == TASK_ALL && heaplog_runtime.started != self)
		return;
	runtime_lock(mask);
	if (atomic_load(&heaplog_process->owner) == 0) {
		/* Not the inherited one: that belongs to the parent's children, our siblings. */
		struct board *board = has_room() ? mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
							MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
						 : MAP_FAILED;

		if (heaplog_board)
			munmap(heaplog_board, sizeof *heaplog_board);
		heaplog_board = board == MAP_FAILED ? NULL : board;
		tasks_forget();
		if (heaplog_board) {
			heaplog_board->owner = self;
			atomic_store(&heaplog_process->owner, self);
		}
	}
	runtime_unlock(mask);
	errno = saved;
}

void board_outdate(struct board *board, pid_t pid, uint64_t before_ns)
{
	const uint32_t used = atomic_load(&board->used);

	if (!atomic_load(&board->taken))
		return;
	for (uint32_t i = 0; i < used; i++) {
		struct slot *slot = &board->slots[i];
		const uint32_t state = atomic_load(&slot->state);

		if ((state == SLOT_CLAIMED || state == SLOT_ADOPTED) && slot->pid == pid &&
		    atomic_load(&slot->start_ns) < before_ns &&
		    (before_ns != UINT64_MAX || slot->carry_over != UINT64_MAX))
			slot->pid = 0;
	}
}

struct slot *board_take(struct board *board, pid_t pid)
{
	struct slot *slot = board_find(board, pid);

	/* A child whose exec failed tries another: it keeps its slot. */
	if (slot)
		return slot;
	for (uint32_t i = 0; i < BOARD_SLOTS; i++) {
		uint32_t expected = SLOT_FREE;
		uint32_t used = atomic_load(&board->used);

		slot = &board->slots[i];
		if (!atomic_compare_exchange_strong(&slot->state, &expected, SLOT_FILLING))
			continue;
		while (used < i + 1 && !atomic_compare_exchange_weak(&board->used, &used, i + 1))
			;
		atomic_fetch_add(&board->taken, 1);
		slot->pid = pid;
		atomic_store(&slot->task, NULL);
		atomic_store(&slot->in_tree, 0);
		atomic_store(&slot->polled, 0);
		atomic_store(&slot->ended, 0);
		return slot;
	}
	return NULL;
}

void board_publish(struct board *board, struct slot *slot)
{
	uint32_t expected = SLOT_FILLING;

	atomic_compare_exchange_strong(&slot->state, &expected, SLOT_CLAIMED);
	board_wake(board, slot->pid);
}

void board_release(struct board *board, struct slot *slot)
{
	if (atomic_exchange(&slot->state, SLOT_FREE) != SLOT_FREE)
		atomic_fetch_sub(&board->taken, 1);
}

struct slot_bulk *board_bulk(struct board *board, const struct slot *slot)
{
	return &board->bulk[slot - board->slots];
}

struct slot *board_find(struct board *board, pid_t pid)
{
	const uint32_t used = atomic_load(&board->used);

	for (uint32_t i = 0; i < used; i++) {
		const uint32_t state = atomic_load(&board->slots[i].state);

		if ((state == SLOT_CLAIMED || state == SLOT_ADOPTED) && board->slots[i].pid == pid)
			return &board->slots[i];
	}
	return NULL;
}

void board_wake(struct board *board, pid_t pid)
{
	atomic_fetch_add(board_claim(board, pid), 1);
	futex_wake(board_claim(board, pid));
}
