/* The arithmetic of the peak, by hand and against a brute-force model. */
#include "torture.h"

#include "measure/peak.h"

#define MS 1000000ULL

static struct heaplog_reading reading(pid_t pid, uint64_t resident, uint64_t high_water)
{
	return (struct heaplog_reading){
	    .pid = pid, .resident = resident, .alone = high_water, .high_water = high_water};
}

static void test_sum(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_reading two[] = {reading(1, 100, 100), reading(2, 50, 50)};

	(void)state;
	heaplog_peak_init(&peak, 10 * MS, 500);
	heaplog_peak_tick(&peak, 15 * MS, two, 2, 0);
	assert_int_equal(peak.summary.peak_bytes, 150);
	assert_int_equal(peak.summary.peak_upper_bytes, 150);
	assert_int_equal(peak.summary.peak_at_ms, 5);
	assert_int_equal(peak.summary.processes_max, 2);
	assert_true(peak.top_stale);
	assert_int_equal(peak.summary.top[0].pid, 1);
	two[0].resident = 60;
	heaplog_peak_tick(&peak, 20 * MS, two, 2, 0);
	assert_false(peak.top_stale);
	assert_int_equal(peak.summary.peak_bytes, 150);
	assert_int_equal(peak.summary.current_bytes, 110);
	heaplog_peak_tick(&peak, 25 * MS, NULL, 0, 0);
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
	heaplog_peak_tick(&peak, MS, two, 2, 0);
	assert_int_equal(peak.summary.peak_bytes, 300);
	assert_int_equal(peak.summary.peak_upper_bytes, 350);
	assert_int_equal(peak.summary.top_count, 1);
	assert_int_equal(peak.summary.top[0].pid, 1);
}

static void test_reaped(void **state)
{
	struct heaplog_summary summary = {
	    .peak_bytes = 100, .peak_upper_bytes = 120, .largest_bytes = 95, .peak_at_ms = 3};

	(void)state;
	heaplog_peak_reaped(&summary, 400, 400, 9);
	assert_int_equal(summary.peak_bytes, 100);
	heaplog_peak_reaped(&summary, 90, 0, 9);
	assert_int_equal(summary.peak_bytes, 100);
	assert_int_equal(summary.peak_at_ms, 3);
	heaplog_peak_reaped(&summary, 401, 400, 9);
	assert_int_equal(summary.peak_bytes, 401);
	assert_int_equal(summary.peak_at_ms, 9);
	/* Nobody was seen with so much: the others may have held all that they ever did beside it. */
	assert_int_equal(summary.peak_upper_bytes, 120 + 401);
	heaplog_peak_reaped(&summary, 404, 400, 10);
	assert_int_equal(summary.peak_upper_bytes, 120 + 401);
	/* Less than the peak, but unseen all the same. */
	summary = (struct heaplog_summary){.peak_bytes = 1000, .peak_upper_bytes = 1000, .largest_bytes = 500};
	heaplog_peak_reaped(&summary, 505, 400, 9);
	assert_int_equal(summary.peak_upper_bytes, 1000);
	heaplog_peak_reaped(&summary, 600, 400, 9);
	assert_int_equal(summary.peak_bytes, 1000);
	assert_int_equal(summary.peak_upper_bytes, 1600);
}

/* A process of the model. */
struct simulated {
	bool alive;
	bool seen;   /* by a look */
	bool doomed; /* it will end, or exec, before the next look */
	uint64_t resident;
	uint64_t mark;  /* since its exec */
	uint64_t known; /* its mark at the last look */
};

/* One step of 1 ms: processes come, change, exec and end. With exit records all is known of what ends. Without, nobody
 * can know what a process did between the last look at it and its end, so that there the doomed stay below their marks
 * and only what was seen may end. Returns what is to be accounted as gone. */
static uint64_t step(struct simulated *one, bool records, unsigned *seed)
{
	const int what = rand_r(seed) % 60;
	const bool may_end = records || (one->doomed && one->seen);
	uint64_t gone = 0;

	if (!one->alive) {
		if (what < 6)
			*one = (struct simulated){.alive = true, .resident = 1 + (uint64_t)rand_r(seed) % 1000};
	} else if (what < 3 && may_end) {
		gone = records ? one->mark : one->known;
		*one = (struct simulated){.alive = false};
	} else if (what < 5 && may_end) {
		/* An exec: all the tree sees of it is that the mark is lower. A new life, that must be seen. */
		gone = records ? one->mark : one->known;
		*one = (struct simulated){.alive = true, .resident = 1 + (uint64_t)rand_r(seed) % 100};
	} else if (what < 14) {
		const uint64_t limit = !records && one->doomed ? one->known : 1000;

		one->resident = 1 + (uint64_t)rand_r(seed) % limit;
	}
	if (one->resident > one->mark)
		one->mark = one->resident;
	return gone;
}

