#include "preload/own_line.h"

#include "preload/plain.h"
#include "preload/result.h"
#include "preload/runtime.h"

#include <string.h>

enum { HEADERS_MAX = 128, HEADER_MAX = 256 };

/* Headers without a task, from the name on; the oldest gives way. Under the lock. */
static struct header {
	size_t length; /* 0: free */
	char text[HEADER_MAX];
} headers[HEADERS_MAX];
static size_t next_header;

/* Does --output-style=stream put the project before each line? Told by the first line of output that passes after a
 * header. */
static _Atomic enum { PREFIX_UNKNOWN, PREFIX_NONE, PREFIX_SEEN } prefixes;
static _Atomic bool headers_seen;

/* The output of a cache hit, where there is any, has no prefix in any style: without one it says nothing about the
 * others. The chunk behind the hit's line; while a pipe is full the runner offers the same chunk again. */
static _Atomic bool hit_passed;
static const char *_Atomic hit_output;

void own_line_forget(void)
{
	for (size_t i = 0; i < HEADERS_MAX; i++)
		headers[i].length = 0;
	atomic_store(&prefixes, PREFIX_UNKNOWN);
	atomic_store(&headers_seen, false);
	atomic_store(&hit_passed, false);
	atomic_store(&hit_output, NULL);
}

/* While a pipe is full the runner offers the same header many times. */
static bool is_kept(const char *text, size_t length)
{
	for (size_t i = 0; i < HEADERS_MAX; i++)
		if (headers[i].length == length && memcmp(headers[i].text, text, length) == 0)
			return true;
	return false;
}

void own_line_header(const char *chunk, size_t length, const struct nx_line *line)
{
	uint64_t mask[16];

	length = line->insert_at < length ? line->insert_at : length;
	length -= line->id_at;
	runtime_lock(mask);
	/* A longer one has arguments behind the name. */
	length = length < HEADER_MAX ? length : HEADER_MAX;
	if (!is_kept(chunk + line->id_at, length)) {
		struct header *header = &headers[next_header++ % HEADERS_MAX];

		header->length = length;
		memcpy(header->text, chunk + line->id_at, length);
	}
	runtime_unlock(mask);
	atomic_store(&headers_seen, true);
}

/* Was there a header before the task started? Asked when the task is known, and then kept. */
static bool is_streamed(struct task *task)
{
	uint64_t mask[16];

	if (task->streamed)
		return task->streamed > 0;
	if (!task->project || !atomic_load(&headers_seen)) {
		if (atomic_load(&task->state) != TASK_RUNNING)
			task->streamed = -1;
		return false;
	}
	runtime_lock(mask);
	for (size_t i = 0; i < HEADERS_MAX && task->streamed <= 0; i++) {
		const struct nx_line line = {.form = NX_STATIC, .insert_at = headers[i].length};

		if (headers[i].length &&
		    nx_line_is(headers[i].text, headers[i].length, &line, task_text(task, task->project),
			       task_text(task, task->target), task_text(task, task->configuration))) {
			headers[i].length = 0; /* another run of the same task prints another */
			task->streamed = 1;
		}
	}
	/* Nx 21 prints the header of a continuous task while that runs: until the end the answer may change. */
	if (!task->streamed && atomic_load(&task->state) != TASK_RUNNING)
		task->streamed = -1;
	runtime_unlock(mask);
	return task->streamed > 0;
}

bool own_line_learns(void)
{
	return atomic_load_explicit(&headers_seen, memory_order_relaxed) &&
	       atomic_load_explicit(&prefixes, memory_order_relaxed) != PREFIX_NONE;
}

bool own_line_streams(void)
{
	return atomic_load_explicit(&headers_seen, memory_order_relaxed);
}

static void keep_prefix(struct task *task, const char *chunk, size_t length)
{
	if (!task->prefix_length && length <= sizeof task->prefix) {
		memcpy(task->prefix, chunk, length);
		task->prefix_length = (uint32_t)length;
	}
}

void own_line_passes(const char *chunk, size_t length, enum nx_place place, const struct nx_line *line)
{
	bool any = false;
	bool known = false;
	bool of_hit;

	if (!own_line_learns() || place != NX_TEXT)
		return;
	if (line) {
		atomic_store(&hit_passed, line->cached);
		return;
	}
	if (atomic_exchange(&hit_passed, false))
		atomic_store(&hit_output, chunk);
	else if (atomic_load(&hit_output) != chunk)
		atomic_store(&hit_output, NULL);
	of_hit = atomic_load(&hit_output);
	for (struct task *task = tasks_first(); task; task = atomic_load(&task->next)) {
		size_t prefix;

		if (atomic_load(&task->state) == TASK_ANNOTATED || !is_streamed(task))
			continue;
		any = true;
		prefix = nx_prefix(chunk, length, task_text(task, task->project));
		if (prefix) {
			known = true;
			keep_prefix(task, chunk, prefix);
		}
	}
	if (known)
		atomic_store(&prefixes, PREFIX_SEEN);
	else if (any && !of_hit && atomic_load(&prefixes) == PREFIX_UNKNOWN)
		atomic_store(&prefixes, PREFIX_NONE);
}

