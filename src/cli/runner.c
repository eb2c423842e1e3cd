#include "cli/runner.h"

#include "cli/find.h"
#include "cli/launcher.h"
#include "cli/runner_program.h"
#include "cli/shell_text.h"
#include "heaplog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Scripts may call each other, and many times. */
enum { DEPTH_MAX = 8, STEPS_MAX = 4096, MANIFEST_MAX = 1 << 20 };

static bool inspect(struct search *search, size_t argc, char *const argv[], bool local);
static bool inspect_shell(struct search *search, const char *text);

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

static bool is_shell(const char *program)
{
	static const char *const names[] = {"sh", "bash", "dash", "zsh", "ksh", NULL};

	return is_one_of(find_basename(program), names);
}

int runner_rank(const char *name)
{
	static const char *const ranks[][8] = {
	    {"npm", "pnpm", "yarn", "bun", NULL},
	    {"make", "gmake", "ninja", "parallel", "xargs", "wireit", "turbo", NULL},
	    {"nx", "lerna", NULL},
	};

	for (int rank = 0; rank < (int)(sizeof ranks / sizeof *ranks); rank++)
		for (size_t i = 0; ranks[rank][i]; i++)
			if (strcmp(name, ranks[rank][i]) == 0)
				return rank + 1;
	return 0;
}

/* "node --max-old-space-size=8192 node_modules/nx/bin/nx.js", "bash -eu ci.sh": the script, NULL where there is none. */
static const char *script_of(size_t argc, char *const argv[])
{
	static const char *const valued[] = {"-r", "--require", "--import", "--loader", "-C", "--conditions", NULL};

	for (size_t i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (word[0] != '-')
			return word;
		if (is_shell(argv[0])) {
			i += word[strlen(word) - 1] == 'o'; /* -euo pipefail */
			continue;
		}
		if (strcmp(word, "--eval") == 0 || strcmp(word, "--print") == 0 ||
		    (word[1] != '-' && strpbrk(word, "ep")))
			return NULL;
		i += is_one_of(word, valued);
	}
	return NULL;
}

/* path as it is meant in the directory of the search. */
static bool join(const struct search *search, const char *path, char joined[PATH_MAX])
{
	const bool absolute = path[0] == '/';

	return (size_t)snprintf(joined, PATH_MAX, "%s%s%s", absolute ? "" : search->directory, absolute ? "" : "/",
				path) < PATH_MAX;
}

/* argv[0] itself, or the script that is given to it by name. */
static bool inspect_itself(struct search *search, size_t argc, char *const argv[], bool local)
{
	const bool javascript = runner_is_javascript(argv[0]);
	const char *script = javascript || is_shell(argv[0]) ? script_of(argc, argv) : NULL;
	const char *name = script ? find_basename(script) : NULL;
	char joined[PATH_MAX], path[PATH_MAX];

	if (runner_inspect_program(search, argv[0], local))
		return true;
	if (!script || !join(search, script, joined) || !realpath(joined, path))
		return false;
	runner_note(search, script);
	snprintf(search->runner->script, PATH_MAX, "%s", path);
	/* nx.js is Nx; what nx.sh is its commands tell. */
	snprintf(search->runner->name, RUNNER_NAME_MAX, "%.*s", (int)(javascript ? strcspn(name, ".") : strlen(name)),
		 name);
	return javascript && runner_inspect_package(search, path);
}

/* What keeps a runner's peaks from being shown, in the order in which the doctor tells it; 0: nothing. What sudo does to
 * no runner is no trouble. */
static int trouble_of(const struct runner *runner, int rank)
{
	if (rank > 0 && (runner->way.loss != WAY_KEPT || !way_is_on(&runner->way)))
		return 2;
	return runner->reach != ELF_REACHED || *runner->missing;
}

static void keep_better(struct search *search, const struct runner *found, int rank)
{
	if (rank < search->least_rank || rank < search->best_rank)
		return;
	if (rank == search->best_rank) {
		const int trouble = trouble_of(found, rank), best = trouble_of(search->best, rank);

		/* Of those that are no runners ("cd web && ./build") the last. */
		if (trouble == best ? rank > 1 : trouble < best)
			return;
	}
	*search->best = *found;
	search->best_rank = rank;
}

