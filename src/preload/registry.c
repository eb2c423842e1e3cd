#include "preload/registry.h"

#include "preload/board.h"
#include "preload/board_file.h"
#include "preload/exact.h"
#include "preload/futex.h"
#include "preload/runtime.h"

struct heaplog_board_process *registry_find(struct heaplog_board *board, pid_t pid)
{
	const uint32_t used = atomic_load(&board->head.processes_used);

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++) {
		const uint32_t state = atomic_load(&board->process[i].state);

		if ((state == HEAPLOG_PROCESS_LIVES || state == HEAPLOG_PROCESS_ANNOUNCED) &&
		    atomic_load(&board->process[i].pid) == pid)
			return &board->process[i];
	}
	return NULL;
}

static bool is_awaited(const struct heaplog_board_process *entry, pid_t parent)
{
	return atomic_load(&entry->state) == HEAPLOG_PROCESS_ANNOUNCED && atomic_load(&entry->pid) == 0 &&
	       entry->parent == parent;
}

bool registry_awaits(const struct heaplog_board *board, pid_t parent)
{
	const uint32_t used = atomic_load(&board->head.processes_used);

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++)
		if (is_awaited(&board->process[i], parent))
			return true;
	return false;
}

static bool give_number(struct heaplog_board_process *entry, pid_t pid)
{
	int32_t unknown = 0;

	return atomic_compare_exchange_strong(&entry->pid, &unknown, pid);
}

struct heaplog_board_process *registry_number(struct heaplog_board *board, pid_t parent, uint64_t key, pid_t pid)
{
	const uint32_t used = atomic_load(&board->head.processes_used);

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++) {
		struct heaplog_board_process *entry = &board->process[i];

		if (is_awaited(entry, parent) && (!key || atomic_load(&entry->task) == key) && give_number(entry, pid))
			return entry;
	}
	return NULL;
}

struct heaplog_board_process *registry_number_orphan(struct heaplog_board *board, uint64_t key, pid_t pid)
{
	const uint32_t used = atomic_load(&board->head.processes_used);

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++) {
		struct heaplog_board_process *entry = &board->process[i];
		const pid_t parent = entry->parent;

		if (atomic_load(&entry->task) == key && parent != board->head.owner && is_awaited(entry, parent) &&
		    !registry_find(board, parent) && give_number(entry, pid))
			return entry;
	}
	return NULL;
}

static struct heaplog_board_process *take_free(struct heaplog_board *board)
{
	for (uint32_t i = 0; i < HEAPLOG_BOARD_PROCESSES; i++) {
		uint32_t expected = HEAPLOG_PROCESS_FREE;
		uint32_t used = atomic_load(&board->head.processes_used);

		if (!atomic_compare_exchange_strong(&board->process[i].state, &expected, HEAPLOG_PROCESS_FILLING))
			continue;
		while (used < i + 1 && !atomic_compare_exchange_weak(&board->head.processes_used, &used, i + 1))
			;
		return &board->process[i];
	}
	return NULL;
}

struct heaplog_board_process *registry_enter(struct heaplog_board *board, pid_t pid, pid_t parent, uint64_t key,
					     uint32_t state, bool doubtful, const struct heaplog_board_process *origin)
{
	/* 0: several threads may announce children that have no number yet. */
	struct heaplog_board_process *entry = pid ? registry_find(board, pid) : NULL;
	const bool is_new = !entry || atomic_load(&entry->task) != key; /* or who had the number before was killed */

	if (!entry)
		entry = take_free(board);
	if (!entry) {
		atomic_fetch_add(&board->head.processes_lost, 1);
		return NULL;
	}
	if (is_new) {
		atomic_store(&entry->past, 0);
		atomic_store(&entry->becomes, 0);
		atomic_store(&entry->hidden, 0);
		atomic_store(&entry->sampler, origin ? atomic_load(&origin->sampler) : 0);
		atomic_store(&entry->known, origin ? atomic_load(&origin->known) : 0);
	}
	atomic_store(&entry->seen, 0);
	atomic_store(&entry->pid, pid);
	entry->parent = parent;
	atomic_store(&entry->task, key);
	entry->doubtful = doubtful;
	entry->high_water = 0;
	atomic_store(&entry->state, state);
	return entry;
}

/* To wake a sampler that looks soon by itself took a seventh of what a process costs. One that has not heard of the
 * process yet has only just begun, with looks that follow closely. */
void registry_tell(struct heaplog_board *board, struct heaplog_board_process *entry, bool urgent)
{
	const uint32_t place = entry ? atomic_load(&entry->sampler) - 1 : UINT32_MAX;

	if (place >= HEAPLOG_BOARD_SAMPLERS)
		return;
	atomic_fetch_add(&board->sampler[place].news, 1);
	if (urgent || atomic_load(&board->sampler[place].sleeps))
		futex_wake(&board->sampler[place].news);
}

