#include "preload/output.h"

#include "preload/last_peak.h"
#include "preload/real.h"
#include "preload/result.h"
#include "preload/stream.h"
#include "preload/suffix.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* The longest chunk that is worth a look. */
enum { LONGEST = 4096 };

/* One chunk as the matcher sees it. */
struct look {
	size_t readable; /* so many bytes at its start; all of it, or of a long one LONGEST; 0: it cannot be read */
	bool is_line;
	struct nx_line line;
	enum nx_place place;
};

static struct look look_at(const char *chunk, size_t length)
{
	struct look look = {.place = NX_TEXT};

	if (!length)
		look.place = NX_NOTHING;
	if (!chunk || !runtime_readable(chunk, length < LONGEST ? length : LONGEST))
		return look;
	look.readable = length < LONGEST ? length : LONGEST;
	if (length > LONGEST)
		return look;
	look.is_line = nx_parse(chunk, length, &look.line);
	if (!look.is_line)
		look.place = nx_place_of(chunk, length);
	return look;
}

/* A header before its task's start, if there is no task that it can be the result of. */
static bool is_header(const char *chunk, const struct look *look)
{
	return look->is_line && !look->line.cached && !look->line.bare && chunk[0] != ':' &&
	       (look->line.form == NX_STATIC || look->line.form == NX_HEADER);
}

/* Nobody's process yet: the first header comes before the first task. */
static bool is_ours(void)
{
	const pid_t owner = atomic_load(&heaplog_process->owner);

	return owner == 0 || owner == getpid();
}

void output_passed(int fd, const char *bytes, size_t length, size_t taken)
{
	const int saved = errno;
	struct look look = {.place = NX_TEXT};
	int stream;

	/* The dynamic display draws before a task has ended, and then has no room for lines of our own. */
	if (length == 4 && taken == 4 && memcmp(bytes, "\x1b[0K", 4) == 0 && is_ours() && (stream = stream_of(fd)) >= 0)
		stream_escape(bytes, length, stream);
	/* A part of it: the rest follows, in another piece. */
	if (length == 8 && (taken == length || runtime_readable(bytes, length)))
		stream_escape(bytes, length, 0);
	if (taken == length && length <= LONGEST && !atomic_load(&stream_alternate_screen) &&
	    nx_parse(bytes, length, &look.line)) {
		look.is_line = true;
		if (is_header(bytes, &look) && is_ours() && (stream = stream_of(fd)) >= 0) {
			own_line_header(bytes, length, &look.line);
			atomic_store(&streams[stream].coloured, look.line.coloured);
			/* From here on all that passes is looked at. */
			atomic_store(&streams[stream].edge, look.line.form == NX_HEADER ? EDGE_LINE_END : EDGE_IN_LINE);
		}
	}
	errno = saved;
}

/* Told by the first bytes, for which the kernel is asked one question. There are at least so many. */
enum { FEW = 3 };
static bool may_be_line(const char *chunk)
{
	return runtime_readable(chunk, FEW) && !nx_is_text(chunk);
}

bool output_is_cached_line(const struct iovec *iov, int count)
{
	struct nx_line line;

	if (count <= 0 || count > IOV_MAX || (count > 1 && !runtime_readable(iov, (size_t)count * sizeof *iov)))
		return false;
	/* Shorter than any such line is most of what a display draws again and again. */
	for (int i = 0; i < count; i++)
		if (iov[i].iov_len > sizeof "> a:b  [local cache]" - 2 && iov[i].iov_len <= LONGEST &&
		    iov[i].iov_base && may_be_line(iov[i].iov_base) &&
		    runtime_readable(iov[i].iov_base, iov[i].iov_len) &&
		    nx_parse(iov[i].iov_base, iov[i].iov_len, &line) && line.cached)
			return true;
	return false;
}

void output_awaits(void)
{
	stream_awaits(output_matters());
}

void output_forget(void)
{
	stream_forget();
	own_line_forget();
}

