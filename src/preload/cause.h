/* Why a task failed, as far as it is worth a word: pure. */
#ifndef HEAPLOG_PRELOAD_CAUSE_H
#define HEAPLOG_PRELOAD_CAUSE_H

#include "record/record.h"

#include <stdbool.h>

struct cause {
	int signal; /* number of the signal that ended it, 0: none */
	bool oom;   /* that was the kernel's, for want of memory */
};

/* exit, value: how the task's first process ended. A shell whose command was killed ends with 128 and the signal's
 * number, so that the codes of the signals by which programs die (not those by which people stop them) are taken for
 * the signal. sent: the runner itself killed the process. oom_killed: the kernel's out-of-memory killer struck in the
 * task's control group while it ran. */
struct cause cause_of(enum heaplog_exit exit, int value, bool sent, bool oom_killed);

/* Is it worth asking whether the out-of-memory killer struck? */
bool cause_may_be_oom(enum heaplog_exit exit, int value);

#endif
