/* What the parts of the process tree share; nothing else includes it. */
#ifndef HEAPLOG_MEASURE_TREE_H
#define HEAPLOG_MEASURE_TREE_H

#include "measure/procfs.h"
#include "measure/process_tree.h"

enum {
	THREADS_KEPT = 32, /* children files kept per process; those of further threads are opened when need be */
	MEMBERS_FIRST = 64,
	MANY = 250,          /* more members than this: statm every tick, status in turn */
	ROUND = 16,          /* ticks of such a turn */
	FEW = 32,            /* up to so many members a glance reads their memory, and each look their marks */
	FORK_NO_EXEC = 0x40, /* PF_FORKNOEXEC */
	TREE_ENVIRONMENT = 1 << 18,
};

struct member {
	pid_t pid;
	pid_t parent;
	bool is_root;
	bool execed;           /* has exec'ed since its fork */
	bool own;              /* what it holds is its own, and counts: it has exec'ed, or works without an exec */
	bool loaded;           /* it holds what a program does that has got to its main() */
	bool heard;            /* it has said what it held, and ends; not where it holds more afterwards */
	bool reads;            /* its memory counted in this tick */
	bool unreadable;       /* its share may not be read */
	bool waits;            /* its mark was not asked for in this tick */
	pid_t speaker;         /* its first thread has ended: another one, that says what it holds; 0: the first does */
	unsigned thread_count; /* as status said last; 0: unknown */
	unsigned kept;         /* children descriptors in use */
	uint64_t seen_ns;      /* when it was found */
	uint64_t started;      /* field 22 of stat, where no descriptor is kept */
	int status_fd;         /* -1: opened for each look */
	int statm_fd;          /* -1: not kept */
	int tasks_fd;          /* the directory of its threads; -1: not kept */
	int children_fd[THREADS_KEPT];
	pid_t children_tid[THREADS_KEPT];
	uint64_t anonymous; /* before it counts: bytes at its first look */
	uint64_t resident;  /* in the metric */
	uint64_t held;      /* pss: its resident set */
	uint64_t whole;     /* pss: its share; of one that is unreadable its anonymous pages */
	uint64_t shared;    /* pss: what of its share may be pages that others have by a fork */
	uint64_t mark;      /* high-water mark in bytes; 0: not known yet */
	uint64_t said;      /* where it was heard: bytes, no less than it held */
};

/* Where the kernel is in giving away process ids. Those in (from, last] are to be looked at. */
struct tree_cursor {
	int fd;          /* loadavg; -1: not kept */
	bool trusted;    /* its last field is the last id given away */
	pid_t last;      /* now */
	pid_t old;       /* at a look some time ago */
	pid_t from;      /* at the look before that: all up to it can be seen since long */
	uint64_t old_ns; /* when that was last */
};

struct ancestor {
	pid_t pid;
	int fd; /* its first thread's children; -1: not kept */
};

struct heaplog_tree {
	struct member *members;
	struct heaplog_reading *readings;
	size_t count, capacity;
	unsigned budget, open;
	unsigned threads;       /* children files that are kept */
	unsigned turn;          /* of ROUND */
	bool waited;            /* some marks are of the tick before */
	bool unlisted;          /* a root has come: what it had spawned before is in its files */
	bool changed;           /* a member came or went since the last tick */
	bool no_kcmp;           /* the kernel does not tell who shares memory */
	bool no_children_files; /* a kernel without CONFIG_PROC_CHILDREN */
	uint64_t now_ns;
	uint64_t gone, gone_before; /* marks of members that went in this round of looks, and in the one before */
	uint64_t sum, marks;        /* of the last tick */
	uint64_t cost_ns;           /* pss: processor time of the last tick */
	uint64_t ticked_ns;         /* when that was */
	struct tree_cursor cursor;
	struct ancestor ancestors[32]; /* of this process, itself included */
	size_t ancestor_count;
	unsigned orphans; /* children of these, when they were listed last */
	/* Orphans (orphan_linux.c). */
	pid_t session, group; /* of this process */
	pid_t oldest_root;    /* the first root: a session of the task's own has its number or a later one */
	uint64_t began;       /* field 22 of its stat; 0: unknown */
	uint64_t began_ns;    /* of the first look */
	bool elders_seen;     /* the orphans that were there before the task have been looked at */
	bool rival;           /* another run has, or has left, processes with this task's variables */
	bool rival_near;      /* in the runner's session and group */
	uint64_t
	    searched_ns; /* the last search for such, the last in all processes, and the last id at that and the one before */
	uint64_t searched_all_ns;
	pid_t searched, searched_before;
	char *environment; /* TREE_ENVIRONMENT bytes to read one into; NULL: not needed yet */
	struct heaplog_tree_options options;
	char proc[PROCFS_PATH_MAX];
	char text[4096]; /* what was read last; not on the stack, which each fork of the runner makes to be copied */
};

