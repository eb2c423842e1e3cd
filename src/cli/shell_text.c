#include "cli/shell_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* DEPTH_MAX: of substitutions in each other. HERE_MAX: here-documents that begin on one line. SEARCHES_MAX: for the end of
 * one, each of which may read all of the text. */
enum { DEPTH_MAX = 16, HERE_MAX = 4, WORD_MAX = 64, SEARCHES_MAX = 256 };

/* Where the result is written, never beyond where is read. */
struct output {
	char *to;
	bool keeps; /* not within a substitution */
	unsigned searches;
};

/* A here-document that has been announced. */
struct here {
	char word[WORD_MAX]; /* the line that ends it */
	bool tabs;           /* "<<-": behind tabs as well */
};

static const char *scan(const char *at, struct output *output, int depth);

static void put(struct output *output, const char *from, size_t length)
{
	if (!output->keeps)
		return;
	memmove(output->to, from, length);
	output->to += length;
}

/* at is not at the end. */
static bool substitutes(const char *at, int depth)
{
	return *at == '`' || (strchr("$<>", at[0]) && at[1] == '(' && depth < DEPTH_MAX);
}

/* "$(which nx)": the command that is run is named there. */
static void put_value(struct output *output, const char *text, size_t length)
{
	static const char *const asks[] = {"which ", "command -v ", "type -p "};

	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
		const size_t head = strlen(asks[i]);

		if (length > head && memcmp(text, asks[i], head) == 0 &&
		    strcspn(text + head, " \t\n;&|()<>$`\"'\\") == length - head) {
			put(output, text + head, length - head);
			return;
		}
	}
	put(output, "$", 1);
}

/* From its first character on. Returns what follows. */
static const char *substitution(const char *at, struct output *output, int depth)
{
	const bool old = *at == '`';
	const char *text = at + (old ? 1 : 2), *end = text;
	const bool keeps = output->keeps;

	if (old)
		while (*end && *end != '`')
			end += *end == '\\' && end[1] ? 2 : 1;
	output->keeps = false;
	if (!old)
		end = scan(text, output, depth + 1);
	output->keeps = keeps;
	put_value(output, text, (size_t)(end - text));
	return *end ? end + 1 : end;
}

/* '...', "..." and $'...', in which \' ends nothing. Returns what follows. */
static const char *quoted(const char *at, struct output *output, int depth)
{
	const bool escapes = *at == '$';
	const char quote = *(at += escapes);

	put(output, at++, 1);
	while (*at && *at != quote) {
		if (escapes && at[0] == '\\' && at[1]) {
			at += 2;
		} else if (quote == '"' && substitutes(at, depth) && *at != '<' && *at != '>') {
			at = substitution(at, output, depth);
		} else {
			const size_t length = quote == '"' && at[0] == '\\' && at[1] ? 2 : 1;

			put(output, at, length);
			at += length;
		}
	}
	if (!*at)
		return at;
	put(output, at, 1);
	return at + 1;
}

/* text: the beginning of a line. Returns what follows here's last one, or NULL. */
static const char *here_end(const char *text, const struct here *here)
{
	const size_t wanted = strlen(here->word);

	while (*text) {
		const char *line = text + (here->tabs ? strspn(text, "\t") : 0);
		const size_t length = strcspn(line, "\n");

		text = line + length + (line[length] == '\n');
		if (length == wanted && memcmp(line, here->word, wanted) == 0)
			return text;
	}
	return NULL;
}

/* What follows "<<". Returns whether a here-document is announced: "1 << 2" does not. */
static bool announces(const char *at, struct here *here, struct output *output)
{
	size_t used = 0;
	char quote = '\0';

	here->tabs = *at == '-';
	at += here->tabs;
	at += strspn(at, " \t");
	for (; *at && (quote || !strchr(" \t\n;&|()<>", *at)) && used + 1 < WORD_MAX; at++) {
		if (*at == quote)
			quote = '\0';
		else if (!quote && strchr("'\"", *at))
			quote = *at;
		else if (*at != '\\')
			here->word[used++] = *at;
	}
	here->word[used] = '\0';
	at += strcspn(at, "\n");
	return used && *at && output->searches++ < SEARCHES_MAX && here_end(at + 1, here);
}

/* A text, or up to the ')' of a substitution. Returns where it ends. */
static const char *scan(const char *at, struct output *output, int depth)
{
	struct here here[HERE_MAX];
	size_t heres = 0;
	unsigned open = 0;
	char before = '\n';

	while (*at) {
		size_t length = 1;

		if (depth && *at == ')' && !open)
			break;
		if (at[0] == '\\' && at[1] == '\n') {
			at += 2;
			continue;
		}
		if (substitutes(at, depth)) {
			at = substitution(at, output, depth);
			before = '$';
			continue;
		}
		if (strchr("'\"", *at) || (at[0] == '$' && at[1] == '\'')) {
			at = quoted(at, output, depth);
			before = '\'';
			continue;
		}
		if (*at == '#' && strchr(" \t\n;&|(", before)) {
			at += strcspn(at, "\n");
			continue;
		}
		if ((at[0] == '\\' && at[1]) || strncmp(at, "<<", 2) == 0)
			length = 2 + (strncmp(at, "<<<", 3) == 0);
		if (length == 2 && *at == '<' && heres < HERE_MAX && announces(at + 2, &here[heres], output))
			heres++;
		open += *at == '(';
		open -= *at == ')' && open;
		before = at[length - 1];
		put(output, at, length);
		at += length;
		if (before != '\n')
			continue;
		for (size_t i = 0; i < heres; i++) {
			const char *end = here_end(at, &here[i]);

			at = end ? end : at;
		}
		heres = 0;
	}
	return at;
}

void shell_text_clean(char *text)
{
	struct output output = {.to = text, .keeps = true};

	scan(text, &output, 0);
	*output.to = '\0';
}
