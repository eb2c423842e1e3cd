/* Nothing that a program can see of the interposed functions differs: the helper_exact_* programs print one line per
 * case, and their output without the library is the measure for all states with it. */
#include "torture.h"

#define S(text) ((char *)(uintptr_t)(text))
#define PATH S("PATH=/usr/bin:/bin")

static char base[1 << 18];

/* The first line that differs, for a message that can be read. */
static void assert_same(const char *state, const char *want, const char *have)
{
	unsigned line = 1;

	while (*want && *want == *have) {
		line += *want == '\n';
		want++;
		have++;
	}
	while (want > base && want[-1] != '\n') {
		want--;
		have--;
	}
	if (*want || *have)
		fail_msg("%s: line %u is \"%.*s\", without the library \"%.*s\"", state, line, (int)strcspn(have, "\n"),
			 have, (int)strcspn(want, "\n"), want);
}

static void compare(const char *helper)
{
	static const struct {
		const char *name, *setting, *role;
	} states[] = {
	    {"off", "NX_LOG_HEAP_USAGE=false", "plain"},
	    {"off, with tasks", "NX_LOG_HEAP_USAGE=false", "runner"},
	    {"on", "NX_LOG_HEAP_USAGE=true", "plain"},
	    {"on, with tasks", "NX_LOG_HEAP_USAGE=true", "runner"},
	};
	char program[4200];

	snprintf(program, sizeof program, "%s", torture_path(helper));
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		char *argv[] = {program, S(states[i].role), NULL};
		char *base_entries[] = {PATH, S(states[i].setting), NULL};
		char *entries[] = {PATH, S(states[i].setting), torture_preload(), NULL};
		struct torture_result *result = torture_run(argv, base_entries);

		assert_int_equal(result->status, 0);
		memcpy(base, result->output, sizeof base);
		result = torture_run(argv, entries);
		assert_same(states[i].name, base, result->output);
		assert_int_equal(result->status, 0);
		/* Nobody printed a line for the tasks: they are named at the end, unless they were too short to be seen on
		 * a busy machine. */
		if (i == 3 && result->errors[0])
			assert_int_equal(strncmp(result->errors, "heaplog: exact:build (peak: ", 28), 0);
		else
			assert_string_equal(result->errors, "");
	}
}

/* The same as a task's process, in which the library stays and puts itself back into environments that were cleared. */
static void compare_member(const char *helper)
{
	char program[4200], runner[4200];
	char *argv[] = {runner, S("-t"), S("a"), S("build"), S("-"), program, S("plain"), NULL};
	char *base_entries[] = {PATH, S("NX_LOG_HEAP_USAGE=true"), S("HEAPLOG_EXACT=1"), NULL};
	char *entries[] = {PATH, S("NX_LOG_HEAP_USAGE=true"), S("HEAPLOG_EXACT=1"), torture_preload(), NULL};
	struct torture_result *result;

	snprintf(program, sizeof program, "%s", torture_path(helper));
	snprintf(runner, sizeof runner, "%s", torture_path("tests/helper_runner"));
	result = torture_run(argv, base_entries);
	assert_int_equal(result->status, 0);
	memcpy(base, result->output, sizeof base);
	result = torture_run(argv, entries);
	const size_t suffixes = torture_strip(result->output);
#ifdef __GLIBC__
	assert_int_equal(suffixes, 1);
#else
	assert_true(suffixes <= 1); /* of musl it holds half a MB, too little for a figure in its first second */
#endif
	assert_same("exact, in a task", base, result->output);
	assert_int_equal(result->status, 0);
	assert_string_equal(result->errors, "");
}

/* [req: H-28] [req: H-29] [req: H-48] [req: H-49] [req: H-57] [req: H-58] */
static void test_wait(void **state)
{
	(void)state;
	compare("tests/helper_exact_wait");
	compare_member("tests/helper_exact_wait");
}

/* [req: H-37] [req: H-03] [req: H-05] [req: H-11] [req: H-21] [req: H-23] [req: H-24] [req: H-25] [req: H-26] [req: H-27] [req: H-29] */
static void test_exec(void **state)
{
	(void)state;
	compare("tests/helper_exact_exec");
	compare_member("tests/helper_exact_exec");
}

/* [req: H-45] [req: H-49] [req: H-68] */
static void test_write(void **state)
{
	(void)state;
	compare("tests/helper_exact_write");
	compare_member("tests/helper_exact_write");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_wait),
	    TORTURE(test_exec),
	    TORTURE(test_write),
	};

	return torture_sanitized() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
