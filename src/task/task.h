/* Which exec starts a task, and the task's name: pure reading of an environment and of arguments. */
#ifndef HEAPLOG_TASK_TASK_H
#define HEAPLOG_TASK_TASK_H

#include "task/pattern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TASK_NAME_MAX = 512, TASK_VALUE_MAX = 64, TASK_RUNNER_MAX = 16 };

/* HEAPLOG_TASK. */
enum task_preset {
	TASK_NX,      /* NX_TASK_TARGET_*; the result lines are Nx's */
	TASK_NPM,     /* scripts of packages: npm, pnpm, yarn, wireit */
	TASK_ALL,     /* each direct child, named by its command */
	TASK_PATTERN, /* a pattern of the user's */
};

/* How tasks are recognised in this process. Read-only once it is made. */
struct task_rule {
	enum task_preset preset;
	char pattern[PATTERN_MAX]; /* NPM, PATTERN */
	char own[TASK_NAME_MAX];   /* what the pattern makes of this process itself; "": nothing */
	bool wireit;               /* NPM: the process belongs to a script that runs wireit */
	const char *mark;          /* ALL: the variable that the runner changes for its jobs; NULL: all children are */
	char own_mark[TASK_VALUE_MAX]; /* its value here */
	char runner[TASK_RUNNER_MAX];  /* the record's "runner" */
};

/* value: of HEAPLOG_TASK, NULL or "" for the default. Fills preset and pattern. Returns false when value is malformed;
 * the rule is then that of Nx. */
bool task_rule_read(struct task_rule *rule, const char *value);

/* The rest: what the rule makes of this process. envp: its environment; program: its name as the kernel has it, which
 * for a script is the script's. */
void task_rule_start(struct task_rule *rule, char *const envp[], const char *program);

enum task_what {
	TASK_NOTHING,
	TASK_ROOT,   /* the first process of a task */
	TASK_BATCH,  /* Nx's worker for a batch of tasks, which have no processes of their own */
	TASK_DAEMON, /* Nx's daemon: it outlives the run and inherits everything, so that our token must go */
};

/* Pointers into the environment that was read, and a text of its own. */
struct task_name {
	const char *project; /* NULL: none, here and below */
	const char *target;
	const char *configuration;
	const char *hash;
	uint32_t origin;          /* a hash of where it runs: the workspace, of npm the package; 0: unknown */
	char text[TASK_NAME_MAX]; /* the whole name, where it is not put together from these; else "" */
};

/* What is the process that is about to exec argv with envp, a child of the process that rule is about? Fills *name for
 * TASK_ROOT. Safe between fork and exec. */
enum task_what task_recognise(const struct task_rule *rule, char *const argv[], char *const envp[],
			      struct task_name *name);

#endif
