/* One task of a runner that is watched from outside: its processes, its figures, its name. One thread. */
#ifndef HEAPLOG_CLI_WATCHED_H
#define HEAPLOG_CLI_WATCHED_H

#include "cli/discover.h"
#include "measure/process_tree.h"
#include "measure/schedule.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { WATCHED_PACKAGE_MAX = 256 };

struct watched_options {
	bool turbo; /* tasks are turbo's: named by their script */
	bool pss;   /* the metric; false: rss */
	uint32_t interval_ms;
	const char *runner; /* the record's "runner"; NULL: the program's name */
	enum task_preset preset;
};

struct watched {
	const struct watched_options *options;
	pid_t pid;
	int pidfd; /* -1: none */
	struct heaplog_tree *tree;
	struct heaplog_peak peak;
	struct heaplog_schedule schedule;
	uint64_t due, glance;  /* CLOCK_MONOTONIC in ns */
	struct timespec start; /* CLOCK_REALTIME */
	bool named;            /* nothing better is to be had */
	uint64_t image;        /* of the program that the name is of */
	char name[TASK_NAME_MAX * 4], project[WATCHED_PACKAGE_MAX], target[WATCHED_PACKAGE_MAX], hash[TASK_NAME_MAX];
	char runner[TASK_RUNNER_MAX];
	bool ended;
	uint64_t ended_ns;
	unsigned tries;
	uint32_t place; /* on the board */
};

/* CLOCK_MONOTONIC in ns. */
uint64_t watched_now(void);

/* Begin with a task that was found; others: how many are watched already (descriptors are shared out). options must
 * outlive it. NULL: it has gone, or there is no memory. Ended by watched_destroy. */
struct watched *watched_create(const struct watched_options *options, const struct discovered *discovered,
			       size_t others);
void watched_destroy(struct watched *task);

/* What is due of it now: a look, or a glance at whether one is worth it. Returns whether there was a look. */
bool watched_attend(struct watched *task);

/* Has its first process ended? fds: as poll left them. */
bool watched_has_ended(const struct watched *task, const struct pollfd *fds, size_t count);

/* How it ended (*status as of waitpid, where *known), once it has: false to be asked again a millisecond later. */
bool watched_end(struct watched *task, bool *known, int *status);

#endif