/* The finished task that this chunk is the result line of. Where several names fit ("a:build" and "a:build it", since
 * arguments may follow a name) the longest is meant. */
static struct task *match(const char *chunk, size_t length, const struct look *look)
{
	struct task *best = NULL;

	if (!look->is_line || look->line.cached || look->line.form == NX_HEADER)
		return NULL;
	for (struct task *task = tasks_first(); task; task = atomic_load(&task->next))
		if (atomic_load(&task->state) == TASK_FINISHED && task->project &&
		    (!best || strlen(task->name) > strlen(best->name)) &&
		    nx_line_is(chunk, length, &look->line, task_text(task, task->project),
			       task_text(task, task->target), task_text(task, task->configuration)))
			best = task;
	return best;
}

/* One thread alone annotates a task. */
static bool claim(struct task *task)
{
	uint32_t expected = TASK_FINISHED;

	return atomic_compare_exchange_strong(&task->state, &expected, TASK_ANNOTATING);
}

static void settle(struct task *task, bool annotated)
{
	if (annotated)
		atomic_fetch_sub(&heaplog_process->pending, 1);
	atomic_store(&task->state, annotated ? TASK_ANNOTATED : TASK_FINISHED);
	if (annotated)
		tasks_wake(task);
}

/* Do the first taken bytes end where an iovec ends? */
static bool ends_chunk(const struct iovec *iov, int count, ssize_t taken)
{
	for (int i = 0; i < count && taken > 0; i++)
		taken -= (ssize_t)iov[i].iov_len;
	return taken == 0;
}

/* What the kernel refuses as a whole (EFAULT, EINVAL) must not be taken apart. own: the list is ours. */
static bool is_sound(const struct iovec *iov, int count, bool own)
{
	size_t room = SSIZE_MAX;

	if (!own && !runtime_readable(iov, (size_t)count * sizeof *iov))
		return false;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > room)
			return false;
		room -= iov[i].iov_len;
	}
	return true;
}

/* A writev of the runner on its way. */
struct passage {
	int fd;
	int stream;
	const struct iovec *iov;
	int first;      /* iovecs [first, at) wait to be written unchanged */
	bool rest;      /* iov[0] is the rest of a chunk */
	ssize_t total;  /* bytes of the caller's that the kernel has */
	enum edge edge; /* where the output stands before the iovec that is looked at */
};

static enum edge edge_after(enum edge before, const struct iovec *chunk, const struct look *look)
{
	const char *end;

	if (look->place == NX_NOTHING)
		return before;
	end = (const char *)chunk->iov_base + chunk->iov_len - 1;
	return (look->readable == chunk->iov_len || runtime_readable(end, 1)) && *end == '\n' ? EDGE_LINE_END
											      : EDGE_IN_LINE;
}

/* The iovecs before at. False: the kernel did not take them all, and total, or -1 with errno, is what to return. */
static bool flush(struct passage *passage, int at)
{
	const struct iovec *iov = passage->iov + passage->first;
	size_t wanted = 0;
	ssize_t taken;

	if (at == passage->first)
		return true;
	for (int i = passage->first; i < at; i++)
		wanted += passage->iov[i].iov_len;
	taken = real()->writev(passage->fd, iov, at - passage->first);
	if (taken >= 0 && (size_t)taken == wanted) {
		passage->total += taken;
		passage->first = at;
		atomic_store(&streams[passage->stream].edge, passage->edge);
		return true;
	}
	if (taken > 0 || (passage->rest && passage->first == 0)) {
		atomic_store(&stream_broken_off, ends_chunk(iov, at - passage->first, taken) ? -1 : passage->fd);
		atomic_store(&streams[passage->stream].edge, EDGE_UNKNOWN);
	}
	passage->total = taken < 0 && passage->total ? passage->total : passage->total + taken;
	return false;
}

