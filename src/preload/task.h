/* Which exec starts a task, and the task's name: pure reading of an environment. */
#ifndef HEAPLOG_PRELOAD_TASK_H
#define HEAPLOG_PRELOAD_TASK_H

#include <stdbool.h>
#include <stddef.h>

/* Pointers into the environment that was read. */
struct task_name {
	const char *project;
	const char *target;
	const char *configuration; /* NULL: none */
	const char *hash;          /* NULL: none */
};

/* Nx gives each task's first process its name in NX_TASK_TARGET_*. Returns true and fills *name when envp has project
 * and target. Pure; safe between fork and exec. */
bool task_recognise(char *const envp[], struct task_name *name);

/* Nx's daemon outlives the run and inherits everything: its script is the last argument that ends in
 * "daemon/server/start.js". Pure; safe between fork and exec. */
bool task_is_daemon(char *const argv[]);

#endif
