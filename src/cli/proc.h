/* What /proc says of one process, for the command (the library has its own, without libc). */
#ifndef HEAPLOG_CLI_PROC_H
#define HEAPLOG_CLI_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROC_WORDS = 8192, PROC_TEXT = 1 << 19 };

struct proc_stat {
	pid_t parent;
	bool zombie;
	bool has_execed;      /* since its fork (PF_FORKNOEXEC is clear), and its words can be read */
	uint64_t started;     /* clock ticks since boot */
	uint64_t image;       /* changes with every exec (where the arguments are); 0 where it may not be known */
	int exit_status;      /* as of waitpid; of a zombie of this user's */
	bool has_exit_status; /* false where the kernel does not say */
};

/* Read /proc/PID/stat. Returns 0, or -1: gone. */
int proc_stat(pid_t pid, struct proc_stat *stat);

/* A block of NUL-terminated words as the kernel gives it: cmdline or environ. */
struct proc_words {
	size_t count;
	char *words[PROC_WORDS + 1]; /* NULL-terminated */
	char text[PROC_TEXT];
};

/* Read /proc/PID/file ("cmdline", "environ"). Words that do not fit are left out. Returns false, and no words, when it
 * cannot be read. */
bool proc_words(pid_t pid, const char *file, struct proc_words *words);

/* Call visit for every child of pid (of all its threads). Without CONFIG_PROC_CHILDREN this is a search through all
 * processes. Returns false when pid is gone. */
bool proc_each_child(pid_t pid, void (*visit)(void *context, pid_t child), void *context);

/* When a process started, by its stat: on CLOCK_MONOTONIC in ns, as near as the kernel's clock tick (10 ms). */
uint64_t proc_start_ns(const struct proc_stat *stat);

/* A descriptor for a process, that becomes readable when it ends; -1 where there is none. */
int proc_pidfd(pid_t pid);

/* How the process behind a pidfd ended (status as of waitpid), which Linux 6.15 and later tell after its parent has
 * waited for it. Returns false where that is not known (yet). */
bool proc_pidfd_status(int pidfd, int *status);

#endif
