#include "task/pattern.h"

#include "task/environment.h"

#include <string.h>

/* Without ctype: what a letter is must not depend on the program's locale. */
static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Bytes of the variable "{NAME}" that begins at text; 0: it is none. */
static size_t variable_length(const char *text)
{
	size_t length = 1;

	if (text[0] != '{' || !is_letter(text[1]))
		return 0;
	while (is_letter(text[length]) || is_digit(text[length]))
		length++;
	return text[length] == '}' ? length + 1 : 0;
}

bool pattern_is_valid(const char *text)
{
	size_t outside = 0; /* variables outside of brackets */
	size_t inside = 0;  /* variables of the brackets that are open */
	bool open = false;

	if (strlen(text) >= PATTERN_MAX)
		return false;
	for (size_t at = 0; text[at];) {
		const size_t length = variable_length(text + at);

		if (length) {
			(*(open ? &inside : &outside))++;
			at += length;
			continue;
		}
		if (text[at] == '[' && !open) {
			open = true;
			inside = 0;
		} else if (text[at] == ']' && open && inside) {
			open = false;
		} else if (strchr("{}[]", text[at]) || (unsigned char)text[at] < ' ' || text[at] == 0x7f) {
			return false;
		}
		at++;
	}
	return outside > 0 && !open;
}

/* The value of the variable at text, length bytes with its braces; NULL: unset or empty. */
static const char *value_of(const char *text, size_t length, char *const envp[])
{
	char name[PATTERN_MAX];
	const char *value;

	memcpy(name, text + 1, length - 2);
	name[length - 2] = '\0';
	value = environment_get(envp, name);
	return value && *value ? value : NULL;
}

/* Are all variables from text to the next ']' set? */
static bool are_set(const char *text, char *const envp[])
{
	while (*text != ']') {
		const size_t length = variable_length(text);

		if (length && !value_of(text, length, envp))
			return false;
		text += length ? length : 1;
	}
	return true;
}

size_t pattern_expand(const char *pattern, char *const envp[], char *name, size_t size)
{
	size_t used = 0;

	while (*pattern) {
		const size_t length = variable_length(pattern);
		const char *from = pattern;
		size_t count = 1;

		if (!length && (*pattern == '[' || *pattern == ']')) {
			pattern += *pattern == '[' && !are_set(pattern, envp) ? strcspn(pattern, "]") + 1 : 1;
			continue;
		}
		if (length) {
			from = value_of(pattern, length, envp);
			if (!from)
				return 0;
			count = strlen(from);
		}
		if (count >= size - used) /* size - used > 0: there is always room for the NUL */
			return 0;
		memcpy(name + used, from, count);
		used += count;
		pattern += length ? length : 1;
	}
	name[used] = '\0';
	return used;
}
