/* What stands in the board's file about each task, for who reads it live. One writer at a time, told by a sequence that is
 * odd meanwhile; readers take what they find between two even ones. */
#include "preload/board_file.h"

#include "preload/result.h"
#include "preload/runtime.h"
#include "preload/tasks.h"

#include <string.h>

/* even -> odd. The other writer may be on a processor that this one waits for: after a while nothing is written. */
static bool begin(struct heaplog_board_task *place, bool insist)
{
	for (int attempt = 0; attempt < (insist ? 100000 : 1); attempt++) {
		uint32_t sequence = atomic_load(&place->sequence) & ~1U;

		if (atomic_compare_exchange_strong(&place->sequence, &sequence, sequence + 1)) {
			atomic_thread_fence(memory_order_release);
			return true;
		}
	}
	return false;
}

static void end(struct heaplog_board_task *place)
{
	atomic_fetch_add(&place->sequence, 1);
}

static void put_text(char *text, size_t size, const char *from)
{
	const size_t length = from ? strnlen(from, size - 1) : 0;

	if (length)
		memcpy(text, from, length);
	text[length] = '\0';
}

static void write_names(struct task *task, struct heaplog_board_figures *figures)
{
	memset(figures, 0, sizeof *figures);
	figures->state = HEAPLOG_BOARD_RUNNING;
	figures->pid = task->pid;
	figures->start_ns = task->start_ns;
	figures->start_ms = (int64_t)task->start.tv_sec * 1000 + task->start.tv_nsec / 1000000;
	figures->interval_ms = heaplog_runtime.interval_ms;
	figures->origin = task->origin;
	put_text(figures->metric, sizeof figures->metric, heaplog_runtime.pss ? HEAPLOG_OTHER_METRIC : "rss");
	put_text(figures->name, sizeof figures->name, task->name);
	put_text(figures->project, sizeof figures->project, task_text(task, task->project));
	put_text(figures->target, sizeof figures->target, task_text(task, task->target));
	put_text(figures->configuration, sizeof figures->configuration, task_text(task, task->configuration));
	put_text(figures->hash, sizeof figures->hash, task_text(task, task->hash));
}

/* A place that was never used, else that of the task which ended first. */
static struct heaplog_board_task *find_place(struct heaplog_board *board)
{
	const uint32_t used = atomic_load(&board->head.used);
	struct heaplog_board_task *oldest = NULL;

	if (used < HEAPLOG_BOARD_TASKS) {
		atomic_store(&board->head.used, used + 1);
		return &board->task[used];
	}
	/* Not up to used: in the exact mode the tasks can write to the file. */
	for (uint32_t i = 0; i < HEAPLOG_BOARD_TASKS; i++) {
		struct heaplog_board_task *place = &board->task[i];

		if (place->figures.state == HEAPLOG_BOARD_FINISHED &&
		    (!oldest || place->figures.end_ns < oldest->figures.end_ns))
			oldest = place;
	}
	return oldest;
}

void board_file_add(struct task *task)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	struct heaplog_board_task *place;
	uint64_t mask[16];

	if (!board)
		return;
	runtime_lock(mask);
	if (!board->head.run[0])
		strncpy(board->head.run, result_run(), sizeof board->head.run - 1);
	place = task->place ? NULL : find_place(board);
	if (place && begin(place, true)) {
		for (struct task *other = tasks_first(); other; other = atomic_load(&other->next))
			if (other->place == place)
				other->place = NULL;
		write_names(task, &place->figures);
		end(place);
		task->place = place;
	}
	runtime_unlock(mask);
}

void board_file_publish(struct task *task, const struct heaplog_summary *summary, bool finished)
{
	struct heaplog_board_task *place = task->place;
	struct heaplog_board_figures *figures;

	if (!place || !begin(place, finished))
		return;
	figures = &place->figures;
	/* Given to another task meanwhile, since this one had ended. */
	if (figures->start_ns != task->start_ns || figures->pid != task->pid) {
		end(place);
		return;
	}
	figures->state = finished ? HEAPLOG_BOARD_FINISHED : HEAPLOG_BOARD_RUNNING;
	figures->end_ns = finished ? task->end_ns : 0;
	figures->current_bytes = finished ? 0 : summary->current_bytes;
	figures->peak_bytes = summary->peak_bytes;
	figures->upper_bytes = summary->peak_upper_bytes;
	figures->peak_at_ms = summary->peak_at_ms;
	figures->processes = finished ? 0 : summary->processes;
	figures->processes_max = summary->processes_max;
	figures->samples = summary->samples;
	figures->interval_ms = summary->interval_ms;
	figures->exit_kind = finished ? (uint32_t)task->exit : 0;
	figures->exit_value = finished ? task->exit_value : 0;
	figures->oom = finished && task->cause.oom;
	end(place);
}
