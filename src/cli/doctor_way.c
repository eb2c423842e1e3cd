#include "cli/doctor_way.h"

#include "cli/find.h"
#include "cli/library.h"
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 64 };

static const char nx_switch[] = "NX_LOG_HEAP_USAGE", own_switch[] = "HEAPLOG";

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

static enum way_switch switch_of(const char *value)
{
	if (!value || !*value)
		return WAY_SWITCH_UNSET;
	return strcmp(value, "true") == 0 || strcmp(value, "1") == 0 ? WAY_SWITCH_ON : WAY_SWITCH_OFF;
}

void way_begin(struct way *way)
{
	/* A switch that is off from the start is told with the environment. */
	*way = (struct way){.nx = WAY_SWITCH_ON, .own = switch_of(getenv(own_switch))};
	if (way->own == WAY_SWITCH_ON)
		way->nx = switch_of(getenv(nx_switch));
}

bool way_is_on(const struct way *way)
{
	return way->nx == WAY_SWITCH_ON || way->own == WAY_SWITCH_ON;
}

static void lose(struct way *way, enum way_loss loss, const char *by)
{
	way->loss = loss;
	way->preload[0] = '\0';
	snprintf(way->by, sizeof way->by, "%s", by);
}

static void lose_switch(struct way *way, const char *by)
{
	way->nx = way->own = WAY_SWITCH_UNSET;
	snprintf(way->switched_by, sizeof way->switched_by, "%s", by);
}

static void unset(struct way *way, const char *name, const char *by)
{
	const bool nx = strcmp(name, nx_switch) == 0;
	char text[WAY_TEXT];

	snprintf(text, sizeof text, "%s %s", by, name);
	if (strcmp(name, LIBRARY_VARIABLE) == 0)
		lose(way, WAY_UNSET, text);
	if (!nx && strcmp(name, own_switch) != 0)
		return;
	*(nx ? &way->nx : &way->own) = WAY_SWITCH_UNSET;
	snprintf(way->switched_by, sizeof way->switched_by, "%s", text);
}

void way_assign(struct way *way, const char *assignment)
{
	const char *value = strchr(assignment, '=') + 1;
	const size_t length = (size_t)(value - assignment - 1);
	const bool nx = length == sizeof nx_switch - 1 && memcmp(assignment, nx_switch, length) == 0;

	if (length == sizeof LIBRARY_VARIABLE - 1 && memcmp(assignment, LIBRARY_VARIABLE, length) == 0) {
		/* What a shell would expand may well be ours. */
		if (!strstr(value, "heaplog") && !strchr(value, '$')) {
			lose(way, WAY_REPLACED, assignment);
			return;
		}
		way->loss = WAY_KEPT;
		snprintf(way->preload, sizeof way->preload, "%s", strchr(value, '$') ? "" : value);
	} else if (nx || (length == sizeof own_switch - 1 && memcmp(assignment, own_switch, length) == 0)) {
		if (strchr(value, '$'))
			return;
		*(nx ? &way->nx : &way->own) = switch_of(value);
		snprintf(way->switched_by, sizeof way->switched_by, "%s", assignment);
	}
}

/* The assignments among the words from at on; returns where they end. */
static size_t assignments(struct way *way, size_t argc, char *const argv[], size_t at)
{
	for (; at < argc && launcher_is_assignment(argv[at]); at++)
		way_assign(way, argv[at]);
	return at;
}

/* Options of sudo and the like up to the command. letters: short options that take a value; words: long ones. */
static size_t skip_options(size_t argc, char *const argv[], const char *letters, const char *const *words)
{
	size_t at;

	for (at = 1; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
		const char *option = argv[at] + 1;

		if (strcmp(option, "-") == 0)
			return at + 1;
		if (*option == '-') {
			at += is_one_of(option, words);
			continue;
		}
		/* The first that takes a value has the rest of the word, or else the next one. */
		option += strcspn(option, letters);
		at += *option && !option[1];
	}
	return at < argc ? at : argc; /* the last may lack its value */
}

/* The options of env that take a value: which one this word is ('\0': another), its value where that is in the same word,
 * and whether the environment is emptied. "-iS" is two in one word. */
