/* Recordings of real runs of Nx (fixtures/, the format is described in scripts/fixtures.py) through the library's
 * output room: output.c, own_line.c, last_peak.c, nx.c and annotate.c as they are, between a model of the runner, which
 * offers what a short write or a full pipe left over again as libuv does, and a model of the kernel. Whatever the
 * schedule: every byte of the runner's arrives once and in order, every task that ended is named once, or left for the
 * closing lines where its run prints nothing more, a line of ours begins where one ended, and nothing comes while the
 * TUI has the terminal. */
#include "preload/last_peak.h"
#include "preload/output.h"
#include "preload/real.h"
#include "preload/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	TASKS_MAX = 16,
	CHILDREN_MAX = 32,
	CHUNKS_MAX = 20000,
	EVENTS_MAX = 200000,
	SCRIPTS_MAX = 128,
	SINK = 4 << 20,
	QUEUE_MAX = 8192
};
enum { FD_OUT = 201, FD_ERR = 202, FD_TERMINAL = 203, FD_TERMINAL_AGAIN = 204 };

/* --------------------------------------------------------------------------------------------- recordings */

struct chunk {
	int fd;
	size_t length;
	char *bytes;
};

struct event {
	enum { EXEC, REAP, WRITE } kind;
	int pid, status;
	bool after; /* EXEC: a result line follows the task's end */
	char *project, *target, *configuration;
	const struct chunk *chunk;
};

struct script {
	char name[64];
	const char *version;
	bool terminal;
	const struct event *events;
	size_t count;
};

static struct chunk chunks[CHUNKS_MAX];
static struct event events[EVENTS_MAX];
static struct script scripts[4 * SCRIPTS_MAX];
static size_t chunk_count, event_count, script_count;

/* The runner's bytes all stand here, so that the kernel can tell them from ours. */
static char arena[12 << 20];
static size_t arena_used;

static char *keep(const char *text, size_t length)
{
	char *copy = arena + arena_used;

	assert_true(arena_used + length + 1 < sizeof arena);
	memcpy(copy, text, length);
	arena_used += length + 1;
	return copy;
}

static size_t unescape(char *text)
{
	static const char named[] = "n\nr\re\x1bt\t\\\\";
	char *out = text;

	for (const char *at = text; *at; at++) {
		if (*at != '\\') {
			*out++ = *at;
		} else if (*++at == 'x') {
			const char hex[3] = {at[1], at[2], 0};

			*out++ = (char)strtoul(hex, NULL, 16);
			at += 2;
		} else {
			*out++ = strchr(named, *at)[1];
		}
	}
	return (size_t)(out - text);
}

static const struct chunk *read_chunk(char *line)
{
	struct chunk *chunk = &chunks[chunk_count++];
	char *at;

	assert_true(chunk_count < CHUNKS_MAX);
	chunk->fd = (int)strtol(line, &at, 10);
	chunk->length = strtoul(at + 1, &at, 10);
	const bool newline = *at == 'n';
	char *text = at + newline + 1;
	const size_t filled = unescape(text);
	assert_true(filled <= chunk->length);
	chunk->bytes = arena + arena_used;
	arena_used += chunk->length + 1;
	assert_true(arena_used < sizeof arena);
	memset(chunk->bytes, 'x', chunk->length);
	memcpy(chunk->bytes, text, filled);
	if (newline)
		chunk->bytes[chunk->length - 1] = '\n';
	return chunk;
}