bool exact_announce(pid_t pid, uint64_t key)
{
	struct heaplog_board *board;

	board_file_open(heaplog_board->owner);
	board = atomic_load(&heaplog_board_file);
	return board && registry_enter(board, pid, heaplog_board->owner, key, HEAPLOG_PROCESS_ANNOUNCED, false, NULL);
}

void exact_announced(pid_t pid, uint64_t key)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	struct heaplog_board_process *entry = board && pid > 0 ? registry_find(board, pid) : NULL;

	/* It may have taken its place by itself (exact_join). Where it could not be started the place is free again, and where
	 * another had this number before, and was killed, that one's as well. */
	if (!board || (entry && entry->parent == heaplog_board->owner))
		return;
	if (entry)
		atomic_store(&entry->state, HEAPLOG_PROCESS_FREE);
	entry = registry_number(board, heaplog_board->owner, key, pid > 0 ? pid : -1);
	if (entry && pid <= 0)
		atomic_store(&entry->state, HEAPLOG_PROCESS_FREE);
}

/* Does the process, by what each said of its parent as it registered, descend from a child that is on our board? */
static bool descends_from_child(struct heaplog_board *board, const struct heaplog_board_process *entry)
{
	enum { DEPTH = 64 };
	pid_t pid = atomic_load(&entry->pid);

	for (int i = 0; entry && i < DEPTH; i++) {
		if (pid && board_find(heaplog_board, pid)) /* 0: one that its parent has announced */
			return true;
		pid = entry->parent;
		entry = registry_find(board, pid);
	}
	return board_find(heaplog_board, pid) != NULL;
}

/* Keys are odd (exact_key); that of a run that is over is the even one below. */
bool exact_is_stale(uint64_t key)
{
	return !(key & 1);
}

static void begin_anew(struct heaplog_board *board, uint64_t key)
{
	const uint32_t used = atomic_load(&board->head.processes_used);

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++) {
		struct heaplog_board_process *entry = &board->process[i];
		uint32_t state = atomic_load(&entry->state);
		uint64_t expected = key;

		if (atomic_load(&entry->task) != key || state < HEAPLOG_PROCESS_ANNOUNCED ||
		    (state == HEAPLOG_PROCESS_ANNOUNCED && entry->parent == board->head.owner) ||
		    descends_from_child(board, entry))
			continue;
		atomic_store(&entry->sampler, 0);
		atomic_compare_exchange_strong(&entry->task, &expected, key & ~UINT64_C(1));
		if (state != HEAPLOG_PROCESS_LIVES)
			atomic_compare_exchange_strong(&entry->state, &state, HEAPLOG_PROCESS_FREE);
	}
}

void exact_begin(uint64_t key)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);

	/* Twice: a process that is just registering itself sees what has become of its parent's entry, or is seen. */
	for (int round = 0; board && round < 2; round++)
		begin_anew(board, key);
}

void exact_end(uint64_t key)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	const uint32_t used = board ? atomic_load(&board->head.processes_used) : 0;

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++) {
		struct heaplog_board_process *entry = &board->process[i];
		uint32_t state = atomic_load(&entry->state);

		/* What our own threads have announced is of the next run. */
		if (atomic_load(&entry->task) == key &&
		    (state == HEAPLOG_PROCESS_LEFT ||
		     (state == HEAPLOG_PROCESS_ANNOUNCED && entry->parent != board->head.owner)))
			atomic_compare_exchange_strong(&entry->state, &state, HEAPLOG_PROCESS_FREE);
	}
}

uint32_t exact_listen(uint64_t key, uint32_t sampler, uint64_t known, uint32_t *at, struct exact_news *news,
		      uint32_t max)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	const uint32_t used = board ? atomic_load(&board->head.processes_used) : 0;
	uint32_t count = 0;

	for (; *at < used && *at < HEAPLOG_BOARD_PROCESSES && count + 1 < max; (*at)++) {
		struct heaplog_board_process *entry = &board->process[*at];
		const bool ours = atomic_load(&entry->task) == key;
		const uint32_t state = atomic_load(&entry->state);
		const pid_t pid = atomic_load(&entry->pid);
		const uint64_t past = atomic_load(&entry->past);

		/* Asked twice: another task's sampler may free an entry at any time, and a new process fill it, whose number
		 * must not be taken for that of one of ours. */
		if (!ours || (state != HEAPLOG_PROCESS_LIVES && state != HEAPLOG_PROCESS_LEFT) ||
		    atomic_load(&entry->task) != key)
			continue;
		atomic_store(&entry->sampler, (uint16_t)(sampler + 1));
		atomic_store(&entry->known, known);
		if (past || state == HEAPLOG_PROCESS_LIVES)
			news[count++] = (struct exact_news){.pid = pid,
							    .parent = entry->parent,
							    .doubtful = entry->doubtful,
							    .hidden = atomic_load(&entry->hidden),
							    .high_water = past,
							    .bound = past,
							    .place = *at};
		if (state == HEAPLOG_PROCESS_LEFT)
			news[count++] = (struct exact_news){.pid = pid,
							    .left = true,
							    .doubtful = entry->doubtful,
							    .hidden = atomic_load(&entry->hidden),
							    .high_water = entry->high_water,
							    .bound = entry->bound,
							    .place = *at};
	}
	return count;
}

