/* Command lines as people wrote them. Pure; safe between fork and exec. */
#ifndef HEAPLOG_TASK_COMMAND_H
#define HEAPLOG_TASK_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/* Is argv a shell's that is to run a line ("sh -c TEXT")? */
bool command_is_line(char *const argv[]);

/* Write argv as one line, with a NUL, to text[0..size): what a shell is to run ("sh -c TEXT") is TEXT, all else the
 * arguments with spaces between them. Control characters are spaces; what does not fit ends with an ellipsis. Returns
 * the length; 0 when there is nothing to say. size is at least 8. */
size_t command_text(char *const argv[], char *text, size_t size);

/* Is line one simple command that runs program (by its last path component; variables set before it, env, npx and node
 * are stepped over)? */
bool command_runs(const char *line, const char *program);

/* Does this script of a package do nothing but start another runner over the packages ("pnpm -r run build")? Then its
 * process is not a task but the way to the tasks. */
bool command_is_passage(const char *line);

#endif