static void read_version(const char *version)
{
	const char *directory = getenv("HEAPLOG_FIXTURES");
	static char line[1 << 16];
	char path[4096];
	FILE *file;
	const size_t first_chunk = chunk_count;
	struct script *script = NULL;

	snprintf(path, sizeof path, "%s/%s.txt", directory ? directory : "tests/fixtures", version);
	file = fopen(path, "r");
	if (!file)
		fail_msg("no fixtures at %s (HEAPLOG_FIXTURES, or run in the root of the project)", path);
	while (fgets(line, sizeof line, file)) {
		struct event *event = &events[event_count];
		char *rest = line + 2;

		line[strcspn(line, "\n")] = '\0';
		assert_true(event_count + 1 < EVENTS_MAX);
		if (*line == 'N') {
			script = &scripts[script_count++];
			snprintf(script->name, sizeof script->name, "%.60s", rest);
			script->version = version;
			script->terminal = *rest != 'p' && strncmp(rest, "rm-", 3) != 0;
			script->events = event;
			continue;
		}
		assert_non_null(script);
		if (*line == 'E') {
			event->kind = EXEC;
			event->pid = atoi(strsep(&rest, "\t"));
			char *fields[4];
			for (int i = 0; i < 4; i++) {
				const char *field = strsep(&rest, "\t");

				fields[i] = keep(field, strlen(field) + 1);
			}
			event->project = fields[0];
			event->target = fields[1];
			event->configuration = *fields[2] ? fields[2] : NULL;
			event->after = *fields[3] == 'A';
		} else if (*line == 'R') {
			event->kind = REAP;
			event->pid = (int)strtol(rest, &rest, 10);
			event->status = atoi(rest);
		} else {
			event->kind = WRITE;
			event->chunk = *line == 'C' ? read_chunk(rest) : &chunks[first_chunk + strtoul(rest, NULL, 10)];
		}
		event_count++;
		script->count++;
	}
	fclose(file);
}

/* ------------------------------------------------------------------------- what the output room stands upon */

struct real heaplog_real;
struct runtime heaplog_runtime;
static struct process process;
struct process *heaplog_process = &process;
struct board *heaplog_board;

static struct task *tasks; /* TASKS_MAX */
static size_t task_count;
static struct task *first_task;

struct task *tasks_first(void)
{
	return first_task;
}

const char *task_text(const struct task *task, uint32_t offset)
{
	return offset ? task->text + offset : NULL;
}

/* Each task its own figure, so that the output tells whose it is. */
struct figure result_figure(const struct task *task)
{
	return (struct figure){.peak = (uint64_t)(100 + (task - tasks)) << 20};
}

void tasks_await_record(struct task *task)
{
	(void)task;
}

void tasks_wake(struct task *task)
{
	(void)task;
}

bool runtime_is_owner(void)
{
	return true;
}

bool runtime_readable(const void *at, size_t length)
{
	(void)at;
	(void)length;
	return true;
}

void runtime_lock(void *mask)
{
	(void)mask;
}

void runtime_unlock(const void *mask)
{
	(void)mask;
}

void real_resolve(void)
{
}

/* ------------------------------------------------------------------------------------------------- kernel */

enum kernel { WILLING, PIPE, ANY };

static enum kernel kernel;
static uint64_t seed;

/* splitmix64 */
static uint64_t random_below(uint64_t limit)
{
	uint64_t value = seed += 0x9e3779b97f4a7c15U;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9U;
	value = (value ^ value >> 27) * 0x94d049bb133111ebU;
	return (value ^ value >> 31) % limit;
}

static struct sink {
	size_t length, own_start;
	char bytes[SINK];
	bool ours[SINK];
	bool alternate; /* the TUI has the screen */
} sinks[2];

static const char *current; /* script, for messages */

/* The length without control sequences at its end. */
static size_t without_escapes(const char *bytes, size_t length)
{
	for (;;) {
		size_t at = length;

		if (at < 3 || bytes[at - 1] < '@' || bytes[at - 1] > '~')
			return length;
		for (at--; at > 1 && strchr("0123456789;?", bytes[at - 1]); at--)
			;
		if (at < 2 || bytes[at - 1] != '[' || bytes[at - 2] != '\x1b')
			return length;
		length = at - 2;
	}
}

static void check_own(struct sink *sink, const char *text, size_t length)
{
	if (length == 1 && *text == '\n')
		return;
	if (sink->alternate)
		fail_msg("%s: ours while the TUI has the terminal: %.*s", current, (int)length, text);
	/* A line of our own begins where one ended; escape sequences between do not count. */
	if (memmem(text, length, "nx run", 6)) {
		const size_t end = without_escapes(sink->bytes, sink->length);

		if (end > 0 && sink->bytes[end - 1] != '\n')
			fail_msg("%s: our line begins within one (seed %" PRIu64 "): %.*s\nafter:\n%.*s", current, seed,
				 (int)length, text, (int)(end < 300 ? end : 300),
				 sink->bytes + (end < 300 ? 0 : end - 300));
	}
}

