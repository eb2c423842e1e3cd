/* Runners that no preload reaches, statically linked ones above all: their tasks are found and measured from the
 * outside, by the launcher that waits for the command. */
#ifndef HEAPLOG_CLI_OUTSIDE_H
#define HEAPLOG_CLI_OUTSIDE_H

#include "cli/elf.h"
#include "cli/supervise.h"
#include "task/task.h"

struct outside_settings {
	struct task_rule rule;
	bool turbo;          /* tasks are turbo's: named by their script */
	const char *runner;  /* the record's "runner" where turbo or a pattern is meant; NULL: the program's name */
	const char *program; /* what the board calls the runner */
	bool pss;            /* the metric; false: rss */
	uint32_t interval_ms;
	const char *results; /* file to append each record to; NULL: none */
	int records;         /* descriptor that gets each record as well; -1: none */
	struct elf own;
};

struct outside;

/* The companion of supervise() that does it. NULL: no memory. Free it after supervise has returned; tasks that still
 * run then are recorded as they are, without an exit status. */
struct outside *outside_create(const struct outside_settings *settings, struct companion *companion);

/* How many tasks were measured, and the errno of the first record that could not be appended (0: all could). */
void outside_destroy(struct outside *outside, unsigned *tasks, int *results_error);

#endif
