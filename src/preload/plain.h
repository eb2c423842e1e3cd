/* What names, command lines and variables hold must not steer a terminal. Pure. */
#ifndef HEAPLOG_PRELOAD_PLAIN_H
#define HEAPLOG_PRELOAD_PLAIN_H

#include <stddef.h>

/* Replace in text, by as many question marks as they have bytes, the control characters (C0 and DEL, in UTF-8 also C1, of
 * which some terminals take U+009B for an escape sequence's begin) and those that turn the direction of writing. Anything
 * else, also what is not UTF-8, stays. */
void plain(char *text, size_t length);

#endif