static void take(struct sink *sink, const char *bytes, size_t length)
{
	const bool ours = bytes < arena || bytes >= arena + sizeof arena;

	assert_true(sink->length + length < SINK);
	if (ours && (!sink->length || !sink->ours[sink->length - 1]))
		check_own(sink, bytes, length);
	memcpy(sink->bytes + sink->length, bytes, length);
	memset(sink->ours + sink->length, ours, length);
	sink->length += length;
	if (sink->length >= 8 && memcmp(sink->bytes + sink->length - 8, "\x1b[?1049", 7) == 0)
		sink->alternate = sink->bytes[sink->length - 1] == 'h';
}

static ssize_t kernel_writev(int fd, const struct iovec *iov, int count)
{
	struct sink *sink = &sinks[fd == FD_ERR];
	size_t whole = 0;
	size_t room;

	for (int i = 0; i < count; i++)
		whole += iov[i].iov_len;
	room = whole;
	if (whole && kernel != WILLING && random_below(100) < 35) {
		/* A pipe takes up to PIPE_BUF whole or not at all. */
		room = kernel == PIPE && whole <= PIPE_BUF ? 0 : random_below(whole);
		if (!room) {
			errno = EAGAIN;
			return -1;
		}
	}
	for (size_t left = room, i = 0; left && i < (size_t)count; i++) {
		const size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

		take(sink, iov[i].iov_base, part);
		left -= part;
	}
	return (ssize_t)room;
}

static ssize_t kernel_write(int fd, const void *bytes, size_t length)
{
	const struct iovec one = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};

	return kernel_writev(fd, &one, 1);
}

/* ------------------------------------------------------------------------------------------------- runner */

/* wrap_write.c's two functions; by their names they would be this program's own write. */
static ssize_t wrapped_write(int fd, const char *bytes, size_t length)
{
	ssize_t taken;

	const struct iovec one = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};

	if (output_matters() || (heaplog_runtime.results[0] && output_is_cached_line(&one, 1)))
		return output_write(fd, bytes, length);
	taken = kernel_write(fd, bytes, length);
	if (output_is_passage(fd, bytes, length, taken))
		output_passed(fd, bytes, length, (size_t)taken);
	return taken;
}

static ssize_t wrapped_writev(int fd, const struct iovec *iov, int count)
{
	ssize_t taken;

	if (output_matters())
		return output_writev(fd, iov, count);
	taken = kernel_writev(fd, iov, count);
	for (ssize_t left = taken, i = 0; left > 0 && i < count; left -= (ssize_t)iov[i++].iov_len) {
		const size_t part = (size_t)left < iov[i].iov_len ? (size_t)left : iov[i].iov_len;

		if (output_is_passage(fd, iov[i].iov_base, iov[i].iov_len, (ssize_t)part))
			output_passed(fd, iov[i].iov_base, iov[i].iov_len, part);
	}
	return taken;
}

/* What libuv keeps for a descriptor. */
static struct queue {
	size_t first, count;
	struct iovec parts[QUEUE_MAX];
} queues[4];

static void advance(struct queue *queue, size_t taken)
{
	while (queue->first < queue->count) {
		struct iovec *part = &queue->parts[queue->first];

		if (taken < part->iov_len) {
			part->iov_base = (char *)part->iov_base + taken;
			part->iov_len -= taken;
			return;
		}
		taken -= part->iov_len;
		queue->first++;
	}
	queue->first = queue->count = 0;
}

static void drain(int fd, bool all)
{
	struct queue *queue = &queues[fd - FD_OUT];

	while (queue->first < queue->count) {
		const size_t left = queue->count - queue->first;
		const int count = (int)(left < 22 ? left : 22);
		const ssize_t taken = wrapped_writev(fd, queue->parts + queue->first, count);

		if (taken >= 0)
			advance(queue, (size_t)taken);
		else
			assert_int_equal(errno, EAGAIN);
		if (!all)
			return;
	}
}

