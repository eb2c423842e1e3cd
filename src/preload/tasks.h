/* The tasks of this runner: from the first child's exec to the record. Private to the owning process. */
#ifndef HEAPLOG_PRELOAD_TASKS_H
#define HEAPLOG_PRELOAD_TASKS_H

#include "measure/peak.h"
#include "preload/board.h"
#include "preload/board_file.h"
#include "preload/cause.h"
#include "preload/oom_watch.h"
#include "record/record.h"

#include <sys/resource.h>

enum task_state {
	TASK_RUNNING,
	TASK_FINISHED,   /* all its known children are reaped; a result line may follow, or another child */
	TASK_ANNOTATING, /* one thread is writing the suffix */
	TASK_ANNOTATED,
};

struct task {
	struct task *_Atomic next;
	_Atomic uint32_t state;
	_Atomic uint32_t version;       /* how often the record was made: once more with each further command */
	_Atomic uint32_t recorded;      /* the version that is in HEAPLOG_RESULTS */
	_Atomic uint32_t writing;       /* a thread writes record[writing - 1] there just now; 0: none does */
	_Atomic uint32_t sampled;       /* a sampler thread has it */
	_Atomic uint32_t joins;         /* another thread has children of it for that one to take over */
	_Atomic uint32_t *_Atomic news; /* the futex word that thread waits at; it outlives task and thread */
	_Atomic uint32_t closed;        /* the sampler must not publish: the summary is being read */
	_Atomic uint32_t active;        /* which of the two summaries is published */
	pid_t pid;
	uint32_t live; /* children that are not reaped (under the lock) */
	uint64_t start_ns;
	uint64_t key; /* exact_key */
	uint32_t origin;
	uint64_t end_ns;
	struct timespec start;
	uint64_t maxrss; /* the largest ru_maxrss of a reaped child that is the task's own (under the lock) */
	uint64_t maxrss_at_ms;
	enum heaplog_exit exit;
	int exit_value;
	struct cause cause;
	struct oom_watch oom;
	_Atomic bool sent;   /* the runner sent it, or may have sent a process of it, a SIGKILL */
	_Atomic bool missed; /* a process could not say what it held, as none can without HEAPLOG_EXACT */
	bool complete;       /* all have, as its figures were closed */
	/* Bytes that processes said they had held, as the sampler heard since its last look: not in the published figures. */
	_Atomic uint64_t untold;
	uint64_t peak_bytes; /* final */
	/* The result fd: descriptor and inode, since the program may close all descriptors and use the number again. */
	int fd;
	dev_t device;
	ino_t inode;
	bool in_table;          /* closing_add has it */
	int8_t streamed;        /* its header came before its start: 1 yes, -1 no, 0 not known yet (own_line) */
	bool batch;             /* a worker of Nx for a batch of tasks; its name is "batch 1" and so on */
	uint32_t prefix_length; /* of what Nx puts before each line of its output */
	char prefix[192];
	uint32_t project, target, configuration, hash;
	size_t record_length;
	char text[BOARD_TEXT];
	char name[BOARD_TEXT + 4];        /* project:target[:configuration], or what HEAPLOG_TASK makes of it */
	struct heaplog_board_task *place; /* in the board's file; NULL: none */
	struct heaplog_peak peak;         /* the sampler's */
	/* Two, so that the sampler writes one while the other is read; see tasks_publish. */
	struct heaplog_summary summary[2];
	/* Two as well: one may be on its way to a slow file while the next command ends. record_at: the newer. */
	uint32_t record_at;
	char record[2][HEAPLOG_RECORD_MAX];
};

/* Forget the parent's tasks: first thing in a child that becomes a runner of its own. */
void tasks_forget(void);

/* The task of slot, made if need be; the slot becomes ADOPTED. NULL: it is no task, or there is no memory.
 * Takes the lock. */
struct task *tasks_adopt(struct slot *slot);

/* Wake the sampler thread that has the task: one of its children was reaped, or it is annotated. Changes errno. */
void tasks_wake(struct task *task);

/* The first task, then ->next. The list only grows. */
struct task *tasks_first(void);

/* Its sampler leaves the task. In the exact mode its processes' words, which a table of limited size has, make room, unless
 * it has been run again: then they are that run's. Takes the lock. */
void tasks_over(struct task *task);

/* Is there a task whose children are not all reaped? */
bool tasks_are_running(void);

/* The most memory that a task held in the last second or two, of those that ran then. */
uint64_t tasks_largest(uint64_t now);

/* Make peak's figures the current ones, unless the task is closed: then false is returned. The sampler only. */
bool tasks_publish(struct task *task);

/* A child was reaped with status (as of waitpid) and usage (NULL: unknown). Ends the task when it was the last: the
 * record is complete before this returns. Keeps errno; async-signal-safe as far as waitpid is. known: false when the
 * reap was only noticed, so that there is no status. */
void tasks_reaped(pid_t pid, bool known, int status, const struct rusage *usage);

/* The same for children whose end was seen on a small stack, where tasks_reaped only notes it. Keeps errno. */
void tasks_reaped_late(void);

/* The runner is about to send SIGKILL to pid, as kill has it: a process, a group (negative) or all. Async-signal-safe.
 */
void tasks_killed(pid_t pid);

/* Append the record of task to HEAPLOG_RESULTS unless it is there. */
void tasks_record(struct task *task);

/* Wait until the record is there, for 10 ms at most: a file on a server that does not answer must not hold up the
 * program. The sampler writes it, so that this is rarely more than a look; where the machine is so busy that it has not
 * begun to, for 100 ms. Keeps errno. */
void tasks_await_record(struct task *task);

/* In the child of a fork: the result fds are not the child's to inherit. Async-signal-safe, keeps errno. */
void tasks_forked(void);

/* Record everything: what is finished, and what is still running as far as it was seen. At the runner's end. */
void tasks_flush(void);

/* Is an environment (entries with their NULs) that of a process of this task? context: the task. */
bool tasks_has_environment(void *context, const char *environment, size_t length);

const char *task_text(const struct task *task, uint32_t offset); /* NULL for 0 */

#endif
