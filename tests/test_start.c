/* Ways of starting a task, in hostile circumstances: with and without the library the same, but for the suffixes. */
#include "torture.h"

#define S(text) ((char *)(uintptr_t)(text))
#define PATH S("PATH=/usr/bin:/bin")
#define ON S("NX_LOG_HEAP_USAGE=true")

/* Run one mode of helper_start both ways. Returns the number of suffixes. */
static size_t compare(const char *mode)
{
	static char base[1 << 16];
	char program[4200], task[4200];
	char *argv[] = {program, S(mode), task, NULL};
	char *base_entries[] = {PATH, ON, NULL};
	char *entries[] = {PATH, ON, torture_preload(), NULL};
	struct torture_result *result;
	size_t suffixes;

	snprintf(program, sizeof program, "%s", torture_path("tests/helper_start"));
	snprintf(task, sizeof task, "%s", torture_path("tests/helper_task"));
	result = torture_run(argv, base_entries);
	assert_int_equal(result->status, 0);
	memcpy(base, result->output, sizeof base - 1);
	result = torture_run(argv, entries);
	assert_int_equal(result->status, 0);
	assert_string_equal(torture_without_closing(result->errors), "");
	suffixes = torture_strip(result->output);
	assert_string_equal(result->output, base);
	return suffixes;
}

/* [req: H-04] [req: H-36] Each of the exec family after fork and after vfork, and posix_spawn[p] in both versions: the
 * task is without the library. */
static void test_starts(void **state)
{
	(void)state;
	compare("starts");
}

/* [req: H-35] */
static void test_readonly(void **state)
{
	(void)state;
	assert_int_equal(compare("readonly"), 3);
}

/* [req: H-22] */
static void test_small_stack(void **state)
{
	(void)state;
	assert_int_equal(compare("smallstack"), 1);
}

/* [req: H-22] */
static void test_coroutines(void **state)
{
	static const char *const ways[] = {"fork", "vfork", "spawn", "clone"};
	char mode[32];

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		for (int size = 4; size <= 20; size += 2) {
			snprintf(mode, sizeof mode, "coroutine-%s-%d", ways[i], size);
			compare(mode);
		}
}

/* [req: H-18] [req: H-19] */
static void test_nested(void **state)
{
	(void)state;
	compare("nested");
}

/* [req: H-18] [req: H-19] Handlers of a timer that fork, wait and write, on a small stack, in the middle of everything.
 * A wait in such a handler once made a thread, and with it an allocation, while the program was inside malloc: it hung.
 */
static void test_signals(void **state)
{
	(void)state;
	compare("signals");
}

/* [req: H-12] [req: H-19] */
static void test_atfork(void **state)
{
	(void)state;
	compare("atfork");
}

/* [req: H-14] [req: H-16] */
static void test_no_malloc(void **state)
{
	(void)state;
	compare("nomalloc");
}

/* [req: H-19] */
static void test_handler_allocates_nothing(void **state)
{
	(void)state;
	assert_int_equal(compare("handlerfree"), 3);
}

/* The figure of a child owes nothing to its runner, however that grows before the exec: the child's own maximum begins
 * with it. */
static void test_growing_runner(void **state)
{
	char program[4200];
	char *argv[] = {program, S("growing"), NULL};
	char *entries[] = {PATH, ON, torture_preload(), NULL};
	const struct torture_result *result;

	(void)state;
	if (torture_sanitized()) /* they make the program itself large */
		skip();
	snprintf(program, sizeof program, "%s", torture_path("tests/helper_start"));
	result = torture_run(argv, entries);
	assert_int_equal(result->status, 0);
	for (const char *at = result->output; (at = strstr(at, "(peak: ")) != NULL; at++)
		if (strstr(at, "MB)") == at + strcspn(at, "M") && atoi(at + 7) > 8)
			fail_msg("%.60s", at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_starts),         TORTURE(test_readonly),  TORTURE(test_small_stack),
	    TORTURE(test_coroutines),     TORTURE(test_nested),    TORTURE(test_signals),
	    TORTURE(test_atfork),         TORTURE(test_no_malloc), TORTURE(test_handler_allocates_nothing),
	    TORTURE(test_growing_runner),
	};

	return torture_sanitized() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
