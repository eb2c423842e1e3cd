/* How a task's name is put together from its environment: the pattern of HEAPLOG_TASK. Pure. */
#ifndef HEAPLOG_TASK_PATTERN_H
#define HEAPLOG_TASK_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

enum { PATTERN_MAX = 256 }; /* bytes of a pattern, its NUL included */

/* Is text a pattern? "{VARIABLE}" stands for its value and "[…]", which holds at least one variable and no other
 * brackets, for what it contains where all its variables are set; everything else stands for itself. At least one
 * variable stands outside of brackets: it says whether a process is a task. Braces and brackets have no other use, and
 * control characters none at all. */
bool pattern_is_valid(const char *text);

/* Put the values of envp into the pattern and write the name, with a NUL, to name[0..size). Returns its length; 0 when
 * it is no task, that is, a variable outside of brackets is unset or empty, or when the name does not fit (half a name
 * could be another task's). pattern must be valid. Async-signal-safe: for use between fork and exec. */
size_t pattern_expand(const char *pattern, char *const envp[], char *name, size_t size);

#endif