/* Random histories of up to six processes, looked at now and then: lower <= truth <= upper, always. */
static void test_random_histories(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 6000; round++) {
		const bool records = round % 2;
		struct simulated all[6] = {{.alive = false}};
		struct heaplog_peak peak;
		uint64_t truth = 0, gone = 0;
		unsigned seed = round * 7919 + 1;
		const int processes = 1 + rand_r(&seed) % 6;
		const int looks = 1 + rand_r(&seed) % 40; /* one in so many ms */

		heaplog_peak_init(&peak, 0, 500);
		for (uint64_t ms = 1; ms <= 400; ms++) {
			struct heaplog_reading readings[6];
			size_t count = 0;
			uint64_t sum = 0;

			for (int i = 0; i < processes; i++) {
				gone += step(&all[i], records, &seed);
				sum += all[i].resident;
			}
			truth = sum > truth ? sum : truth;
			if (rand_r(&seed) % looks != 0 && ms != 400)
				continue;
			for (int i = 0; i < processes; i++) {
				if (!all[i].alive)
					continue;
				readings[count++] = reading(i + 1, all[i].resident, all[i].mark);
				all[i].seen = true;
				all[i].known = all[i].mark;
				all[i].doomed = rand_r(&seed) % 3 == 0;
			}
			heaplog_peak_tick(&peak, ms * MS, readings, count, gone);
			gone = 0;
			assert_true(peak.summary.peak_bytes <= truth);
			assert_true(truth <= peak.summary.peak_upper_bytes);
		}
	}
}

/* Where every look finds the marks at what is held, there is nothing between the bounds. */
static void test_tight(void **state)
{
	struct heaplog_peak peak;

	(void)state;
	heaplog_peak_init(&peak, 0, 500);
	for (uint64_t ms = 1; ms < 100; ms++) {
		struct heaplog_reading three[] = {reading(1, 10 * ms, 10 * ms), reading(2, 7, 7),
						  reading(3, ms * ms, ms * ms)};

		heaplog_peak_tick(&peak, ms * MS, three, 3, 0);
		assert_int_equal(peak.summary.peak_bytes, peak.summary.peak_upper_bytes);
	}
}

/* What has gone since the last look may have been beside what came since. */
static void test_gone(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_reading old = reading(1, 100, 120), new = reading(2, 80, 90);

	(void)state;
	heaplog_peak_init(&peak, 0, 500);
	heaplog_peak_tick(&peak, MS, &old, 1, 0);
	heaplog_peak_tick(&peak, 2 * MS, &new, 1, 120);
	assert_int_equal(peak.summary.peak_bytes, 120);
	assert_int_equal(peak.summary.peak_upper_bytes, 210);
	heaplog_peak_tick(&peak, 3 * MS, NULL, 0, 500);
	assert_int_equal(peak.summary.peak_upper_bytes, 500);
	assert_int_equal(peak.summary.current_bytes, 0);
}

/* Of the proportional set size no mark is known: alone is what is held now. */
static void test_without_marks(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_reading two[] = {{.pid = 1, .resident = 30, .alone = 30, .high_water = 100},
					{.pid = 2, .resident = 40, .alone = 40, .high_water = 100}};

	(void)state;
	heaplog_peak_init(&peak, 0, 500);
	heaplog_peak_tick(&peak, MS, two, 2, 0);
	assert_int_equal(peak.summary.peak_bytes, 70);
	assert_int_equal(peak.summary.peak_upper_bytes, 200);
	heaplog_peak_alone(&peak, 2 * MS, 9, 60);
	assert_int_equal(peak.summary.peak_bytes, 70);
	heaplog_peak_alone(&peak, 2 * MS, 9, 250);
	assert_int_equal(peak.summary.peak_bytes, 250);
	assert_int_equal(peak.summary.peak_upper_bytes, 250);
	assert_int_equal(peak.summary.top_count, 1);
	assert_int_equal(peak.summary.top[0].pid, 9);
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

		one.high_water = one.alone = one.resident;
		heaplog_peak_tick(&peak, i * 3 * MS, &one, 1, 0);
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
	heaplog_peak_tick(&peak, MS, many, 20, 0);
	assert_int_equal(peak.summary.top_count, HEAPLOG_TOP_MAX);
	for (uint32_t i = 0; i < HEAPLOG_TOP_MAX; i++)
		assert_int_equal(peak.summary.top[i].bytes, 20 - i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sum),    cmocka_unit_test(test_spike),
	    cmocka_unit_test(test_reaped), cmocka_unit_test(test_random_histories),
	    cmocka_unit_test(test_series), cmocka_unit_test(test_tight),
	    cmocka_unit_test(test_gone),   cmocka_unit_test(test_without_marks),
	    cmocka_unit_test(test_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
