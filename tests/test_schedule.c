#include "torture.h"

#include "measure/schedule.h"

#define MS 1000000ULL

static void test_doubles_up_to_the_period(void **state)
{
	static const uint64_t expected[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 500, 500};
	struct heaplog_schedule schedule;

	(void)state;
	heaplog_schedule_init(&schedule, 500);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		assert_int_equal(heaplog_schedule_next(&schedule, 1000, false, false), expected[i] * MS);
}

static void test_early_after_a_change(void **state)
{
	struct heaplog_schedule schedule;

	(void)state;
	heaplog_schedule_init(&schedule, 500);
	for (int i = 0; i < 20; i++)
		heaplog_schedule_next(&schedule, 1000, false, false);
	for (int i = 0; i < 5; i++)
		assert_int_equal(heaplog_schedule_next(&schedule, 1000, i == 0, false), 100 * MS);
	assert_int_equal(heaplog_schedule_next(&schedule, 1000, false, false), 500 * MS);
	assert_int_equal(heaplog_schedule_next(&schedule, 1000, false, true), 100 * MS);
	/* A walk of 3 ms ten times a second would be 3 % of a core. */
	assert_int_equal(heaplog_schedule_next(&schedule, 3 * MS, true, true), 500 * MS);
}

static void test_circuit_breaker(void **state)
{
	struct heaplog_schedule schedule;

	(void)state;
	heaplog_schedule_init(&schedule, 500);
	for (int i = 0; i < 20; i++)
		heaplog_schedule_next(&schedule, 40 * MS, false, false);
	assert_int_equal(schedule.period_ns, 2000 * MS);
	assert_int_equal(heaplog_schedule_next(&schedule, 40 * MS, false, false), 2000 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_doubles_up_to_the_period),
	    cmocka_unit_test(test_early_after_a_change),
	    cmocka_unit_test(test_circuit_breaker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
