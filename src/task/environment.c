#include "task/environment.h"

#include <stdint.h>
#include <string.h>

/* strlen and friends are async-signal-safe and touch no state; they are all that is used here. */

static bool is_separator(char c)
{
	return c == ':' || c == ' ';
}

const char *environment_get(char *const envp[], const char *name)
{
	const size_t length = strlen(name);

	for (size_t i = 0; envp && envp[i]; i++)
		if (strncmp(envp[i], name, length) == 0 && envp[i][length] == '=')
			return envp[i] + length + 1;
	return NULL;
}

/* Whole token, last component: "/x/libheaplog.so.bak" is somebody else's, "$LIB/libheaplog.so" is ours although it
 * names no path before ld.so has expanded it. */
static bool is_ours(const char *token, size_t length, const char *library)
{
	const size_t name = strlen(library);

	return length >= name && memcmp(token + length - name, library, name) == 0 &&
	       (length == name || token[length - name - 1] == '/');
}

static size_t token_length(const char *token)
{
	size_t length = 0;

	while (token[length] && !is_separator(token[length]))
		length++;
	return length;
}

bool environment_has_token(const char *value, const char *library)
{
	while (value && *value) {
		const size_t length = token_length(value);

		if (length && is_ours(value, length, library))
			return true;
		value += length + (value[length] ? 1 : 0);
	}
	return false;
}

/* "LD_PRELOAD=" and the kept tokens with the separators before them. Returns the length without the NUL; 0: does not
 * fit. */
static size_t without_token(const char *value, const char *library, char *text, size_t size)
{
	size_t used = sizeof PRELOAD - 1;
	bool first = true;

	if (size < sizeof PRELOAD)
		return 0;
	memcpy(text, PRELOAD, used);
	for (const char *at = value; *at;) {
		const size_t length = token_length(at);

		if (length && !is_ours(at, length, library)) {
			if (used + length + 2 > size)
				return 0;
			if (!first)
				text[used++] = at[-1];
			memcpy(text + used, at, length);
			used += length;
			first = false;
		}
		at += length + (at[length] ? 1 : 0);
	}
	text[used] = '\0';
	return used;
}

char *const *environment_without(char *const envp[], const char *library, char **edited, size_t capacity, char *text,
				 size_t text_size)
{
	size_t count = 0;
	size_t kept = 0;
	size_t used = 0;
	bool found = false;

	for (; envp[count]; count++)
		if (strncmp(envp[count], PRELOAD, sizeof PRELOAD - 1) == 0 &&
		    environment_has_token(envp[count] + sizeof PRELOAD - 1, library))
			found = true;
	if (!found || count + 1 > capacity)
		return envp;
	for (size_t i = 0; i < count; i++) {
		const char *value = envp[i] + sizeof PRELOAD - 1;

		if (strncmp(envp[i], PRELOAD, sizeof PRELOAD - 1) != 0 || !environment_has_token(value, library)) {
			edited[kept++] = envp[i];
			continue;
		}
		const size_t length = without_token(value, library, text + used, text_size - used);

		if (!length)
			return envp;
		if (length > sizeof PRELOAD - 1) {
			edited[kept++] = text + used;
			used += length + 1;
		}
	}
	edited[kept] = NULL;
	return edited;
}

char *const *environment_with(char *const envp[], const char *library, const char *token, char **edited,
			      size_t capacity, char *text, size_t text_size)
{
	const size_t name = sizeof PRELOAD - 1;
	const char *value = "";
	size_t count = 0;
	size_t at = SIZE_MAX;

	for (; envp[count]; count++)
		if (strncmp(envp[count], PRELOAD, name) == 0) {
			if (environment_has_token(envp[count] + name, library))
				return envp;
			at = count;
			value = envp[count] + name;
		}
	if (count + 2 > capacity || name + strlen(value) + strlen(token) + 2 > text_size)
		return envp;
	strcpy(text, PRELOAD);
	strcat(text, value);
	strcat(text, *value ? ":" : "");
	strcat(text, token);
	memcpy(edited, envp, count * sizeof *edited);
	if (at == SIZE_MAX)
		at = count++;
	edited[at] = text;
	edited[count] = NULL;
	return edited;
}