/* The commands of a shell's script. What is no runner says nothing there: the script is all that is known then. */
static void trace_file(struct search *search, const char *path)
{
	const int least = search->least_rank;
	char *text = malloc(MANIFEST_MAX);

	if (text && find_read(path, text, MANIFEST_MAX) > 0) {
		search->least_rank = 1;
		runner_note(search, path);
		inspect_shell(search, text);
		search->least_rank = least;
	}
	free(text);
}

/* A trace has come to the end of its way: the command is kept where it matters more than the best yet. missing: there is
 * no such command, but a script of that name is meant. */
static void trace_end(struct search *search, size_t argc, char *const argv[], bool local, const char *missing)
{
	struct runner *outer = search->runner, found = {.reach = ELF_REACHED, .way = search->way};
	char path[PATH_MAX], name[RUNNER_NAME_MAX];
	int rank;

	strcpy(found.chain, outer->chain);
	search->runner = &found;
	if (missing) {
		snprintf(found.missing, sizeof found.missing, "%s", missing);
	} else {
		if (!inspect_itself(search, argc, argv, local))
			found.reach = ELF_REACHED;
		/* Not installed yet: the node of npx is what will run it. */
		if (!*found.name && search->launcher && find_command(search->launcher, search->path, path) == 0 &&
		    !runner_inspect_file(search, path))
			found.reach = ELF_REACHED;
	}
	search->runner = outer;
	/* "nx@22" of npx */
	snprintf(name, sizeof name, "%.*s", (int)strcspn(find_basename(argv[0]), "@"), find_basename(argv[0]));
	rank = *found.name ? runner_rank(found.name) : runner_rank(name);
	if (!rank && !*found.name) /* cd and the like */
		rank = -1;
	keep_better(search, &found, rank);
	if (!rank && *found.script && is_shell(found.program) && !strstr(found.script, "/node_modules/"))
		trace_file(search, found.script);
}

/* A shell's command, without the words that only join it to others. What is set or unset under a condition may not be. */
static bool visit_command(void *context, size_t argc, char *const argv[])
{
	static const char *const joining[] = {"if", "then", "elif", "else", "while", "until",
					      "do", "!",    "{",    "time", NULL};
	static const char *const opening[] = {"if", "while", "until", "{", "for", "case", "select", NULL};
	static const char *const closing[] = {"fi", "done", "esac", "}", NULL};
	static const char *const tests[] = {"[", "[[", "test", NULL};
	struct search *search = context;
	const bool conditional = search->subshell || search->tested;
	size_t at = 0;

	for (; at < argc && is_one_of(argv[at], joining); at++)
		search->blocks += is_one_of(argv[at], opening);
	search->tested = at < argc && is_one_of(argv[at], tests);
	if (at == argc)
		return false;
	search->blocks += is_one_of(argv[at], opening);
	search->blocks -= search->blocks && is_one_of(argv[at], closing);
	if (search->traces && !conditional && !search->blocks && !at && way_builtin(&search->way, argc, argv))
		return false;
	return inspect(search, argc - at, argv + at, true);
}

static bool inspect_shell(struct search *search, const char *text)
{
	const struct search outer = *search;
	char *commands = strdup(text);
	bool found;

	if (!commands)
		return false;
	shell_text_clean(commands);
	search->subshell = strchr(commands, '(') != NULL;
	search->blocks = 0;
	search->tested = false;
	found = launcher_each_command(commands, visit_command, search);
	search->subshell = outer.subshell;
	search->blocks = outer.blocks;
	search->tested = outer.tested;
	free(commands);
	return found;
}

/* The script of that name of the nearest package.json. *exists: there is one. */
static bool inspect_script(struct search *search, const char *name, bool *exists)
{
	char manifest[PATH_MAX];
	char *text = malloc(MANIFEST_MAX), *shell = malloc(MANIFEST_MAX);
	const char *scripts;
	bool found = false;

	*exists = false;
	if (text && shell && find_upwards(search->directory, "package.json", manifest) == 0 &&
	    find_read(manifest, text, MANIFEST_MAX) > 0 && (scripts = heaplog_record_value(text, "scripts")) &&
	    heaplog_record_string(scripts, name, shell, MANIFEST_MAX) > 0) {
		*exists = true;
		found = inspect_shell(search, shell);
	}
	free(shell);
	free(text);
	return found;
}

