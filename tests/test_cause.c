/* Why a task failed. */
#include "torture.h"

#include "preload/cause.h"

#include <signal.h>

static void check(enum heaplog_exit exit, int value, bool sent, bool oom_killed, int signal, bool oom)
{
	const struct cause cause = cause_of(exit, value, sent, oom_killed);

	if (cause.signal != signal || cause.oom != oom)
		fail_msg("exit %d %d, sent %d, killed %d: signal %d, oom %d", exit, value, sent, oom_killed,
			 cause.signal, cause.oom);
}

static void test_codes(void **state)
{
	static const int deaths[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGSEGV, SIGTERM};

	(void)state;
	for (int code = 0; code < 256; code++) {
		int signal = 0;

		for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++)
			if (code == 128 + deaths[i])
				signal = deaths[i];
		check(HEAPLOG_EXIT_CODE, code, false, false, signal, false);
		/* Memory ran out in the task's group, but this is not how such an end looks. */
		check(HEAPLOG_EXIT_CODE, code, false, true, signal, code == 137);
		assert_int_equal(cause_may_be_oom(HEAPLOG_EXIT_CODE, code), code == 137);
	}
}

static void test_signals(void **state)
{
	(void)state;
	for (int signal = 1; signal < 65; signal++) {
		check(HEAPLOG_EXIT_SIGNAL, signal, false, false, signal, false);
		check(HEAPLOG_EXIT_SIGNAL, signal, false, true, signal, signal == SIGKILL);
		check(HEAPLOG_EXIT_SIGNAL, signal, true, true, signal, false);
		assert_int_equal(cause_may_be_oom(HEAPLOG_EXIT_SIGNAL, signal), signal == SIGKILL);
	}
}

static void test_unknown(void **state)
{
	(void)state;
	check(HEAPLOG_EXIT_UNKNOWN, 0, false, true, 0, false);
	check(HEAPLOG_EXIT_UNKNOWN, 137, false, true, 0, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TORTURE(test_codes), TORTURE(test_signals), TORTURE(test_unknown)};

	return cmocka_run_group_tests_name("cause", tests, NULL, NULL);
}
