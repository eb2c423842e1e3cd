/* What happens to a process image that is about to start: is it a task, and with which environment does it run? */
#ifndef HEAPLOG_PRELOAD_LAUNCH_H
#define HEAPLOG_PRELOAD_LAUNCH_H

#include "preload/board.h"

struct exact_edit;

struct launch {
	struct board *board;
	struct slot *slot; /* NULL: nothing was noted */
	bool announced;    /* HEAPLOG_EXACT */
	char *const *envp; /* what the real function is to be given */
};

/* Is there no slot for an edited environment? Processes of a task in the exact mode have none, nor has a runner without a
 * board (a limit of its address space) or with a thousand tasks at once. Not on a small stack (stack.h).
 * Async-signal-safe. */
bool launch_needs_room(void);

/* In a child, before its exec of file (in directory, or by PATH). edit: see exact_launch; NULL: none needed, or
 * no stack for it. Recognises the task, notes it on the board and takes our token out of LD_PRELOAD for tasks and for
 * Nx's daemon; everything else is given on untouched. On a small stack nothing is noted nor changed. Only the slot, the
 * stack and raw system calls: safe between fork, also vfork, and exec. Keeps errno. */
void launch_exec(struct launch *launch, struct exact_edit *edit, int directory, const char *file, bool search,
		 char *const argv[], char *const envp[]);

/* In a parent, before posix_spawn. */
void launch_spawn(struct launch *launch, struct exact_edit *edit, const char *file, bool search, char *const argv[],
		  char *const envp[]);

/* posix_spawn returned: pid > 0, or 0 where it failed. */
void launch_spawned(struct launch *launch, pid_t pid);

/* The exec returned, that is, failed. Was it for our token, which was put back into the environment and for which there was
 * no room (E2BIG)? Then launch->envp is that which the caller has given, for a second attempt. Keeps errno. */
bool launch_again(struct launch *launch, char *const given[]);

/* The exec has failed for good. Keeps errno. */
void launch_failed(struct launch *launch);

#endif
