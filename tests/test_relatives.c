/* Processes that are not what their own files in /proc say. */
#include "torture.h"

static char *const rss = (char *)(uintptr_t) "HEAPLOG_METRIC=rss";
static char *const pss = (char *)(uintptr_t) "HEAPLOG_METRIC=pss";

static double field(const char *line, const char *name)
{
	const char *at = strstr(line, name);

	assert_non_null(at);
	return strtod(at + strlen(name), NULL);
}

/* The record of a task that runs this in a shell, in which \"$1\" is the helper. */
static const char *record_of(const struct torture *torture, char *metric, const char *script)
{
	static char line[65536];
	char program[4200], runner[4200], results[600], shell[] = "sh", command[] = "-c", text[256];
	char threads[] = "-t", project[] = "a", target[] = "build", no_hash[] = "-";
	char path[] = "PATH=/usr/bin:/bin", on[] = "NX_LOG_HEAP_USAGE=true";
	char *argv[] = {runner, threads, project, target, no_hash, shell, command, text, shell, program, NULL};
	char *entries[] = {path, on, torture_preload(), results, metric, NULL};
	FILE *file;

	snprintf(program, sizeof program, "%s", torture_path("tests/helper_task"));
	snprintf(runner, sizeof runner, "%s", torture_path("tests/helper_runner"));
	snprintf(text, sizeof text, "%s", script);
	snprintf(results, sizeof results, "HEAPLOG_RESULTS=%s/%s", torture->directory, metric);
	assert_int_equal(torture_run(argv, entries)->status, 0);
	file = fopen(results + strlen("HEAPLOG_RESULTS="), "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof line, file));
	fclose(file);
	return line;
}

static void assert_between(const char *line, double low, double high)
{
	const double peak = field(line, "\"peak_bytes\":") / (1 << 20);

	if (peak < low || (peak > high && !torture_sanitized() && !torture_emulated()))
		fail_msg("not within %.0f to %.0f MB: %s", low, high, line);
	assert_true(field(line, "\"peak_upper_bytes\":") >= field(line, "\"peak_bytes\":"));
}

/* The first thread has ended: a zombie without memory. Two at once have what both hold. */
static void test_headless(void **state)
{
	static const char script[] = "\"$1\" headless 80 1000 & \"$1\" headless 80 1000 & wait";

	assert_between(record_of(*state, rss, script), 160, 168);
	assert_between(record_of(*state, pss, script), 160, 168);
}

/* Parent and child: neither has a memory that the kernel could compare by the first threads. */
static void test_heirs(void **state)
{
	static const char script[] = "\"$1\" heirs 80 500; true";

	assert_between(record_of(*state, rss, script), 160, 168);
	assert_between(record_of(*state, pss, script), 160, 168);
}

/* clone(CLONE_VM), and the parent that shared the memory has ended: it counts once. */
static void test_shared(void **state)
{
	static const char script[] = "\"$1\" shared 80 500; true";

	assert_between(record_of(*state, rss, script), 80, 88);
	assert_between(record_of(*state, pss, script), 80, 88);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_headless),
	    TORTURE(test_heirs),
	    TORTURE(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
