/* The boards of this user's runners, for those who look from outside: `heaplog top`. */
#ifndef HEAPLOG_CLI_BOARDS_H
#define HEAPLOG_CLI_BOARDS_H

#include "record/board_layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum boards_owner {
	BOARDS_LIVES,
	BOARDS_GONE,    /* the runner was killed: these are its last figures */
	BOARDS_UNKNOWN, /* it runs in another pid namespace, a container's */
};

struct boards_task {
	struct heaplog_board_figures figures;
	char runner[32]; /* "nx" */
	pid_t owner;     /* the runner's pid, in its own namespace */
	enum boards_owner state;
};

struct boards {
	struct boards_task *tasks;
	size_t count, capacity;
	size_t runners; /* boards that were read */
	size_t damaged; /* files that are no board of this version */
};

/* Read every board again, into *boards (all zero at first). Reads $XDG_RUNTIME_DIR/heaplog and /tmp/heaplog-UID, where
 * they belong to this user and nobody else may write. Writes nothing. */
void boards_read(struct boards *boards);
void boards_free(struct boards *boards);

#endif
