/* The board as a file: what a runner publishes about its tasks while it runs, for `heaplog top` and for whoever looks
 * after the runner was killed. One file per runner, named by its pid, in the first of these directories that can be
 * used: $XDG_RUNTIME_DIR/heaplog, /tmp/heaplog-UID. Mode 0600, directory 0700. It is removed when the runner exits;
 * after a SIGKILL it stays, with the last figures, until the user's next runner starts.
 *
 * Readers map the file read-only, compare magic, version and size, and look whether the owner lives: a process with
 * its pid in its pid namespace whose start time (field 22 of stat) is the owner's. */
#ifndef HEAPLOG_RECORD_BOARD_LAYOUT_H
#define HEAPLOG_RECORD_BOARD_LAYOUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HEAPLOG_BOARD_MAGIC 0x64616f6270616568ULL /* "heapboad" in a little-endian file */
#define HEAPLOG_BOARD_SUBDIRECTORY "heaplog"      /* in XDG_RUNTIME_DIR */
#define HEAPLOG_BOARD_FALLBACK "/tmp/heaplog-"    /* and the user's id in decimal */

enum {
	HEAPLOG_BOARD_VERSION = 4,
	HEAPLOG_BOARD_TASKS = 1024,
	HEAPLOG_BOARD_NAME = 384,
	HEAPLOG_BOARD_WORD = 128,
	HEAPLOG_BOARD_PROCESSES = 2048,
	HEAPLOG_BOARD_TOLD = 256,
	HEAPLOG_BOARD_SAMPLERS = 128,
};

enum heaplog_board_state {
	HEAPLOG_BOARD_FREE,
	HEAPLOG_BOARD_RUNNING,
	HEAPLOG_BOARD_FINISHED, /* the figures are final; the place is used again when there is no free one */
};

/* One task. All but the sequence is plain data, to be copied by heaplog_board_read. Strings end with a NUL, and are cut
 * where they did not fit. */
struct heaplog_board_figures {
	uint32_t state;         /* enum heaplog_board_state */
	int32_t pid;            /* of the task's first process */
	uint64_t start_ns;      /* CLOCK_MONOTONIC, of this boot */
	int64_t start_ms;       /* CLOCK_REALTIME, since 1970 */
	uint64_t end_ns;        /* CLOCK_MONOTONIC; 0 while it runs */
	uint64_t current_bytes; /* the last sum; 0 at the end */
	uint64_t peak_bytes;    /* as the record has it; 0: not measured yet */
	uint64_t upper_bytes;
	uint64_t peak_at_ms; /* since the start */
	uint32_t processes;  /* counted in the last look */
	uint32_t processes_max;
	uint32_t samples;
	uint32_t interval_ms;
	uint32_t exit_kind; /* enum heaplog_exit: 0 unknown, 1 code, 2 signal */
	int32_t exit_value;
	uint32_t oom;    /* the kernel killed it for want of memory */
	uint32_t origin; /* a hash of where it runs; 0: unknown */
	char metric[8];  /* "rss", "pss" */
	char name[HEAPLOG_BOARD_NAME];
	char project[HEAPLOG_BOARD_WORD]; /* "": none, here and below */
	char target[HEAPLOG_BOARD_WORD];
	char configuration[HEAPLOG_BOARD_WORD];
	char hash[HEAPLOG_BOARD_WORD];
};

struct heaplog_board_task {
	_Atomic uint32_t sequence; /* odd while a writer is at it */
	uint32_t padding;
	struct heaplog_board_figures figures;
};

/* HEAPLOG_EXACT=1: a process of a task has registered itself. The library's business; readers skip it. */
struct heaplog_board_process {
	_Atomic uint32_t state; /* enum heaplog_board_process_state */
	_Atomic int32_t pid;
	int32_t parent;
	uint16_t doubtful;        /* known by its variables alone, or descends from such a one */
	_Atomic uint16_t becomes; /* it is about to exec, and has said what it held */
	_Atomic uint64_t task;    /* what all processes of its task have in common */
	_Atomic uint64_t known;   /* bytes: the task's peak as its sampler had it last */
	_Atomic uint16_t sampler; /* who looks at its task, and 1; 0: not known yet */
	_Atomic uint16_t hidden;  /* something of it, or that it has started, could not say what it held */
	_Atomic uint32_t seen;    /* KiB that the figures of its task, as published, know it to have held */
	uint64_t high_water;      /* bytes that it held, as it left; 0: unknown */
	uint64_t bound;           /* bytes: no less than it held, as it left */
	_Atomic uint64_t past;    /* high_water of the program that it was before an exec; taken by who reads it */
};

/* HEAPLOG_EXACT=1: a thread of the runner that looks at tasks. */
struct heaplog_board_sampler {
	_Atomic uint32_t news;   /* futex word: a process came or left */
	_Atomic uint32_t sleeps; /* for so long that it is to be woken; else it is enough to change the word */
};

enum heaplog_board_process_state {
	HEAPLOG_PROCESS_FREE,
	HEAPLOG_PROCESS_FILLING,
	HEAPLOG_PROCESS_ANNOUNCED, /* the first of a task, before its exec; pid 0: any child of the runner */
	HEAPLOG_PROCESS_LIVES,
	HEAPLOG_PROCESS_LEFT,
};

struct heaplog_board_head {
	uint64_t magic;
	uint32_t version;
	uint32_t size;          /* of the whole file */
	int32_t owner;          /* the runner's pid */
	uint32_t tasks;         /* places in task[] */
	uint64_t owner_started; /* field 22 of its stat, in clock ticks since boot */
	uint64_t pid_namespace; /* inode of its /proc/self/ns/pid: where owner and pid mean what they say; 0: unknown */
	uint64_t proc_device;   /* st_dev of its /proc */
	_Atomic uint32_t used;  /* places [0, used) have ever been taken */
	_Atomic uint32_t processes_used; /* of process[], as used */
	_Atomic uint32_t processes_lost; /* that found no place */
	_Atomic uint32_t told_count;     /* tasks that other runners have started since this one did */
	char runner[32];                 /* "nx", "npm", "make" */
	char run[64];                    /* "run" of its records */
	/* A hash of the names of each, the last HEAPLOG_BOARD_TOLD: such a runner may be gone by now, and its task may
	 * have left processes that look like this runner's. */
	_Atomic uint64_t told[HEAPLOG_BOARD_TOLD];
};

/* The tasks last: a process that registers itself touches, and maps, what is before them alone. */
struct heaplog_board {
	struct heaplog_board_head head;
	struct heaplog_board_sampler sampler[HEAPLOG_BOARD_SAMPLERS];
	struct heaplog_board_process process[HEAPLOG_BOARD_PROCESSES];
	struct heaplog_board_task task[HEAPLOG_BOARD_TASKS];
};

/* Copy one task as it was at one moment. Lock-free: a writer is never waited for longer than a few microseconds.
 * Returns false when the place is free, or when its writer was killed in the middle of it (the copy is then what there
 * is, perhaps of two moments). */
static inline bool heaplog_board_read(const struct heaplog_board_task *task, struct heaplog_board_figures *copy)
{
	for (int attempt = 0; attempt < 1000; attempt++) {
		const uint32_t before = atomic_load_explicit(&task->sequence, memory_order_acquire);

		memcpy(copy, &task->figures, sizeof *copy);
		copy->name[sizeof copy->name - 1] = '\0';
		atomic_thread_fence(memory_order_acquire);
		if (before % 2 == 0 && atomic_load_explicit(&task->sequence, memory_order_relaxed) == before)
			return copy->state != HEAPLOG_BOARD_FREE;
	}
	return false;
}

#endif
