/* The board: what crosses from a child, between its fork and its exec, to the runner. One shared anonymous mapping; a
 * pipe would not do (libuv moves descriptors about in the child, the pty child closes all above 2). */
#ifndef HEAPLOG_PRELOAD_BOARD_H
#define HEAPLOG_PRELOAD_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { BOARD_SLOTS = 1024, BOARD_TEXT = 2048, BOARD_PRELOAD = 4096, BOARD_ENTRIES = 4096, BOARD_CLAIMS = 64 };

enum slot_state {
	SLOT_FREE,
	SLOT_FILLING, /* a child, or a spawning parent, is writing it */
	SLOT_CLAIMED, /* complete: a task's process is about to run */
	SLOT_ADOPTED, /* the runner knows it */
};

enum slot_kind {
	SLOT_TASK,
	SLOT_SCRATCH, /* no task: the slot only holds an edited environment until the exec is done (Nx's daemon) */
};

struct task;

struct slot {
	_Atomic uint32_t state;
	_Atomic uint32_t in_tree; /* the sampler has taken the process as a root */
	_Atomic uint32_t polled;  /* a sampler was started for it by sampler_poll */
	_Atomic uint32_t kind;
	_Atomic pid_t pid;   /* 0: ended unseen, and the number is another process's now */
	uint64_t carry_over; /* bytes of ru_maxrss that the child had before its exec; see shared */
	bool shared; /* until its exec it had the runner's memory (vfork), which others may have made larger yet */
	/* CLOCK_MONOTONIC. Atomic: samplers look at it before they know that the slot is not being filled anew. */
	_Atomic uint64_t start_ns;
	uint64_t key;          /* exact_key */
	struct timespec start; /* CLOCK_REALTIME */
	uint32_t origin;       /* task_name.origin */
	bool announced;        /* HEAPLOG_EXACT: its program was told to register itself */
	bool batch;            /* a worker of Nx for a batch of tasks: it has no name */
	/* Offsets into the slot's text; 0: none (the text begins with an empty string). name: where it is not
	 * project:target[:configuration]. */
	uint32_t name, project, target, configuration, hash;
	/* Its end was seen where there was no stack for what is to be done then (stack.h): status and ru_maxrss. */
	_Atomic uint32_t ended;
	int status;
	long maxrss;
	struct task *_Atomic task; /* the runner's own; meaningless to others */
};

/* The bulky part, apart so that a walk over the slots touches few pages. */
struct slot_bulk {
	char text[BOARD_TEXT];
	char preload[BOARD_PRELOAD];
	char *entries[BOARD_ENTRIES];
};

struct board {
	pid_t owner;
	_Atomic uint32_t used;   /* slots [0, used) have ever been taken */
	_Atomic uint32_t taken;  /* slots that are not free now */
	_Atomic uint32_t missed; /* a child has become a program that was not looked at (stack.h), of whatever task */
	/* Futex words, by the number of a child: its fate is known. Not one for all: with a thousand tasks at once each
	 * start would wake all who wait for another (seen: 24 s for 1.6). */
	_Atomic uint32_t claims[BOARD_CLAIMS];
	struct slot slots[BOARD_SLOTS];
	struct slot_bulk bulk[BOARD_SLOTS];
};
extern struct board *heaplog_board;

/* Before a fork: make sure that this process has a board of its own. Does nothing in a vfork child. Async-signal-safe,
 * keeps errno. Without memory there is no board and nothing is measured. */
void board_prepare(void);

/* Take a free slot (state FILLING) for pid, or the slot that pid has already. NULL: none free, or no board.
 * Async-signal-safe; callable from the child. */
struct slot *board_take(struct board *board, pid_t pid);

/* pid is a new process: whatever slot has the number from before before_ns (CLOCK_MONOTONIC) is that of a child which
 * was reaped without our knowing, and no longer has a pid. Otherwise the new one's status and memory would be booked on
 * it. UINT64_MAX: called in the child itself, which may have a slot of an exec that failed. Async-signal-safe. */
void board_outdate(struct board *board, pid_t pid, uint64_t before_ns);

/* FILLING -> CLAIMED, and wake who waits for it. */
void board_publish(struct board *board, struct slot *slot);

/* Any state -> FREE. */
void board_release(struct board *board, struct slot *slot);

struct slot_bulk *board_bulk(struct board *board, const struct slot *slot);

/* The slot of pid in state CLAIMED or ADOPTED; NULL: none. */
struct slot *board_find(struct board *board, pid_t pid);

/* The futex word that changes when it is known what the child pid becomes: it has claimed a slot, is about to become
 * what is no task, or was reaped. Others with the same remainder change it as well. */
static inline _Atomic uint32_t *board_claim(struct board *board, pid_t pid)
{
	return &board->claims[(uint32_t)pid % BOARD_CLAIMS];
}

/* Change that word, and wake who waits for it. Raw system calls only. */
void board_wake(struct board *board, pid_t pid);

#endif
