/* "512MB": sizes as heaplog prints them. */
#ifndef HEAPLOG_RECORD_SIZE_H
#define HEAPLOG_RECORD_SIZE_H

#include <stddef.h>
#include <stdint.h>

enum { HEAPLOG_SIZE_TEXT = 16 };

/* Write bytes into text: under 1 MB "820KB", under 1 GB "512MB" (integer), from 1 GB "1.2GB" (one decimal), from 1 TB
 * "1.5TB"; units of 1024, rounded half up, and a value that rounds to 1024 of a unit is shown in the next.
 * NUL-terminated. Returns the length. No locale, no stdio: safe in a signal handler and between fork and exec. */
size_t heaplog_size_format(uint64_t bytes, char text[static HEAPLOG_SIZE_TEXT]);

/* Parse "512MB", "1.5GB", "800 k", "1073741824" (case-insensitive, units of 1024, optional B or iB) into *bytes.
 * Strict: the whole text must be a size, not negative, no overflow. Returns 0, or -1 and leaves *bytes alone. Pure. */
int heaplog_size_parse(const char *text, uint64_t *bytes);

#endif
