/* The rank-sum test against the plain counting of all divisions, and `plan` against the trying out of all sets. */
#include "torture.h"

#include "cli/plan.h"
#include "cli/statistics.h"
#include "cli/table.h"

#include <math.h>

static uint64_t seed = 1;

static uint64_t next(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (seed >> 33) % below;
}

/* Mann and Whitney's U of those of values whose bit is set, ties a half; doubled. */
static long u_of(const uint64_t *values, size_t total, unsigned set)
{
	long u = 0;

	for (size_t i = 0; i < total; i++)
		for (size_t j = 0; j < total; j++)
			if (set >> i & 1 && !(set >> j & 1))
				u += values[i] > values[j] ? 2 : values[i] == values[j];
	return u;
}

static double by_counting(const uint64_t *a, size_t a_count, const uint64_t *b, size_t b_count)
{
	const size_t total = a_count + b_count;
	const long middle = (long)(a_count * b_count);
	uint64_t values[16];
	double all = 0, extreme = 0;

	memcpy(values, a, a_count * sizeof *a);
	memcpy(values + a_count, b, b_count * sizeof *b);
	const long here = labs(u_of(values, total, (1U << a_count) - 1) - middle);
	for (unsigned set = 0; set < 1U << total; set++) {
		if ((size_t)__builtin_popcount(set) != a_count)
			continue;
		all++;
		extreme += labs(u_of(values, total, set) - middle) >= here;
	}
	return extreme / all;
}

static void rank_sum_is_exact(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		const size_t a_count = 4 + next(2), b_count = 4 + next(3);
		const uint64_t spread = next(2) ? 5 : 1000; /* many ties, or few */
		uint64_t a[8], b[8];

		for (size_t i = 0; i < a_count; i++)
			a[i] = next(spread);
		for (size_t i = 0; i < b_count; i++)
			b[i] = next(spread) + next(4) * spread / 4;
		assert_true(fabs(statistics_rank_sum(a, a_count, b, b_count) - by_counting(a, a_count, b, b_count)) <
			    1e-9);
	}
}

/* Values of scipy.stats.mannwhitneyu(a, b): method="exact" 0.02857142857142857; asymptotic for 30 against 30. */
static void known_values(void **state)
{
	const uint64_t low[] = {1, 2, 3, 4}, high[] = {5, 6, 7, 8};
	uint64_t a[30], b[30];

	(void)state;
	assert_true(fabs(statistics_rank_sum(low, 4, high, 4) - 2.0 / 70) < 1e-12);
	assert_true(statistics_rank_sum(low, 4, low, 4) == 1);
	assert_true(statistics_rank_sum(low, 3, high, 4) < 0);
	for (unsigned i = 0; i < 30; i++) {
		a[i] = i;
		b[i] = i + 30;
	}
	assert_true(statistics_rank_sum(a, 30, b, 30) < 1e-10);
	assert_true(statistics_rank_sum(a, 30, a, 30) > 0.99);
	for (unsigned i = 0; i < 30; i++)
		a[i] = b[i] = 7;
	assert_true(statistics_rank_sum(a, 30, b, 30) == 1);
}

/* Where nothing changed, p is below 0.05 in at most 5 of 100 cases: with both the exact and the approximate way. */
static void false_alarms(void **state)
{
	static const size_t counts[] = {4, 8, 25};

	(void)state;
	for (size_t c = 0; c < 3; c++) {
		int alarms = 0;

		for (int round = 0; round < 2000; round++) {
			uint64_t a[25], b[25];

			for (size_t i = 0; i < counts[c]; i++) {
				a[i] = next(1000000);
				b[i] = next(1000000);
			}
			alarms += statistics_rank_sum(a, counts[c], b, counts[c]) < 0.05;
		}
		assert_in_range(alarms, 0, 140); /* 100 expected, 10 the standard deviation */
	}
}

static int larger_first(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x > y ? -1 : x < y;
}

/* Simulate: at most n tasks at once, every set of at most n of them may be what runs. Whether all of those sets fit. */
static bool all_sets_fit(const uint64_t *peaks, size_t count, size_t n, uint64_t memory)
{
	for (unsigned set = 1; set < 1U << count; set++) {
		uint64_t sum = 0;

		if ((size_t)__builtin_popcount(set) > n)
			continue;
		for (size_t i = 0; i < count; i++)
			sum += set >> i & 1 ? peaks[i] : 0;
		if (sum > memory)
			return false;
	}
	return true;
}

static void plan_is_what_trying_all_sets_finds(void **state)
{
	(void)state;
	for (int round = 0; round < 2000; round++) {
		const size_t count = 1 + next(10);
		uint64_t peaks[10], total = 0;
		size_t best = 0;

		for (size_t i = 0; i < count; i++)
			total += peaks[i] = 1 + next(next(2) ? 20 : 1000);
		const uint64_t memory = next(4) ? next(total + 10) : total;
		while (best < count && all_sets_fit(peaks, count, best + 1, memory))
			best++;
		qsort(peaks, count, sizeof *peaks, larger_first);
		assert_int_equal(plan_parallel(peaks, count, memory), best);
	}
	const uint64_t huge[] = {UINT64_MAX, UINT64_MAX};
	assert_int_equal(plan_parallel(huge, 2, UINT64_MAX), 1); /* the sum passes 2^64 */
}

/* What a runner that always starts the next waiting task, in any order, with n at once, can come to: never above the
 * worst set, each task holding its peak while it runs for a random time. */
static void no_schedule_needs_more_than_the_worst_set(void **state)
{
	(void)state;
	for (int round = 0; round < 2000; round++) {
		const size_t count = 2 + next(20), n = 1 + next(6);
		uint64_t peaks[22], sorted[22], ends[8] = {0}, held[8] = {0}, worst = 0, now;

		for (size_t i = 0; i < count; i++)
			sorted[i] = peaks[i] = 1 + next(1000);
		qsort(sorted, count, sizeof *sorted, larger_first);
		for (size_t i = 0; i < n && i < count; i++)
			worst += sorted[i];
		assert_true(plan_parallel(sorted, count, worst) >= (n < count ? n : count));
		for (size_t i = count; i > 1; i--) {
			const size_t j = next(i);
			const uint64_t swap = peaks[i - 1];

			peaks[i - 1] = peaks[j];
			peaks[j] = swap;
		}
		for (size_t i = 0; i < count; i++) {
			size_t slot = 0;
			uint64_t sum = 0;

			for (size_t j = 1; j < n; j++)
				if (ends[j] < ends[slot])
					slot = j;
			now = ends[slot];
			ends[slot] = now + 1 + next(50);
			held[slot] = peaks[i];
			for (size_t j = 0; j < n; j++)
				sum += ends[j] > now ? held[j] : 0;
			assert_true(sum <= worst);
		}
	}
}

static void medians(void **state)
{
	uint64_t three[] = {9, 1, 5}, four[] = {4, 1, 3, 2}, huge[] = {UINT64_MAX, UINT64_MAX - 2};

	(void)state;
	assert_true(table_median(three, 3) == 5);
	assert_true(table_median(four, 4) == 2);
	assert_true(table_median(huge, 2) == UINT64_MAX - 1);
	assert_true(table_median(huge, 0) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(rank_sum_is_exact),
	    TORTURE(known_values),
	    TORTURE(false_alarms),
	    TORTURE(plan_is_what_trying_all_sets_finds),
	    TORTURE(no_schedule_needs_more_than_the_worst_set),
	    TORTURE(medians),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
