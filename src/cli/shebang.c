#include "cli/shebang.h"

#include "cli/find.h"

#include <string.h>

enum { KERNEL_LINE = 255 }; /* BINPRM_BUF_SIZE less one, since Linux 5.1 */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *push(struct shebang *shebang, const char *word, size_t length, size_t *used)
{
	char *copy = shebang->text + *used;

	if (shebang->count == SHEBANG_WORDS || *used + length + 1 > SHEBANG_TEXT)
		return NULL;
	memcpy(copy, word, length);
	copy[length] = '\0';
	*used += length + 1;
	shebang->words[shebang->count++] = copy;
	return copy;
}

/* The one argument of env as the words that env would run. False: more than a name and its arguments. */
static bool resolve_env(struct shebang *shebang, const char *argument, size_t *used)
{
	const bool split = strncmp(argument, "-S", 2) == 0;
	const char *at = split ? argument + 2 : argument;

	while (is_blank(*at))
		at++;
	/* env's quoting and its variables are env's business. */
	if (!*at || *at == '-' || strpbrk(at, "\"'\\$#"))
		return false;
	shebang->count = 0;
	*used = 0;
	while (*at) {
		const size_t length = split ? strcspn(at, " \t") : strlen(at);

		if ((shebang->count == 0 && memchr(at, '=', length)) || !push(shebang, at, length, used))
			return false;
		at += length;
		while (is_blank(*at))
			at++;
	}
	shebang->by_env = true;
	return true;
}

bool shebang_parse(const char *head, size_t length, bool through_env, struct shebang *shebang)
{
	struct shebang resolved = {.count = 0};
	size_t used = 0, resolved_used = 0;
	const char *end, *at, *word;

	*shebang = (struct shebang){.count = 0};
	if (length < 3 || head[0] != '#' || head[1] != '!')
		return false;
	end = memchr(head, '\n', length);
	if (!end) /* a cut line: fine as long as the interpreter is whole */
		end = head + length;
	if (end - head > KERNEL_LINE)
		end = head + KERNEL_LINE;
	if (memchr(head, '\0', (size_t)(end - head)))
		end = memchr(head, '\0', (size_t)(end - head));
	while (end > head && is_blank(end[-1]))
		end--;
	for (at = head + 2; at < end && is_blank(*at); at++)
		;
	for (word = at; at < end && !is_blank(*at); at++)
		;
	if (at == word || (at == end && end - head == KERNEL_LINE))
		return false;
	if (!push(shebang, word, (size_t)(at - word), &used))
		return false;
	while (at < end && is_blank(*at))
		at++;
	if (at < end && !push(shebang, at, (size_t)(end - at), &used))
		return false;
	if (through_env && shebang->count == 2 && strcmp(find_basename(shebang->words[0]), "env") == 0 &&
	    resolve_env(&resolved, shebang->words[1], &resolved_used)) {
		/* The words point into the structure itself. */
		*shebang = resolved;
		for (size_t i = 0; i < resolved.count; i++)
			shebang->words[i] = shebang->text + (resolved.words[i] - resolved.text);
	}
	return true;
}

bool shebang_shim(const char *text, const char **script, size_t *length, const char **node_path,
		  size_t *node_path_length)
{
	static const char command[] = "exec node ", directory[] = "\"$basedir/", variable[] = "export NODE_PATH=\"";
	const char *at = text, *last = NULL, *line_end;

	if (strncmp(text, "#!/bin/sh", 9) != 0)
		return false;
	while ((at = strstr(at, command)) != NULL)
		last = at++;
	if (!last)
		return false;
	line_end = last + strcspn(last, "\n");
	at = strstr(last, directory);
	if (!at || at > line_end)
		return false;
	*script = at + sizeof directory - 1;
	*length = strcspn(*script, "\"\n");
	if ((*script)[*length] != '"' || !*length)
		return false;
	*node_path = strstr(text, variable);
	*node_path_length = 0;
	if (*node_path && *node_path < last) {
		*node_path += sizeof variable - 1;
		*node_path_length = strcspn(*node_path, "\"\n");
	} else {
		*node_path = NULL;
	}
	return true;
}
