/* Recordings of real runs of Nx, and random streams, through the matcher and a model of the runner, the hook and a
 * pipe. The format of the recordings is described in scripts/fixtures.py, the modes in the table "What is printed after
 * a task's end" of the measurements: after its end, a line for each task; or only a header before its start; or
 * nothing. */
#include "preload/annotate.h"
#include "preload/nx.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { VERSIONS = 4, TASKS_MAX = 8, CHILDREN_MAX = 32, PIECES_MAX = 64, QUEUE_MAX = 256, CUT = 4200, SINK = 1 << 17 };

static const char *const versions[VERSIONS] = {"v18", "v20", "v22", "v24"};

/* ---------------------------------------------------------------------------------------------- expectations */

/* One character for each version: A: every task gets one line after its end; '-': none does; '.': no such recording. */
static const struct expectation {
	const char *name;
	const char *lines;
	const char *tasks;      /* number of executed tasks, for each version */
	const char *without;    /* the task that gets no line though the others do */
	bool nested;            /* an inner run prints lines of @acme/a:build: not a task of this run */
	unsigned presented_min; /* result lines are handed to the kernel at least this often: retries */
} expectations[] = {
    /* one task asked for: streamed, a header before its start */
    {.name = "p-one-afterboom", .lines = "----", .tasks = "1111"},
    {.name = "p-one-afternoop", .lines = "----", .tasks = "2111"},
    {.name = "p-one-agent", .lines = "..--", .tasks = "..11"},
    {.name = "p-one-boom", .lines = "----", .tasks = "1111"},
    {.name = "p-one-build", .lines = "----", .tasks = "1111"},
    {.name = "p-one-build-stream", .lines = "----", .tasks = "1111"},
    {.name = "p-one-e2e", .lines = "..--", .tasks = "..22"},
    {.name = "p-one-gen", .lines = "----", .tasks = "1111"},
    {.name = "p-one-gha", .lines = "----", .tasks = "1111"},
    {.name = "p-one-legacy", .lines = ".-.-", .tasks = ".1.1"},
    {.name = "p-one-multi", .lines = "----", .tasks = "1111"},
    {.name = "p-one-multis", .lines = "----", .tasks = "1111"},
    {.name = "p-one-nested", .lines = "----", .tasks = "1111", .nested = true},
    {.name = "p-one-verbose", .lines = "----", .tasks = "1111"},
    /* static: 18 streams all the same */
    {.name = "p-one-build-static", .lines = "-AAA", .tasks = "1111"},
    /* a configuration keeps 19+ from streaming (seen in the recordings; the table does not list it) */
    {.name = "p-one-cfg", .lines = "-AAA", .tasks = "1111"},
    /* dependencies of other projects are printed after their end, the task asked for is not */
    {.name = "p-one-withdep", .lines = "AAAA", .tasks = "3333", .without = "@acme/c:withdep"},
    /* many tasks: after their end */
    {.name = "p-rm-args", .lines = "AAAA", .tasks = "3333"},
    {.name = "p-rm-boom", .lines = "AAAA", .tasks = "3333"},
    {.name = "p-rm-boom-static", .lines = "AAAA", .tasks = "3333"},
    {.name = "p-rm-cfg", .lines = "AAAA", .tasks = "1111"},
    {.name = "p-rm-ci", .lines = "AAAA", .tasks = "6666"},
    {.name = "p-rm-colon", .lines = "AAAA", .tasks = "1111"},
    {.name = "p-rm-color", .lines = "AAAA", .tasks = "6666"},
    {.name = "p-rm-default", .lines = "AAAA", .tasks = "3333"},
    {.name = "p-rm-dynamic", .lines = "AAAA", .tasks = "3333"},
    {.name = "p-rm-file", .lines = "AAAA", .tasks = "3333"},
    {.name = "p-rm-gha", .lines = "AAAA", .tasks = "6666"},
    {.name = "p-rm-legacy", .lines = ".A.A", .tasks = ".4.4"},
    {.name = "p-rm-multifail", .lines = "AAAA", .tasks = "2222"},
    {.name = "p-rm-nested", .lines = "AAAA", .tasks = "1111", .nested = true},
    {.name = "p-rm-nocolor", .lines = ".A.A", .tasks = ".3.3"},
    {.name = "p-rm-norcd", .lines = ".A.A", .tasks = ".2.2"},
    {.name = "p-rm-oom", .lines = ".A.A", .tasks = ".2.2"},
    {.name = "p-rm-runcmd", .lines = "AAAA", .tasks = "4333"}, /* 18 forks a process for a noop */
    {.name = "p-rm-skipped", .lines = "AAAA", .tasks = "1111"},
    {.name = "p-rm-skipped-static", .lines = "AAAA", .tasks = "1111"},
    {.name = "p-rm-slow", .lines = "...A", .tasks = "...4", .presented_min = 300},
    {.name = "p-rm-static", .lines = "AAAA", .tasks = "3333"},
    {.name = "p-rm-verbose", .lines = "AAAA", .tasks = "3333"},
    {.name = "p-rm-verboselog", .lines = "AAAA", .tasks = "3333"},
    /* streamed */
    {.name = "p-rm-boom-stream", .lines = "----", .tasks = "3333"},
    {.name = "p-rm-stream", .lines = "----", .tasks = "3333"},
    {.name = "p-rm-streamnp", .lines = "----", .tasks = "3333"},
    /* an agent is given the summary by 23+ */
    {.name = "p-rm-agent", .lines = "..A-", .tasks = "..66"},
    {.name = "p-rm-summary", .lines = "...-", .tasks = "...6"},
    /* no process of a task of its own: from the cache, or in a batch */
    {.name = "p-one-cached", .lines = "----", .tasks = "0000"},
    {.name = "p-rm-batch", .lines = "----", .tasks = "0000"},
    {.name = "p-rm-cached", .lines = "----", .tasks = "0000"},
    {.name = "p-rm-cached-static", .lines = "----", .tasks = "0000"},
    {.name = "p-rm-cached-stream", .lines = "----", .tasks = "0000"},
    {.name = "p-rm-color-cached", .lines = "----", .tasks = "0000"},
};

