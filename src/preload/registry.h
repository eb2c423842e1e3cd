/* HEAPLOG_EXACT: the table of the tasks' processes in the board's file. Lock-free; between fork and exec, too. What the
 * runner does with it is in exact.h. */
#ifndef HEAPLOG_PRELOAD_REGISTRY_H
#define HEAPLOG_PRELOAD_REGISTRY_H

#include "record/board_layout.h"

#include <sys/types.h>

/* The entry of a process that lives or was announced. NULL: none. */
struct heaplog_board_process *registry_find(struct heaplog_board *board, pid_t pid);

/* Give one that parent has announced without a number (posix_spawn), for key (0: any), the number pid. NULL: there is
 * none. */
struct heaplog_board_process *registry_number(struct heaplog_board *board, pid_t parent, uint64_t key, pid_t pid);

/* The same of one whose parent has left since. */
struct heaplog_board_process *registry_number_orphan(struct heaplog_board *board, uint64_t key, pid_t pid);

/* Is there one that parent has announced without a number? */
bool registry_awaits(const struct heaplog_board *board, pid_t parent);

/* The entry of pid, or a free one for it, filled and in state. origin: an entry of the same task, which knows its sampler;
 * NULL: there is none yet. NULL is returned when the table is full. */
struct heaplog_board_process *registry_enter(struct heaplog_board *board, pid_t pid, pid_t parent, uint64_t key,
					     uint32_t state, bool doubtful, const struct heaplog_board_process *origin);

/* There is news of this process for its task's sampler (NULL: nobody to tell). urgent: it is to look at once; otherwise
 * within 25 ms. Changes errno. */
void registry_tell(struct heaplog_board *board, struct heaplog_board_process *entry, bool urgent);

#endif
