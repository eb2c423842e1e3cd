#include "preload/table.h"

#include "preload/plain.h"

#include "record/size.h"

#include <string.h>

/* By hand, as everywhere in the runner: stdio and the locale are not ours. What does not fit is left out. */
struct text {
	char *bytes;
	size_t size;
	size_t length;
};

static void put_bytes(struct text *text, const char *bytes, size_t count)
{
	if (count > text->size - text->length)
		count = text->size - text->length;
	memcpy(text->bytes + text->length, bytes, count);
	text->length += count;
}

static void put(struct text *text, const char *string)
{
	put_bytes(text, string, strlen(string));
}

static void put_number(struct text *text, uint64_t value, size_t width)
{
	char digits[20];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) || sizeof digits - at < width);
	put_bytes(text, digits + at, sizeof digits - at);
}

/* "0.2s", "12.3s", "3m05s", "2h04m". */
static void put_duration(struct text *text, uint64_t ms)
{
	const uint64_t tenths = (ms + 50) / 100;
	const uint64_t seconds = (ms + 500) / 1000;

	if (tenths < 600) {
		put_number(text, tenths / 10, 1);
		put(text, ".");
		put_number(text, tenths % 10, 1);
		put(text, "s");
	} else if (seconds < 3600) {
		put_number(text, seconds / 60, 1);
		put(text, "m");
		put_number(text, seconds % 60, 2);
		put(text, "s");
	} else {
		put_number(text, seconds / 3600, 1);
		put(text, "h");
		put_number(text, seconds / 60 % 60, 2);
		put(text, "m");
	}
}

static void put_right(struct text *text, const char *bytes, size_t length, size_t width)
{
	for (size_t i = length; i < width; i++)
		put(text, " ");
	put_bytes(text, bytes, length);
}

/* The length of the name in bytes, cut to so many columns: a character is one column (what is wider than that, as
 * Chinese is, at worst wraps). *cut: whether something is missing. */
static size_t fitting(const char *name, size_t columns, bool *cut)
{
	size_t last = 0; /* where the ellipsis would go */
	size_t seen = 0;
	size_t at;

	for (at = 0; name[at]; at++) {
		if (((unsigned char)name[at] & 0xc0) == 0x80)
			continue;
		if (seen + 1 == columns)
			last = at;
		if (seen++ == columns) {
			*cut = true;
			return last;
		}
	}
	*cut = false;
	return at;
}

void table_insert(struct table *table, const char *name, uint64_t duration_ms, const struct figure *figure)
{
	size_t at = table->count;
	size_t length = strlen(name);
	struct table_row *row;

	if (!figure->peak)
		return;
	table->total++;
	while (at > 0 && table->rows[at - 1].figure.peak < figure->peak)
		at--;
	if (at == TABLE_ROWS || table->count == TABLE_ROWS) {
		const uint64_t out = at == TABLE_ROWS ? figure->peak : table->rows[TABLE_ROWS - 1].figure.peak;

		table->beyond = out > table->beyond ? out : table->beyond;
	}
	if (at == TABLE_ROWS)
		return;
	table->count += table->count < TABLE_ROWS;
	row = &table->rows[at];
	memmove(row + 1, row, (table->count - at - 1) * sizeof *row);
	row->figure = *figure;
	row->duration_ms = duration_ms;
	if (length >= sizeof row->name) {
		for (length = sizeof row->name - 4; length && ((unsigned char)name[length] & 0xc0) == 0x80;)
			length--;
		memcpy(row->name + length, "\xe2\x80\xa6", 4);
	} else {
		row->name[length] = '\0';
	}
	memcpy(row->name, name, length);
	plain(row->name, length);
}

enum {
	SIZE_COLUMNS = 8,
	DURATION_COLUMNS = 7,
	BEFORE_NAME = 2 + SIZE_COLUMNS + DURATION_COLUMNS,
	NAME_COLUMNS_MIN = 12
};

static void put_name(struct text *text, const char *name, unsigned columns, size_t around)
{
	const size_t room = columns > around + NAME_COLUMNS_MIN ? columns - around : NAME_COLUMNS_MIN;
	bool cut = false;
	const size_t length = columns ? fitting(name, room, &cut) : strlen(name);

	put_bytes(text, name, length);
	put(text, cut ? "\xe2\x80\xa6" : "");
}

static void put_row(struct text *text, const struct table_row *row, unsigned columns, bool coloured)
{
	const struct figure *figure = &row->figure;
	const bool over = figure->warn && figure->peak > figure->warn;
	char part[ANNOTATE_SUFFIX_MAX];
	struct text duration = {.bytes = part, .size = sizeof part};
	char size[HEAPLOG_SIZE_TEXT];
	size_t notes;

	if (coloured && over)
		put(text, "\x1b[33m");
	put_right(text, size, heaplog_size_format(figure->peak, size), SIZE_COLUMNS);
	if (coloured && over)
		put(text, "\x1b[39m");
	put_duration(&duration, row->duration_ms);
	put_right(text, part, duration.length, DURATION_COLUMNS);
	put(text, "  ");
	notes = annotate_notes(figure, part);
	put_name(text, row->name, columns, BEFORE_NAME + (notes ? notes + 3 : 0));
	if (notes) {
		put(text, coloured ? "\x1b[33m (" : " (");
		put_bytes(text, part, notes);
		put(text, coloured ? ")\x1b[39m" : ")");
	}
	put(text, "\n");
}

size_t table_format(const struct table *table, unsigned columns, bool coloured, char *text, size_t size)
{
	struct text out = {.bytes = text, .size = size};
	char part[ANNOTATE_SUFFIX_MAX];

	if (!table->count)
		return 0;
	put(&out, "heaplog: ");
	if (table->total == 1) {
		const struct figure *figure = &table->rows[0].figure;
		const size_t length = annotate_suffix(figure, false, part);

		put_name(&out, table->rows[0].name, columns, strlen("heaplog: ") + length);
		put_bytes(&out, part, annotate_suffix(figure, coloured, part));
		put(&out, "\n");
		return out.length;
	}
	put(&out, "peak memory of ");
	put_number(&out, table->total, 1);
	put(&out, " tasks, the largest first\n");
	for (size_t i = 0; i < table->count; i++)
		put_row(&out, &table->rows[i], columns, coloured);
	if (table->total > table->count) {
		put(&out, "  and ");
		put_number(&out, table->total - table->count, 1);
		put(&out, " more, none above ");
		put_bytes(&out, part, heaplog_size_format(table->beyond, part));
		put(&out, "\n");
	}
	return out.length;
}
