/* The board as a file (record/board_layout.h): what this runner publishes about its tasks. Only a process that has a
 * task makes one. What crosses from a child before its exec is not in it but in the anonymous board (board.h), so that
 * nothing that a file system does to the file can hurt a child. */
#ifndef HEAPLOG_PRELOAD_BOARD_FILE_H
#define HEAPLOG_PRELOAD_BOARD_FILE_H

#include "measure/summary.h"
#include "record/board_layout.h"

struct task;

/* The mapping; NULL: there is none, and none is missed. */
extern struct heaplog_board *_Atomic heaplog_board_file;

/* Make the file, map it and close it; once per owner, later calls return at once. Removes the files of runners that are
 * dead. Opens descriptors: for threads with a table of their own. */
void board_file_open(void);

/* In a child that becomes a runner of its own: the file is its parent's. */
void board_file_forget(void);

/* Remove the file, if it is this process's. The mapping stays, for threads that use it. Keeps errno. */
void board_file_remove(void);

/* Give task a place and write its names there. Without a file, or where 1024 tasks are running, it has none. */
void board_file_add(struct task *task);

/* Publish the figures: of a running task the sampler's, of a finished one those of its record. A second writer does not
 * wait for the first but leaves it, unless it brings the final figures. */
void board_file_publish(struct task *task, const struct heaplog_summary *summary, bool finished);

#endif
