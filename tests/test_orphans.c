/* Orphans of real runs: counted where only this run can have made them, and never where another may have. The tasks
 * have the same names, and all processes the same session and group, as jobs of one script have. */
#include "torture.h"

#include <sys/stat.h>

/* The peak in MB that file says of its only task; 0: none. */
static double peak_in(const char *file)
{
	char text[4096] = "";
	FILE *in = fopen(file, "r");
	double peak = 0;
	char unit = 'K';
	const char *at;

	assert_non_null(in);
	text[fread(text, 1, sizeof text - 1, in)] = '\0';
	fclose(in);
	at = strstr(text, "(peak: ");
	if (!at)
		return 0;
	assert_int_equal(sscanf(at, "(peak: %lf%c", &peak, &unit), 2);
	return unit == 'G' ? peak * 1024 : unit == 'K' ? peak / 1024 : peak;
}

/* A shell in which `run FILE WORKSPACE SCRIPT` runs the task p:build and writes what the runner prints into FILE, and
 * `hold MB MS [FILE]` leaves an orphan behind; with FILE it waits until that has
 * the memory. */
static void script(const char *text, bool exact)
{
	static char whole[8192];
	static unsigned number; /* what the script before has left behind is not this one's rival */
	char path[] = "PATH=/usr/bin:/bin", on[] = "NX_LOG_HEAP_USAGE=true";
	char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", whole, NULL};
	char runtime[400], mode[] = "HEAPLOG_EXACT=1";
	char *entries[] = {path, on, runtime, exact ? mode : NULL, NULL};
	char here[256];
	struct torture_result *result;

	assert_non_null(getcwd(here, sizeof here));
	assert_int_equal(chmod(here, 0700), 0);
	snprintf(runtime, sizeof runtime, "XDG_RUNTIME_DIR=%s", here);
	snprintf(whole, sizeof whole,
		 "run() { NX_WORKSPACE_ROOT=$2/%u %s %s -t p build - sh -c \"hold() { (%s hold \\$1 \\$2 \\$3 & ) ; [ "
		 "-z \\$3 ] || while ! [ -e \\$3 ]; do sleep 0.02; done; }; $3\" "
		 ">$1 2>&1; }\n%s\n",
		 number++, torture_preload(), torture_path("tests/helper_runner"), torture_path("tests/helper_task"),
		 text);
	result = torture_run(argv, entries);
	if (result->status != 0)
		fail_msg("status %x: %s%s", (unsigned)result->status, result->output, result->errors);
}

static void check(const char *file, double least, double most)
{
	const double peak = peak_in(file);

	if (peak < least || peak > most)
		fail_msg("%s: %.1f MB, not from %.0f to %.0f", file, peak, least, most);
}

enum { OWN = 9 }; /* MB that a shell, sleep and a helper have together, and more */

/* [req: H-63] */
static void test_alone(void **state)
{
	(void)state;
	for (int exact = 0; exact < 2; exact++) {
		script("run a /w 'hold 60 1500 r.$$; sleep 1.2'", exact);
		check("a", 60, 60 + OWN);
	}
}

/* Two runs at once. Which finds which orphan first is chance; no one may have both. */
/* [req: H-63] */
static void test_two_at_once(void **state)
{
	(void)state;
	for (int exact = 0; exact < 2; exact++) {
		script("run a /w 'hold 60 900; sleep 0.8' & run b /w 'sleep 0.2; hold 100 600; sleep 0.5' & wait",
		       exact);
		check("a", 0, 60 + OWN);
		check("b", 0, 100 + OWN);
		/* One that is over, and whose orphan lives on. */
		script("run a /w 'sleep 1' & sleep 0.2; run b /w 'hold 100 900; sleep 0.1'; wait", exact);
		check("a", 0, OWN);
	}
}

/* The same repository twice: both are told apart by where they are, and nothing is in doubt. */
/* [req: H-63] */
static void test_two_checkouts(void **state)
{
	(void)state;
	for (int exact = 0; exact < 2; exact++) {
		script("run a /w 'hold 60 2500 r.$$; sleep 1.4' & run b /v 'sleep 0.2; hold 100 2500 r.$$; sleep 1.2' "
		       "& wait",
		       exact);
		check("a", 60, 60 + OWN);
		check("b", 100, 100 + OWN);
	}
}

/* A run is killed, and its task goes on and makes orphans while the run is repeated. */
/* [req: H-63] */
static void test_killed_and_repeated(void **state)
{
	(void)state;
	for (int exact = 0; exact < 2; exact++) {
		script("run a /w 'echo $PPID >runner; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do hold 60 100; sleep "
		       "0.1; done; "
		       ">done' &\n"
		       "while ! [ -s runner ]; do sleep 0.02; done; sleep 0.1; kill -9 $(cat runner); wait\n"
		       "run b /w 'sleep 0.8'\n"
		       "while ! [ -e done ]; do sleep 0.05; done; rm runner done\n",
		       exact);
		check("b", 0, OWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_alone),
	    TORTURE(test_two_at_once),
	    TORTURE(test_two_checkouts),
	    TORTURE(test_killed_and_repeated),
	};

	if (torture_sanitized())
		return 0; /* their own memory is in every figure */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