void exact_heard(const struct exact_news *news, uint32_t count)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);

	for (uint32_t i = 0; i < count; i++) {
		struct heaplog_board_process *entry = &board->process[news[i].place];
		uint32_t left = HEAPLOG_PROCESS_LEFT;
		uint64_t past = news[i].high_water;

		/* Who ended the task may have made room meanwhile, and another process may have taken it. */
		if (news[i].left && atomic_load(&entry->pid) == news[i].pid)
			atomic_compare_exchange_strong(&entry->state, &left, HEAPLOG_PROCESS_FREE);
		else if (!news[i].left && atomic_load(&entry->pid) == news[i].pid) {
			atomic_store(&entry->seen, (uint32_t)(news[i].seen / 1024));
			atomic_compare_exchange_strong(&entry->past, &past, 0);
		}
	}
}

void exact_seen(uint64_t key, const struct heaplog_tree *tree)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	const uint32_t used = board ? atomic_load(&board->head.processes_used) : 0;

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++) {
		struct heaplog_board_process *entry = &board->process[i];

		if (atomic_load(&entry->task) == key && atomic_load(&entry->state) == HEAPLOG_PROCESS_LIVES)
			atomic_store(&entry->seen,
				     (uint32_t)(heaplog_tree_known(tree, atomic_load(&entry->pid)) / 1024));
	}
}

void exact_forget(uint64_t key, pid_t pid)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	struct heaplog_board_process *entry = board ? registry_find(board, pid) : NULL;
	uint32_t expected = HEAPLOG_PROCESS_LIVES;

	if (entry && atomic_load(&entry->task) == key)
		atomic_compare_exchange_strong(&entry->state, &expected, HEAPLOG_PROCESS_FREE);
}

uint64_t exact_largest(uint64_t key)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	const uint32_t used = board ? atomic_load(&board->head.processes_used) : 0;
	uint64_t largest = 0;

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++) {
		struct heaplog_board_process *entry = &board->process[i];
		const uint32_t state = atomic_load(&entry->state);
		const uint64_t past = atomic_load(&entry->past);

		if (atomic_load(&entry->task) != key || entry->doubtful || state < HEAPLOG_PROCESS_LIVES)
			continue;
		if (state == HEAPLOG_PROCESS_LEFT && entry->high_water > largest)
			largest = entry->high_water;
		if (past > largest)
			largest = past;
	}
	return largest;
}

bool exact_has_left(uint64_t key, pid_t pid)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	const uint32_t used = board ? atomic_load(&board->head.processes_used) : 0;

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++)
		if (atomic_load(&board->process[i].task) == key && atomic_load(&board->process[i].pid) == pid &&
		    atomic_load(&board->process[i].state) == HEAPLOG_PROCESS_LEFT)
			return true;
	return false;
}

uint64_t exact_unheard(uint64_t key)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	const uint32_t used = board ? atomic_load(&board->head.processes_used) : 0;
	uint64_t sum = 0, most, seen;

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++) {
		struct heaplog_board_process *entry = &board->process[i];
		const uint32_t state = atomic_load(&entry->state);

		if (atomic_load(&entry->task) != key || state < HEAPLOG_PROCESS_LIVES)
			continue;
		/* One process, at different times. */
		most = atomic_load(&entry->past);
		if (state == HEAPLOG_PROCESS_LEFT && entry->bound > most)
			most = entry->bound;
		seen = (uint64_t)atomic_load(&entry->seen) * 1024;
		sum += most > seen ? most - seen : 0;
	}
	return sum;
}

bool exact_is_complete(uint64_t key)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	const uint32_t used = board ? atomic_load(&board->head.processes_used) : 0;

	if (!board || atomic_load(&board->head.processes_lost))
		return false;
	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++) {
		struct heaplog_board_process *entry = &board->process[i];
		const uint32_t state = atomic_load(&entry->state);

		if (atomic_load(&entry->task) == key && state >= HEAPLOG_PROCESS_ANNOUNCED &&
		    (atomic_load(&entry->hidden) || state != HEAPLOG_PROCESS_LEFT))
			return false;
	}
	return true;
}