/* ------------------------------------------------------------------------------------------------ scripts */

/* What the runner does, as recorded or made up. */
struct piece {
	const char *bytes; /* of a longer one only the first CUT */
	size_t length;
	char verdict;
};

struct event {
	enum { EXEC, REAP, WRITE } kind;
	int pid;
	const char *project, *target, *configuration;
	int fd;
	long returned;
	size_t count;
	const struct piece *pieces;
};

struct script {
	const char *name;
	struct event *events;
	size_t count;
	bool cut; /* holds a piece whose bytes are not all there */
};

/* Everything read lives until the end of the program. */
struct block {
	struct block *next;
	max_align_t bytes[];
};

static struct block *blocks;

static void *keep(size_t size)
{
	struct block *block = calloc(1, sizeof(*block) + size);

	assert_non_null(block);
	block->next = blocks;
	blocks = block;
	return block->bytes;
}

static int free_blocks(void **state)
{
	(void)state;
	while (blocks) {
		struct block *next = blocks->next;

		free(blocks);
		blocks = next;
	}
	return 0;
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text;
	long size;

	if (!file)
		fail_msg("no fixtures at %s (HEAPLOG_FIXTURES, or run in the root of the project)", path);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	assert_true(size > 0);
	rewind(file);
	text = keep((size_t)size + 1);
	assert_int_equal(fread(text, 1, (size_t)size, file), size);
	fclose(file);
	return text;
}

static char *next_line(char **text)
{
	char *line = *text;
	char *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	*text = end + 1;
	return line;
}

static long number(char **text)
{
	long value = strtol(*text, text, 10);

	if (**text)
		(*text)++;
	return value;
}

static size_t unescape(const char *text, char *bytes)
{
	size_t length = 0;

	while (*text) {
		char byte = *text++;

		if (byte == '\\') {
			char hex[3] = {0};

			byte = *text++;
			switch (byte) {
			case 'n':
				byte = '\n';
				break;
			case 'r':
				byte = '\r';
				break;
			case 'e':
				byte = '\x1b';
				break;
			case 'x':
				memcpy(hex, text, 2);
				byte = (char)strtoul(hex, NULL, 16);
				text += 2;
				break;
			default:
				break;
			}
		}
		bytes[length++] = byte;
	}
	return length;
}

