/* HEAPLOG_EXACT=1: the library stays in the task's processes. Each registers itself in the board's file after its exec,
 * or as a forked child, and leaves its high-water mark there as it exits or becomes another program, without waiting
 * for anybody. What sampling from outside must leave open is closed by that: children that live less than a look, their
 * marks, and orphans.
 *
 * A process finds the board in the runtime directory, by its own pid (the runner's child was announced before its
 * exec), by its parent's, or by what its task is recognised by. Nothing is added to the environment but the library's
 * own token where a program cleared it. Such a token has a second slash before its last component, since with it alone
 * is the library to know that it is in a task. */
#ifndef HEAPLOG_PRELOAD_EXACT_H
#define HEAPLOG_PRELOAD_EXACT_H

#include "measure/process_tree.h"
#include "preload/launch.h"
#include "task/task.h"

#include <stdint.h>

/* What one task's processes have in common: a hash of the name, or a number of its own where names are not unique. */
uint64_t exact_key(const struct task_name *name, pid_t pid, uint64_t start_ns, bool unique);

/* In the runner, or in its child before the exec: pid is about to become the first process of the task with this key.
 * Makes the board's file if need be. pid 0: not yet known (posix_spawn). Returns false where there is no file: then the
 * task runs without the library. Raw system calls only; safe between fork, also vfork, and exec. */
bool exact_announce(pid_t pid, uint64_t key);

/* posix_spawn has returned. */
void exact_announced(pid_t pid, uint64_t key);

/* In the constructor: is this process one of a task's? Then it is registered, and true is returned. */
bool exact_join(void);

/* Does the library's token in LD_PRELOAD bear the mark of a task? Asked where no variable says that it is on. */
bool exact_is_marked(void);

/* In a forked child of such a process. Async-signal-safe. */
void exact_forked(void);

/* The process is about to end. Async-signal-safe. */
void exact_leave(void);

/* It is about to become file, or to start it (spawn). search: by PATH. launch->envp becomes what that program is to be
 * given: with our token, where it can load the library, and else without. edit keeps what launch->envp points to. */
enum { EXACT_ENTRIES = 512, EXACT_TEXT = 1024 };
struct exact_edit {
	char *entries[EXACT_ENTRIES];
	char text[EXACT_TEXT];
};
void exact_launch(struct launch *launch, struct exact_edit *edit, int directory, const char *file, bool search,
		  bool spawn);

/* It is about to become a program, or to start one, of which nothing was noted (stack.h): nobody is to call the task's
 * figures exact. Async-signal-safe. */
void exact_hide(void);

/* It is about to start /bin/sh with its own environment, in which nothing can be put back (system, popen). */
void exact_shell(void);

/* posix_spawn, of which exact_launch knew, has returned. */
void exact_spawned(bool started);

/* The exec has failed. */
void exact_stays(void);

/* In the runner: a new run of a task with this key begins in it. What processes of the earlier one have left behind, and
 * those that still live, are no longer found by the key. Not the new one's: they descend from a child on our board. */
void exact_begin(uint64_t key);

/* Nothing more is asked about the task with this key: what its processes left makes room for others. Async-signal-safe. */
void exact_end(uint64_t key);

/* Is it the key of processes that an earlier run has left behind? */
bool exact_is_stale(uint64_t key);

/* The processes of the task with this key, for its sampler, from place *at on: fills news with what there is, at most
 * max; returns how many. It tells them the sampler (its place on the board) and what is known of the task (bytes, its
 * peak so far), so that they know whom to wake and what is worth saying. What it says about those that left
 * stays on the board until exact_heard, so that it is not lost when the task ends meanwhile. */
struct exact_news {
	pid_t pid, parent;
	bool left;           /* it has gone */
	bool doubtful;       /* nothing but its variables says that it is the task's */
	bool hidden;         /* something of it, or that it has started, could not say what it held */
	uint64_t high_water; /* bytes that it was known to have held; 0: nothing is known */
	uint64_t bound;      /* bytes: no less than it held */
	uint64_t seen;       /* bytes: what the task's figures know it to have held; by who listens, for exact_heard */
	uint32_t place;
};
uint32_t exact_listen(uint64_t key, uint32_t sampler, uint64_t known, uint32_t *at, struct exact_news *news,
		      uint32_t max);
void exact_heard(const struct exact_news *news, uint32_t count);

/* The task's figures know what the members of tree are known to have held, and have been published. */
void exact_seen(uint64_t key, const struct heaplog_tree *tree);

/* pid turned out not to live: forget it. */
void exact_forget(uint64_t key, pid_t pid);

/* The largest mark that has not been looked at yet. Bytes; 0: none. */
uint64_t exact_largest(uint64_t key);

/* Has pid left what it held, and nobody has heard it yet? */
bool exact_has_left(uint64_t key, pid_t pid);

/* What processes with this key said they had held before an exec, or as they ended, beyond what is known of each (seen), in
 * bytes, that nobody has heard yet. */
uint64_t exact_unheard(uint64_t key);

/* Has each process with this key said what it held as it ended? Not where one lives still, was killed, could not register
 * itself or found no place. What exact_heard has taken from the board is not asked again. Async-signal-safe. */
bool exact_is_complete(uint64_t key);

#endif
