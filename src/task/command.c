#include "task/command.h"

#include <string.h>

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_shell(const char *program)
{
	static const char *const names[] = {"sh", "bash", "dash", "zsh", "ksh", "ash"};

	program = last_component(program);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(program, names[i]) == 0)
			return true;
	return false;
}

/* Text that is cut at the boundary of a character. */
static size_t cut(char *text, size_t used)
{
	static const char ellipsis[] = "\xe2\x80\xa6";

	used -= sizeof ellipsis - 1;
	while (used && ((unsigned char)text[used] & 0xc0) == 0x80)
		used--;
	memcpy(text + used, ellipsis, sizeof ellipsis);
	return used + sizeof ellipsis - 1;
}

bool command_is_line(char *const argv[])
{
	/* "-c", also "-ec", "-lc". */
	return argv[0] && argv[1] && argv[2] && is_shell(argv[0]) && argv[1][0] == '-' &&
	       argv[1][strlen(argv[1]) - 1] == 'c';
}

size_t command_text(char *const argv[], char *text, size_t size)
{
	size_t used = 0;
	size_t at = 0;
	size_t last = 0;

	if (!argv || !argv[0])
		return 0;
	while (argv[last + 1])
		last++;
	if (command_is_line(argv))
		at = last = 2; /* what follows TEXT are its parameters */
	for (; at <= last; at++) {
		for (const char *byte = argv[at]; *byte; byte++) {
			if (used + 1 == size)
				return cut(text, used);
			text[used++] = (unsigned char)*byte < ' ' || *byte == 0x7f ? ' ' : *byte;
		}
		if (at < last) {
			if (used + 1 == size)
				return cut(text, used);
			text[used++] = ' ';
		}
	}
	while (used && text[used - 1] == ' ')
		used--;
	text[used] = '\0';
	return used;
}

/* One word of a line. */
struct word {
	const char *text;
	size_t length;
};

static bool next_word(const char **line, struct word *word)
{
	*line += strspn(*line, " \t");
	word->text = *line;
	word->length = strcspn(*line, " \t");
	*line += word->length;
	return word->length > 0;
}

static bool is(struct word word, const char *text)
{
	return word.length == strlen(text) && memcmp(word.text, text, word.length) == 0;
}

static bool starts_with(struct word word, const char *text)
{
	return word.length >= strlen(text) && memcmp(word.text, text, strlen(text)) == 0;
}

/* The program of the command and, in *line, its arguments. False for all that is more than one simple command: of
 * "npm run clean && tsc" the second part is no runner's. */
static bool program_of(const char **line, struct word *program)
{
	static const char *const steps[] = {"env", "cross-env", "npx", "corepack", "node", "exec"};
	bool step;

	if (strpbrk(*line, ";&|<>()`$\n"))
		return false;
	do {
		size_t at;

		if (!next_word(line, program))
			return false;
		step = memchr(program->text, '=', program->length) != NULL;
		for (at = program->length; at > 0 && program->text[at - 1] != '/'; at--)
			;
		program->text += at;
		program->length -= at;
		for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
			step = step || is(*program, steps[i]);
	} while (step);
	return true;
}

bool command_runs(const char *line, const char *program)
{
	struct word word;

	return program_of(&line, &word) && is(word, program);
}

/* Does an option of npm or pnpm mean several packages, or another one? */
static bool is_recursive(struct word word, bool pnpm)
{
	static const char *const npm_words[] = {"-ws", "--ws", "-w"};
	static const char *const pnpm_words[] = {"-r", "--recursive", "recursive", "multi", "m", "-F"};
	const char *const *words = pnpm ? pnpm_words : npm_words;
	const size_t count = pnpm ? sizeof pnpm_words / sizeof *words : sizeof npm_words / sizeof *words;

	for (size_t i = 0; i < count; i++)
		if (is(word, words[i]))
			return true;
	return starts_with(word, pnpm ? "--filter" : "--workspace");
}

bool command_is_passage(const char *line)
{
	struct word program, word;

	if (!program_of(&line, &program))
		return false;
	if (is(program, "wireit"))
		return true;
	if (is(program, "yarn") || is(program, "yarnpkg"))
		return next_word(&line, &word) && (is(word, "workspaces") || is(word, "workspace"));
	if (!is(program, "npm") && !is(program, "pnpm"))
		return false;
	while (next_word(&line, &word) && !is(word, "--")) /* what follows is the script's */
		if (is_recursive(word, is(program, "pnpm")))
			return true;
	return false;
}
