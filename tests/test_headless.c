/* Processes whose first thread has ended: by their own files in /proc they are zombies without memory. */
#include "torture.h"

static double field(const char *line, const char *name)
{
	const char *at = strstr(line, name);

	assert_non_null(at);
	return strtod(at + strlen(name), NULL);
}

/* Two of them at once, in both metrics: the sum of what both hold, and bounds that meet. */
static void test_headless(void **state)
{
	static const char *const metrics[] = {"HEAPLOG_METRIC=rss", "HEAPLOG_METRIC=pss"};
	struct torture *torture = *state;

	for (size_t i = 0; i < 2; i++) {
		char program[4200], runner[4200], script[9000], results[600], line[65536];
		char *argv[] = {runner,        (char[]){"-t"}, (char[]){"a"},  (char[]){"build"},
				(char[]){"-"}, (char[]){"sh"}, (char[]){"-c"}, script,
				NULL};
		char *entries[] = {(char[]){"PATH=/usr/bin:/bin"},
				   (char[]){"NX_LOG_HEAP_USAGE=true"},
				   torture_preload(),
				   results,
				   (char *)(uintptr_t)metrics[i],
				   NULL};
		struct torture_result *result;
		FILE *file;

		snprintf(program, sizeof program, "%s", torture_path("tests/helper_task"));
		snprintf(runner, sizeof runner, "%s", torture_path("tests/helper_runner"));
		snprintf(script, sizeof script, "%s headless 80 1000 & %s headless 80 1000 & wait", program, program);
		snprintf(results, sizeof results, "HEAPLOG_RESULTS=%s/results%zu", torture->directory, i);
		result = torture_run(argv, entries);
		assert_int_equal(result->status, 0);
		file = fopen(results + strlen("HEAPLOG_RESULTS="), "r");
		assert_non_null(file);
		assert_non_null(fgets(line, sizeof line, file));
		fclose(file);
		assert_true(field(line, "\"peak_bytes\":") >= 160 << 20);
		if (!torture_sanitized() && !torture_emulated())
			assert_true(field(line, "\"peak_bytes\":") <= 168 << 20);
		assert_true(field(line, "\"peak_upper_bytes\":") >= field(line, "\"peak_bytes\":"));
		assert_int_equal(field(line, "\"processes_max\":"), 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_headless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
