/* The boards of all runners of this user: for a process of a task that looks for its own, and for a runner that wants to
 * know whether another has the same task. */
#ifndef HEAPLOG_PRELOAD_BOARDS_H
#define HEAPLOG_PRELOAD_BOARDS_H

#include "record/board_layout.h"

#include <stdbool.h>
#include <sys/types.h>

struct task;

/* Map each board and call keep for it, until one is kept, which is returned; the others are unmapped. NULL: none was.
 * registers: as in
 * board_file_map. Looks where this process would make its own, and where one without XDG_RUNTIME_DIR would. Raw system calls only. */
struct heaplog_board *boards_find(bool (*keep)(void *context, struct heaplog_board *board), void *context,
				  bool registers);

/* Is the runner alive whose board this is? */
bool boards_owner_lives(const struct heaplog_board *board);

/* Tell all other runners that this one has task. Raw system calls only; for threads with a descriptor table of their own.
 */
void boards_tell(struct task *task);

/* heaplog_tree_options.rivals; context: the task. Raw system calls only; for threads with a descriptor table of their
 * own. */
unsigned boards_rivals(void *context, pid_t *owners, unsigned max);

#endif
