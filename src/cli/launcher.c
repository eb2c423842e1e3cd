#include "cli/launcher.h"

#include "cli/find.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 64, TEXT_MAX = 4096 };

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

/* "NAME=value", as env and cross-env and a shell take it. */
bool launcher_is_assignment(const char *word)
{
	const char *equals = strchr(word, '=');

	return equals && equals != word && word[0] != '-' && !memchr(word, '/', (size_t)(equals - word));
}

/* The first word from at on that is no option; options in list take the next word as their value. */
static size_t skip_options(size_t argc, char *const argv[], size_t at, const char *const *valued,
			   const char **directory)
{
	static const char *const directories[] = {"--prefix", "-C", "--dir", "--cwd", NULL};

	for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
		if (strcmp(argv[at], "--") == 0)
			return at + 1;
		if (is_one_of(argv[at], directories) && at + 1 < argc)
			*directory = argv[at + 1];
		if (is_one_of(argv[at], directories) || is_one_of(argv[at], valued))
			at++;
	}
	return at;
}

/* npm, pnpm, yarn and bun: what the word after their options makes them do. */
static enum launched package_manager(const char *name, size_t argc, char *const argv[], size_t *at,
				     const char **directory)
{
	static const char *const valued[] = {"-w",        "--workspace", "-F",     "--filter",   "-p",
					     "--package", "-c",          "--call", "--loglevel", NULL};
	static const char *const run[] = {"run", "run-script", "rum", "urn", NULL};
	static const char *const execute[] = {"exec", "x", "dlx", NULL};
	static const char *const own[] = {"test", "t", "tst", "start", "stop", "restart", NULL};
	static const char *const other[] = {"install", "i",    "ci",    "add",     "remove", "publish", "pack", "init",
					    "config",  "link", "audit", "version", "why",    "list",    "ls",   NULL};
	const bool npm = strcmp(name, "npm") == 0;
	const char *word;

	*at = skip_options(argc, argv, 1, valued, directory);
	if (*at >= argc)
		return LAUNCHED_ITSELF;
	word = argv[*at];
	if (is_one_of(word, execute)) {
		*at = skip_options(argc, argv, *at + 1, valued, directory);
		return *at < argc ? LAUNCHED_BINARY : LAUNCHED_ITSELF;
	}
	if (is_one_of(word, run)) {
		*at = skip_options(argc, argv, *at + 1, valued, directory);
		return *at < argc ? LAUNCHED_SCRIPT : LAUNCHED_ITSELF;
	}
	if (is_one_of(word, own))
		return LAUNCHED_SCRIPT;
	/* npm has nothing but its own words here; the others take a script's or a binary's name. */
	return npm || is_one_of(word, other) ? LAUNCHED_ITSELF : LAUNCHED_SCRIPT;
}

static enum launched shell(size_t argc, char *const argv[], size_t *at)
{
	for (*at = 1; *at < argc && argv[*at][0] == '-'; ++*at)
		if (argv[*at][1] != '-' && strchr(argv[*at], 'c')) { /* -c, -ec, -lc */
			++*at;
			return *at < argc ? LAUNCHED_SHELL : LAUNCHED_ITSELF;
		}
	return LAUNCHED_ITSELF;
}

enum launched launcher_target(size_t argc, char *const argv[], size_t *at, const char **directory)
{
	static const char *const managers[] = {"npm", "pnpm", "yarn", "bun", NULL};
	static const char *const executors[] = {"npx", "pnpx", "bunx", NULL};
	static const char *const shells[] = {"sh", "bash", "dash", "zsh", "ksh", NULL};
	static const char *const wrappers[] = {"env",     "nice",      "nohup",  "time",   "timeout", "stdbuf", "exec",
					       "command", "cross-env", "setsid", "ionice", "dotenv",  NULL};
	static const char *const package[] = {"-p", "--package", "-c", "--call", NULL};
	static const char *const valued[] = {"-u", "--unset", "-C", "--chdir", "-n", "-k", "-s", "-e", NULL};
	const char *name;

	*directory = NULL;
	if (!argc)
		return LAUNCHED_ITSELF;
	name = find_basename(argv[0]);
	if (is_one_of(name, managers))
		return package_manager(name, argc, argv, at, directory);
	if (is_one_of(name, executors)) {
		for (size_t i = 1; i + 1 < argc && argv[i][0] == '-'; i++)
			if (strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--call") == 0) {
				*at = i + 1;
				return LAUNCHED_SHELL;
			}
		*at = skip_options(argc, argv, 1, package, directory);
		return *at < argc ? LAUNCHED_BINARY : LAUNCHED_ITSELF;
	}
	if (is_one_of(name, shells))
		return shell(argc, argv, at);
	if (!is_one_of(name, wrappers))
		return LAUNCHED_ITSELF;
	*at = skip_options(argc, argv, 1, valued, directory);
	*directory = NULL; /* env's -C is no workspace of npm's */
	if (strcmp(name, "timeout") == 0)
		++*at; /* the duration */
	while (*at < argc && launcher_is_assignment(argv[*at]))
		++*at;
	return *at < argc ? LAUNCHED_REST : LAUNCHED_ITSELF;
}

/* One word into text, quotes off. Returns where it ends. */
static const char *take_word(const char *at, char *text, size_t size)
{
	size_t used = 0;
	char quote = '\0';

	for (; *at && (quote || !strchr(" \t\n;&|()<>", *at)); at++) {
		if (!quote && (*at == '"' || *at == '\''))
			quote = *at;
		else if (quote && *at == quote)
			quote = '\0';
		else if (*at == '\\' && quote != '\'' && at[1])
			at++;
		if (*at != '"' && *at != '\'' && used + 1 < size)
			text[used++] = *at;
	}
	text[used] = '\0';
	return at;
}

bool launcher_each_command(const char *shell_text, bool (*visit)(void *, size_t, char *const *), void *context)
{
	char text[TEXT_MAX];
	char *words[WORDS_MAX + 1];
	const char *at = shell_text;

	while (*at) {
		size_t count = 0, used = 0;

		at += strspn(at, " \t\n;&|()");
		while (*at && !strchr("\n;&|()", *at)) {
			char *word = text + used;

			if (strchr(" \t", *at)) {
				at++;
				continue;
			}
			if (strchr("<>", *at)) { /* a redirection and its file */
				at += strspn(at, "<>& \t");
				at = take_word(at, word, sizeof text - used);
				continue;
			}
			at = take_word(at, word, sizeof text - used);
			if (count == WORDS_MAX)
				continue;
			words[count++] = word;
			used += strlen(word) + 1;
			if (used >= sizeof text)
				break;
		}
		words[count] = NULL;
		if (count && visit(context, count, words))
			return true;
		if (used >= sizeof text)
			return false;
	}
	return false;
}
