#include "cli/utf8.h"

#include <string.h>

size_t utf8_length(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	const unsigned char lead = at[0];
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (lead == 0xe0) /* no overlong form, no surrogate, nothing above U+10FFFF */
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	if (at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (at[i] < 0x80 || at[i] > 0xbf) /* the NUL, too */
			return 0;
	return length;
}

size_t utf8_decode(const char *text, uint32_t *code)
{
	static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	const size_t length = utf8_length(text);

	if (length == 0) {
		*code = UTF8_BAD;
		return 1;
	}
	*code = (unsigned char)text[0] & mask[length];
	for (size_t i = 1; i < length; i++)
		*code = *code << 6 | ((unsigned char)text[i] & 0x3f);
	return length;
}

size_t utf8_encode(uint32_t code, char *text)
{
	const size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = length; i-- > 1; code >>= 6)
		text[i] = (char)(0x80 | (code & 0x3f));
	text[0] = (char)(lead[length] | code);
	return length;
}

struct range {
	uint32_t first, last;
};

static int in(const struct range *ranges, size_t count, uint32_t code)
{
	for (size_t i = 0; i < count; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return 1;
	return 0;
}

/* What commands a terminal, or turns the order of what follows: shown as an escape. */
static int is_control(uint32_t code)
{
	static const struct range controls[] = {
	    {0, 0x1f}, {0x7f, 0x9f}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfff9, 0xfffb},
	};

	return in(controls, sizeof controls / sizeof *controls, code);
}

/* Blocks, not characters: of wcwidth(3), which knows only the current locale, a table's alignment needs no more. */
static size_t code_width(uint32_t code)
{
	static const struct range none[] = {
	    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},     {0x610, 0x61a},   {0x64b, 0x65f},
	    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d},   {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
	    {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0000, 0xe0fff},
	};
	static const struct range wide[] = {
	    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xa960, 0xa97f}, {0xac00, 0xd7a3},
	    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6}, {0x1f300, 0x1f64f},
	    {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
	};

	if (code < 0x300)
		return 1;
	if (in(none, sizeof none / sizeof *none, code))
		return 0;
	return in(wide, sizeof wide / sizeof *wide, code) ? 2 : 1;
}

/* One character as it is shown, into text of 8 bytes; its columns into *width. */
static size_t shown(const char *at, size_t length, uint32_t code, char text[12], size_t *width)
{
	if (code == UTF8_BAD && length == 1) {
		length = (size_t)snprintf(text, 12, "\\x%02x", (unsigned char)*at);
		*width = length;
	} else if (is_control(code)) {
		const char *simple = code == '\n' ? "\\n" : code == '\r' ? "\\r" : code == '\t' ? "\\t" : NULL;

		length = (size_t)(simple ? snprintf(text, 12, "%s", simple)
					 : snprintf(text, 12, code < 0x100 ? "\\x%02x" : "\\u%04x", code));
		*width = length;
	} else {
		memcpy(text, at, length);
		*width = code_width(code);
	}
	return length;
}

size_t utf8_width(const char *text)
{
	size_t sum = 0;

	while (*text) {
		char bytes[12];
		uint32_t code;
		size_t width;
		const size_t length = utf8_decode(text, &code);

		shown(text, length, code, bytes, &width);
		sum += width;
		text += length;
	}
	return sum;
}

size_t utf8_print(FILE *out, const char *text, size_t width, int unicode)
{
	const size_t all = utf8_width(text);
	const size_t gap = unicode ? 1 : 2;
	const size_t room = width > gap ? width - gap : 0;
	const size_t head = room / 2;
	size_t at = 0, used = 0;
	int cut = 0;

	for (; *text;) {
		char bytes[12];
		uint32_t code;
		size_t columns;
		const size_t length = utf8_decode(text, &code);
		const size_t count = shown(text, length, code, bytes, &columns);

		/* Left out: what would pass the head's room and ends before the tail's begins. */
		if (all <= width || at + columns <= head || (at >= all - (room - head) && used + columns <= width)) {
			fwrite(bytes, 1, count, out);
			used += columns;
		} else if (!cut) {
			cut = 1;
			fputs(width >= gap ? unicode ? "…" : ".." : "", out);
			used += width >= gap ? gap : 0;
		}
		at += columns;
		text += length;
	}
	return used;
}