static int descriptor(const struct script *script, int recorded)
{
	if (script->terminal) /* libuv's own, and the one of Rust and the TUI */
		return recorded > 2 ? FD_TERMINAL_AGAIN : FD_TERMINAL;
	return recorded == 2 ? FD_ERR : FD_OUT;
}

static void submit(const struct script *script, const struct chunk *chunk)
{
	const int fd = descriptor(script, chunk->fd);
	struct queue *queue = &queues[fd - FD_OUT];
	ssize_t taken = 0;

	if (queue->first == queue->count) {
		taken = wrapped_write(fd, chunk->bytes, chunk->length);
		assert_true(taken <= (ssize_t)chunk->length);
		if (taken == (ssize_t)chunk->length)
			return;
		if (taken < 0)
			assert_int_equal(errno, EAGAIN);
	}
	const size_t done = taken > 0 ? (size_t)taken : 0;
	assert_true(queue->count < QUEUE_MAX);
	queue->parts[queue->count++] = (struct iovec){.iov_base = chunk->bytes + done, .iov_len = chunk->length - done};
	if (script->terminal) /* which blocks, so that its two descriptors keep their order */
		drain(fd, true);
}

/* tasks.c in short: several children are one task until its line was printed. */
static struct child {
	int pid;
	struct task *task;
} children[CHILDREN_MAX];
static size_t child_count;
static uint64_t clock_ns;
static bool expected_after[TASKS_MAX];

static uint32_t put_text(struct task *task, size_t *used, const char *text)
{
	const size_t at = *used;

	if (!text)
		return 0;
	strcpy(task->text + at, text);
	*used += strlen(text) + 1;
	return (uint32_t)at;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void start(const struct event *event)
{
	struct task *task = first_task;
	size_t used = 1;

	for (; task; task = atomic_load(&task->next))
		if (atomic_load(&task->state) <= TASK_FINISHED &&
		    same(task_text(task, task->project), event->project) &&
		    same(task_text(task, task->target), event->target) &&
		    same(task_text(task, task->configuration), event->configuration))
			break;
	if (task && atomic_load(&task->state) == TASK_FINISHED) {
		atomic_store(&task->state, TASK_RUNNING);
		atomic_fetch_sub(&process.pending, 1);
	}
	if (!task) {
		assert_true(task_count < TASKS_MAX);
		expected_after[task_count] = event->after;
		task = &tasks[task_count++];
		memset(task, 0, sizeof *task);
		task->project = put_text(task, &used, event->project);
		task->target = put_text(task, &used, event->target);
		task->configuration = put_text(task, &used, event->configuration);
		snprintf(task->name, sizeof task->name, "%s:%s%s%s", event->project, event->target,
			 event->configuration ? ":" : "", event->configuration ? event->configuration : "");
		task->start_ns = ++clock_ns;
		atomic_store(&task->next, first_task);
		first_task = task;
	}
	task->live++;
	assert_true(child_count < CHILDREN_MAX);
	children[child_count++] = (struct child){.pid = event->pid, .task = task};
}

static void reap(const struct event *event)
{
	for (size_t i = 0; i < child_count; i++) {
		struct task *task = children[i].task;

		if (children[i].pid != event->pid)
			continue;
		children[i] = children[--child_count];
		task->exit = HEAPLOG_EXIT_CODE;
		task->exit_value = event->status ? 1 : 0;
		if (--task->live)
			return;
		task->end_ns = ++clock_ns;
		atomic_store(&task->state, TASK_FINISHED);
		output_awaits();
		atomic_fetch_add(&process.pending, 1);
		return;
	}
}

static void begin(const struct script *script)
{
	struct stat status;

	current = script->name;
	sinks[0].length = sinks[1].length = 0;
	sinks[0].alternate = sinks[1].alternate = false;
	task_count = child_count = 0;
	first_task = NULL;
	memset(queues, 0, sizeof(size_t) * 2);
	for (size_t i = 0; i < 4; i++)
		queues[i].first = queues[i].count = 0;
	atomic_store(&process.pending, 0);
	output_forget();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fstat(script->terminal ? FD_TERMINAL : FD_OUT + i, &status), 0);
		heaplog_runtime.output_known[i] = true;
		heaplog_runtime.output_device[i] = status.st_dev;
		heaplog_runtime.output_inode[i] = status.st_ino;
		heaplog_runtime.output_rdev[i] = status.st_rdev;
	}
}

