/* The way to a runner: what each command on it does to LD_PRELOAD and to the switch. sudo takes the library out, a
 * heaplog behind it puts it back, and so does LD_PRELOAD=... by hand. */
#ifndef HEAPLOG_CLI_DOCTOR_WAY_H
#define HEAPLOG_CLI_DOCTOR_WAY_H

#include "cli/launcher.h"

#include <limits.h>

enum { WAY_TEXT = 128 };

enum way_loss {
	WAY_KEPT,
	WAY_TAKEN,     /* sudo and the like */
	WAY_EMPTIED,   /* env -i */
	WAY_UNSET,     /* env -u LD_PRELOAD, unset LD_PRELOAD */
	WAY_REPLACED,  /* LD_PRELOAD=, or another library */
	WAY_ELSEWHERE, /* docker, ssh */
};

enum way_switch { WAY_SWITCH_UNSET, WAY_SWITCH_ON, WAY_SWITCH_OFF };

struct way {
	enum way_loss loss;
	char by[WAY_TEXT];          /* what did it: "sudo", "env -i", "unset LD_PRELOAD" */
	char preload[PATH_MAX];     /* an LD_PRELOAD with heaplog in it that was given on the way; "" without */
	enum way_switch nx, own;    /* NX_LOG_HEAP_USAGE and HEAPLOG */
	char switched_by[WAY_TEXT]; /* what changed one of them last */
	bool heaplog_there;         /* of WAY_ELSEWHERE: heaplog is among the words */
};

/* The way begins behind heaplog, or behind an environment that switches it on. */
void way_begin(struct way *way);

/* Is it switched on at this point? */
bool way_is_on(const struct way *way);

/* NAME=VALUE, in front of a command or among the words of env. Others than ours are passed over. */
void way_assign(struct way *way, const char *assignment);

/* The next command on the way (without assignments in front of it). As launcher_target, and it looks behind sudo, su,
 * env with all its options, and heaplog as well; *text is the shell's text of LAUNCHED_SHELL. */
enum launched way_step(struct way *way, size_t argc, char *const argv[], size_t *at, const char **text,
		       const char **directory);

/* A command that changes the shell's own environment for the commands after it: assignments alone, unset, export. Returns
 * false for any other. */
bool way_builtin(struct way *way, size_t argc, char *const argv[]);

/* Can the word at at of npm, pnpm, yarn or bun be nothing but a script of the nearest package.json? Not where options
 * name other packages, or where a binary by that name may be meant. */
bool way_needs_script(size_t argc, char *const argv[], size_t at);

#endif
