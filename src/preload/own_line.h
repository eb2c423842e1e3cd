/* Lines of our own, where Nx prints none after a task's end: which task needs one, and before which chunk it may go.
 *
 * Nx prints "> nx run ID" either before a task starts, and then its output as it comes, or after its end. The bytes are
 * the same, so that the time tells: a header that comes while there is no finished task of that name makes the task a
 * streamed one, which gets its own line soon after its end. What is neither streamed nor had a result line when the
 * run's last title comes (dependencies of a single task, successes of the summary style, batches) gets one there. */
#ifndef HEAPLOG_PRELOAD_OWN_LINE_H
#define HEAPLOG_PRELOAD_OWN_LINE_H

#include "preload/nx.h"
#include "preload/tasks.h"

enum { OWN_LINE_MAX = 2048 };

/* A header passed on one of the outputs, and no finished task has its name. */
void own_line_header(const char *chunk, size_t length, const struct nx_line *line);

/* Is there something to learn from what passes, although no task is finished? (Whose prefix is which.) */
bool own_line_learns(void);

/* Has a header passed before a task's start? From then on the line of a task may be due before any text. */
bool own_line_streams(void);

/* A chunk passes on one of the outputs. line: as which result line or header it was parsed; NULL: as none. */
void own_line_passes(const char *chunk, size_t length, enum nx_place place, const struct nx_line *line);

/* Of the finished tasks that are due before this chunk the one that ended first; NULL: none. redrawn: rows of this
 * terminal are drawn again and again by counting them, so that only the last block has room for more. */
struct task *own_line_due(const char *chunk, size_t length, enum nx_place place, bool is_line, bool redrawn);

/* The line, newline included, at most OWN_LINE_MAX bytes; coloured as Nx colours its own; redrawn: what stood in the
 * row is wiped. Returns the length; 0: there is no figure. */
size_t own_line_text(const struct task *task, bool coloured, bool redrawn, char text[static OWN_LINE_MAX]);

/* A runner that begins anew, in the child of a fork. */
void own_line_forget(void);

#endif