/* May the line of a streamed task go before this chunk? */
static bool has_place(const struct task *task, const char *chunk, size_t length, enum nx_place place, bool is_line)
{
	if (place != NX_TEXT)
		return place != NX_NOTHING;
	if (is_line)
		return true;
	/* Whole lines with the prefix of another project. The pipe of the task itself may be drained after its end. */
	return atomic_load(&prefixes) == PREFIX_SEEN && !nx_prefix(chunk, length, task_text(task, task->project));
}

/* Its line is still to come: in the summary style for failures alone, after the title. */
static bool line_follows(const struct task *task, enum nx_place place)
{
	return place == NX_COUNTS && !task->batch &&
	       (task->exit == HEAPLOG_EXIT_SIGNAL || (task->exit == HEAPLOG_EXIT_CODE && task->exit_value != 0));
}

static bool is_due(struct task *task, const char *chunk, size_t length, enum nx_place place, bool is_line, bool redrawn)
{
	/* Where rows are drawn again, a rule with its newline stands above the output of a dependency that failed. */
	const bool last_rule = place == NX_RULE && !(redrawn && chunk[length - 1] == '\n');
	const bool closing = last_rule || place == NX_TITLE || place == NX_COUNTS;

	if (atomic_load(&task->state) != TASK_FINISHED || line_follows(task, place))
		return false;
	return closing || (!redrawn && is_streamed(task) && has_place(task, chunk, length, place, is_line));
}

struct task *own_line_due(const char *chunk, size_t length, enum nx_place place, bool is_line, bool redrawn)
{
	struct task *due = NULL;
	struct task *first = NULL;

	for (struct task *task = tasks_first(); task; task = atomic_load(&task->next))
		if (is_due(task, chunk, length, place, is_line, redrawn) && (!due || task->end_ns < due->end_ns))
			due = task;
	if (!due)
		return NULL;
	/* What ended before this one began has had its chance of a line (dependencies of a task that runs alone). */
	for (struct task *task = tasks_first(); task; task = atomic_load(&task->next))
		if (atomic_load(&task->state) == TASK_FINISHED && task->end_ns < due->start_ns &&
		    !line_follows(task, place) && (!first || task->end_ns < first->end_ns))
			first = task;
	return first ? first : due;
}

struct text {
	char *bytes;
	size_t length;
	size_t size;
};

static void put(struct text *text, const char *part, size_t length)
{
	if (length > text->size - text->length)
		length = text->size - text->length;
	memcpy(text->bytes + text->length, part, length);
	text->length += length;
}

static void put_name(struct text *text, const char *name)
{
	const size_t at = text->length;

	put(text, name, strlen(name));
	plain(text->bytes + at, text->length - at);
}

size_t own_line_text(const struct task *task, bool coloured, bool redrawn, char text[static OWN_LINE_MAX])
{
	const struct figure figure = result_figure(task);
	const bool failed =
	    task->exit == HEAPLOG_EXIT_SIGNAL || (task->exit == HEAPLOG_EXIT_CODE && task->exit_value != 0);
	char suffix[ANNOTATE_SUFFIX_MAX];
	const size_t suffix_length = annotate_suffix(&figure, coloured, suffix);
	/* Room for the suffix and the newline is kept free: a long name is cut, a figure is not. */
	struct text line = {.bytes = text, .size = OWN_LINE_MAX - ANNOTATE_SUFFIX_MAX - 5};
	/* A worker that was stopped has no result of its own: Nx's mark for that. */
	const bool stopped = task->exit == HEAPLOG_EXIT_UNKNOWN;
	const char *const mark = failed ? "\xe2\x9c\x96" : stopped ? "\xe2\x97\xbc" : "\xe2\x9c\x94";

#define PUT(string) put(&line, string, strlen(string))
	if (!suffix_length)
		return 0;
	if (atomic_load(&prefixes) == PREFIX_SEEN)
		put(&line, task->prefix, task->prefix_length);
	if (coloured)
		PUT(failed ? "\x1b[31m" : stopped ? "\x1b[36m" : "\x1b[32m");
	PUT(mark);
	PUT(coloured ? "\x1b[39m  " : "  ");
	if (!task->batch)
		PUT(coloured ? "\x1b[2mnx run\x1b[22m " : "nx run ");
#undef PUT
	put_name(&line, task->name);
	line.size = OWN_LINE_MAX;
	put(&line, suffix, suffix_length);
	put(&line, redrawn ? "\x1b[0K\n" : "\n", redrawn ? 5 : 1);
	return line.length;
}
