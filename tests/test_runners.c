/* Runners whose lines heaplog does not know, as they are: make, ninja, xargs, GNU parallel, shells. Each runs with and
 * without the library, and what differs is the table on stderr. */
#include "torture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define S(text) ((char *)(uintptr_t)(text))

static char *entries[16];

static char *const *environment(bool on, const char *task, const char *extra)
{
	static char values[3][4600];
	size_t count = 0;

	entries[count++] = S("PATH=/usr/bin:/bin");
	entries[count++] = S("HOME=/nonexistent");
	if (on) {
		snprintf(values[0], sizeof values[0], "HEAPLOG_TASK=%s", task);
		entries[count++] = S("HEAPLOG=1");
		entries[count++] = values[0];
		entries[count++] = torture_preload();
	}
	snprintf(values[1], sizeof values[1], "TASK=%s", torture_path("tests/helper_task"));
	entries[count++] = values[1];
	if (extra)
		entries[count++] = S(extra);
	entries[count] = NULL;
	return entries;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* The row of task in the table, and its peak in MB. */
static double row_of(const char *errors, const char *task)
{
	const char *at = strstr(errors, "heaplog: peak memory of ");

	while (at && (at = strchr(at, '\n'))) {
		char size[16] = "", name[256] = "";

		at++;
		if (sscanf(at, " %15s %*s %255[^\n]", size, name) == 2 && strcmp(name, task) == 0 && strstr(size, "MB"))
			return atof(size);
	}
	fail_msg("no row \"%s\" in:\n%s", task, errors);
	return 0;
}

static void assert_row(const char *errors, const char *task, double low)
{
	const double peak = row_of(errors, task);

	if (peak < low || peak > low + 4)
		fail_msg("%s: %.0fMB, not within %.0f to %.0f", task, peak, low, low + 4);
}

/* Run it both ways: same status, same output, same errors but for the table. Returns the run with the library. */
static struct torture_result *both(char *const argv[], const char *task, const char *extra)
{
	static struct torture_result without;
	struct torture_result *with;
	const char *table;

	without = *torture_run(argv, (char *const *)environment(false, task, extra));
	with = torture_run(argv, (char *const *)environment(true, task, extra));
	assert_int_equal(with->status, without.status);
	assert_string_equal(with->output, without.output);
	table = strstr(with->errors, "heaplog: ");
	if (!table || (size_t)(table - with->errors) != without.errors_length ||
	    strncmp(with->errors, without.errors, without.errors_length) != 0)
		fail_msg("stderr is\n%swithout the library\n%s", with->errors, without.errors);
	return with;
}

static bool is_installed(const char *path)
{
	if (access(path, X_OK) == 0)
		return true;
	printf("             %s is not installed\n", path);
	return false;
}

static void test_make(void **state)
{
	struct torture_result *result;

	(void)state;
	write_file("Makefile", "X := $(shell echo a command of make itself)\n"
			       "all: direct shell sub\n"
			       "direct:\n\t@$(TASK) hold 40 300\n"
			       "shell:\n\t@: ; $(TASK) hold 80 300\n"
			       "sub:\n\t@$(MAKE) --no-print-directory -f sub.mk\n");
	write_file("sub.mk", "all:\n\t@$(TASK) hold 20 300\n");
	result = both((char *[]){S("/usr/bin/make"), S("-j3"), NULL}, "all", NULL);
	assert_int_equal(result->status, 0);
	assert_non_null(strstr(result->errors, "heaplog: peak memory of 3 tasks, the largest first\n"));
	char name[5000];
	snprintf(name, sizeof name, "%s hold 40 300", torture_path("tests/helper_task"));
	assert_row(result->errors, name, 40);
	snprintf(name, sizeof name, ": ; %s hold 80 300", torture_path("tests/helper_task"));
	assert_row(result->errors, name, 80);
	row_of(result->errors, "/usr/bin/make --no-print-directory -f sub.mk");
}

/* make stops at a failure; what ran is shown, and its exit status stays. */
static void test_make_failing(void **state)
{
	struct torture_result *result;

	(void)state;
	write_file("Makefile", "all:\n\t@$(TASK) hold 40 100\n\t@$(TASK) kill 60 9\n\t@echo never\n");
	result = both((char *[]){S("/usr/bin/make"), NULL}, "all", NULL);
	assert_int_equal(WEXITSTATUS(result->status), 2);
	assert_non_null(strstr(result->errors, "SIGKILL)\n"));
}

/* make that is interrupted ends its commands and then, in the handler, itself: no exit function is called. It ends its
 * own children alone, hence the exec. */
static void test_make_interrupted(void **state)
{
	struct torture_result *result;
	FILE *file;
	char line[20000];

	(void)state;
	write_file("Makefile", "all: b\na:\n\t@$(TASK) hold 40 100\nb: a\n\t@kill -TERM $$PPID; exec sleep 60\n");
	result = both((char *[]){S("/usr/bin/make"), NULL}, "all", "HEAPLOG_RESULTS=results");
	assert_true(WIFSIGNALED(result->status) && WTERMSIG(result->status) == SIGTERM);
	assert_non_null(strstr(result->errors, " hold 40 100")); /* in a row, or alone where the shell was too short */
	file = fopen("results", "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof line, file));
	assert_non_null(strstr(line, " hold 40 100\",\"runner\":\"make\""));
	fclose(file);
}

static void test_ninja(void **state)
{
	struct torture_result *result;
	char name[5000];

	(void)state;
	if (!is_installed("/usr/bin/ninja"))
		skip();
	snprintf(
	    name, sizeof name,
	    "rule hold\n  command = %s hold $mb 300 && : $out\n  description = $out\nbuild a: hold\n  mb = 40\nbuild "
	    "b: hold\n  mb = 80\n",
	    torture_path("tests/helper_task"));
	write_file("build.ninja", name);
	/* One at a time: its progress lines are the same in every run. */
	result = both((char *[]){S("/usr/bin/ninja"), S("-j1"), NULL}, "all", NULL);
	snprintf(name, sizeof name, "%s hold 40 300 && : a", torture_path("tests/helper_task"));
	assert_row(result->errors, name, 40);
	snprintf(name, sizeof name, "%s hold 80 300 && : b", torture_path("tests/helper_task"));
	assert_row(result->errors, name, 80);
}

/* xargs waits for its last children when it is in exit() already, and closes stderr after that. */
static void test_xargs(void **state)
{
	struct torture_result *result;
	char name[5000];

	(void)state;
	write_file("input", "40 80 20\n");
	snprintf(name, sizeof name, "%s", torture_path("tests/helper_task"));
	result = both((char *[]){S("/usr/bin/xargs"), S("-a"), S("input"), S("-P3"), S("-I{}"), S("-d "), name,
				 S("hold"), S("{}"), S("400"), NULL},
		      "all", NULL);
	assert_int_equal(result->status, 0);
	snprintf(name, sizeof name, "%s hold 40 400", torture_path("tests/helper_task"));
	assert_row(result->errors, name, 40);
	snprintf(name, sizeof name, "%s hold 80 400", torture_path("tests/helper_task"));
	assert_row(result->errors, name, 80);
}

static void test_parallel(void **state)
{
	struct torture_result *result;
	char command[5000], name[5100];

	(void)state;
	if (!is_installed("/usr/bin/parallel"))
		skip();
	snprintf(command, sizeof command, "%s hold {} 300", torture_path("tests/helper_task"));
	result = both((char *[]){S("/usr/bin/parallel"), S("-j2"), S("-k"), command, S(":::"), S("40"), S("80"), NULL},
		      "all", "PARALLEL_HOME=.");
	assert_int_equal(result->status, 0);
	assert_non_null(strstr(result->errors, "heaplog: peak memory of 2 tasks, the largest first\n"));
	snprintf(name, sizeof name, "%s hold 80 300", torture_path("tests/helper_task"));
	assert_row(result->errors, name, 80);
}

/* The outermost process is the runner: not its subshells, and not what those start. */
static void test_bash(void **state)
{
	struct torture_result *result;

	(void)state;
	result = both((char *[]){S("/bin/bash"), S("-c"),
				 S("$TASK hold 40 100; echo $(echo sub | $TASK environment | grep -c ^TASK=); exit 3"),
				 NULL},
		      "all", NULL);
	assert_int_equal(WEXITSTATUS(result->status), 3);
	assert_string_equal(result->output, "1\n");
	assert_null(strchr(strchr(result->errors, '\n') + 1, '\n')); /* one line: one task, one table */
	assert_non_null(strstr(result->errors, " hold 40 100 (peak: 4"));
}

/* bash blocks SIGCHLD, which has a handler, while it waits: what is in a task must be looked at all the same, since the
 * wait itself tells of its largest process alone. */
static void test_bash_tree(void **state)
{
	struct torture_result *result;

	(void)state;
	result = both((char *[]){S("/bin/bash"), S("-c"),
				 S("JOB=a sh -c '$TASK hold 40 500 & $TASK hold 60 500; wait'; exit 0"), NULL},
		      "{JOB}", NULL);
	assert_non_null(strstr(result->errors, "heaplog: a (peak: 10"));
}

/* timeout blocks the signals that it handles for its whole life, waits once with WNOHANG, then in sigsuspend, and closes stderr in an exit function. */
static void test_timeout(void **state)
{
	struct torture_result *result;

	(void)state;
	result = both((char *[]){S("/usr/bin/timeout"), S("20"), S("/bin/sh"), S("-c"),
				 S("$TASK hold 40 500 & $TASK hold 60 500; wait; exit 7"), NULL},
		      "all", NULL);
	assert_int_equal(WEXITSTATUS(result->status), 7);
	assert_non_null(strstr(result->errors, " (peak: 10"));
}

/* dash ends without a look at exit functions. */
static void test_dash(void **state)
{
	struct torture_result *result;

	(void)state;
	if (!is_installed("/bin/dash"))
		skip();
	result =
	    both((char *[]){S("/bin/dash"), S("-c"), S("$TASK hold 40 100 & $TASK hold 20 100; wait; exit 4"), NULL},
		 "all", NULL);
	assert_int_equal(WEXITSTATUS(result->status), 4);
	assert_non_null(strstr(result->errors, "heaplog: peak memory of 2 tasks"));
}

/* A subshell that has run a command becomes its last one: what it reaped before is in wait4's ru_maxrss, and is not the
 * memory of the program that it becomes. (That one may have no figure: it came late, and shells have no threads.) */
static void test_reaped_before_exec(void **state)
{
	static const char *const shells[][2] = {
	    {"/bin/dash", "$TASK hold 40 100; ($TASK hold 200 50; $TASK hold 20 100); :"},
	    {"/bin/bash", "$TASK hold 40 100; ($TASK hold 200 50; exec $TASK hold 20 100); :"}};

	(void)state;
	for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
		const struct torture_result *result;

		if (!is_installed(shells[i][0]))
			continue;
		result = both((char *[]){S(shells[i][0]), S("-c"), S(shells[i][1]), NULL}, "all", NULL);
		assert_non_null(strstr(result->errors, " hold 40 100"));
		assert_null(strstr(result->errors, "(peak: 2"));
		assert_null(strstr(result->errors, "\n   2"));
	}
}

/* A pattern of the user's: tasks that a shell starts, one after the other and at the same time. */
static void test_pattern(void **state)
{
	struct torture_result *result;

	(void)state;
	result = both(
	    (char *[]){S("/bin/bash"), S("-c"),
		       S("JOB=a $TASK hold 40 300 & JOB=b PART=x $TASK hold 80 300 & wait; $TASK hold 90 50; JOB=a "
			 "$TASK hold 20 50; exit 0"),
		       NULL},
	    "{JOB}[/{PART}]", NULL);
	assert_non_null(strstr(result->errors, "heaplog: peak memory of 2 tasks, the largest first\n"));
	assert_row(result->errors, "a", 40);
	assert_row(result->errors, "b/x", 80);
}

/* Scripts of packages, by the environment that npm, pnpm and yarn give them. */
static void test_npm(void **state)
{
	struct torture_result *result;

	(void)state;
	result =
	    both((char *[]){S("/bin/bash"), S("-c"),
			    S("export npm_package_name=a npm_lifecycle_event=build; sh -c '$TASK hold 40 100; :' & "
			      "npm_package_name=@x/b sh -c '$TASK hold 80 100; :' & wait"),
			    NULL},
		 "npm", NULL);
	assert_row(result->errors, "a:build", 40);
	assert_row(result->errors, "@x/b:build", 80);
}

static void test_results(void **state)
{
	char line[20000];
	FILE *file;

	(void)state;
	write_file("Makefile", "all: a b\na b:\n\t@$(TASK) hold 30 100\n");
	both((char *[]){S("/usr/bin/make"), NULL}, "all", "HEAPLOG_RESULTS=results");
	file = fopen("results", "r");
	assert_non_null(file);
	for (int i = 0; i < 2; i++) { /* the same words twice are two tasks */
		assert_non_null(fgets(line, sizeof line, file));
		assert_non_null(strstr(line, "helper_task hold 30 100\",\"runner\":\"make\",\"pid\":"));
		assert_non_null(strstr(line, "\"exit\":{\"code\":0}"));
	}
	assert_null(fgets(line, sizeof line, file));
	fclose(file);
}

/* A build of many commands: the memory of those that are over is used again. */
static void test_many(void **state)
{
	struct torture_result *result;
	FILE *file = fopen("Makefile", "w");

	(void)state;
	assert_non_null(file);
	fputs("all:\n", file);
	for (int i = 0; i < 400; i++)
		fputs("\t@$(TASK) hold 1 2\n", file);
	fputs("\t@grep -E 'VmRSS|Threads' /proc/$$PPID/status 1>&2\n", file);
	fclose(file);
	result = torture_run((char *[]){S("/usr/bin/make"), NULL}, (char *const *)environment(true, "all", NULL));
	assert_int_equal(result->status, 0);
	assert_non_null(strstr(result->errors, "\n  and "));
	long kilobytes = 0;
	assert_int_equal(sscanf(strstr(result->errors, "VmRSS:"), "VmRSS: %ld", &kilobytes), 1);
	assert_true(torture_sanitized() || kilobytes < 16 * 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_make),    TORTURE(test_make_failing), TORTURE(test_make_interrupted),
	    TORTURE(test_ninja),   TORTURE(test_xargs),        TORTURE(test_parallel),
	    TORTURE(test_bash),    TORTURE(test_bash_tree),    TORTURE(test_timeout),
	    TORTURE(test_dash),    TORTURE(test_pattern),      TORTURE(test_npm),
	    TORTURE(test_results), TORTURE(test_many),         TORTURE(test_reaped_before_exec),
	};

	/* These programs are what they are: a sanitizer cannot be preloaded into them. */
	return torture_sanitized() ? 0 : cmocka_run_group_tests_name("runners", tests, NULL, NULL);
}
