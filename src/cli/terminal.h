/* What the terminal can show: colour, width, characters beyond ASCII. */
#ifndef HEAPLOG_CLI_TERMINAL_H
#define HEAPLOG_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Whether stream is a terminal that obeys escape sequences (TERM is neither unset nor "dumb"). */
bool terminal_is(FILE *stream);

/* Whether to colour: a terminal, and NO_COLOR (https://no-color.org) unset or empty. */
bool terminal_colour(FILE *stream);

/* Columns: COLUMNS, else the terminal's own, else 100; at least 40. */
size_t terminal_width(FILE *stream);

/* Whether the locale's characters are UTF-8 (LC_ALL, LC_CTYPE, LANG, in that order; unset in CI means UTF-8 as well,
 * for there the reader is a browser). */
bool terminal_unicode(void);

/* Eighths of a block: a bar of width columns that is value / most full, padded with spaces. '#' unless unicode. */
void terminal_bar(FILE *out, double value, double most, size_t width, bool unicode);

/* One character for value between least and most: "▁▂▃▄▅▆▇█", or "_.-=+*%#" unless unicode. */
const char *terminal_spark(double value, double least, double most, bool unicode);

#endif
