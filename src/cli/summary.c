#include "cli/summary.h"

#include "cli/cli.h"
#include "cli/complain.h"
#include "cli/library.h"
#include "cli/proc.h"
#include "heaplog.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES_MAX = 64, RUNS_MAX = 64, RUN_MAX = 64 };

/* A runner that wrote into the file. */
struct run {
	char id[RUN_MAX];
	bool ours;
};

struct summary_source {
	int file;
	int changes; /* inotify; -1: the file is read at the end only */
	int records;
	off_t offset;
	pid_t command;
	struct run runs[RUNS_MAX];
	size_t count;
};

int summary_records(void)
{
	return (int)syscall(SYS_memfd_create, "heaplog records", MFD_CLOEXEC);
}

/* A file that no other run has now. Locked as long as this process lives. */
static int own_file(char path[PATH_MAX])
{
	char directory[PATH_MAX];
	const int error = library_runtime_directory(directory);

	if (error) {
		errno = error;
		return -1;
	}
	for (int i = 0; i < FILES_MAX; i++) {
		int fd;

		if ((size_t)snprintf(path, PATH_MAX, "%s/summary-%d.jsonl", directory, i) >= PATH_MAX)
			break;
		fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return -1;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(fd, 0) == 0)
			return fd;
		close(fd);
	}
	errno = EBUSY;
	return -1;
}

/* Is the process pid below the command? It has just written, so that it mostly still lives; once it is gone, there is
 * nothing against it. */
static bool is_ours(const struct summary_source *source, pid_t pid)
{
	struct proc_stat stat;

	for (int i = 0; i < 4096 && pid > 1; i++) {
		if (pid == source->command)
			return true;
		if (proc_stat(pid, &stat) != 0)
			return true;
		pid = stat.parent;
	}
	return false;
}

static bool is_wanted(struct summary_source *source, const char *line)
{
	char id[RUN_MAX];
	const char *dash;
	bool ours;

	if (heaplog_record_string(line, "run", id, sizeof id) <= 0)
		return false;
	for (size_t i = 0; i < source->count; i++)
		if (strcmp(source->runs[i].id, id) == 0)
			return source->runs[i].ours;
	dash = strrchr(id, '-'); /* the runner's pid stands behind it */
	ours = !dash || is_ours(source, (pid_t)strtol(dash + 1, NULL, 10));
	if (source->count < RUNS_MAX) {
		strcpy(source->runs[source->count].id, id);
		source->runs[source->count++].ours = ours;
	}
	return ours;
}

/* Whole lines that have come since. */
static void read_lines(struct summary_source *source)
{
	static char text[HEAPLOG_LINE_SIZE * 4];
	ssize_t got;

	while ((got = pread(source->file, text, sizeof text - 1, source->offset)) > 0) {
		char *at = text, *end;

		text[got] = '\0';
		while ((end = memchr(at, '\n', (size_t)(text + got - at)))) {
			*end = '\0';
			if (is_wanted(source, at)) {
				*end = '\n';
				if (write(source->records, at, (size_t)(end + 1 - at)) < 0)
					return;
			}
			at = end + 1;
		}
		if (at == text)
			return;
		source->offset += at - text;
	}
}

static void started(void *self, pid_t pid)
{
	struct summary_source *source = self;

	source->command = pid;
}

static size_t prepare(void *self, struct pollfd *fds, size_t max, int *timeout_ms)
{
	const struct summary_source *source = self;

	(void)max;
	(void)timeout_ms;
	fds[0] = (struct pollfd){.fd = source->changes, .events = POLLIN};
	return 1;
}

static void work(void *self, const struct pollfd *fds, size_t count)
{
	struct summary_source *source = self;
	char events[4096];

	if (!count || !fds[0].revents)
		return;
	while (read(source->changes, events, sizeof events) > 0)
		;
	read_lines(source);
}

struct summary_source *summary_open(struct companion *companion)
{
	const char *named = getenv("HEAPLOG_RESULTS");
	struct summary_source *source = calloc(1, sizeof *source);
	char path[PATH_MAX];
	struct stat status;

	if (!source)
		return NULL;
	if (named && *named) {
		snprintf(path, sizeof path, "%s", named);
		/* As the library makes it, so that there is one to follow. */
		source->file = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	} else {
		source->file = own_file(path);
		if (source->file >= 0)
			setenv("HEAPLOG_RESULTS", path, 1);
	}
	if (source->file >= 0 && fstat(source->file, &status) == 0 && !S_ISREG(status.st_mode)) {
		close(source->file);
		source->file = -1;
		errno = EINVAL;
	}
	if (source->file < 0) {
		free(source);
		return NULL;
	}
	source->offset = status.st_size;
	source->records = summary_records();
	source->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (source->changes >= 0)
		inotify_add_watch(source->changes, path, IN_MODIFY);
	*companion = (struct companion){.self = source, .started = started, .prepare = prepare, .work = work};
	return source;
}

int summary_close(struct summary_source *source)
{
	const int records = source->records;

	read_lines(source);
	close(source->file);
	if (source->changes >= 0)
		close(source->changes);
	free(source);
	return records;
}

void summary_print(int records, bool largest)
{
	struct stat status;
	char path[64];
	char *arguments[] = {(char[]){"report"}, path, (char[]){"--top"}, (char[]){"20"}, NULL};

	if (records < 0)
		return;
	if (fstat(records, &status) == 0 && status.st_size == 0) {
		complain("no task was measured (cached tasks start no process)");
		close(records);
		return;
	}
	/* What the runner prints is its own: the table goes to stderr, as all that we say. */
	snprintf(path, sizeof path, "/proc/self/fd/%d", records);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	optind = 0;
	if (!largest)
		arguments[2] = NULL;
	cmd_report(largest ? 4 : 2, arguments);
	close(records);
}
