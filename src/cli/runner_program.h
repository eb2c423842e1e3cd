/* The file behind a command's name: would the library get into it? For the search of runner.c, whose state this is. */
#ifndef HEAPLOG_CLI_RUNNER_PROGRAM_H
#define HEAPLOG_CLI_RUNNER_PROGRAM_H

#include "cli/runner.h"

struct search {
	const char *path;         /* PATH */
	char directory[PATH_MAX]; /* where package.json is looked for */
	const struct elf *own;
	struct runner *runner; /* what is filled in */
	int depth, steps;
	bool traces;         /* for runner_trace; the rest is its own */
	struct runner *best; /* of what was seen */
	int best_rank, least_rank;
	struct way way;       /* up to here */
	const char *launcher; /* the npx or npm that is the nearest on the way */
	bool subshell;        /* what this text sets may end with a part of it */
	unsigned blocks;      /* "if", "for" and the like around this place of it */
	bool tested;          /* behind "[ ... ] &&" */
};

/* One more step of the chain. */
void runner_note(struct search *search, const char *step);

/* A program by name, as a shell would find it; local: in a package.json script, where node_modules/.bin comes first. Fills
 * in what is found of name, program, script and reach. True when the library cannot be loaded into it, which settles the
 * matter; so do the next two. */
bool runner_inspect_program(struct search *search, const char *name, bool local);

/* The file at found, through shims and "#!" lines to the binary that the kernel will run. */
bool runner_inspect_file(struct search *search, const char *found);

/* Is the script at path the front of a native program? Such a package names one package per platform among its
 * optionalDependencies, and those lie below it or beside it. */
bool runner_inspect_package(struct search *search, const char *script);

/* node, nodejs or bun, by its path. Pure. */
bool runner_is_javascript(const char *interpreter);

#endif
