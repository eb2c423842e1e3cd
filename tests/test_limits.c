/* Resource limits: what the library needs for itself it does without, and the program keeps what it had. Each row runs
 * the small runner under one limit, with and without the library: status and output are the same but for the suffix. */
#include "torture.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define S(text) ((char *)(uintptr_t)(text))
#define PATH S("PATH=/usr/bin:/bin")
#define ON S("NX_LOG_HEAP_USAGE=true")

struct row {
	const char *name;
	int resource;
	rlim_t value;
	const char *extra;  /* one more environment entry, or NULL */
	int suffixes;       /* expected; -1: as it comes */
	const char *errors; /* what stderr begins with; NULL: it is empty */
};

/* What the task sleeps: on a machine so busy that nobody gets to look at it in that time, longer. */
static const char *task_seconds = "0.05";

/* Sets the limit and becomes the runner: the limit is the runner's alone, not the test's. */
static struct torture_result *run(const struct row *row, const char *role, bool preloaded)
{
	char limit[32], resource[32], program[4200];
	char *argv[] = {program,         S("limited"), resource,   limit,  S(torture_path("tests/helper_runner")),
			S(role),         S("a"),       S("build"), S("-"), S("sleep"),
			S(task_seconds), NULL};
	char *entries[] = {PATH, ON, preloaded ? torture_preload() : S("A=1"), row->extra ? S(row->extra) : NULL, NULL};

	snprintf(program, sizeof program, "%s", torture_path("tests/helper_task"));
	snprintf(resource, sizeof resource, "%d", row->resource);
	snprintf(limit, sizeof limit, "%lu", (unsigned long)row->value);
	return torture_run(argv, entries);
}

/* [req: H-44] [req: H-83] */
static void test_limits(void **state)
{
	static const struct row rows[] = {
	    {"no file may grow", RLIMIT_FSIZE, 0, NULL, 1, NULL},
	    {"no file may grow, results", RLIMIT_FSIZE, 0, "HEAPLOG_RESULTS=results", 1, "heaplog: HEAPLOG_RESULTS: "},
	    {"results of a few bytes", RLIMIT_FSIZE, 100, "HEAPLOG_RESULTS=results", 1, "heaplog: HEAPLOG_RESULTS: "},
	    {"address space 4 MB", RLIMIT_AS, 4 << 20, NULL, 0, NULL},
	    {"address space 50 MB", RLIMIT_AS, 50 << 20, NULL, 0, NULL},
	    {"address space 400 MB", RLIMIT_AS, 400 << 20, NULL, 0, NULL},
	    {"stack 64 KB", RLIMIT_STACK, 64 << 10, NULL, 1, NULL},
	    {"stack 64 KB, all", RLIMIT_STACK, 64 << 10, "HEAPLOG_TASK=all", -1, ""},
	    {"stack 64 KB, malformed", RLIMIT_STACK, 64 << 10, "HEAPLOG_INTERVAL_MS=x", 1,
	     "heaplog: HEAPLOG_INTERVAL_MS=x "},
	    {"4 descriptors", RLIMIT_NOFILE, 4, NULL, -1, NULL},
	    {"5 descriptors", RLIMIT_NOFILE, 5, NULL, -1, NULL},
	    {"10 descriptors", RLIMIT_NOFILE, 10, NULL, -1, NULL},
	};
	static const char *const roles[] = {"-t", "-w", "-v", "-p"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t role = 0; role < 4; role++) {
			static char base[1024];
			struct torture_result *result = run(&rows[i], roles[role], false);
			const int status = result->status;
			int suffixes;

			memcpy(base, result->output, sizeof base - 1);
			task_seconds = "0.05";
			result = run(&rows[i], roles[role], true);
			if (rows[i].suffixes > 0 && !strstr(result->output, "(peak: ")) {
				task_seconds = "1";
				result = run(&rows[i], roles[role], true);
			}
			if (result->status != status)
				fail_msg("%s, %s: status %x, not %x\n%s", rows[i].name, roles[role],
					 (unsigned)result->status, (unsigned)status, result->errors);
			assert_null(strstr(result->output, "(peak: 0"));
			suffixes = (int)torture_strip(result->output);
			assert_string_equal(result->output, base);
			if (rows[i].suffixes >= 0 && suffixes != rows[i].suffixes)
				fail_msg("%s, %s: %d suffixes", rows[i].name, roles[role], suffixes);
			if (!rows[i].errors)
				assert_string_equal(result->errors, "");
			else
				assert_int_equal(strncmp(result->errors, rows[i].errors, strlen(rows[i].errors)), 0);
		}
}

/* [req: H-32] Where nothing can be measured the task is without the library all the same: it may be unable to load it. */
static void test_unmeasured(void **state)
{
	static const char *const roles[] = {"-t", "-w", "-v", "-p"};
	char program[4200], runner[4200];

	(void)state;
	snprintf(program, sizeof program, "%s", torture_path("tests/helper_task"));
	snprintf(runner, sizeof runner, "%s", torture_path("tests/helper_runner"));
	for (size_t role = 0; role < 4; role++) {
		char *argv[] = {program, S("limited"), S("9"), S("419430400"), runner,  S(roles[role]),
				S("a"),  S("build"),   S("-"), S("sh"),        S("-c"), S("echo \"[$LD_PRELOAD]\""),
				NULL};
		char *entries[] = {PATH, ON, torture_preload(), NULL};
		const struct torture_result *result = torture_run(argv, entries);

		assert_int_equal(RLIMIT_AS, 9);
		assert_int_equal(result->status, 0);
		assert_non_null(strstr(result->output, "[]\n"));
		assert_null(strstr(result->output, "(peak: "));
	}
}

/* A path of the greatest length for the current directory, and a relative results file. */
static void test_long_directory(void **state)
{
	struct torture *torture = *state;
	char name[256], path[4200];
	size_t length = strlen(torture->directory);
	struct row row = {"", RLIMIT_CORE, 0, "HEAPLOG_RESULTS=results", 1, NULL};
	struct torture_result *result;

	while (length < 4095) {
		const size_t left = 4095 - length - 1;
		const size_t part = left <= 200 ? left : left < 202 ? 100 : 200;

		memset(name, 'd', part);
		name[part] = '\0';
		assert_int_equal(mkdir(name, 0700), 0);
		assert_int_equal(chdir(name), 0);
		length += part + 1;
	}
	assert_non_null(getcwd(path, sizeof path));
	assert_int_equal(strlen(path), 4095);
	result = run(&row, "-t", true);
	assert_int_equal(chdir(torture->directory), 0);
	assert_int_equal(result->status, 0);
	assert_int_equal(torture_strip(result->output), 1);
	assert_non_null(strstr(result->errors, "is not a path that is short enough"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_limits),
	    TORTURE(test_unmeasured),
	    TORTURE(test_long_directory),
	};

	return torture_sanitized() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