static void read_piece(char *line, struct piece *piece)
{
	size_t size;
	size_t filled;
	char *bytes;

	assert_memory_equal(line, "I ", 2);
	line += 2;
	piece->length = (size_t)number(&line);
	piece->verdict = *line;
	assert_int_equal(line[1], ' ');
	size = piece->length > CUT ? CUT : piece->length;
	assert_true(strlen(line + 2) < 4 * (size_t)CUT);
	/* The block ends with the piece, so that a sanitizer sees a byte read beyond it. */
	bytes = keep(size > strlen(line + 2) ? size : strlen(line + 2));
	filled = unescape(line + 2, bytes);
	assert_true(filled <= size);
	memset(bytes + filled, 'x', size - filled);
	piece->bytes = memcpy(keep(size), bytes, size);
}

static struct event *add_event(struct script *script)
{
	if (script->count % 64 == 0) {
		struct event *more = keep((script->count + 64) * sizeof(*more));

		if (script->count)
			memcpy(more, script->events, script->count * sizeof(*more));
		script->events = more;
	}
	return &script->events[script->count++];
}

static void read_exec(char *line, struct event *event)
{
	event->kind = EXEC;
	event->pid = (int)number(&line);
	event->project = line;
	line = strchr(line, '\t');
	assert_non_null(line);
	*line++ = '\0';
	event->target = line;
	line = strchr(line, '\t');
	assert_non_null(line);
	*line++ = '\0';
	event->configuration = line;
}

static void read_write(char *line, char **text, struct script *script, struct event *event, const struct event *before)
{
	struct piece *pieces;

	event->kind = WRITE;
	event->fd = (int)number(&line);
	event->returned = number(&line);
	event->count = (size_t)number(&line);
	assert_in_range(event->count, 1, PIECES_MAX);
	pieces = keep(event->count * sizeof(*pieces));
	for (size_t i = 0; i < event->count; i++) {
		line = next_line(text);
		assert_non_null(line);
		if (*line == '=') {
			assert_true(before && i < before->count);
			pieces[i] = before->pieces[i];
		} else {
			read_piece(line, &pieces[i]);
		}
		script->cut = script->cut || pieces[i].length > CUT;
	}
	event->pieces = pieces;
}

/* Read the recordings of one version. Returns their number. */
static size_t read_scripts(const char *version, struct script scripts[], size_t max)
{
	const char *directory = getenv("HEAPLOG_FIXTURES");
	const struct event *write = NULL;
	struct event before;
	size_t count = 0;
	char path[512];
	char *text;
	char *line;

	snprintf(path, sizeof(path), "%s/%s.txt", directory ? directory : "tests/fixtures", version);
	text = read_file(path);
	while ((line = next_line(&text))) {
		char *rest = line + 2;

		if (*line == 'N') {
			assert_true(count < max);
			scripts[count++] = (struct script){.name = rest};
			write = NULL;
			continue;
		}
		assert_true(count > 0);
		if (*line == 'E') {
			read_exec(rest, add_event(&scripts[count - 1]));
		} else if (*line == 'R') {
			struct event *event = add_event(&scripts[count - 1]);

			event->kind = REAP;
			event->pid = (int)number(&rest);
		} else {
			struct event *event = add_event(&scripts[count - 1]);

			assert_int_equal(*line, 'W');
			read_write(rest, &text, &scripts[count - 1], event, write);
			before = *event;
			write = &before;
		}
	}
	return count;
}

/* -------------------------------------------------------------------------------------------------- tasks */

struct task {
	const char *project, *target, *configuration;
	unsigned alive;
	unsigned annotated;
	size_t annotated_at; /* in the stream without suffixes */
};

struct tasks {
	struct task tasks[TASKS_MAX];
	size_t count;
	struct {
		int pid;
		size_t task;
	} children[CHILDREN_MAX];
	size_t child_count;
	unsigned presented;
};

