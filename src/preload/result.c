#include "preload/result.h"

#include "heaplog.h"
#include "preload/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* At most an eighth of the descriptors that the program may open is ours, and never more than this. */
enum { RESULT_FDS_MAX = 4096, MEMFD_NAME_MAX = 249 };

/* Where they begin where the limit allows it, and how large result_reserve makes the table of descriptors. The kernel
 * copies the table up to the highest number at each fork: not in the last eighth of a limit of a million. */
enum { RESULT_FDS_FROM = 512, TABLE_SIZE = 4096 };

static unsigned open_results; /* under the lock */

/* The descriptors once more, for children: these have no tasks. Where open_results is 0 there is none. */
static struct kept {
	bool used;
	int fd;
	dev_t device;
	ino_t inode;
} kept[RESULT_FDS_MAX];
static unsigned kept_end; /* from here on none was ever used */

static size_t digits(uint64_t value, size_t width, char *text)
{
	char reversed[20];
	size_t length = 0;

	do
		reversed[length++] = (char)('0' + value % 10);
	while ((value /= 10) || length < width);
	for (size_t i = 0; i < length; i++)
		text[i] = reversed[length - 1 - i];
	return length;
}

/* The same for all tasks of one runner, and for no other: seconds and nanoseconds of its first record, and its pid. */
const char *result_run(void)
{
	static char id[64];
	static pid_t owner;
	size_t used;
	struct timespec now;

	if (owner == getpid())
		return id;
	clock_gettime(CLOCK_REALTIME, &now);
	used = digits((uint64_t)now.tv_sec, 1, id);
	used += digits((uint64_t)now.tv_nsec, 9, id + used);
	id[used++] = '-';
	used += digits((uint64_t)getpid(), 1, id + used);
	id[used] = '\0';
	owner = getpid();
	return id;
}

static bool is(int fd, dev_t device, ino_t inode)
{
	struct stat status;

	return fd >= 0 && fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

static bool is_ours(const struct task *task)
{
	return is(task->fd, task->device, task->inode);
}

/* By number: libc's close is a cancellation point, and this runs after the wait that took the child, under the lock. */
static void close_fd(int fd)
{
	syscall(SYS_close, fd);
}

void result_forked(void)
{
	for (unsigned i = 0; open_results && i < kept_end; i++)
		if (kept[i].used && is(kept[i].fd, kept[i].device, kept[i].inode))
			close_fd(kept[i].fd);
	open_results = kept_end = 0;
}

static void keep(const struct task *task)
{
	unsigned at = 0;

	while (at < kept_end && kept[at].used)
		at++;
	kept[at] = (struct kept){.used = true, .fd = task->fd, .device = task->device, .inode = task->inode};
	if (at == kept_end)
		kept_end++;
	open_results++;
}

static void forget(const struct task *task)
{
	for (unsigned at = 0; at < kept_end; at++)
		if (kept[at].used && kept[at].fd == task->fd && kept[at].inode == task->inode) {
			kept[at].used = false;
			open_results--;
		}
}

void result_drop(struct task *task)
{
	if (is_ours(task))
		close_fd(task->fd);
	if (task->fd >= 0)
		forget(task);
	task->fd = -1;
}

/* A high number, so that the program's next open() gets the one that it would have had. */
static int move_high(int fd, rlim_t limit)
{
	const rlim_t from = limit - limit / 8;
	const int high = fcntl(fd, F_DUPFD_CLOEXEC, (int)(from < RESULT_FDS_FROM ? from : RESULT_FDS_FROM));

	close_fd(fd);
	return high;
}

void result_reserve(void)
{
	const int saved = errno;
	struct rlimit limit;

	/* By number, and for the first time: as in the constructor. */
	if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_cur > 0) {
		const int last = (int)(limit.rlim_cur < TABLE_SIZE ? limit.rlim_cur : TABLE_SIZE) - 1;
		int fd = -1;

		for (int from = STDIN_FILENO; fd < 0 && from <= STDERR_FILENO; from++)
			fd = (int)syscall(SYS_fcntl, from, F_DUPFD_CLOEXEC, last);
		if (fd >= 0)
			close_fd(fd);
	}
	errno = saved;
}

