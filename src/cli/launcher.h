/* What a launcher will launch: npx, npm run, pnpm, yarn, bun, env, sh -c and their like on the way to a runner. Pure.
 */
#ifndef HEAPLOG_CLI_LAUNCHER_H
#define HEAPLOG_CLI_LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>

enum launched {
	LAUNCHED_ITSELF, /* no launcher: the command is what runs */
	LAUNCHED_REST,   /* the words from argv[at] on are the command */
	LAUNCHED_BINARY, /* argv[at] names a binary of node_modules/.bin */
	LAUNCHED_SCRIPT, /* argv[at] names a script of package.json, or else a binary of node_modules/.bin */
	LAUNCHED_SHELL,  /* argv[at] is a shell's text */
};

/* Look at one command line. *at is set for all but LAUNCHED_ITSELF, and *workspace where the launcher was given another
 * directory for its package.json ("npm --prefix DIR"; NULL otherwise). A launcher with nothing behind it is
 * LAUNCHED_ITSELF. The options of these tools are known as far as they take a value. */
enum launched launcher_target(size_t argc, char *const argv[], size_t *at, const char **directory);

/* "NAME=value", as env, cross-env and a shell take it. */
bool launcher_is_assignment(const char *word);

/* Call visit with the words of each simple command of a shell's text ("A=1 turbo build && echo done" gives
 * {"A=1", "turbo", "build"} and {"echo", "done"}): quotes around words are taken off. No expansion: this is for recognising programs, not for running them. At most 64 words of a command are given.
 * Ends early when visit returns true, and returns whether it did. */
bool launcher_each_command(const char *shell, bool (*visit)(void *context, size_t argc, char *const argv[]),
			   void *context);

#endif