static size_t times(const struct task *task)
{
	const struct figure figure = result_figure(task);
	char text[32];
	size_t found = 0;

	snprintf(text, sizeof text, "(peak: %" PRIu64 "MB", figure.peak >> 20);
	for (int i = 0; i < 2; i++)
		for (const char *at = sinks[i].bytes;
		     (at = memmem(at, sinks[i].length - (size_t)(at - sinks[i].bytes), text, strlen(text))); at++)
			found++;
	return found;
}

/* The runner's bytes arrived once and in order. */
static void check_bytes(const struct script *script)
{
	for (int stream = 0; stream < 2; stream++) {
		size_t at = 0;

		for (size_t i = 0; i < script->count; i++) {
			const struct chunk *chunk = script->events[i].chunk;
			size_t done = 0;

			if (script->events[i].kind != WRITE ||
			    (descriptor(script, chunk->fd) == FD_ERR) != (stream == 1))
				continue;
			while (done < chunk->length) {
				while (at < sinks[stream].length && sinks[stream].ours[at])
					at++;
				if (at >= sinks[stream].length || sinks[stream].bytes[at] != chunk->bytes[done])
					fail_msg("%s: byte %zu of the chunk %.60s is lost or changed", current, done,
						 chunk->bytes);
				at++;
				done++;
			}
		}
		for (; at < sinks[stream].length; at++)
			assert_true(sinks[stream].ours[at]);
	}
}

static void run(const struct script *script)
{
	begin(script);
	for (size_t i = 0; i < script->count; i++) {
		const struct event *event = &script->events[i];

		if (event->kind == EXEC)
			start(event);
		else if (event->kind == REAP)
			reap(event);
		else
			submit(script, event->chunk);
		if (kernel != WILLING)
			for (int fd = FD_OUT; fd <= FD_TERMINAL_AGAIN; fd++)
				if (random_below(3) == 0)
					drain(fd, false);
	}
	for (int fd = FD_OUT; fd <= FD_TERMINAL_AGAIN; fd++)
		drain(fd, true);
	check_bytes(script);
	for (size_t i = 0; i < task_count; i++) {
		const uint32_t state = atomic_load(&tasks[i].state);
		const size_t found = times(&tasks[i]);

		if (found != (state == TASK_ANNOTATED))
			fail_msg("%s %s: %s was named %zu times in state %u (seed %" PRIu64 "):\n%.*s", script->version,
				 script->name, tasks[i].name, found, state, seed, (int)sinks[0].length, sinks[0].bytes);
		assert_true(state != TASK_ANNOTATING);
	}
}

/* ------------------------------------------------------------------------------------------------- tests */

/* Was the task named on a line of Nx's (true) or on one of ours? */
static bool is_inline(const struct task *task)
{
	const struct figure figure = result_figure(task);
	char text[32];

	snprintf(text, sizeof text, " (peak: %" PRIu64 "MB", figure.peak >> 20);
	for (int i = 0; i < 2; i++) {
		const char *at = memmem(sinks[i].bytes, sinks[i].length, text, strlen(text));
		size_t before = at ? (size_t)(at - sinks[i].bytes) : 0;

		while (before > 0 && sinks[i].ours[before - 1] && sinks[i].bytes[before - 1] != '\n')
			before--;
		if (at)
			return (size_t)(at - sinks[i].bytes) - before < 6; /* at most a colour before it */
	}
	return false;
}

/* Nothing is printed after the end of these: Ctrl-C without the TUI. */
static bool may_be_left(const struct script *script)
{
	return strstr(script->name, "sigint") && script->name[0] == 't';
}

