/* The board of a runner that is watched from outside, for `heaplog top`: the same file as the library's, written with
 * pwrite instead of a mapping, so that a full file system is no SIGBUS. */
#ifndef HEAPLOG_CLI_OUTSIDE_BOARD_H
#define HEAPLOG_CLI_OUTSIDE_BOARD_H

#include "record/board_layout.h"

#include <limits.h>

struct outside_board {
	int fd; /* -1: there is none, and all calls do nothing */
	char path[PATH_MAX];
	uint32_t next, used;
	unsigned char state[HEAPLOG_BOARD_TASKS];
};

/* Make the file, named by our pid. runner: "turbo"; run: as in the records. */
void outside_board_open(struct outside_board *board, const char *runner, const char *run);
void outside_board_close(struct outside_board *board);

enum { OUTSIDE_BOARD_NONE = HEAPLOG_BOARD_TASKS };

/* A place for a task that begins: a new one, or that of a task that has ended; OUTSIDE_BOARD_NONE: all run. */
uint32_t outside_board_place(struct outside_board *board);

/* Write what is known of the task at place. */
void outside_board_put(struct outside_board *board, uint32_t place, const struct heaplog_board_figures *figures);

#endif