static struct task *add_task(struct tasks *tasks, const char *project, const char *target, const char *configuration)
{
	struct task *task;

	for (size_t i = 0; i < tasks->count; i++) {
		task = &tasks->tasks[i];
		if (!strcmp(task->project, project) && !strcmp(task->target, target) &&
		    !strcmp(task->configuration, configuration))
			return task;
	}
	assert_true(tasks->count < TASKS_MAX);
	task = &tasks->tasks[tasks->count++];
	*task = (struct task){.project = project, .target = target, .configuration = configuration};
	return task;
}

static void track(struct tasks *tasks, const struct event *event)
{
	if (event->kind == EXEC) {
		struct task *task = add_task(tasks, event->project, event->target, event->configuration);

		task->alive++;
		assert_true(tasks->child_count < CHILDREN_MAX);
		tasks->children[tasks->child_count].pid = event->pid;
		tasks->children[tasks->child_count++].task = (size_t)(task - tasks->tasks);
	} else if (event->kind == REAP) {
		for (size_t i = 0; i < tasks->child_count; i++) {
			if (tasks->children[i].pid != event->pid)
				continue;
			tasks->tasks[tasks->children[i].task].alive--;
			tasks->children[i].pid = 0;
		}
	}
}

/* The finished task the chunk is a result line of, or NULL. The name may hold spaces: the longest one counts. */
static struct task *task_of(struct tasks *tasks, const char *bytes, size_t length, struct nx_line *line)
{
	struct task *found = NULL;
	size_t longest = 0;

	if (!nx_parse(bytes, length, line) || line->cached)
		return NULL;
	for (size_t i = 0; i < tasks->count; i++) {
		struct task *task = &tasks->tasks[i];
		size_t name = strlen(task->project) + strlen(task->target) + strlen(task->configuration);

		if (task->alive || task->annotated || name <= longest)
			continue;
		if (!nx_line_is(bytes, length, line, task->project, task->target, task->configuration))
			continue;
		found = task;
		longest = name;
	}
	tasks->presented += found != NULL;
	return found;
}

/* ------------------------------------------------------------------------------------------------ replays */

/* The matcher agrees with the regular expressions on each chunk. */
static void check_verdict(const char *name, const struct piece *piece)
{
	struct nx_line line;
	char verdict = '-';

	if (nx_parse(piece->bytes, piece->length, &line)) {
		verdict = line.form == NX_STATIC ? 's' : 'c';
		if (line.cached)
			verdict = (char)(verdict - 'a' + 'A');
	}
	if (verdict != piece->verdict)
		fail_msg("%s: %c instead of %c: %.*s", name, verdict, piece->verdict, (int)piece->length, piece->bytes);
}

static void replay(const struct script *script, struct tasks *tasks)
{
	for (size_t i = 0; i < script->count; i++) {
		const struct event *event = &script->events[i];
		size_t taken = event->returned > 0 ? (size_t)event->returned : 0;
		size_t end = 0;

		track(tasks, event);
		if (event->kind != WRITE)
			continue;
		for (size_t k = 0; k < event->count; k++) {
			const struct piece *piece = &event->pieces[k];
			struct nx_line line;
			struct task *task;

			check_verdict(script->name, piece);
			end += piece->length;
			if (event->fd != 1 && event->fd != 2)
				continue;
			/* It is said again on each retry; only the kernel's taking its last byte counts. */
			task = task_of(tasks, piece->bytes, piece->length, &line);
			if (task && end <= taken)
				task->annotated++;
		}
	}
}

static const struct expectation *expectation_of(const struct script *script, size_t version)
{
	for (size_t i = 0; i < COUNT(expectations); i++)
		if (!strcmp(expectations[i].name, script->name) && expectations[i].lines[version] != '.')
			return &expectations[i];
	fail_msg("%s of %s is not expected", script->name, versions[version]);
	return NULL;
}