/* A kernel that takes everything: the figure is where it belongs. */
static void test_places(void **state)
{
	size_t inline_count = 0, own_count = 0, left = 0;

	(void)state;
	kernel = WILLING;
	for (size_t i = 0; i < script_count; i++) {
		run(&scripts[i]);
		for (size_t n = 0; n < task_count; n++) {
			if (atomic_load(&tasks[n].state) != TASK_ANNOTATED) {
				left++;
				if (!may_be_left(&scripts[i]))
					fail_msg("%s %s: nothing for %s:\n%.*s", scripts[i].version, scripts[i].name,
						 tasks[n].name, (int)sinks[0].length, sinks[0].bytes);
				continue;
			}
			if (is_inline(&tasks[n]) != expected_after[n])
				fail_msg("%s %s: %s is %s:\n%.*s%.*s", scripts[i].version, scripts[i].name,
					 tasks[n].name,
					 expected_after[n] ? "not on Nx's line" : "not on a line of its own",
					 (int)sinks[0].length, sinks[0].bytes, (int)sinks[1].length, sinks[1].bytes);
			*(expected_after[n] ? &inline_count : &own_count) += 1;
		}
	}
	print_message("%zu recordings: %zu tasks on lines of Nx, %zu on lines of our own, %zu left for the end\n",
		      script_count, inline_count, own_count, left);
	assert_true(inline_count > 300 && own_count > 100);
}

/* Short writes and full pipes at random. */
/* [req: H-67] [req: H-71] */
static void test_schedules(void **state)
{
	const char *wanted = getenv("HEAPLOG_SCHEDULES");
	const char *fixed = getenv("HEAPLOG_SEED");
	const size_t schedules = wanted && *wanted ? strtoul(wanted, NULL, 10) : 3000;

	(void)state;
	for (size_t i = 0; i < schedules; i++) {
		const struct script *script = &scripts[i % script_count];

		seed = (fixed && *fixed ? strtoull(fixed, NULL, 10) : 1) + i;
		kernel = i / script_count % 2 ? ANY : PIPE;
		run(script);
	}
	print_message("%zu schedules of %zu recordings\n", schedules, script_count);
}

