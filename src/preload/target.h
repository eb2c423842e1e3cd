/* Programs before they are started: can they load this library? */
#ifndef HEAPLOG_PRELOAD_TARGET_H
#define HEAPLOG_PRELOAD_TARGET_H

#include <stdbool.h>

/* Is file (relative to the directory descriptor, or searched on PATH) a dynamic program of the same machine, class and
 * loader as this process, and without a sanitizer that must be loaded first? Scripts are followed to their
 * interpreters. False for static programs, for those of another libc or word size, for set-user-ID ones, and where it
 * cannot be read. Raw system calls and the stack (5 KiB) only; safe between fork and exec. */
bool target_fits(int directory, const char *file, bool search);

#endif