static bool expects_line(const struct expectation *expected, size_t version, const struct task *task)
{
	char id[256];

	snprintf(id, sizeof(id), "%s:%s", task->project, task->target);
	return expected->lines[version] == 'A' && !(expected->without && !strcmp(expected->without, id));
}

static void check_replay(const struct script *script, size_t version)
{
	const struct expectation *expected = expectation_of(script, version);
	struct tasks tasks = {0};
	size_t ghosts = 0;

	if (expected->nested) {
		/* Worst case: a task of the inner run's name was run here as well and waits for its line. */
		add_task(&tasks, "@acme/a", "build", "");
		ghosts = 1;
	}
	replay(script, &tasks);
	for (size_t i = 0; i < tasks.count; i++) {
		const struct task *task = &tasks.tasks[i];
		unsigned lines = i >= ghosts && expects_line(expected, version, task);

		if (task->annotated != lines)
			fail_msg("%s of %s: %u lines instead of %u for %s:%s", script->name, versions[version],
				 task->annotated, lines, task->project, task->target);
	}
	if (tasks.count - ghosts != (size_t)(expected->tasks[version] - '0'))
		fail_msg("%s of %s: %zu tasks", script->name, versions[version], tasks.count);
	assert_true(tasks.presented >= expected->presented_min);
}

static void test_recordings(void **state)
{
	(void)state;
	for (size_t version = 0; version < VERSIONS; version++) {
		struct script scripts[COUNT(expectations)];
		size_t count = read_scripts(versions[version], scripts, COUNT(scripts));
		size_t expected = 0;

		for (size_t i = 0; i < COUNT(expectations); i++)
			expected += expectations[i].lines[version] != '.';
		assert_int_equal(count, expected);
		for (size_t i = 0; i < count; i++)
			check_replay(&scripts[i], version);
	}
}

/* ------------------------------------------------------------------------------------- the hook and a pipe */

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % bound;
}

/* A non-blocking pipe with a slow reader. */
struct sink {
	char bytes[SINK];
	size_t length;
	unsigned moods; /* how often it refuses: of 8 */
};

struct span {
	const char *bytes;
	size_t length;
};

static void pour(struct sink *sink, const char *bytes, size_t length)
{
	assert_true(sink->length + length <= SINK);
	memcpy(sink->bytes + sink->length, bytes, length);
	sink->length += length;
}

static bool refuses(const struct sink *sink)
{
	return random_below(8) < sink->moods;
}

/* writev(): a random part of it, or -1 for EAGAIN. */
static long kernel_writev(struct sink *sink, const struct span *spans, size_t count)
{
	size_t total = 0;
	size_t room;

	for (size_t i = 0; i < count; i++)
		total += spans[i].length;
	if (refuses(sink))
		return -1;
	room = refuses(sink) && total ? 1 + random_below((uint32_t)total) : total;
	total = room;
	for (size_t i = 0; room; i++) {
		size_t part = spans[i].length < room ? spans[i].length : room;

		pour(sink, spans[i].bytes, part);
		room -= part;
	}
	return (long)total;
}

/* A write of at most PIPE_BUF bytes: all or nothing. */
static bool kernel_write_whole(struct sink *sink, const char *bytes, size_t length)
{
	if (refuses(sink))
		return false;
	pour(sink, bytes, length);
	return true;
}

struct run {
	struct tasks tasks;
	struct sink sink;
	struct span queue[QUEUE_MAX]; /* what the runner has still to write */
	size_t queued;
	size_t given; /* bytes of the runner that were taken */
	bool split;   /* the kernel took a part of a chunk last: the rest of it comes next */
};

/* A size of its own for each task, so that its suffix is known again. */
static size_t suffix_of(const struct run *run, const struct task *task, bool coloured,
			char text[static ANNOTATE_SUFFIX_MAX])
{
	const uint64_t index = (uint64_t)(task - run->tasks.tasks);
	const struct figure figure = {.peak = (101 + index) << 20, .signal = index % 3 == 2 ? 9 : 0};

	return annotate_suffix(&figure, coloured, text);
}

