/* Environments as exec sees them: reading a task's name and taking our token out of LD_PRELOAD. Pure: no allocation, no
 * libc state, nothing of the caller's is written. Safe between fork (also vfork) and exec. */
#ifndef HEAPLOG_TASK_ENVIRONMENT_H
#define HEAPLOG_TASK_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* The variable by which the loader is told of us. */
#ifdef __APPLE__
#define PRELOAD "DYLD_INSERT_LIBRARIES="
#else
#define PRELOAD "LD_PRELOAD="
#endif

/* Value of NAME in envp ("NAME=value": a pointer to value), the first one as getenv has it; NULL when not there. */
const char *environment_get(char *const envp[], const char *name);

/* Is one of the tokens of an LD_PRELOAD value (separated by ':' or spaces) ours, that is: is its last path component
 * exactly library? */
bool environment_has_token(const char *value, const char *library);

/* Write to edited[0..capacity) the entries of envp in their order, with every LD_PRELOAD value free of tokens whose
 * last path component is library; an LD_PRELOAD that becomes empty is left out. text[0..text_size) receives the new
 * value. Returns edited; or envp itself when there is nothing to take out or when the result does not fit. */
char *const *environment_without(char *const envp[], const char *library, char **edited, size_t capacity, char *text,
				 size_t text_size);

/* The other way: with token at the end of the last LD_PRELOAD, or with an LD_PRELOAD of its own where there is none.
 * envp itself when one of library is there already, or when the result does not fit. */
char *const *environment_with(char *const envp[], const char *library, const char *token, char **edited,
			      size_t capacity, char *text, size_t text_size);

#endif
