/* What a program of a task is given so that the library finds its way there (HEAPLOG_EXACT=1): a token in LD_PRELOAD, and
 * the variables that are there anyway. */
#ifndef HEAPLOG_PRELOAD_EXACT_TOKEN_H
#define HEAPLOG_PRELOAD_EXACT_TOKEN_H

#include "preload/runtime.h"

/* Our token of this process's LD_PRELOAD, with the mark of a task, as it is to be put into an environment that lacks it. ""
 * (zeroed before) where there is none, or no absolute path. */
void exact_note_token(char noted[RUNTIME_NAME_MAX]);

#endif