/* Hand chunks to the kernel as they are, and note whether it stopped inside one. */
static long pass(struct run *run, const struct span *spans, size_t count)
{
	long taken = kernel_writev(&run->sink, spans, count);
	size_t left = taken > 0 ? (size_t)taken : 0;

	if (taken <= 0)
		return taken;
	for (size_t k = 0; k < count && left >= spans[k].length; k++)
		left -= spans[k].length;
	run->split = left > 0;
	return taken;
}

/* The hook: the runner must see nothing but counts of its own bytes. The rest of a split chunk is not a chunk, though
 * it may look like a line of its own: "   ICON  nx run ID\n" without the spaces. */
static long hook_writev(struct run *run, const struct span *spans, size_t count)
{
	char line_text[4096 + ANNOTATE_SUFFIX_MAX];
	struct task *task = NULL;
	struct nx_line line;
	size_t before = 0;
	size_t length;
	size_t k;

	for (k = 0; k < count; k++) {
		if (k > 0 || !run->split)
			task = task_of(&run->tasks, spans[k].bytes, spans[k].length, &line);
		if (task)
			break;
		before += spans[k].length;
	}
	if (!task)
		return pass(run, spans, count);
	if (k > 0) {
		long taken = pass(run, spans, k);

		if (taken < (long)before)
			return taken;
	}
	memcpy(line_text, spans[k].bytes, line.insert_at);
	length = line.insert_at;
	length += suffix_of(run, task, line.coloured, line_text + length);
	memcpy(line_text + length, spans[k].bytes + line.insert_at, spans[k].length - line.insert_at);
	length += spans[k].length - line.insert_at;
	if (!kernel_write_whole(&run->sink, line_text, length))
		return before ? (long)before : -1;
	assert_int_equal(task->alive, 0);
	task->annotated++;
	task->annotated_at = run->given + before + line.insert_at;
	return (long)(before + spans[k].length);
}

/* libuv: drop what was taken, a part of a chunk stays. */
static void drop(struct run *run, size_t taken)
{
	size_t done = 0;

	run->given += taken;
	while (done < run->queued && run->queue[done].length <= taken)
		taken -= run->queue[done++].length;
	if (taken) {
		assert_true(done < run->queued);
		run->queue[done].bytes += taken;
		run->queue[done].length -= taken;
	}
	run->queued -= done;
	memmove(run->queue, run->queue + done, run->queued * sizeof(run->queue[0]));
}

static void flush(struct run *run)
{
	long taken;

	if (!run->queued)
		return;
	taken = hook_writev(run, run->queue, run->queued);
	if (taken > 0)
		drop(run, (size_t)taken);
}

/* libuv tries at once when nothing waits; otherwise the chunk joins the queue. */
static void runner_write(struct run *run, const struct piece *piece)
{
	assert_true(run->queued < QUEUE_MAX);
	run->queue[run->queued++] = (struct span){piece->bytes, piece->length};
	if (run->queued == 1)
		flush(run);
}

static void perform(struct run *run, const struct script *script)
{
	*run = (struct run){.sink.moods = random_below(7)};
	for (size_t i = 0; i < script->count; i++) {
		const struct event *event = &script->events[i];

		track(&run->tasks, event);
		if (event->kind == WRITE)
			for (size_t k = 0; k < event->count; k++)
				runner_write(run, &event->pieces[k]);
		if (run->queued && random_below(3) == 0)
			flush(run);
	}
	while (run->queued)
		flush(run);
}

/* Remove the task's suffix from the sink, and say where it stood. Returns how often it was there. */
static unsigned strip(struct run *run, const struct task *task, size_t *at)
{
	unsigned found = 0;

	for (int coloured = 1; coloured >= 0; coloured--) {
		char suffix[ANNOTATE_SUFFIX_MAX];
		size_t length = suffix_of(run, task, coloured, suffix);
		struct sink *sink = &run->sink;
		char *place;

		while ((place = memmem(sink->bytes, sink->length, suffix, length))) {
			*at = (size_t)(place - sink->bytes);
			sink->length -= length;
			memmove(place, place + length, sink->length - *at);
			found++;
		}
	}
	return found;
}

