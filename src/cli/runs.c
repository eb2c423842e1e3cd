#include "cli/runs.h"

#include <stdlib.h>
#include <string.h>

static void free_task(struct run_task *task)
{
	free(task->task);
	free(task->metric);
	free(task->top);
	free(task->series);
}

static void free_run(struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		free_task(&run->tasks[i]);
	free(run->tasks);
	free(run->id);
}

static bool is_dropped(const struct runs *runs, uint32_t number)
{
	return number / 8 < runs->dropped_size && runs->dropped[number / 8] >> number % 8 & 1;
}

static void drop(struct runs *runs, uint32_t number)
{
	if (number / 8 >= runs->dropped_size) {
		const size_t size = ((size_t)number / 8 + 1) * 2;

		runs->dropped = must_realloc(runs->dropped, size, 1);
		memset(runs->dropped + runs->dropped_size, 0, size - runs->dropped_size);
		runs->dropped_size = size;
	}
	runs->dropped[number / 8] = (unsigned char)(runs->dropped[number / 8] | 1U << number % 8);
}

/* The run of that number, new or known; NULL where it is older than those that are kept. */
static struct run *run_of(struct runs *runs, const struct line *line, uint32_t number)
{
	struct run *oldest = NULL;

	if (is_dropped(runs, number))
		return NULL;
	for (size_t i = runs->count; i-- > 0;) { /* the one before is the usual one */
		if (runs->runs[i].number == number)
			return &runs->runs[i];
		if (!oldest || runs->runs[i].start_ms < oldest->start_ms)
			oldest = &runs->runs[i];
	}
	if (runs->count == runs->limit) {
		if (line->start_ms < oldest->start_ms) {
			drop(runs, number);
			return NULL;
		}
		drop(runs, oldest->number);
		free_run(oldest);
		*oldest = runs->runs[--runs->count];
	}
	if (runs->count == runs->capacity) {
		runs->capacity = runs->capacity ? runs->capacity * 2 : 4;
		runs->runs = must_realloc(runs->runs, runs->capacity, sizeof *runs->runs);
	}
	runs->runs[runs->count] =
	    (struct run){.id = must_strdup(line->run), .number = number, .start_ms = line->start_ms};
	return &runs->runs[runs->count++];
}

static char *copy_list(const struct line_list *list)
{
	return list->text ? must_strndup(list->text, list->length) : NULL;
}

void runs_add(struct runs *runs, const struct line *line, uint32_t number)
{
	struct run *run;

	if (runs->limit == 0 || line->start_ms == INT64_MIN || !(run = run_of(runs, line, number)))
		return;
	if (line->start_ms < run->start_ms)
		run->start_ms = line->start_ms;
	if (run->count == run->capacity) {
		run->capacity = run->capacity ? run->capacity * 2 : 16;
		run->tasks = must_realloc(run->tasks, run->capacity, sizeof *run->tasks);
	}
	run->tasks[run->count++] = (struct run_task){
	    .task = must_strdup(line->task),
	    .metric = must_strdup(line->metric),
	    .top = copy_list(&line->top),
	    .series = copy_list(&line->series),
	    .record = table_record_of(line, number),
	    .pid = line->pid,
	    .sequence = runs->sequence++,
	};
}

static int by_name(const void *a, const void *b)
{
	const struct run_task *x = a, *y = b;
	int order = strcmp(x->task, y->task);

	if (order == 0)
		order = strcmp(x->metric, y->metric);
	return order != 0 ? order : x->sequence < y->sequence ? -1 : 1;
}

static int by_start(const void *a, const void *b)
{
	const struct run_task *x = a, *y = b;

	if (x->record.start_ms != y->record.start_ms)
		return x->record.start_ms < y->record.start_ms ? -1 : 1;
	return by_name(a, b);
}

static int latest_first(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	if (x->start_ms != y->start_ms)
		return x->start_ms > y->start_ms ? -1 : 1;
	return strcmp(x->id, y->id);
}

void runs_finish(struct runs *runs)
{
	for (size_t i = 0; i < runs->count; i++) {
		struct run *run = &runs->runs[i];
		size_t kept = 0;

		qsort(run->tasks, run->count, sizeof *run->tasks, by_name);
		for (size_t j = 0; j < run->count; j++) {
			const struct run_task *next = j + 1 < run->count ? &run->tasks[j + 1] : NULL;

			if (next && strcmp(next->task, run->tasks[j].task) == 0 &&
			    strcmp(next->metric, run->tasks[j].metric) == 0)
				free_task(&run->tasks[j]); /* the later line replaces the earlier */
			else
				run->tasks[kept++] = run->tasks[j];
		}
		run->count = kept;
		qsort(run->tasks, run->count, sizeof *run->tasks, by_start);
	}
	if (runs->count > 1)
		qsort(runs->runs, runs->count, sizeof *runs->runs, latest_first);
}

void runs_free(struct runs *runs)
{
	for (size_t i = 0; i < runs->count; i++)
		free_run(&runs->runs[i]);
	free(runs->runs);
	free(runs->dropped);
	*runs = (struct runs){0};
}
