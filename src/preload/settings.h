/* The environment variables that the library obeys, read once by the constructor. A value that cannot be read gets one
 * line on stderr, which names it and what is used instead. */
#ifndef HEAPLOG_PRELOAD_SETTINGS_H
#define HEAPLOG_PRELOAD_SETTINGS_H

#include <stdbool.h>

/* Is there anything in the environment that could mean on? The fast way out of a process that has nothing to do with
 * us: it calls nothing. */
bool settings_are_mentioned(void);

/* The value of a variable in the program's environment, as secure_getenv has it; NULL: not set. */
const char *settings_value(const char *name);

/* NX_LOG_HEAP_USAGE or HEAPLOG. */

bool settings_on(void);

/* All others, into heaplog_runtime. */
void settings_read(void);

/* HEAPLOG_EXACT, and where the board's file is: what a process of a task has to know as well. */
void settings_read_exact(void);

/* Was the parent process started with this library preloaded? */
bool settings_parent_has_us(void);

#endif
