/* What several runs of a task say together. Pure. */
#ifndef HEAPLOG_CLI_STATISTICS_H
#define HEAPLOG_CLI_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/* With fewer values than this on either side no outcome of the test below could be called significant (three against
 * three: at best 0.1), so that it says nothing. */
enum { STATISTICS_LEAST = 4 };

/* Mann and Whitney's rank-sum test, two-sided: how likely it is that two samples of the same distribution lie as far
 * apart as a and b do. Equal values share their mean rank. Exact (all divisions of the pooled ranks are counted) up to
 * 40 values together; above, the normal approximation with the corrections for ties and continuity. Returns p, or -1
 * where a side has fewer than STATISTICS_LEAST values. */
double statistics_rank_sum(const uint64_t *a, size_t a_count, const uint64_t *b, size_t b_count);

#endif