/* The line of a cache hit: the last record of the task that it names. */
static void test_last_peak(void **state)
{
	static const char records[] =
	    "{\"v\":1,\"task\":\"a:build\",\"project\":\"a\",\"target\":\"build\",\"metric\":\"rss\",\"peak_bytes\":"
	    "1048576}\n"
	    "no record\n"
	    "{\"v\":1,\"task\":\"a:build:ci\",\"project\":\"a\",\"target\":\"build\",\"configuration\":\"ci\","
	    "\"metric\":\"pss\","
	    "\"peak_bytes\":3145728}\n"
	    "{\"v\":1,\"task\":\"a:build\",\"project\":\"a\",\"target\":\"build\",\"metric\":\"rss\",\"peak_bytes\":"
	    "2097152}\n"
	    "{\"v\":1,\"task\":\"b:build\",\"project\":\"b\",\"target\":\"build\",\"peak_bytes\":0}\n"
	    "{\"v\":1,\"task\":\"a:build\",\"project\":\"a\",\"target\":\"build\",\"peak_bytes\":41943";
	static const struct {
		const char *line;
		uint64_t peak;
		bool pss;
	} rows[] = {
	    {"> nx run a:build  [local cache]", 2097152, false},
	    {"\xe2\x9c\x94  nx run a:build:ci  [remote cache]\n", 3145728, true},
	    {"   \xe2\x9c\x94  nx run b:build  [local cache]", 0, false},
	    {"> nx run c:build  [local cache]", 0, false},
	    {"> nx run a:build-all  [local cache]", 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct figure figure = {.peak = 0};
		struct nx_line line;

		assert_true(nx_parse(rows[i].line, strlen(rows[i].line), &line));
		assert_true(line.cached);
		assert_int_equal(
		    last_peak_find(records, sizeof records - 1, rows[i].line, strlen(rows[i].line), &line, &figure),
		    rows[i].peak != 0);
		assert_int_equal(figure.peak, rows[i].peak);
		assert_int_equal(figure.pss, rows[i].pss);
		assert_int_equal(figure.last, rows[i].peak != 0);
	}
}

/* And through the file: read once, shown on the line. */
static void test_cached_line(void **state)
{
	static const char line[] = "> nx run a:build  [local cache]";
	static const char record[] =
	    "{\"v\":1,\"task\":\"a:build\",\"project\":\"a\",\"target\":\"build\",\"peak_bytes\":524288000}\n";
	static const struct script script = {.name = "cached"};
	FILE *file;

	(void)state;
	snprintf(heaplog_runtime.results, sizeof heaplog_runtime.results, "%s/heaplog-replay.%d",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", (int)getpid());
	file = fopen(heaplog_runtime.results, "w");
	assert_non_null(file);
	assert_true(fputs(record, file) >= 0);
	assert_int_equal(fclose(file), 0);
	kernel = WILLING;
	begin(&script);
	const char *chunk = keep(line, sizeof line - 1);
	assert_int_equal(wrapped_write(FD_OUT, chunk, sizeof line - 1), sizeof line - 1);
	unlink(heaplog_runtime.results);
	heaplog_runtime.results[0] = '\0';
	assert_int_equal(sinks[0].length, strlen("> nx run a:build  [local cache] (last peak: 500MB)"));
	assert_memory_equal(sinks[0].bytes, "> nx run a:build  [local cache] (last peak: 500MB)", sinks[0].length);
}

/* The output of a cache hit, which has no prefix in any style, says nothing about whether the others have one. */
static void test_prefix_behind_hit(void **state)
{
	/* A hit's output may be empty as well; and the next chunk may stand where the last one stood. */
	static const char *const chunks_before[] = {
	    "> nx run a:build", "\n", "\n", "> nx run b:build  [local cache]", "\n", "\n", "output of b\n",
	};
	static const char *const chunks_after[] = {"a: output of a\n", " NX   Successfully ran target build\n"};
	static const struct script script = {.name = "prefix"};
	static const char wanted[] = "\na: \xe2\x9c\x94  nx run a:build (peak: 100MB)\n";
	char project[] = "a", target[] = "build";
	const struct event exec = {.kind = EXEC, .pid = 1, .project = project, .target = target};
	const struct event end = {.kind = REAP, .pid = 1};

	(void)state;
	kernel = WILLING;
	for (int empty = 0; empty < 2; empty++) {
		static const char room[64];
		char *place = keep(room, sizeof room);

		begin(&script);
		for (size_t i = 0; i + (size_t)empty < sizeof chunks_before / sizeof *chunks_before; i++) {
			strcpy(place, chunks_before[i]);
			assert_int_equal(wrapped_write(FD_OUT, place, strlen(place)), strlen(place));
			if (i == 0)
				start(&exec);
		}
		for (size_t i = 0; i < 2; i++) {
			strcpy(place, chunks_after[i]);
			assert_int_equal(wrapped_write(FD_OUT, place, strlen(place)), strlen(place));
			reap(&end);
		}
		assert_non_null(memmem(sinks[0].bytes, sinks[0].length, wanted, sizeof wanted - 1));
	}
}

static int set_up(void **state)
{
	static const char *const versions[] = {"v18", "v20", "v22", "v24"};
	int ends[2];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		read_version(versions[i]);
	tasks = calloc(TASKS_MAX, sizeof *tasks);
	heaplog_real.write = kernel_write;
	heaplog_real.writev = kernel_writev;
	for (int fd = FD_OUT; fd <= FD_ERR; fd++) {
		if (pipe(ends) != 0 || dup2(ends[1], fd) != fd)
			return -1;
	}
	/* Something with a device number of its own. */
	const int device = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (device < 0 || dup2(device, FD_TERMINAL) < 0 || dup2(device, FD_TERMINAL_AGAIN) < 0)
		return -1;
	return tasks ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(tasks);
	return 0;
}

int main(void)
{
	const struct CMUnitTest all[] = {
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_schedules),
	    cmocka_unit_test(test_last_peak),
	    cmocka_unit_test(test_cached_line),
	    cmocka_unit_test(test_prefix_behind_hit),
	};

	return cmocka_run_group_tests(all, set_up, tear_down);
}
