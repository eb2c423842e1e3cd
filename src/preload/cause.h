/* Why a task failed, as far as it is worth a word: pure. */
#ifndef HEAPLOG_PRELOAD_CAUSE_H
#define HEAPLOG_PRELOAD_CAUSE_H

#include "record/record.h"

#include <stdbool.h>

struct cause {
	int signal; /* number of the signal that ended it, 0: none */
	bool oom;   /* that was the kernel's, for want of memory */
};

/* What the out-of-memory killer did while the task ran. */
enum oom {
	OOM_NONE,   /* nothing, or nothing is known, or it hit another */
	OOM_BEFORE, /* it struck in the task's control group, or on the machine, and then the task's memory fell */
	OOM_NEAR,   /* it struck when the task ended */
	OOM_HIT,    /* and the task was the largest */
};

/* exit, value: how the task's first process ended. A shell whose command was killed ends with 128 and the signal's
 * number, so that the codes of the signals by which programs die (not those by which people stop them) are taken for
 * the signal. sent: the runner itself killed the process, or may have killed one of the task's. */
struct cause cause_of(enum heaplog_exit exit, int value, bool sent, enum oom oom);

/* Is it a failure at all, so that asking for the reason is worth its price? */
bool cause_is_failure(enum heaplog_exit exit, int value);

#endif
