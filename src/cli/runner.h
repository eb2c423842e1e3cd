/* How a command's task runner can be watched: from inside, by the preloaded library, or only from outside. */
#ifndef HEAPLOG_CLI_RUNNER_H
#define HEAPLOG_CLI_RUNNER_H

#include "cli/doctor_way.h"
#include "cli/elf.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { RUNNER_NAME_MAX = 64, RUNNER_CHAIN_MAX = 1024 };

struct runner {
	enum elf_reach reach;         /* ELF_REACHED: the library works in it */
	char name[RUNNER_NAME_MAX];   /* "turbo": last component of what was recognised; "" when nothing was */
	char program[PATH_MAX];       /* the binary in question: the static one, or the one that runs the command */
	char script[PATH_MAX];        /* the script that program runs ("…/nx/bin/nx.js"), "" where there is none */
	char chain[RUNNER_CHAIN_MAX]; /* "npx > node_modules/.bin/turbo > @turbo/linux-64/bin/turbo", for people */
	/* By runner_trace alone. */
	struct way way;                /* what becomes of LD_PRELOAD and the switch up to it */
	char missing[RUNNER_NAME_MAX]; /* a script that package.json does not have, "" otherwise */
};

/* Find out what argv would run, without running it: through PATH, "#!" lines, npx, npm run and the like, package.json
 * scripts, the shell shims of pnpm, and npm packages that are a Node.js script in front of a native program (turbo).
 * search_path: PATH; directory: where the command will run (absolute); own: the program that the library was built
 * beside (elf_read of /proc/self/exe). What cannot be found out counts as reached. */
void runner_inspect(size_t argc, char *const argv[], const char *search_path, const char *directory,
		    const struct elf *own, struct runner *runner);

/* The same for `heaplog doctor`: looks behind heaplog, sudo and the like as well. Of several commands ("rm -r dist && nx
 * build") it takes the best known runner, and of two alike the one that is in trouble. */
void runner_trace(size_t argc, char *const argv[], const char *search_path, const char *directory,
		  const struct elf *own, struct runner *runner);

/* Does heaplog know this runner, or a package manager as one? 0: no; the larger, the better. Pure. */
int runner_rank(const char *name);

#endif