static char env_option(const char *word, const char **value, bool *empties)
{
	static const char *const names[] = {"unset", "split-string", "chdir", "argv0", NULL};
	static const char letters[] = "uSCa";
	const char *option = word + 1;

	*value = NULL;
	if (strncmp(word, "--", 2) == 0) {
		const size_t length = strcspn(word + 2, "=");

		*empties = strcmp(word, "--ignore-environment") == 0;
		*value = word[2 + length] ? word + 2 + length + 1 : NULL;
		for (size_t i = 0; names[i]; i++)
			if (strlen(names[i]) == length && memcmp(names[i], word + 2, length) == 0)
				return letters[i];
		return '\0';
	}
	*empties = !*option; /* "-" alone */
	for (; *option; option++) {
		*empties = *empties || *option == 'i';
		if (!strchr(letters, *option))
			continue;
		*value = option[1] ? option + 1 : NULL;
		return *option;
	}
	return '\0';
}

static enum launched step_env(struct way *way, size_t argc, char *const argv[], size_t *at, const char **text)
{
	size_t i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		const char *value;
		bool empties;
		char option;

		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		option = env_option(argv[i], &value, &empties);
		if (empties) {
			lose(way, WAY_EMPTIED, "env -i");
			lose_switch(way, "env -i");
		}
		if (option && !value && i + 1 < argc)
			value = argv[++i];
		if (option == 'u' && value)
			unset(way, value, "env -u");
		if (option != 'S' || !value)
			continue;
		/* What it splits comes before the words behind it: the command may be there. */
		*at = i;
		*text = value;
		return value == argv[i] && !strchr(value, ' ') ? LAUNCHED_REST : LAUNCHED_SHELL;
	}
	*at = assignments(way, argc, argv, i);
	return *at < argc ? LAUNCHED_REST : LAUNCHED_ITSELF;
}

/* su and runuser: only a login clears the environment of root's; the loader clears LD_PRELOAD of others in su. */
static enum launched step_su(struct way *way, size_t argc, char *const argv[], size_t *at, const char **text)
{
	static const char *const valued[] = {"--group",
					     "--supp-group",
					     "--shell",
					     "--user",
					     "-g",
					     "-G",
					     "-s",
					     "-w",
					     "--whitelist-environment",
					     "--command",
					     "-c",
					     "-lc",
					     "--session-command",
					     NULL};
	const char *name = find_basename(argv[0]);
	bool login = false, direct = false;

	*text = NULL;
	*at = argc;
	for (size_t i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (word[0] != '-') {
			if (!direct)
				continue; /* the user */
			*at = i;
			break;
		}
		login = login || strcmp(word, "-") == 0 || strcmp(word, "--login") == 0 ||
			(word[1] != '-' && strchr(word, 'l'));
		direct = direct || strcmp(word, "-u") == 0 || strncmp(word, "--user", 6) == 0;
		if (strncmp(word, "--command=", 10) == 0)
			*text = word + 10;
		if (!is_one_of(word, valued) && strcmp(word, "-u") != 0)
			continue;
		if (++i < argc && (strcmp(word, "-c") == 0 || strcmp(word, "-lc") == 0 ||
				   strcmp(word, "--command") == 0 || strcmp(word, "--session-command") == 0))
			*text = argv[i];
	}
	if (login || (geteuid() != 0 && strcmp(name, "su") == 0))
		lose(way, WAY_TAKEN, name);
	if (login)
		lose_switch(way, name);
	return *text ? LAUNCHED_SHELL : *at < argc ? LAUNCHED_REST : LAUNCHED_ITSELF;
}

static enum launched step_sudo(struct way *way, size_t argc, char *const argv[], size_t *at)
{
	static const char *const words[] = {
	    "-user",  "-group",           "-host",       "-prompt", "-close-from", "-role",   "-type",
	    "-chdir", "-command-timeout", "-other-user", "-chroot", "-property",   "-setenv", "-unit",
	    NULL};
	const char *name = find_basename(argv[0]);
	const bool service = strcmp(name, "systemd-run") == 0;
	bool keeps = false;

	*at = skip_options(argc, argv, service ? "pEuMH" : strcmp(name, "doas") == 0 ? "uCa" : "ughpCrtTUDR", words);
	for (size_t i = 1; i < *at; i++) {
		if (service && strcmp(argv[i], "--scope") == 0)
			return *at < argc ? LAUNCHED_REST : LAUNCHED_ITSELF; /* a child like any other */
		keeps = keeps || strcmp(argv[i], "-E") == 0 || strcmp(argv[i], "--preserve-env") == 0;
	}
	lose(way, WAY_TAKEN, name);
	if (!keeps)
		lose_switch(way, name);
	*at = assignments(way, argc, argv, *at);
	return *at < argc ? LAUNCHED_REST : LAUNCHED_ITSELF;
}