/* A script is asked for, and there is neither it nor, for all but npm, a binary by its name. */
static bool is_missing(const struct search *search, size_t argc, char *const argv[], size_t at)
{
	char relative[RUNNER_NAME_MAX + 32], path[PATH_MAX];

	snprintf(relative, sizeof relative, "node_modules/.bin/%.64s", argv[at]);
	return way_needs_script(argc, argv, at) &&
	       (strcmp(find_basename(argv[0]), "npm") == 0 || find_upwards(search->directory, relative, path) != 0);
}

/* One step: what this command launches, or it itself. */
static bool step(struct search *search, size_t argc, char *const argv[], bool local)
{
	const char *directory = NULL, *text = NULL;
	char joined[PATH_MAX];
	bool exists = false, found = false;
	size_t at = 0;
	enum launched launched;

	while (at < argc && local && launcher_is_assignment(argv[at])) {
		if (search->traces)
			way_assign(&search->way, argv[at]);
		at++;
	}
	argc -= at;
	argv += at;
	if (!argc)
		return false;
	launched = search->traces ? way_step(&search->way, argc, argv, &at, &text, &directory)
				  : launcher_target(argc, argv, &at, &directory);
	if (!search->traces)
		text = launched == LAUNCHED_SHELL ? argv[at] : NULL;
	if (launched != LAUNCHED_ITSELF)
		runner_note(search, find_basename(argv[0]));
	if (directory && launched != LAUNCHED_REST && join(search, directory, joined))
		strcpy(search->directory, joined);
	if (launched == LAUNCHED_BINARY || launched == LAUNCHED_SCRIPT)
		search->launcher = argv[0];
	switch (launched) {
	case LAUNCHED_ITSELF:
		break;
	case LAUNCHED_REST:
		return inspect(search, argc - at, argv + at, local);
	case LAUNCHED_SHELL:
		return inspect_shell(search, text);
	case LAUNCHED_SCRIPT:
		found = inspect_script(search, argv[at], &exists);
		if (exists)
			return found;
		if (search->traces && is_missing(search, argc, argv, at)) {
			trace_end(search, argc, argv, local, argv[at]);
			return false;
		}
		/* A binary by the same name, then. */
		return inspect(search, argc - at, argv + at, true);
	case LAUNCHED_BINARY:
		return inspect(search, argc - at, argv + at, true);
	}
	if (!search->traces)
		return inspect_itself(search, argc, argv, local);
	trace_end(search, argc, argv, local, NULL);
	return false;
}

/* local: the command stands in a package.json script. */
static bool inspect(struct search *search, size_t argc, char *const argv[], bool local)
{
	const struct search before = *search;
	const size_t chain = strlen(search->runner->chain);
	bool found;

	if (search->depth == DEPTH_MAX || search->steps == STEPS_MAX)
		return false;
	search->steps++;
	search->depth++;
	found = step(search, argc, argv, local);
	if (found)
		return true;
	/* What this command was given holds for it alone. */
	search->depth = before.depth;
	strcpy(search->directory, before.directory);
	search->way = before.way;
	search->launcher = before.launcher;
	search->runner->chain[chain] = '\0';
	return false;
}

void runner_inspect(size_t argc, char *const argv[], const char *search_path, const char *directory,
		    const struct elf *own, struct runner *runner)
{
	struct search search = {.path = search_path, .own = own, .runner = runner};

	memset(runner, 0, sizeof *runner);
	snprintf(search.directory, sizeof search.directory, "%s", directory);
	if (!inspect(&search, argc, argv, false))
		runner->reach = ELF_REACHED;
}

void runner_trace(size_t argc, char *const argv[], const char *search_path, const char *directory,
		  const struct elf *own, struct runner *runner)
{
	struct runner chain = {.reach = ELF_REACHED};
	struct search search = {.path = search_path,
				.own = own,
				.runner = &chain,
				.traces = true,
				.best = runner,
				.best_rank = -2,
				.least_rank = -1};

	*runner = (struct runner){.reach = ELF_REACHED};
	way_begin(&search.way);
	/* For a way without an end: scripts that call each other. */
	runner->way = search.way;
	snprintf(runner->chain, sizeof runner->chain, "%s", argv[0]);
	snprintf(search.directory, sizeof search.directory, "%s", directory);
	inspect(&search, argc, argv, false);
}
