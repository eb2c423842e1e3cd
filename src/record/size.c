/* Sizes as text and text as sizes. Runs inside other people's processes: integers only, no libc call at all. */
#include "record/size.h"

static const uint64_t kilo = UINT64_C(1) << 10;
static const uint64_t mega = UINT64_C(1) << 20;
static const uint64_t giga = UINT64_C(1) << 30;
static const uint64_t tera = UINT64_C(1) << 40;

/* bytes in scale-ths of unit, rounded half up. Whole and remainder apart: bytes * 10 would overflow above 1.6 EB. */
static uint64_t rounded(uint64_t bytes, uint64_t unit, uint64_t scale)
{
	return bytes / unit * scale + (bytes % unit * scale + unit / 2) / unit;
}

static size_t put_digits(char *text, uint64_t value)
{
	char reversed[20];
	size_t count = 0;

	do {
		reversed[count++] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	for (size_t i = 0; i < count; i++)
		text[i] = reversed[count - 1 - i];
	return count;
}

static size_t put_unit(char *text, size_t length, char unit)
{
	text[length++] = unit;
	text[length++] = 'B';
	text[length] = '\0';
	return length;
}

size_t heaplog_size_format(uint64_t bytes, char text[static HEAPLOG_SIZE_TEXT])
{
	/* The rounded value decides the unit, not the bytes: 1023.6 KB is 1 MB, never 1024KB. */
	uint64_t value = rounded(bytes, kilo, 1);
	if (value < 1024)
		return put_unit(text, put_digits(text, value), 'K');
	value = rounded(bytes, mega, 1);
	if (value < 1024)
		return put_unit(text, put_digits(text, value), 'M');

	char unit = 'G';
	uint64_t tenths = rounded(bytes, giga, 10);
	if (tenths >= 10240) {
		unit = 'T';
		tenths = rounded(bytes, tera, 10); /* at most 16777216.0TB: 12 characters and the NUL */
	}
	size_t length = put_digits(text, tenths / 10);
	text[length++] = '.';
	text[length++] = (char)('0' + tenths % 10);
	return put_unit(text, length, unit);
}

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The unit at text, which must end there: its size, or 0 where it is none. */
static uint64_t parse_unit(const char *text)
{
	uint64_t unit = 1;

	switch (*text) {
	case 'k':
	case 'K':
		unit = kilo;
		break;
	case 'm':
	case 'M':
		unit = mega;
		break;
	case 'g':
	case 'G':
		unit = giga;
		break;
	case 't':
	case 'T':
		unit = tera;
		break;
	default:
		break;
	}
	if (unit != 1)
		text++;
	if (unit != 1 && (*text == 'i' || *text == 'I')) {
		text++;
		if (*text != 'b' && *text != 'B')
			return 0; /* "Ki" alone is no unit */
	}
	if (*text == 'b' || *text == 'B')
		text++;
	return *text == '\0' ? unit : 0;
}

int heaplog_size_parse(const char *text, uint64_t *bytes)
{
	uint64_t whole = 0;
	uint64_t fraction = 0;
	uint64_t scale = 1;
	int has_fraction = 0;

	if (text == NULL || !is_digit(*text))
		return -1;
	for (; is_digit(*text); text++) {
		uint64_t digit = (uint64_t)(*text - '0');
		if (whole > (UINT64_MAX - digit) / 10)
			return -1;
		whole = whole * 10 + digit;
	}
	if (*text == '.') {
		has_fraction = 1;
		text++;
		if (!is_digit(*text))
			return -1;
		for (; is_digit(*text); text++) {
			if (scale == 1000000)
				continue; /* a millionth of a unit is as fine as fits beside a terabyte in 64 bits */
			fraction = fraction * 10 + (uint64_t)(*text - '0');
			scale *= 10;
		}
	}
	if (*text == ' ') {
		text++;
		if (*text == '\0')
			return -1;
	}

	uint64_t unit = parse_unit(text);
	if (unit == 0 || (has_fraction && unit == 1))
		return -1; /* there is no half byte */
	uint64_t rest = fraction * unit / scale;
	if (whole > (UINT64_MAX - rest) / unit)
		return -1;
	*bytes = whole * unit + rest;
	return 0;
}