/* heaplog [run] [OPTIONS] COMMAND puts back what was lost, and switches on what nobody has switched off. */
static enum launched step_heaplog(struct way *way, size_t argc, char *const argv[], size_t *at)
{
	static const char *const others[] = {"report", "compare", "history", "plan", "top", "doctor", "help", NULL};
	struct run_options options;
	char *words[WORDS_MAX + 1];
	const size_t first = argc > 1 && strcmp(argv[1], "run") == 0;

	if (argc < 2 || argc > WORDS_MAX || is_one_of(argv[1], others))
		return LAUNCHED_ITSELF;
	memcpy(words, argv, argc * sizeof *words);
	words[argc] = NULL;
	if (!options_parse((int)(argc - first), words + first, &options) || !options.count)
		return LAUNCHED_ITSELF;
	*at = (size_t)(options.command - words);
	way->loss = WAY_KEPT;
	way->preload[0] = '\0';
	if (options.log_heap_usage == FLAG_OFF) {
		way->nx = way->own = WAY_SWITCH_OFF;
		snprintf(way->switched_by, sizeof way->switched_by, "heaplog --no-log-heap-usage");
	} else if (options.log_heap_usage == FLAG_ON || (way->nx != WAY_SWITCH_OFF && way->own != WAY_SWITCH_OFF)) {
		way->nx = WAY_SWITCH_ON;
	}
	return LAUNCHED_REST;
}

enum launched way_step(struct way *way, size_t argc, char *const argv[], size_t *at, const char **text,
		       const char **directory)
{
	static const char *const cleaners[] = {"sudo", "doas", "pkexec", "systemd-run", NULL};
	static const char *const elsewhere[] = {"docker",  "podman", "nerdctl", "kubectl", "ssh",
						"flatpak", "bwrap",  "chroot",  "vagrant", NULL};
	const char *name = find_basename(argv[0]);
	enum launched launched;

	*directory = NULL;
	*text = NULL;
	if (is_one_of(name, cleaners))
		return step_sudo(way, argc, argv, at);
	if (strcmp(name, "su") == 0 || strcmp(name, "runuser") == 0)
		return step_su(way, argc, argv, at, text);
	if (strcmp(name, "env") == 0)
		return step_env(way, argc, argv, at, text);
	if (strncmp(name, "heaplog", 7) == 0 && (!name[7] || name[7] == '@')) /* heaplog@latest of npx */
		return step_heaplog(way, argc, argv, at);
	if (is_one_of(name, elsewhere)) {
		lose(way, WAY_ELSEWHERE, name);
		for (size_t i = 1; i < argc; i++)
			way->heaplog_there = way->heaplog_there || strstr(argv[i], "heaplog");
		return LAUNCHED_ITSELF;
	}
	launched = launcher_target(argc, argv, at, directory);
	if (launched == LAUNCHED_SHELL)
		*text = argv[*at];
	for (size_t i = 1; launched == LAUNCHED_REST && i < *at; i++) /* of cross-env */
		if (launcher_is_assignment(argv[i]))
			way_assign(way, argv[i]);
	return launched;
}

bool way_builtin(struct way *way, size_t argc, char *const argv[])
{
	const bool exports = strcmp(argv[0], "export") == 0, unsets = strcmp(argv[0], "unset") == 0;

	for (size_t i = 0; i < argc && !exports && !unsets; i++)
		if (!launcher_is_assignment(argv[i]))
			return false;
	for (size_t i = 0; i < argc; i++) {
		if (unsets && i)
			unset(way, argv[i], "unset");
		else if (launcher_is_assignment(argv[i]))
			way_assign(way, argv[i]);
	}
	return true;
}

bool way_needs_script(size_t argc, char *const argv[], size_t at)
{
	static const char *const run[] = {"run", "run-script", "rum", "urn", NULL}, *const own[] = {"test", "t", "tst",
												    NULL};
	static const char *const others[] = {"-w",
					     "--w",
					     "-W",
					     "-F",
					     "--filter",
					     "-r",
					     "--recursive",
					     "--if-present",
					     "--include-workspace-root",
					     "-C",
					     "--prefix",
					     "--cwd",
					     "--dir",
					     NULL};
	const bool npm = strcmp(find_basename(argv[0]), "npm") == 0;

	/* bun runs files as well, and yarn another package's script with a colon in its name. */
	const bool bun = strcmp(find_basename(argv[0]), "bun") == 0;

	if (!(at == 2 && !bun && is_one_of(argv[1], run) && (npm || !strchr(argv[2], ':'))) &&
	    !(at == 1 && npm && is_one_of(argv[1], own)))
		return false;
	for (size_t i = at + 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		for (size_t option = 0; others[option]; option++)
			if (strncmp(argv[i], others[option], strlen(others[option])) == 0)
				return false;
	return true;
}
