#include "torture.h"

#include "measure/schedule.h"

#define MS 1000000ULL

/* 1, 2, 4 ... ms, then every 25 ms for a while, then up to the period. */
static void test_doubles_up_to_the_period(void **state)
{
	static const uint64_t expected[] = {1, 2, 4, 8, 16, 25, 25, 50, 100, 200, 400, 500, 500};
	struct heaplog_schedule schedule;

	(void)state;
	heaplog_schedule_init(&schedule, 500);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		assert_int_equal(heaplog_schedule_next(&schedule, 1000, false), expected[i] * MS);
}

static void test_early_after_a_movement(void **state)
{
	struct heaplog_schedule schedule;

	(void)state;
	heaplog_schedule_init(&schedule, 500);
	for (int i = 0; i < 20; i++)
		heaplog_schedule_next(&schedule, 1000, false);
	for (int i = 0; i < 8; i++)
		assert_int_equal(heaplog_schedule_next(&schedule, 1000, i == 0), 25 * MS);
	assert_int_equal(heaplog_schedule_next(&schedule, 1000, false), 50 * MS);
	assert_int_equal(heaplog_schedule_next(&schedule, 1000, true), 25 * MS);
	/* A walk of 3 ms every 25 ms would be 12 % of a core. */
	assert_int_equal(heaplog_schedule_next(&schedule, 3 * MS, true), 50 * MS);
	assert_int_equal(heaplog_schedule_next(&schedule, 3 * MS, true), 100 * MS);
	assert_int_equal(heaplog_schedule_next(&schedule, 3 * MS, true), 150 * MS);
	assert_int_equal(heaplog_schedule_glance(&schedule, 1), 100 * MS);
}

static void test_circuit_breaker(void **state)
{
	struct heaplog_schedule schedule;

	(void)state;
	heaplog_schedule_init(&schedule, 500);
	for (int i = 0; i < 20; i++)
		heaplog_schedule_next(&schedule, 40 * MS, false);
	assert_int_equal(schedule.period_ns, 2000 * MS);
	assert_int_equal(heaplog_schedule_next(&schedule, 40 * MS, true), 2000 * MS);
	/* An expensive walk does not slow down the rest of the task's life, nor below what was asked for. */
	heaplog_schedule_next(&schedule, 15 * MS, false);
	assert_int_equal(schedule.period_ns, 1000 * MS);
	heaplog_schedule_next(&schedule, 1 * MS, false);
	assert_int_equal(schedule.period_ns, 500 * MS);
}

/* A short period is kept, and never exceeded. */
static void test_short_period(void **state)
{
	struct heaplog_schedule schedule;

	(void)state;
	heaplog_schedule_init(&schedule, 10);
	for (int i = 0; i < 20; i++)
		assert_true(heaplog_schedule_next(&schedule, 1000, i % 3 == 0) <= 10 * MS);
	assert_int_equal(heaplog_schedule_next(&schedule, 1000, false), 10 * MS);
}

/* Glances between two looks: fewer where they cost more. */
static void test_glances(void **state)
{
	struct heaplog_schedule schedule;

	(void)state;
	heaplog_schedule_init(&schedule, 500);
	assert_int_equal(heaplog_schedule_glance(&schedule, 1), 100 * MS);
	assert_int_equal(heaplog_schedule_glance(&schedule, 8), 100 * MS);
	assert_int_equal(heaplog_schedule_glance(&schedule, 9), 250 * MS);
	assert_int_equal(heaplog_schedule_glance(&schedule, 250), 250 * MS);
	assert_int_equal(heaplog_schedule_glance(&schedule, 251), 500 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_doubles_up_to_the_period),
	    cmocka_unit_test(test_early_after_a_movement),
	    cmocka_unit_test(test_short_period),
	    cmocka_unit_test(test_circuit_breaker),
	    cmocka_unit_test(test_glances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