/* Memory that no child needs, or MAP_FAILED: one that the runner forks would copy it, and after that each write of ours a
 * page. With a thousand tasks at once that took longer than the looks. */
void *tree_map(size_t size);

bool tree_is_member(const struct heaplog_tree *tree, pid_t pid);

/* Returns 0 also when pid is a member already or has gone; -1: no memory. */
int tree_add(struct heaplog_tree *tree, pid_t pid, pid_t parent, bool is_root);

/* The same of one that was found by its parent's number, where that still is the member's: numbers may come round within
 * one look. */
int tree_add_child(struct heaplog_tree *tree, pid_t pid, pid_t parent);

/* Has the member's number not been given to another process since? Says true of a zombie. */
bool tree_is_still(const struct heaplog_tree *tree, const struct member *member);

void tree_forget_threads(struct heaplog_tree *tree, struct member *member);

/* memory_linux.c: read the memory of a member. Returns false when it has gone. */
bool tree_read_memory(struct heaplog_tree *tree, struct member *member, bool with_status);

/* One member is read after the other, so that a sum is of many moments: what one gives back and another takes meanwhile
 * is in both (seen: 47 MB of 27), and a share that is read of a parent before its fork and of the child after it is too
 * large (237 MB of 200). Reads all once more and keeps the smaller of both: so much each held at the moment between
 * the rounds, unless it gave memory back and took it again around that. */
void tree_read_again(struct heaplog_tree *tree);

/* Where shares are counted: what counts of those members whose share may not be read, beside the others. */
void tree_settle_shares(struct heaplog_tree *tree);

/* Its resident bytes, by the kept statm alone. Returns false when it has gone, or none is kept. */
bool tree_read_statm(const struct member *member, uint64_t *resident);

/* The same of one whose first thread has ended, by its speaker's: not kept, since it may end before the process does. */
bool tree_read_statm_of_thread(const struct heaplog_tree *tree, const struct member *member, uint64_t *resident);

/* discover_linux.c: add what has come since the last look. One read where nothing can have. */
void tree_discover(struct heaplog_tree *tree);

/* A kernel without children files: all processes, by their parents. One scan serves all trees of this process. */
void tree_scan_all(struct heaplog_tree *tree);

void tree_cursor_open(struct heaplog_tree *tree);

/* The last process id that was given away; 0: the kernel does not say. */
pid_t tree_last_id(const struct heaplog_tree *tree);

/* Is pid init, or another process that this one descends from, or this one where it takes orphans? */
bool tree_is_ancestor(const struct heaplog_tree *tree, pid_t pid);

/* Call visit for every child of the ancestors from the first-th on. */
void tree_each_orphan(struct heaplog_tree *tree, size_t first,
		      void (*visit)(struct heaplog_tree *, pid_t, const void *), const void *context);

/* orphan_linux.c: does pid, the child of an ancestor, belong to the task? */
bool tree_takes_orphan(struct heaplog_tree *tree, pid_t pid);

/* Once, a moment after the task's start: see what other runs have left behind. */
void tree_see_elders(struct heaplog_tree *tree);

#endif
