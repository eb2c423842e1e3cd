/* How many tasks may run at once. Pure.
 *
 * The model, which `heaplog plan --help` states: a runner with --parallel=N runs at most N different tasks at once, and
 * any N of them may meet, each at its recorded peak, because records do not tell which task waits for which. So the
 * worst set of N is that of the N largest peaks, and N fits when their sum, and what is kept aside, is at most the
 * memory. */
#ifndef HEAPLOG_CLI_PLAN_H
#define HEAPLOG_CLI_PLAN_H

#include <stddef.h>
#include <stdint.h>

/* The highest N, at most count, whose worst set fits: the sum of the N largest of peaks (sorted, the largest first) is
 * at most memory. 0: not even the largest task alone. Sums that pass 2^64 do not fit. */
size_t plan_parallel(const uint64_t *peaks, size_t count, uint64_t memory);

#endif
