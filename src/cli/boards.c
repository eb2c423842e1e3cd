#include "cli/boards.h"

#include "cli/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum boards_owner state_of(const struct heaplog_board_head *head)
{
	struct stat namespace;
	struct proc_stat owner;

	if (head->pid_namespace && stat("/proc/self/ns/pid", &namespace) == 0 &&
	    namespace.st_ino != head->pid_namespace)
		return BOARDS_UNKNOWN;
	/* The number alone may be another process's by now. */
	return proc_stat(head->owner, &owner) == 0 && !owner.zombie && owner.started == head->owner_started
		   ? BOARDS_LIVES
		   : BOARDS_GONE;
}

static bool add(struct boards *boards, const struct boards_task *task)
{
	if (boards->count == boards->capacity) {
		const size_t wanted = boards->capacity ? boards->capacity * 2 : 64;
		struct boards_task *tasks = realloc(boards->tasks, wanted * sizeof *tasks);

		if (!tasks)
			return false;
		boards->tasks = tasks;
		boards->capacity = wanted;
	}
	boards->tasks[boards->count++] = *task;
	return true;
}

static bool is_board(const struct heaplog_board *board, size_t size)
{
	return size >= sizeof board->head && board->head.magic == HEAPLOG_BOARD_MAGIC &&
	       board->head.version == HEAPLOG_BOARD_VERSION && board->head.size == size && size >= sizeof *board &&
	       board->head.tasks <= HEAPLOG_BOARD_TASKS;
}

static void read_board(struct boards *boards, int directory, const char *name)
{
	const int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	struct heaplog_board *board = MAP_FAILED;
	struct boards_task task;
	uint32_t used;

	if (fd < 0)
		return; /* its runner has just ended */
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
	    (size_t)status.st_size >= sizeof board->head)
		board = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (board == MAP_FAILED || !is_board(board, (size_t)status.st_size)) {
		boards->damaged++;
		if (board != MAP_FAILED)
			munmap(board, (size_t)status.st_size);
		return;
	}
	boards->runners++;
	memset(&task, 0, sizeof task);
	task.owner = board->head.owner;
	task.state = state_of(&board->head);
	snprintf(task.runner, sizeof task.runner, "%.31s", board->head.runner);
	used = atomic_load(&board->head.used);
	for (uint32_t i = 0; i < used && i < board->head.tasks; i++)
		if (heaplog_board_read(&board->task[i], &task.figures) && !add(boards, &task))
			break;
	munmap(board, (size_t)status.st_size);
}

static void read_directory(struct boards *boards, const char *path)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;
	DIR *directory;
	const struct dirent *entry;

	if (fd < 0)
		return;
	/* In /tmp anybody may have made it. */
	if (fstat(fd, &status) != 0 || status.st_uid != geteuid() || (status.st_mode & 022) ||
	    !(directory = fdopendir(fd))) {
		close(fd);
		return;
	}
	while ((entry = readdir(directory)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			read_board(boards, fd, entry->d_name);
	closedir(directory);
}

void boards_read(struct boards *boards)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];

	boards->count = boards->runners = boards->damaged = 0;
	if (runtime && runtime[0] == '/' &&
	    (size_t)snprintf(path, sizeof path, "%s/%s", runtime, HEAPLOG_BOARD_SUBDIRECTORY) < sizeof path)
		read_directory(boards, path);
	snprintf(path, sizeof path, "%s%lu", HEAPLOG_BOARD_FALLBACK, (unsigned long)geteuid());
	read_directory(boards, path);
}

void boards_free(struct boards *boards)
{
	free(boards->tasks);
	*boards = (struct boards){.tasks = NULL};
}
