/* RFC 4180. */
#ifndef HEAPLOG_CLI_CSV_H
#define HEAPLOG_CLI_CSV_H

#include <stdio.h>

/* Write a field: in quotes where a comma, a quote or a line's end is in it, quotes doubled. NULL: empty. */
void csv_text(FILE *out, const char *text);

#endif
