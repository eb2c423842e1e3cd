#include "cli/outside_board.h"

#include "cli/library.h"
#include "cli/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void outside_board_open(struct outside_board *board, const char *runner, const char *run)
{
	struct heaplog_board_head head = {
	    .version = HEAPLOG_BOARD_VERSION,
	    .size = sizeof(struct heaplog_board),
	    .owner = getpid(),
	    .tasks = HEAPLOG_BOARD_TASKS,
	};
	char directory[PATH_MAX];
	struct proc_stat self;
	struct stat namespace;

	memset(board, 0, sizeof *board);
	board->fd = -1;
	if (library_runtime_directory(directory) != 0 || proc_stat(getpid(), &self) != 0 ||
	    (size_t)snprintf(board->path, sizeof board->path, "%s/%ld", directory, (long)getpid()) >=
		sizeof board->path)
		return;
	head.owner_started = self.started;
	head.pid_namespace = stat("/proc/self/ns/pid", &namespace) == 0 ? namespace.st_ino : 0;
	snprintf(head.runner, sizeof head.runner, "%.31s", runner);
	snprintf(head.run, sizeof head.run, "%.63s", run);
	unlink(board->path); /* of a process that had our number */
	board->fd = open(board->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (board->fd < 0)
		return;
	/* The magic last: a reader that sees it sees the rest. */
	if (ftruncate(board->fd, sizeof(struct heaplog_board)) != 0 ||
	    pwrite(board->fd, &head, sizeof head, 0) != (ssize_t)sizeof head) {
		outside_board_close(board);
		return;
	}
	head.magic = HEAPLOG_BOARD_MAGIC;
	if (pwrite(board->fd, &head.magic, sizeof head.magic, 0) != (ssize_t)sizeof head.magic)
		outside_board_close(board);
}

void outside_board_close(struct outside_board *board)
{
	if (board->fd < 0)
		return;
	close(board->fd);
	unlink(board->path);
	board->fd = -1;
}

uint32_t outside_board_place(struct outside_board *board)
{
	for (uint32_t i = 0; board->fd >= 0 && i < HEAPLOG_BOARD_TASKS; i++) {
		const uint32_t place = board->next++ % HEAPLOG_BOARD_TASKS;

		if (board->state[place] != HEAPLOG_BOARD_RUNNING) {
			board->state[place] = HEAPLOG_BOARD_RUNNING;
			return place;
		}
	}
	return OUTSIDE_BOARD_NONE;
}

void outside_board_put(struct outside_board *board, uint32_t place, const struct heaplog_board_figures *figures)
{
	const off_t at = (off_t)(offsetof(struct heaplog_board, task) + place * sizeof(struct heaplog_board_task));
	static uint32_t sequence;
	bool done;

	if (board->fd < 0 || place >= HEAPLOG_BOARD_TASKS)
		return;
	board->state[place] = (unsigned char)figures->state;
	sequence = (sequence + 1) | 1; /* odd: a writer is at it */
	done = pwrite(board->fd, &sequence, sizeof sequence, at) == (ssize_t)sizeof sequence &&
	       pwrite(board->fd, figures, sizeof *figures, at + (off_t)offsetof(struct heaplog_board_task, figures)) ==
		   (ssize_t)sizeof *figures;
	sequence++;
	done = done && pwrite(board->fd, &sequence, sizeof sequence, at) == (ssize_t)sizeof sequence;
	if (place >= board->used) {
		board->used = place + 1;
		done = done && pwrite(board->fd, &board->used, sizeof board->used,
				      (off_t)offsetof(struct heaplog_board, head.used)) == (ssize_t)sizeof board->used;
	}
	if (!done) /* a full file system: no board is better than a wrong one */
		outside_board_close(board);
}
