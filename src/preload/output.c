#include "preload/output.h"

#include "preload/annotate.h"
#include "preload/nx.h"
#include "preload/real.h"
#include "preload/result.h"
#include "preload/runtime.h"
#include "preload/tasks.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

/* How long a suffix that the kernel took in part may wait for its rest; and the longest chunk that is worth a look. */
enum { REST_TIMEOUT_MS = 1000, LONGEST = 4096 };

static bool is_output(int fd)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return false;
	for (int i = 0; i < 2; i++)
		if (heaplog_runtime.output_known[i] && heaplog_runtime.output_device[i] == status.st_dev &&
		    heaplog_runtime.output_inode[i] == status.st_ino &&
		    heaplog_runtime.output_rdev[i] == status.st_rdev)
			return true;
	return false;
}

/* The finished task that this chunk is the result line of; it is then ours alone to annotate (ANNOTATING). Where
 * several names fit ("a:build" and "a:build it", since arguments may follow a name) the longest is meant. */
static struct task *match(const char *chunk, size_t length, struct nx_line *line)
{
	struct task *best = NULL;
	uint32_t expected = TASK_FINISHED;

	if (!chunk || length > LONGEST || !runtime_readable(chunk, length) || !nx_parse(chunk, length, line) ||
	    line->cached)
		return NULL;
	for (struct task *task = tasks_first(); task; task = atomic_load(&task->next))
		if (atomic_load(&task->state) == TASK_FINISHED && task->project &&
		    (!best || strlen(task->name) > strlen(best->name)) &&
		    nx_line_is(chunk, length, line, task_text(task, task->project), task_text(task, task->target),
			       task_text(task, task->configuration)))
			best = task;
	return best && atomic_compare_exchange_strong(&best->state, &expected, TASK_ANNOTATING) ? best : NULL;
}

/* The descriptor on which the kernel took a part of a chunk: what comes there next is the rest, which may look like a
 * result line of its own. -1: none. */
static _Atomic int broken_off = -1;

static void settle(struct task *task, bool annotated)
{
	if (annotated)
		atomic_fetch_sub(&heaplog_process->pending, 1);
	atomic_store(&task->state, annotated ? TASK_ANNOTATED : TASK_FINISHED);
	if (annotated)
		board_wake(heaplog_board);
}

/* The kernel took a part of the suffix (a socket, a full disk): the rest follows, or the line would stay broken. */
static void write_rest(int fd, const char *text, size_t length)
{
	while (length) {
		const ssize_t taken = real()->write(fd, text, length);
		struct pollfd wait = {.fd = fd, .events = POLLOUT};

		if (taken > 0) {
			text += taken;
			length -= (size_t)taken;
		} else if (errno != EINTR && (errno != EAGAIN || poll(&wait, 1, REST_TIMEOUT_MS) <= 0)) {
			return;
		}
	}
}

/* One result line with its suffix in one write, which a pipe takes whole or not at all (up to PIPE_BUF): another writer
 * cannot come between, and a full pipe is the EAGAIN that the runner knows. */
static ssize_t write_line(int fd, const char *chunk, size_t length, const struct nx_line *line, struct task *task)
{
	char suffix[ANNOTATE_SUFFIX_MAX + 1];
	const struct figure figure = result_figure(task);
	size_t added = annotate_suffix(&figure, line->coloured, suffix);
	struct iovec parts[3] = {
	    {.iov_base = (void *)(uintptr_t)chunk, .iov_len = line->insert_at},
	    {.iov_base = suffix, .iov_len = added},
	    {.iov_base = (void *)(uintptr_t)(chunk + line->insert_at), .iov_len = length - line->insert_at},
	};
	ssize_t taken;
	int saved;

	/* What was seen on the screen is in the file, whatever happens to the runner next. */
	tasks_await_record(task);
	if (length + added > PIPE_BUF)
		added = parts[1].iov_len = 0;
	taken = real()->writev(fd, parts, 3);
	saved = errno;
	if (taken > (ssize_t)line->insert_at && (size_t)taken < line->insert_at + added) {
		write_rest(fd, suffix + ((size_t)taken - line->insert_at), line->insert_at + added - (size_t)taken);
		taken = (ssize_t)(line->insert_at + added);
	}
	if (taken >= 0 && (size_t)taken < length + added)
		atomic_store(&broken_off, fd);
	/* A line that broke off in its middle comes back as a fragment, which is no result line: it has had its chance.
	 */
	settle(task, taken > 0);
	if (taken > (ssize_t)line->insert_at)
		taken -= (ssize_t)added;
	errno = saved;
	return taken;
}

/* Do the first taken bytes end where an iovec ends? */
static bool ends_chunk(const struct iovec *iov, int count, ssize_t taken)
{
	for (int i = 0; i < count && taken > 0; i++)
		taken -= (ssize_t)iov[i].iov_len;
	return taken == 0;
}

/* What the kernel refuses as a whole (EFAULT, EINVAL) must not be taken apart. */
static bool is_sound(const struct iovec *iov, int count)
{
	size_t room = SSIZE_MAX;

	if (!runtime_readable(iov, (size_t)count * sizeof *iov))
		return false;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > room)
			return false;
		room -= iov[i].iov_len;
	}
	return true;
}

/* Writes iov in pieces that end before and after each result line, as the kernel would take them one after the other.
 */
ssize_t output_writev(int fd, const struct iovec *iov, int count)
{
	ssize_t total = 0;
	int first = 0; /* iovecs [first, at) wait to be written unchanged */
	int rest = fd; /* the first iovec is the rest of a chunk when broken_off says so */

	if (count <= 0 || count > IOV_MAX || !runtime_is_owner() || !is_output(fd) || !is_sound(iov, count))
		return real()->writev(fd, iov, count);
	const int skip = atomic_compare_exchange_strong(&broken_off, &rest, -1) ? 1 : 0;
	for (int at = 0; at <= count; at++) {
		struct nx_line line;
		struct task *task = at < count && at >= skip ? match(iov[at].iov_base, iov[at].iov_len, &line) : NULL;
		size_t wanted = 0;
		ssize_t taken;

		if (!task && at < count)
			continue;
		for (int i = first; i < at; i++)
			wanted += iov[i].iov_len;
		if (at > first || (at == count && total == 0)) {
			taken = real()->writev(fd, iov + first, at - first);
			if (taken < 0 || (size_t)taken < wanted) {
				if (task)
					settle(task, false);
				if (taken > 0 || (skip && first == 0))
					atomic_store(&broken_off, ends_chunk(iov + first, at - first, taken) ? -1 : fd);
				return taken < 0 && total ? total : total + taken;
			}
			total += taken;
		}
		if (!task)
			break;
		taken = write_line(fd, iov[at].iov_base, iov[at].iov_len, &line, task);
		if (taken < 0 || (size_t)taken < iov[at].iov_len)
			return taken < 0 && total ? total : total + taken;
		total += taken;
		first = at + 1;
	}
	return total;
}

ssize_t output_write(int fd, const void *buffer, size_t count)
{
	struct iovec one = {.iov_base = (void *)(uintptr_t)buffer, .iov_len = count};
	struct nx_line line;
	ssize_t taken;

	if (atomic_load_explicit(&broken_off, memory_order_relaxed) == fd ||
	    (count <= LONGEST && runtime_readable(buffer, count) && nx_parse(buffer, count, &line)))
		return output_writev(fd, &one, 1);
	taken = real()->write(fd, buffer, count);
	if (taken > 0 && (size_t)taken < count)
		atomic_store(&broken_off, fd);
	return taken;
}
