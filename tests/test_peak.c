/* The arithmetic of the peak, by hand and against a brute-force model. */
#include "torture.h"

#include "measure/peak.h"

#define MS 1000000ULL

static struct heaplog_reading reading(pid_t pid, uint64_t resident, uint64_t high_water)
{
	return (struct heaplog_reading){.pid = pid, .resident = resident, .high_water = high_water};
}

static void test_sum(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_reading two[] = {reading(1, 100, 100), reading(2, 50, 50)};

	(void)state;
	heaplog_peak_init(&peak, 10 * MS, 500);
	heaplog_peak_tick(&peak, 15 * MS, two, 2);
	assert_int_equal(peak.summary.peak_bytes, 150);
	assert_int_equal(peak.summary.peak_upper_bytes, 150);
	assert_int_equal(peak.summary.peak_at_ms, 5);
	assert_int_equal(peak.summary.processes_max, 2);
	assert_true(peak.top_stale);
	assert_int_equal(peak.summary.top[0].pid, 1);
	two[0].resident = 60;
	heaplog_peak_tick(&peak, 20 * MS, two, 2);
	assert_false(peak.top_stale);
	assert_int_equal(peak.summary.peak_bytes, 150);
	assert_int_equal(peak.summary.current_bytes, 110);
	heaplog_peak_tick(&peak, 25 * MS, NULL, 0);
	assert_int_equal(peak.summary.current_bytes, 0);
	assert_int_equal(peak.summary.samples, 2);
}

/* A spike between two looks is seen in the high-water mark: alone it is a lower bound, with the others an upper one. */
static void test_spike(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_reading two[] = {reading(1, 10, 300), reading(2, 50, 50)};

	(void)state;
	heaplog_peak_init(&peak, 0, 500);
	heaplog_peak_tick(&peak, MS, two, 2);
	assert_int_equal(peak.summary.peak_bytes, 300);
	assert_int_equal(peak.summary.peak_upper_bytes, 350);
	assert_int_equal(peak.summary.top_count, 1);
	assert_int_equal(peak.summary.top[0].pid, 1);
}

static void test_reaped(void **state)
{
	struct heaplog_summary summary = {.peak_bytes = 100, .peak_upper_bytes = 120, .peak_at_ms = 3};

	(void)state;
	heaplog_peak_reaped(&summary, 400, 400, 9);
	assert_int_equal(summary.peak_bytes, 100);
	heaplog_peak_reaped(&summary, 90, 0, 9);
	assert_int_equal(summary.peak_bytes, 100);
	assert_int_equal(summary.peak_at_ms, 3);
	heaplog_peak_reaped(&summary, 401, 400, 9);
	assert_int_equal(summary.peak_bytes, 401);
	assert_int_equal(summary.peak_upper_bytes, 401);
	assert_int_equal(summary.peak_at_ms, 9);
}

/* Random histories of up to six processes in steps of 1 ms, looked at now and then: lower <= truth <= upper. */
static void test_random_histories(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 3000; seed++) {
		struct heaplog_peak peak;
		uint64_t truth = 0;
		uint64_t resident[6], mark[6];
		const int processes = 1 + rand_r(&seed) % 6;

		heaplog_peak_init(&peak, 0, 500);
		memset(mark, 0, sizeof mark);
		memset(resident, 0, sizeof resident);
		for (uint64_t ms = 1; ms <= 400; ms++) {
			struct heaplog_reading readings[6];
			uint64_t sum = 0;

			for (int i = 0; i < processes; i++) {
				if (rand_r(&seed) % 8 == 0)
					resident[i] = 1 + (uint64_t)rand_r(&seed) % 1000;
				if (resident[i] > mark[i])
					mark[i] = resident[i];
				readings[i] = reading(i + 1, resident[i], mark[i]);
				sum += resident[i];
			}
			truth = sum > truth ? sum : truth;
			if (rand_r(&seed) % 20 == 0 || ms == 400)
				heaplog_peak_tick(&peak, ms * MS, readings, (size_t)processes);
		}
		assert_true(peak.summary.peak_bytes <= truth);
		assert_true(truth <= peak.summary.peak_upper_bytes);
	}
}

/* However long the run, the series is short, ordered and holds the peak. */
static void test_series(void **state)
{
	struct heaplog_peak peak;
	bool found = false;

	(void)state;
	heaplog_peak_init(&peak, 0, 500);
	for (uint64_t i = 1; i < 5000; i++) {
		struct heaplog_reading one = reading(1, i == 1777 ? 9000 : 100 + i % 7, 0);

		one.high_water = one.resident;
		heaplog_peak_tick(&peak, i * 3 * MS, &one, 1);
	}
	assert_in_range(peak.summary.series_count, 30, HEAPLOG_SERIES_MAX);
	for (uint32_t i = 0; i < peak.summary.series_count; i++) {
		assert_true(!i || peak.summary.series[i].ms > peak.summary.series[i - 1].ms);
		found |= peak.summary.series[i].bytes == 9000 && peak.summary.series[i].ms == 1777 * 3;
	}
	assert_true(found);
}

static void test_top(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_reading many[20];

	(void)state;
	for (int i = 0; i < 20; i++)
		many[i] = reading(i + 1, (uint64_t)((i * 7) % 20 + 1), 0);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_peak_tick(&peak, MS, many, 20);
	assert_int_equal(peak.summary.top_count, HEAPLOG_TOP_MAX);
	for (uint32_t i = 0; i < HEAPLOG_TOP_MAX; i++)
		assert_int_equal(peak.summary.top[i].bytes, 20 - i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sum),    cmocka_unit_test(test_spike),
	    cmocka_unit_test(test_reaped), cmocka_unit_test(test_random_histories),
	    cmocka_unit_test(test_series), cmocka_unit_test(test_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