/* The place is right behind a line that speaks of the task. */
static bool is_line_end(const struct script *script, const struct task *task, size_t place)
{
	size_t at = 0;

	for (size_t i = 0; i < script->count; i++) {
		const struct event *event = &script->events[i];

		for (size_t k = 0; event->kind == WRITE && k < event->count; k++) {
			const struct piece *piece = &event->pieces[k];
			struct nx_line line;

			if (place > at && place <= at + piece->length && nx_parse(piece->bytes, piece->length, &line) &&
			    place == at + line.insert_at)
				return !line.cached && nx_line_is(piece->bytes, piece->length, &line, task->project,
								  task->target, task->configuration);
			at += piece->length;
		}
	}
	return false;
}

/* least: lines expected for each task, at least; one is the most in any case. */
static void check_run(struct run *run, const struct script *script, unsigned least, uint64_t seed)
{
	size_t length = 0;

	for (size_t i = run->tasks.count; i-- > 0;) {
		const struct task *task = &run->tasks.tasks[i];
		size_t at = 0;
		unsigned found = strip(run, task, &at);

		if (found != task->annotated || found > 1 || found < least)
			fail_msg("seed %" PRIu64 ", %s: %u suffixes for %s:%s", seed, script->name, found,
				 task->project, task->target);
		if (found && !is_line_end(script, task, task->annotated_at))
			fail_msg("seed %" PRIu64 ", %s: a suffix of %s:%s in the wrong place", seed, script->name,
				 task->project, task->target);
	}
	for (size_t i = 0; i < script->count; i++) {
		const struct event *event = &script->events[i];

		for (size_t k = 0; event->kind == WRITE && k < event->count; k++) {
			const struct piece *piece = &event->pieces[k];

			if (run->sink.length - length < piece->length ||
			    memcmp(run->sink.bytes + length, piece->bytes, piece->length) != 0)
				fail_msg("seed %" PRIu64 ", %s: the stream was changed", seed, script->name);
			length += piece->length;
		}
	}
	assert_int_equal(run->sink.length, length);
	assert_int_equal(run->given, length);
}

/* ------------------------------------------------------------------------------------------ made-up streams */

struct maker {
	struct event events[128];
	struct piece pieces[128];
	size_t count;
	char text[16384];
	size_t used;
};

static struct event *make_event(struct maker *maker)
{
	assert_true(maker->count < COUNT(maker->events));
	return &maker->events[maker->count++];
}

__attribute__((format(printf, 2, 3))) static void make_chunk(struct maker *maker, const char *format, ...)
{
	struct piece *piece = &maker->pieces[maker->count];
	char *text = maker->text + maker->used;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(maker->text) - maker->used, format, arguments);
	va_end(arguments);
	assert_true(length > 0 && (size_t)length < sizeof(maker->text) - maker->used);
	maker->used += (size_t)length;
	*piece = (struct piece){.bytes = text, .length = (size_t)length};
	*make_event(maker) = (struct event){.kind = WRITE, .fd = 1, .count = 1, .pieces = piece};
}

/* Names that begin like others, and some that need quotes. */
static const struct name {
	const char *project, *target, *configuration, *shown;
} names[] = {
    {"@acme/a", "build", "", "@acme/a:build"},         {"@acme/a", "build", "production", "@acme/a:build:production"},
    {"@acme/a", "build-all", "", "@acme/a:build-all"}, {"@acme/ab", "build", "", "@acme/ab:build"},
    {"@acme/c", "col:on", "", "@acme/c:\"col:on\""},   {"my app", "build", "", "my app:build --foo=a b"},
    {"my app", "build it", "", "my app:build it"},
};

