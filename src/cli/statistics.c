#include "cli/statistics.h"

#include "cli/intern.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT_MOST = 40 };

struct ranked {
	uint64_t value;
	size_t rank; /* twice the mean rank: a whole number with ties, too */
	int from_a;
};

static int by_value(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return x->value < y->value ? -1 : x->value > y->value;
}

/* The share of all ways to choose count of the ranks whose sum lies at least as far from the middle as sum does.
 * ways[k][s]: how many ways to choose k with the sum s; at most 40 over 20, which a double holds exactly. */
static double exact(const struct ranked *ranks, size_t total, size_t count, size_t sum)
{
	const size_t most = total * (total + 1);        /* of doubled ranks: twice 1 + ... + total */
	const size_t middle2 = count * (total + 1) * 2; /* twice the expected doubled sum */
	const size_t distance = 2 * sum > middle2 ? 2 * sum - middle2 : middle2 - 2 * sum;
	double *ways = must_realloc(NULL, (count + 1) * (most + 1), sizeof *ways);
	double all = 0, extreme = 0;

	memset(ways, 0, (count + 1) * (most + 1) * sizeof *ways);
	ways[0] = 1;
	for (size_t i = 0; i < total; i++)
		for (size_t k = count; k-- > 0;)
			for (size_t s = most - ranks[i].rank + 1; s-- > 0;)
				ways[(k + 1) * (most + 1) + s + ranks[i].rank] += ways[k * (most + 1) + s];
	for (size_t s = 0; s <= most; s++) {
		const double here = ways[count * (most + 1) + s];

		all += here;
		if ((2 * s > middle2 ? 2 * s - middle2 : middle2 - 2 * s) >= distance)
			extreme += here;
	}
	free(ways);
	return extreme / all;
}

static double approximate(const struct ranked *ranks, size_t total, size_t count, size_t sum)
{
	const double n = (double)total, a = (double)count, b = n - a;
	const double distance = fabs((double)sum / 2 - a * (n + 1) / 2);
	double ties = 0, variance;

	for (size_t i = 0, j; i < total; i = j) {
		for (j = i; j < total && ranks[j].value == ranks[i].value; j++)
			;
		const double t = (double)(j - i);
		ties += t * t * t - t;
	}
	variance = a * b / 12 * (n + 1 - ties / (n * (n - 1)));
	if (variance <= 0)
		return 1; /* all are equal */
	return distance <= 0.5 ? 1 : erfc((distance - 0.5) / sqrt(variance) / sqrt(2.0));
}

double statistics_rank_sum(const uint64_t *a, size_t a_count, const uint64_t *b, size_t b_count)
{
	const size_t total = a_count + b_count;
	struct ranked *ranks;
	size_t sum = 0;
	double p;

	if (a_count < STATISTICS_LEAST || b_count < STATISTICS_LEAST)
		return -1;
	ranks = must_realloc(NULL, total, sizeof *ranks);
	for (size_t i = 0; i < total; i++)
		ranks[i] = (struct ranked){.value = i < a_count ? a[i] : b[i - a_count], .from_a = i < a_count};
	qsort(ranks, total, sizeof *ranks, by_value);
	for (size_t i = 0, j; i < total; i = j) {
		for (j = i; j < total && ranks[j].value == ranks[i].value; j++)
			;
		for (size_t k = i; k < j; k++) {
			ranks[k].rank = i + 1 + j; /* twice the mean of i + 1 ... j */
			sum += ranks[k].from_a ? ranks[k].rank : 0;
		}
	}
	p = total <= EXACT_MOST ? exact(ranks, total, a_count, sum) : approximate(ranks, total, a_count, sum);
	free(ranks);
	return p;
}