/* The lines of our own that are due before iov[at]. False: see flush. */
static bool own_lines(struct passage *passage, int at, const struct look *look)
{
	const char *chunk = passage->iov[at].iov_base;
	const size_t length = look->readable;
	char text[OWN_LINE_MAX + 1];
	const bool rows = atomic_load(&streams[passage->stream].redrawn);
	struct task *task;
	bool written = false;

	while ((task = own_line_due(chunk, length, look->place, look->is_line, rows)) != NULL) {
		size_t size;
		ssize_t taken;

		if (!flush(passage, at))
			return false;
		if (!claim(task))
			break;
		tasks_await_record(task);
		size = own_line_text(task, atomic_load(&streams[passage->stream].coloured), rows, text);
		taken = size ? real()->write(passage->fd, text, size) : 0;
		if (size && taken > 0 && (size_t)taken < size)
			suffix_rest(passage->fd, text + taken, size - (size_t)taken);
		/* A full pipe: the runner will come with the same chunk again, or the closing lines have it. */
		settle(task, taken > 0 || !size);
		if (size && taken <= 0)
			return true;
		written = written || size;
	}
	/* A blank line between ours and a title. */
	if (written && (look->place == NX_TITLE || look->place == NX_COUNTS))
		real()->write(passage->fd, "\n", 1);
	return true;
}

/* iov[at] if it is a result line, with its suffix. False: see flush. */
static bool result_line(struct passage *passage, int at, const struct look *look, bool owner)
{
	const struct iovec *chunk = &passage->iov[at];
	struct task *task = owner ? match(chunk->iov_base, chunk->iov_len, look) : NULL;
	struct figure figure = {.peak = 0};
	const enum edge after = edge_after(passage->edge, chunk, look);
	bool annotated = false;
	ssize_t taken;

	if (!task && look->line.cached)
		figure = last_peak(chunk->iov_base, chunk->iov_len, &look->line);
	if (!task && !figure.peak)
		return true;
	if (!flush(passage, at))
		return false;
	if (task) {
		if (!claim(task))
			return true;
		/* What was seen on the screen is in the file, whatever happens to the runner next. */
		tasks_await_record(task);
		figure = result_figure(task);
	}
	taken = suffix_write(passage->fd, chunk->iov_base, chunk->iov_len, &look->line, &figure, &annotated);
	if (task) /* otherwise it is left for a line of its own: a line that broke off comes back as a fragment */
		settle(task, annotated);
	if (taken == (ssize_t)chunk->iov_len) {
		passage->total += taken;
		passage->first = at + 1;
		atomic_store(&streams[passage->stream].edge, after);
		return true;
	}
	if (taken > 0)
		atomic_store(&streams[passage->stream].edge, EDGE_UNKNOWN);
	passage->total = taken < 0 && passage->total ? passage->total : passage->total + taken;
	return false;
}

static bool notes_colour(const struct iovec *chunk, const struct look *look)
{
	return look->place == NX_RULE || ((look->place == NX_TITLE || look->place == NX_COUNTS) &&
					  memchr(chunk->iov_base, '\x1b', chunk->iov_len));
}

static bool one_chunk(struct passage *passage, int at, bool owner)
{
	const struct iovec *chunk = &passage->iov[at];
	const bool fresh = at > 0 || !passage->rest;
	struct look look = fresh ? look_at(chunk->iov_base, chunk->iov_len) : (struct look){.place = NX_TEXT};

	if (look.is_line && look.line.bare && !look.line.cached)
		look.is_line = owner && match(chunk->iov_base, chunk->iov_len, &look);
	if (look.place == NX_NOTHING && chunk->iov_len)
		stream_escape(chunk->iov_base, chunk->iov_len, passage->stream);
	if (fresh && !atomic_load(&stream_alternate_screen)) {
		if (look.is_line)
			atomic_store(&streams[passage->stream].coloured, look.line.coloured);
		else if (look.place == NX_TITLE || look.place == NX_COUNTS || look.place == NX_RULE)
			atomic_store(&streams[passage->stream].coloured, notes_colour(chunk, &look));
		if (owner && look.readable) {
			const bool result = look.is_line && match(chunk->iov_base, chunk->iov_len, &look);

			own_line_passes(chunk->iov_base, look.readable, look.place, look.is_line ? &look.line : NULL);
			if (!result && passage->edge == EDGE_LINE_END && !own_lines(passage, at, &look))
				return false;
		}
		if (look.is_line) {
			const int first = passage->first;

			if (!result_line(passage, at, &look, owner))
				return false;
			if (passage->first == first && passage->first <= at && is_header(chunk->iov_base, &look) &&
			    !(owner && match(chunk->iov_base, chunk->iov_len, &look)))
				own_line_header(chunk->iov_base, chunk->iov_len, &look.line);
		}
	}
	passage->edge = edge_after(passage->edge, chunk, &look);
	return true;
}

