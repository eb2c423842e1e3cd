#include "cli/json.h"

#include "cli/utf8.h"

#include <stdbool.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

const char *json_scan_space(const char *at)
{
	while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
		at++;
	return at;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits, or -1; never beyond a NUL. */
static long hex4(const char *at)
{
	long value = 0;

	for (int i = 0; i < 4; i++) {
		const int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* The character of the escape behind a backslash, or -1. A surrogate without its half stands for no character: U+FFFD.
 */
static long escape(const char *at, const char **end)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *simple = *at ? strchr(from, *at) : NULL;
	long high, low;

	*end = at + 1;
	if (simple)
		return to[simple - from];
	if (*at != 'u' || (high = hex4(at + 1)) < 0)
		return -1;
	*end = at + 5;
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high <= 0xdbff && at[5] == '\\' && at[6] == 'u') {
		low = hex4(at + 7);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*end = at + 11;
			return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return 0xfffd;
}

/* Behind the bytes that stand for themselves; what ends them is a quote, a backslash, or wrong. */
static const char *plain(const char *at)
{
	for (;;) {
		const unsigned char c = (unsigned char)*at;

		if (c >= 0x80) {
			const size_t length = utf8_length(at);

			if (length == 0)
				return at;
			at += length;
		} else if (c < 0x20 || c == '"' || c == '\\') {
			return at;
		} else {
			at++;
		}
	}
}

char *json_scan_string(char *at, const char **value, size_t *length)
{
	char *to;
	char *end;

	if (*at != '"')
		return NULL;
	*value = at + 1;
	end = at + (plain(at + 1) - at);
	to = end;
	while (*end == '\\') {
		const char *behind;
		const long code = escape(end + 1, &behind);

		if (code <= 0)
			return NULL;
		to += utf8_encode((uint32_t)code, to);
		const size_t count = (size_t)(plain(behind) - behind);
		memmove(to, behind, count);
		to += count;
		end += behind - end + (ptrdiff_t)count;
	}
	if (*end != '"')
		return NULL;
	*to = '\0';
	*length = (size_t)(to - *value);
	return end + 1;
}

static const char *skip_string(const char *at)
{
	at = plain(at + 1);
	while (*at == '\\') {
		if (escape(at + 1, &at) <= 0)
			return NULL;
		at = plain(at);
	}
	return *at == '"' ? at + 1 : NULL;
}

static bool is_digit(char c)
{
	return (unsigned char)(c - '0') <= 9;
}

static const char *skip_digits(const char *at)
{
	if (!is_digit(*at))
		return NULL;
	while (is_digit(*at))
		at++;
	return at;
}

static const char *skip_number(const char *at)
{
	if (*at == '-')
		at++;
	at = *at == '0' ? at + 1 : skip_digits(at);
	if (at && *at == '.')
		at = skip_digits(at + 1);
	if (at && (*at == 'e' || *at == 'E')) {
		at++;
		if (*at == '+' || *at == '-')
			at++;
		at = skip_digits(at);
	}
	return at;
}

const char *json_scan_uint64(const char *at, uint64_t *value)
{
	const char *first = at;
	uint64_t sum = 0;

	for (; is_digit(*at); at++) {
		const unsigned digit = (unsigned)(*at - '0');

		if (sum > (UINT64_MAX - digit) / 10)
			return NULL;
		sum = sum * 10 + digit;
	}
	if (at == first || (*first == '0' && at - first > 1) || *at == '.' || *at == 'e' || *at == 'E')
		return NULL;
	*value = sum;
	return at;
}

static const char *skip(const char *at, unsigned depth);

/* Behind the members of an object or the elements of an array; at is behind the opening bracket. */
static const char *skip_list(const char *at, char close, unsigned depth)
{
	at = json_scan_space(at);
	if (*at == close)
		return at + 1;
	while (depth > 0) {
		if (close == '}') {
			if (*at != '"' || !(at = skip_string(at)))
				return NULL;
			at = json_scan_space(at);
			if (*at++ != ':')
				return NULL;
		}
		at = skip(at, depth - 1);
		if (!at)
			return NULL;
		at = json_scan_space(at);
		if (*at == close)
			return at + 1;
		if (*at++ != ',')
			return NULL;
		at = json_scan_space(at);
	}
	return NULL;
}

static const char *skip_word(const char *at, const char *word)
{
	const size_t length = strlen(word);

	return strncmp(at, word, length) == 0 ? at + length : NULL;
}

static const char *skip(const char *at, unsigned depth)
{
	at = json_scan_space(at);
	switch (*at) {
	case '"':
		return skip_string(at);
	case '{':
		return skip_list(at + 1, '}', depth);
	case '[':
		return skip_list(at + 1, ']', depth);
	case 't':
		return skip_word(at, "true");
	case 'f':
		return skip_word(at, "false");
	case 'n':
		return skip_word(at, "null");
	default:
		return skip_number(at);
	}
}

const char *json_scan_value(const char *at)
{
	return skip(at, DEPTH_MAX);
}

void json_print(FILE *out, const char *text)
{
	if (!text) {
		fputs("null", out);
		return;
	}
	putc('"', out);
	while (*text) {
		uint32_t code;
		const size_t length = utf8_decode(text, &code);

		if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (char)code);
		else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == '<' || code == '>' || code == '&' ||
			 code == 0x2028 || code == 0x2029)
			fprintf(out, "\\u%04x", code);
		else if (code == UTF8_BAD)
			fputs("\\ufffd", out);
		else
			fwrite(text, 1, length, out);
		text += length;
	}
	putc('"', out);
}
