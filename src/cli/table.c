#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

static int by_run(const void *a, const void *b)
{
	const struct table_value *x = a, *y = b;

	if (x->run != y->run)
		return x->run < y->run ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* One value per run: the last that was read. */
static void compact(struct table_task *task)
{
	uint32_t kept = 0;

	if (task->count > 1)
		qsort(task->values, task->count, sizeof *task->values, by_run);
	for (uint32_t i = 0; i < task->count; i++)
		if (i + 1 == task->count || task->values[i + 1].run != task->values[i].run)
			task->values[kept++] = task->values[i];
	task->count = kept;
}

static void add_value(struct table_task *task, struct table_value value)
{
	if (task->count > 0 && task->values[task->count - 1].run == value.run) {
		task->values[task->count - 1] = value; /* the usual way of being replaced */
		return;
	}
	if (task->count == task->capacity) {
		/* Files given twice must not take twice the memory; sorting before each growth costs no more than at
		 * the end. */
		compact(task);
		if (task->count >= task->capacity / 2) {
			task->capacity = task->capacity ? task->capacity * 2 : 4;
			task->values = must_realloc(task->values, task->capacity, sizeof *task->values);
		}
	}
	task->values[task->count++] = value;
}

struct table_record table_record_of(const struct line *line, uint32_t run)
{
	struct table_record record = {
	    .start_ms = line->start_ms,
	    .peak = line->peak,
	    .peak_upper = line->peak_upper,
	    .duration_ms = line->duration_ms,
	    .peak_at_ms = line->peak_at_ms,
	    .processes_max = line->processes_max,
	    .samples = line->samples,
	    .exit_code = line->exit_code,
	    .run = run,
	    .oom = line->oom,
	    .exact = line->exact,
	};

	if (line->signal)
		strncpy(record.signal, line->signal, sizeof record.signal - 1);
	return record;
}

static char *copy(const char *text)
{
	return text ? must_strdup(text) : NULL;
}

/* The task of a record, new or known. */
static struct table_task *task_of(struct table *table, const struct line *line)
{
	const uint32_t name = intern(&table->names, line->task);
	uint32_t *link;

	if (name == table->first_size) {
		table->first_size = table->first_size ? table->first_size * 2 : 64;
		table->first = must_realloc(table->first, table->first_size, sizeof *table->first);
	}
	if (name + 1 == table->names.count && table->named < table->names.count) {
		table->first[name] = TABLE_NONE;
		table->named++;
	}
	for (link = &table->first[name]; *link != TABLE_NONE; link = &table->tasks[*link].other_metric)
		if (strcmp(table->tasks[*link].metric, line->metric) == 0)
			return &table->tasks[*link];
	*link = table->count;
	if (table->count == table->capacity) {
		table->capacity = table->capacity ? table->capacity * 2 : 64;
		table->tasks = must_realloc(table->tasks, table->capacity, sizeof *table->tasks);
	}
	table->tasks[table->count] = (struct table_task){
	    .metric = copy(line->metric),
	    .project = copy(line->project),
	    .target = copy(line->target),
	    .configuration = copy(line->configuration),
	    .runner = copy(line->runner),
	    .other_metric = TABLE_NONE,
	    .name_number = name,
	};
	return &table->tasks[table->count++];
}

uint32_t table_add(struct table *table, const struct line *line)
{
	const uint32_t run = intern(&table->runs, line->run);
	struct table_task *task = task_of(table, line);
	const struct table_record record = table_record_of(line, run);
	const bool first = task->count == 0;

	add_value(task, (struct table_value){line->peak, run, table->sequence++});
	if (first || record.run == task->largest.run || record.peak > task->largest.peak) {
		task->largest = record;
		if (table->want_top) {
			free(task->top);
			task->top = line->top.text ? must_strndup(line->top.text, line->top.length) : NULL;
		}
	}
	if (first || record.run == task->latest.run || record.start_ms >= task->latest.start_ms)
		task->latest = record;
	if (line->peak_upper != LINE_UNKNOWN && line->peak_upper > task->upper_max)
		task->upper_max = line->peak_upper;
	return run;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t table_median(uint64_t *values, size_t count)
{
	if (count == 0)
		return 0;
	qsort(values, count, sizeof *values, by_size);
	const uint64_t low = values[(count - 1) / 2], high = values[count / 2];
	return low + (high - low) / 2;
}

size_t table_peaks(const struct table_task *task, uint64_t *peaks)
{
	size_t count = 0;

	for (uint32_t i = 0; i < task->count; i++)
		if (task->values[i].peak > 0)
			peaks[count++] = task->values[i].peak;
	return count;
}

/* The largest run as it stands in the values. What was kept while reading can differ when a later line took the place
 * of the largest with less; then of the run that is now the largest its peak alone is known. */
static void settle_largest(struct table_task *task)
{
	const struct table_value *most = &task->values[0];

	for (uint32_t i = 1; i < task->count; i++)
		if (task->values[i].peak > most->peak)
			most = &task->values[i];
	if (most->peak == task->largest.peak)
		return;
	task->largest = (struct table_record){
	    .start_ms = INT64_MIN,
	    .peak = most->peak,
	    .peak_upper = LINE_UNKNOWN,
	    .duration_ms = LINE_UNKNOWN,
	    .peak_at_ms = LINE_UNKNOWN,
	    .processes_max = LINE_UNKNOWN,
	    .samples = LINE_UNKNOWN,
	    .exit_code = LINE_UNKNOWN,
	    .run = most->run,
	};
	free(task->top);
	task->top = NULL;
}

void table_finish(struct table *table)
{
	uint64_t *peaks = NULL;
	size_t size = 0;

	for (uint32_t i = 0; i < table->count; i++) {
		struct table_task *task = &table->tasks[i];

		task->name = intern_text(&table->names, task->name_number);
		compact(task);
		settle_largest(task);
		if (task->count > size) {
			size = task->count;
			peaks = must_realloc(peaks, size, sizeof *peaks);
		}
		task->measured = (uint32_t)table_peaks(task, peaks);
		task->median = table_median(peaks, task->measured);
		task->least = task->measured ? peaks[0] : 0;
		if (task->upper_max < task->largest.peak)
			task->upper_max = task->largest.peak;
	}
	free(peaks);
}

void table_free(struct table *table)
{
	for (uint32_t i = 0; i < table->count; i++) {
		struct table_task *task = &table->tasks[i];

		free(task->metric);
		free(task->project);
		free(task->target);
		free(task->configuration);
		free(task->runner);
		free(task->values);
		free(task->top);
	}
	free(table->tasks);
	free(table->first);
	intern_free(&table->names);
	intern_free(&table->runs);
	*table = (struct table){0};
}

/* What the order looks at; unknown numbers come last. */
static uint64_t rank(const struct table_task *task, enum table_order order)
{
	uint64_t value = task->largest.peak;

	if (order == TABLE_BY_MEDIAN)
		value = task->median;
	else if (order == TABLE_BY_DURATION)
		value = task->largest.duration_ms;
	else if (order == TABLE_BY_PROCESSES)
		value = task->largest.processes_max;
	else if (order == TABLE_BY_RUNS)
		value = task->count;
	else if (order == TABLE_BY_START)
		value = task->latest.start_ms < 0 ? 0 : (uint64_t)task->latest.start_ms;
	else if (order == TABLE_BY_NAME)
		value = 0;
	return value == LINE_UNKNOWN ? 0 : value;
}

static int compare(const void *a, const void *b, void *order)
{
	const struct table_task *x = a, *y = b;
	const uint64_t left = rank(x, *(enum table_order *)order), right = rank(y, *(enum table_order *)order);
	int names;

	if (left != right)
		return left > right ? -1 : 1;
	names = strcmp(x->name, y->name);
	return names != 0 ? names : strcmp(x->metric, y->metric);
}

void table_sort(struct table *table, enum table_order order)
{
	if (table->count > 1)
		qsort_r(table->tasks, table->count, sizeof *table->tasks, compare, &order);
}
