/* UTF-8: what is well formed, what it stands for, and how wide a terminal shows it. Pure. */
#ifndef HEAPLOG_CLI_UTF8_H
#define HEAPLOG_CLI_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { UTF8_BAD = 0xfffd }; /* the replacement character */

/* The length of the well-formed sequence at text (NUL-terminated; Unicode, table 3-7), or 0. */
size_t utf8_length(const char *text);

/* The character at text (not its end) into *code, UTF8_BAD where it is not well formed; returns its length, at least 1.
 */
size_t utf8_decode(const char *text, uint32_t *code);

/* code, below 0x110000, into text; returns the number of bytes, 1 to 4. */
size_t utf8_encode(uint32_t code, char *text);

/* Columns that utf8_print takes for text: 2 for wide characters, 0 for combining ones, and what its escapes need. */
size_t utf8_width(const char *text);

/* Print text so that no byte of it can command a terminal: control characters, C1 and bidirectional overrides among
 * them, are shown as \n, \x1b, \u202e. Where it is wider than width columns its middle is left out for "…" (".." unless
 * unicode), for the ends tell tasks apart. Returns the columns used. */
size_t utf8_print(FILE *out, const char *text, size_t width, int unicode);

#endif
