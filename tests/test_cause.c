/* Why a task failed. */
#include "torture.h"

#include "preload/cause.h"

#include <signal.h>

static void check(enum heaplog_exit exit, int value, bool sent, enum oom killer, int signal, bool oom)
{
	const struct cause cause = cause_of(exit, value, sent, killer);

	if (cause.signal != signal || cause.oom != oom)
		fail_msg("exit %d %d, sent %d, killer %d: signal %d, oom %d", exit, value, sent, killer, cause.signal,
			 cause.oom);
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
		check(HEAPLOG_EXIT_CODE, code, false, OOM_NONE, signal, false);
		/* The killer was about; another may have been the victim, and success needs no excuse. */
		check(HEAPLOG_EXIT_CODE, code, false, OOM_BEFORE, signal, code == 137 || (code && !signal));
		check(HEAPLOG_EXIT_CODE, code, false, OOM_NEAR, signal, code == 137);
		check(HEAPLOG_EXIT_CODE, code, false, OOM_HIT, signal, code == 137 || (code && !signal));
		check(HEAPLOG_EXIT_CODE, code, true, OOM_HIT, signal, false);
		assert_int_equal(cause_is_failure(HEAPLOG_EXIT_CODE, code), code != 0);
	}
}

static void test_signals(void **state)
{
	(void)state;
	for (int signal = 1; signal < 65; signal++) {
		check(HEAPLOG_EXIT_SIGNAL, signal, false, OOM_NONE, signal, false);
		check(HEAPLOG_EXIT_SIGNAL, signal, false, OOM_BEFORE, signal, false);
		check(HEAPLOG_EXIT_SIGNAL, signal, false, OOM_NEAR, signal, signal == SIGKILL);
		check(HEAPLOG_EXIT_SIGNAL, signal, false, OOM_HIT, signal, signal == SIGKILL);
		check(HEAPLOG_EXIT_SIGNAL, signal, true, OOM_HIT, signal, false);
		assert_true(cause_is_failure(HEAPLOG_EXIT_SIGNAL, signal));
	}
}

static void test_unknown(void **state)
{
	(void)state;
	check(HEAPLOG_EXIT_UNKNOWN, 0, false, OOM_HIT, 0, false);
	check(HEAPLOG_EXIT_UNKNOWN, 137, false, OOM_HIT, 0, false);
	assert_false(cause_is_failure(HEAPLOG_EXIT_UNKNOWN, 137));
}

int main(void)
{
	const struct CMUnitTest tests[] = {TORTURE(test_codes), TORTURE(test_signals), TORTURE(test_unknown)};

	return cmocka_run_group_tests_name("cause", tests, NULL, NULL);
}
