/* The table that stands at the end for runners whose lines heaplog does not know: pure. */
#ifndef HEAPLOG_PRELOAD_TABLE_H
#define HEAPLOG_PRELOAD_TABLE_H

#include "preload/annotate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many of the largest are shown; a build may have ten thousand, which HEAPLOG_RESULTS keeps. */
enum { TABLE_ROWS = 20, TABLE_NAME = 160, TABLE_TEXT = 8192 };

struct table_row {
	struct figure figure;
	uint64_t duration_ms;
	char name[TABLE_NAME]; /* cut at the boundary of a character; no control characters */
};

struct table {
	uint64_t total;  /* tasks that were put in */
	uint64_t beyond; /* the largest peak of those that have no row */
	size_t count;    /* rows, the largest first */
	struct table_row rows[TABLE_ROWS];
};

/* Put a task in. One without a figure is left out. */
void table_insert(struct table *table, const char *name, uint64_t duration_ms, const struct figure *figure);

/* Write the table, several lines, to text[0..size); one task is one line. columns: the terminal's width, to which names
 * are cut; 0: as long as they are. Returns the length, 0 when there is nothing to say. */
size_t table_format(const struct table *table, unsigned columns, bool coloured, char *text, size_t size);

#endif
