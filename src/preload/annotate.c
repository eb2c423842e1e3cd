#include "preload/annotate.h"

#include "measure/summary.h"
#include "record/record.h"
#include "record/size.h"

#include <string.h>

struct text {
	char *bytes;
	size_t length;
};

/* Bounded, though all parts are short: the names of signals come from another module. */
static void append(struct text *text, const char *part)
{
	size_t room = ANNOTATE_SUFFIX_MAX - text->length;
	size_t length = strlen(part);

	if (length > room)
		length = room;
	memcpy(text->bytes + text->length, part, length);
	text->length += length;
}

/* By hand: this runs in the runner's write(), where stdio and the locale are not ours. */
static void append_number(struct text *text, unsigned number)
{
	char digits[3 * sizeof(number) + 1];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	append(text, digits + at);
}

static void append_signal(struct text *text, int signal)
{
	const char *name = heaplog_signal_name(signal);

	if (name) {
		append(text, name);
		return;
	}
	append(text, "SIG");
	append_number(text, (unsigned)signal);
}

static bool is_over(const struct figure *figure)
{
	return figure->warn && figure->peak > figure->warn;
}

static void append_notes(struct text *text, const struct figure *figure, const char *separator)
{
	char size[HEAPLOG_SIZE_TEXT];

	if (is_over(figure)) {
		heaplog_size_format(figure->warn, size);
		append(text, separator);
		append(text, "over ");
		append(text, size);
		separator = ", ";
	}
	if (figure->running) {
		append(text, separator);
		append(text, "still running");
	} else if (figure->oom) {
		append(text, separator);
		append(text, "OOM-killed");
	} else if (figure->signal > 0) {
		append(text, separator);
		append_signal(text, figure->signal);
	}
}

size_t annotate_notes(const struct figure *figure, char text[static ANNOTATE_SUFFIX_MAX])
{
	struct text notes = {.bytes = text};

	append_notes(&notes, figure, "");
	return notes.length;
}

size_t annotate_suffix(const struct figure *figure, bool coloured, char text[static ANNOTATE_SUFFIX_MAX])
{
	char size[HEAPLOG_SIZE_TEXT];
	struct text suffix = {.bytes = text};

	if (figure->peak == 0)
		return 0;
	if (coloured)
		append(&suffix, is_over(figure) ? "\x1b[33m" : "\x1b[2m");
	heaplog_size_format(figure->peak, size);
	append(&suffix, figure->last ? " (last peak: " : " (peak: ");
	append(&suffix, size);
	if (figure->pss)
		append(&suffix, " " HEAPLOG_OTHER_METRIC);
	append_notes(&suffix, figure, ", ");
	append(&suffix, ")");
	if (coloured)
		append(&suffix, is_over(figure) ? "\x1b[39m" : "\x1b[22m");
	return suffix.length;
}