static void make_noise(struct maker *maker)
{
	const char *shown = names[random_below(COUNT(names))].shown;

	switch (random_below(9)) {
	case 0:
		make_chunk(maker, "\n\x1b[2m> \x1b[22m\x1b[2mnx run\x1b[22m %s\n\n", shown);
		break;
	case 1:
		make_chunk(maker, "> nx run %s\n\n> node work.js\n", shown);
		break;
	case 2:
		make_chunk(maker, "> nx run %s  [local cache]", shown);
		break;
	case 3:
		make_chunk(maker, "   \x1b[32m\xe2\x9c\x94\x1b[39m  nx run %s (peak: 7MB)\n", shown);
		break;
	case 4:
		make_chunk(maker, "> nx run @acme/other:%s", shown);
		break;
	case 5:
		make_chunk(maker, "%*s line\n", (int)random_below(200), "x");
		break;
	case 6: /* the same bytes as a result, at any time: before the start, while it runs, once more */
		make_chunk(maker, "> nx run %s", shown);
		break;
	default:
		make_chunk(maker, "\n");
		break;
	}
}

static void make_result(struct maker *maker, const struct name *name)
{
	switch (random_below(5)) {
	case 0:
		make_chunk(maker, "> nx run %s", name->shown);
		break;
	case 1:
		make_chunk(maker, "\x1b[2m> \x1b[22m\x1b[2mnx run\x1b[22m %s", name->shown);
		break;
	case 2:
		make_chunk(maker, "::group::\xe2\x9c\x85 > nx run %s", name->shown);
		break;
	case 3:
		make_chunk(maker, "\xe2\x9c\x96  nx run %s\n", name->shown);
		break;
	default:
		make_chunk(maker, "\x1b[32m\xe2\x9c\x94\x1b[39m  \x1b[2mnx run\x1b[22m %s\n", name->shown);
		break;
	}
}

/* Tasks with up to three children, mixed at random: a task's line comes some time after its last child's end. */
static void make_script(struct maker *maker, struct script *script)
{
	unsigned to_start[COUNT(names)];
	unsigned alive[COUNT(names)] = {0};
	bool over[COUNT(names)];
	size_t left = 0;

	maker->count = 0;
	maker->used = 0;
	for (size_t i = 0; i < COUNT(names); i++) {
		to_start[i] = random_below(3);
		over[i] = to_start[i] == 0;
		left += !over[i];
	}
	while (left) {
		size_t i = random_below(COUNT(names));
		int pid = (int)(10 * i);

		if (random_below(3) == 0 && maker->count < 80)
			make_noise(maker);
		if (over[i])
			continue;
		if (to_start[i]) {
			/* A second child joins while the first lives: a task without children is over. */
			alive[i]++;
			*make_event(maker) = (struct event){.kind = EXEC,
							    .pid = pid + (int)to_start[i]--,
							    .project = names[i].project,
							    .target = names[i].target,
							    .configuration = names[i].configuration};
		} else if (alive[i]) {
			*make_event(maker) = (struct event){.kind = REAP, .pid = pid + (int)alive[i]--};
		} else {
			make_result(maker, &names[i]);
			over[i] = true;
			left--;
		}
	}
	*script = (struct script){.name = "made up", .events = maker->events, .count = maker->count};
}

static void test_random_streams(void **state)
{
	static struct maker maker;
	static struct run run;
	size_t annotated = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 100000; seed++) {
		struct script script;

		random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
		make_script(&maker, &script);
		perform(&run, &script);
		annotated += run.tasks.count;
		check_run(&run, &script, 1, seed);
	}
	assert_true(annotated > 100000);
}

/* The recorded chunks once more, now with a reader that is slow in other ways. In the modes with a header before the
 * start it may wait in the queue until its task is over: then it carries the suffix, as the peak is known by then. */
static void test_recordings_slow(void **state)
{
	static struct run run;

	(void)state;
	for (size_t version = 0; version < VERSIONS; version++) {
		struct script scripts[COUNT(expectations)];
		size_t count = read_scripts(versions[version], scripts, COUNT(scripts));

		for (size_t i = 0; i < count; i++) {
			const struct expectation *expected = expectation_of(&scripts[i], version);
			bool all = expected->lines[version] == 'A' && !expected->without;

			for (uint64_t seed = 1; seed <= 50 && !scripts[i].cut; seed++) {
				random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
				perform(&run, &scripts[i]);
				check_run(&run, &scripts[i], all, seed);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_recordings),
	    cmocka_unit_test(test_random_streams),
	    cmocka_unit_test(test_recordings_slow),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, free_blocks);
}
