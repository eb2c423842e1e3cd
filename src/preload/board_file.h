/* The board as a file (record/board_layout.h): what this runner publishes about its tasks. Only a process that has a
 * task makes one. What crosses from a child before its exec is not in it but in the anonymous board (board.h), so that
 * nothing that a file system does to the file can hurt a child. */
#ifndef HEAPLOG_PRELOAD_BOARD_FILE_H
#define HEAPLOG_PRELOAD_BOARD_FILE_H

#include "measure/summary.h"
#include "record/board_layout.h"

#include <sys/types.h>

struct task;

/* The mapping; NULL: there is none, and none is missed. */
extern struct heaplog_board *_Atomic heaplog_board_file;

/* Make the file of owner, this process or (in the exact mode, before an exec) its parent; map and close it. Once per
 * owner, later calls return at once. Removes the files of runners that are dead. Opens descriptors: for threads with a
 * table of their own, or children. Raw system calls only. */
void board_file_open(pid_t owner);

/* Its parts. Open a directory of the user's own (nobody else may read or write it; where make_it, it is made): a
 * descriptor, or -1. Map the file name in it: NULL where that is no board; registers:
 * for a process of a task, without what concerns tasks. "/tmp/heaplog-UID" into text[64]. */
int board_file_directory(const char *name, bool make_it);
struct heaplog_board *board_file_map(int directory, const char *name, bool registers);
void board_file_unmap(struct heaplog_board *board, bool registers);
void board_file_fallback(char *text);

/* Do process numbers mean the same to its owner and to this process? */
bool board_file_shares_numbers(const struct heaplog_board *board);

/* In a child that becomes a runner of its own: the file is its parent's. */
void board_file_forget(void);

/* Remove the file, if it is this process's. The mapping stays, for threads that use it. Keeps errno. */
void board_file_remove(void);

/* In board_figures.c. Give task a place and write its names there. Without a file, or where 1024 tasks are running, it has none. */
void board_file_add(struct task *task);

/* Publish the figures: of a running task the sampler's, of a finished one those of its record. A second writer does not
 * wait for the first but leaves it, unless it brings the final figures. */
void board_file_publish(struct task *task, const struct heaplog_summary *summary, bool finished);

#endif
