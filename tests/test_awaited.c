/* While a finished task's line is awaited each write of the runner is looked at, most of them in haste. What haste could
 * overlook: whose process it is, where the descriptor leads by now, whether the text can be read. */
#include "torture.h"

#define S(text) ((char *)(uintptr_t)(text))

static char base[1 << 18];

static struct torture_result *run(const char *which, bool preloaded)
{
	/* The emulator begins its looks late, the later the busier the machine: there the task is to last. */
	char *argv[] = {S(torture_path("tests/helper_awaited")), S(which), torture_emulated() ? S("1") : NULL, NULL};
	char *entries[] = {S("PATH=/usr/bin:/bin"), S("NX_LOG_HEAP_USAGE=true"),
			   preloaded ? torture_preload() : S("A=1"), NULL};

	return torture_run(argv, entries);
}

/* The same output but for so many suffixes. Returns the place of the first. */
static size_t compare(const char *which, size_t suffixes)
{
	struct torture_result *result = run(which, false);
	const char *first;
	size_t at;

	assert_int_equal(result->status, 0);
	memcpy(base, result->output, sizeof base);
	result = run(which, true);
	assert_int_equal(result->status, 0);
	assert_string_equal(result->errors, "");
	first = strstr(result->output, " (peak: ");
	assert_non_null(first);
	at = (size_t)(first - result->output);
	assert_int_equal(torture_strip(result->output), suffixes);
	assert_string_equal(result->output, base);
	return at;
}

static size_t place_of(const char *line, int nth)
{
	const char *at = base;

	while ((at = strstr(at, line)) && --nth)
		at++;
	assert_non_null(at);
	return (size_t)(at - base) + strlen(line);
}

static void assert_elsewhere(const char *want)
{
	char have[4096] = "";
	FILE *file = fopen("elsewhere", "r");

	assert_non_null(file);
	have[fread(have, 1, sizeof have - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(have, want);
}

/* [req: H-20] */
static void test_forked_writer(void **state)
{
	(void)state;
	const size_t at = compare("fork", 1);

	assert_int_equal(at, place_of("> nx run a:build", 2));
}

/* [req: H-12] */
static void test_vforked_writer(void **state)
{
	(void)state;
	const size_t at = compare("vfork", 1);

	assert_int_equal(at, place_of("> nx run a:build", 2));
}

/* A file that has a number which was stdout's a moment ago gets nothing of ours. */
static void test_reused_descriptor(void **state)
{
	(void)state;
	compare("reused", 1);
	assert_elsewhere("compiled in 12 ms\n> nx run a:build\n");
}

/* And a number that was a file's does not keep the figures from stdout. */
static void test_turned_descriptor(void **state)
{
	(void)state;
	const size_t at = compare("turned", 3);

	assert_int_equal(at, place_of("> nx run a:build", 1));
	assert_elsewhere("compiled in 12 ms\ncompiled in 12 ms\n");
}

/* [req: H-68] */
static void test_unreadable(void **state)
{
	(void)state;
	compare("unreadable", 1);
}

/* With the task's header before its start its own line comes before the next text. */
static void test_unreadable_streamed(void **state)
{
	struct torture_result *result;

	(void)state;
	result = run("streamed", false);
	assert_int_equal(result->status, 0);
	memcpy(base, result->output, sizeof base);
	result = run("streamed", true);
	assert_int_equal(result->status, 0);
	assert_non_null(strstr(result->output, "a:build (peak: "));
	assert_string_equal(result->errors, "");
	/* Without our own line it is the same. */
	char *own = strstr(result->output, "\xe2\x9c\x94  nx run a:build");
	assert_non_null(own);
	char *end = strchr(own, '\n');
	assert_non_null(end);
	memmove(own, end + 1, strlen(end + 1) + 1);
	assert_string_equal(result->output, base);
}

/* No line is awaited, but the line of a cache hit would be completed. */
static void test_unreadable_alone(void **state)
{
	struct torture_result *result = run("alone", false);

	(void)state;
	memcpy(base, result->output, sizeof base);
	result = run("alone", true);
	assert_int_equal(result->status, 0);
	assert_string_equal(result->output, base);
	assert_string_equal(result->errors, "");
}

/* And where stdout is /dev/null nothing cannot be read: it says so of no address, with a line awaited and without. */
/* [req: H-68] */
static void test_unreadable_into_null(void **state)
{
	char *entries[] = {S("PATH=/usr/bin:/bin"), S("NX_LOG_HEAP_USAGE=true"), NULL, NULL};
	char command[700];

	(void)state;
	snprintf(command, sizeof command, "exec %s sink 9>&1 >/dev/null", torture_path("tests/helper_awaited"));
	for (int preloaded = 0; preloaded < 2; preloaded++) {
		struct torture_result *result;

		entries[2] = preloaded ? torture_preload() : NULL;
		result = torture_run((char *[]){S("/bin/sh"), S("-c"), command, NULL}, entries);
		assert_int_equal(result->status, 0);
		if (!preloaded) {
			assert_non_null(strstr(result->output, "100: 100 100\n"));
			memcpy(base, result->output, sizeof base);
		}
		assert_string_equal(result->output, base);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_forked_writer),     TORTURE(test_vforked_writer),       TORTURE(test_reused_descriptor),
	    TORTURE(test_turned_descriptor), TORTURE(test_unreadable),           TORTURE(test_unreadable_streamed),
	    TORTURE(test_unreadable_alone),  TORTURE(test_unreadable_into_null),
	};

	return torture_sanitized() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
