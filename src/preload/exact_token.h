/* What a program of a task is given so that the library finds its way there (HEAPLOG_EXACT=1): a token in LD_PRELOAD, and
 * the variables that are there anyway. */
#ifndef HEAPLOG_PRELOAD_EXACT_TOKEN_H
#define HEAPLOG_PRELOAD_EXACT_TOKEN_H

#include "preload/runtime.h"

#include <stdbool.h>

/* Our token of this process's LD_PRELOAD, with the mark of a task, as it is to be put into an environment that lacks it. ""
 * (zeroed before) where there is none, or no absolute path. */
void exact_note_token(char noted[RUNTIME_NAME_MAX]);

/* Will a program with this environment find the board, as the constructor and boards_find go about it? One that has lost
 * our variables, or has a runtime directory of its own, loads the library and does not. Raw system calls only; safe
 * between fork, also vfork, and exec. */
bool exact_finds_board(char *const envp[]);

#endif