/* Writes iov in pieces that end before and after what is ours, as the kernel would take them one after the other. */
static ssize_t pass(int fd, const struct iovec *iov, int count, bool own)
{
	struct passage passage = {.fd = fd, .iov = iov};
	const bool owner = runtime_is_owner();
	int rest = fd;

	if (count <= 0 || count > IOV_MAX || (!owner && !is_ours()) || (passage.stream = stream_of(fd)) < 0 ||
	    !is_sound(iov, count, own))
		return real()->writev(fd, iov, count);
	passage.rest = atomic_compare_exchange_strong(&stream_broken_off, &rest, -1);
	passage.edge = passage.rest ? EDGE_IN_LINE : atomic_load(&streams[passage.stream].edge);
	for (int at = 0; at < count; at++)
		if (!one_chunk(&passage, at, owner))
			return passage.total;
	flush(&passage, count);
	return passage.total;
}

ssize_t output_writev(int fd, const struct iovec *iov, int count)
{
	return pass(fd, iov, count, false);
}

/* Is a chunk ordinary text, before which nothing of ours can go? *after: where it leaves the output. Asked before it is
 * written: afterwards another thread may have unmapped it, and /dev/null takes what cannot be read. Of a text within one
 * page the kernel is asked one question, of others two. */
static bool is_text(const char *chunk, size_t length, enum edge *after)
{
	enum { PAGE = 4096 };
	const char *const end = chunk + length - 1;
	const bool within = ((uintptr_t)chunk ^ (uintptr_t)end) < PAGE;

	if (own_line_streams() || length < FEW || !runtime_readable(chunk, within ? length : FEW) ||
	    (!within && !runtime_readable(end, 1)) || (length <= LONGEST && !nx_is_text(chunk)))
		return false;
	*after = *end == '\n' ? EDGE_LINE_END : EDGE_IN_LINE;
	return true;
}

/* Such a chunk as it is. */
static ssize_t pass_text(int fd, int stream, const char *chunk, size_t length, enum edge after)
{
	const ssize_t taken = real()->write(fd, chunk, length);

	if (taken == (ssize_t)length) {
		atomic_store_explicit(&streams[stream].edge, after, memory_order_relaxed);
	} else if (taken > 0) {
		atomic_store(&streams[stream].edge, EDGE_UNKNOWN);
		atomic_store(&stream_broken_off, fd);
	}
	return taken;
}

ssize_t output_write(int fd, const void *buffer, size_t count)
{
	struct iovec one = {.iov_base = (void *)(uintptr_t)buffer, .iov_len = count};
	enum edge after;
	int stream;

	/* writev refuses what write cuts. */
	if (count > SSIZE_MAX)
		return real()->write(fd, buffer, count);
	/* Most chunks lead elsewhere, or are ordinary text. Neither whose process this is nor where the descriptor leads
	 * by now is asked for them: at worst a line is thought to have ended that has not. For all else pass asks. */
	stream = stream_lately(fd);
	if (stream < 0)
		return real()->write(fd, buffer, count);
	if (atomic_load_explicit(&stream_broken_off, memory_order_relaxed) != fd && is_text(buffer, count, &after))
		return pass_text(fd, stream, buffer, count, after);
	return pass(fd, &one, 1, true);
}
