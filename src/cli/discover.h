/* The tasks of a runner that is seen from outside: which of the processes below a command are the first of a task. */
#ifndef HEAPLOG_CLI_DISCOVER_H
#define HEAPLOG_CLI_DISCOVER_H

#include "cli/elf.h"
#include "cli/proc.h"
#include "task/task.h"

struct discovery; /* one at a time: it works in static buffers */

/* What was found. Pointers are good until the call returns. */
struct discovered {
	pid_t pid;
	uint64_t start_ns;            /* CLOCK_MONOTONIC */
	const struct task_name *name; /* text: the task's name; of turbo, its hash */
	const char *runner;           /* program of the process that started it */
};

/* Watch the processes from root on. rule: what a task is (preset and pattern; TASK_ALL: each child of a process that
 * the library cannot be loaded into). own: see elf_reach. found is called for every task that begins, once: processes
 * inside a task are not looked at. NULL: no memory. */
struct discovery *discovery_create(pid_t root, const struct task_rule *rule, const struct elf *own,
				   void (*found)(void *context, const struct discovered *task), void *context);
void discovery_destroy(struct discovery *discovery);

/* One look. Returns whether something is about to happen: a child that has not exec'ed yet. */
bool discovery_look(struct discovery *discovery);

/* The name of a task of turbo. Turbo itself tells the task's process nothing but its hash; npm and its like, which
 * turbo runs for the task, tell the script's process package and script. Looks for it below pid, and failing that takes
 * the package from the directory of pid and the script from its arguments ("npm run build"). Returns false when neither
 * is to be had. sure: found below. */
bool discovery_script_name(pid_t pid, char *package, size_t package_size, char *script, size_t script_size, bool *sure);

#endif