static void make_fd(struct task *task)
{
	struct rlimit limit, longest;
	struct stat status;
	char name[MEMFD_NAME_MAX + 1] = "heaplog:";
	size_t length = strlen(task->name);
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || open_results >= limit.rlim_cur / 8 ||
	    open_results >= RESULT_FDS_MAX)
		return;
	/* It holds for a memfd as well, and who writes more is sent SIGXFSZ: the program would die of our write. */
	if (getrlimit(RLIMIT_FSIZE, &longest) != 0 || longest.rlim_cur < task->record_length)
		return;
	if (length > MEMFD_NAME_MAX - 8)
		length = MEMFD_NAME_MAX - 8;
	memcpy(name + 8, task->name, length);
	name[8 + length] = '\0';
	fd = (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return;
	fd = move_high(fd, limit.rlim_cur);
	if (fd < 0)
		return;
	if (syscall(SYS_write, fd, task->record[task->record_at], task->record_length) == (long)task->record_length &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0 &&
	    fstat(fd, &status) == 0) {
		task->fd = fd;
		task->device = status.st_dev;
		task->inode = status.st_ino;
		keep(task);
	} else {
		close_fd(fd);
	}
}

void result_make(struct task *task, const struct heaplog_summary *summary)
{
	const struct heaplog_record record = {
	    .run = result_run(),
	    .task = task->name,
	    .project = task_text(task, task->project),
	    .target = task_text(task, task->target),
	    .configuration = task_text(task, task->configuration),
	    .hash = task_text(task, task->hash),
	    .runner = heaplog_runtime.rule.runner,
	    .pid = task->pid,
	    .start = task->start,
	    .duration_ms = (task->end_ns - task->start_ns) / 1000000,
	    .exit = task->exit,
	    .exit_value = task->exit_value,
	    .oom = task->cause.oom,
	    .interval_ms = summary->interval_ms,
	    /* It outlives the runner, or its sampler had to leave before it (wrap_thread.c). */
	    .partial = task->live > 0 || atomic_load(&heaplog_process->leaving) || !task->complete,
	    .metric = heaplog_runtime.pss ? HEAPLOG_OTHER_METRIC : "rss",
	    .summary = summary,
	};

	result_drop(task);
	task->record_length = 0;
	if (!summary->peak_bytes)
		return;
	task->record_length = heaplog_record_format(&record, task->record[task->record_at], sizeof task->record[0]);
	if (task->record_length)
		make_fd(task);
}

static uint64_t peak_of(const struct task *task)
{
	char line[1024]; /* the peak stands before the long fields */
	uint64_t peak = 0;
	ssize_t length;

	if (!is_ours(task))
		return task->peak_bytes;
	length = pread(task->fd, line, sizeof line - 1, 0);
	if (length <= 0)
		return task->peak_bytes;
	line[length] = '\0';
	return heaplog_record_uint64(line, "peak_bytes", &peak) == 0 ? peak : task->peak_bytes;
}

struct figure result_figure(const struct task *task)
{
	return (struct figure){
	    .peak = peak_of(task),
	    .warn = heaplog_runtime.warn_bytes,
	    .signal = task->cause.signal,
	    .oom = task->cause.oom,
	    .running = atomic_load(&task->state) == TASK_RUNNING,
	    .pss = heaplog_runtime.pss,
	};
}

static _Atomic int failure;

void result_failed(int error)
{
	int expected = 0;

	atomic_compare_exchange_strong(&failure, &expected, error);
}

void result_warn(void)
{
	const int error = atomic_load(&failure);

	if (error <= 0)
		return;
	atomic_store(&failure, -1); /* said; no second time */
	runtime_warn("HEAPLOG_RESULTS: cannot write to ", heaplog_runtime.results, ": ",
		     error == ELOOP    ? "it is a symbolic link; name the file itself"
		     : error == EINVAL ? "it is not a regular file"
		     : error == EACCES ? "permission denied"
		     : error == ENOENT ? "no such directory"
		     : error == ENOSPC ? "no space left"
		     : error == EISDIR ? "it is a directory"
		     : error == EROFS  ? "the file system is read-only"
		     : error == ENXIO  ? "it is not a regular file"
				       : "it could not be opened or written",
		     "; records of this run are not kept there", (char *)NULL);
}
