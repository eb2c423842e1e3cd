/* Tasks that do what they can to confuse: their figures stay their own, and nothing that they say steers a terminal. */
#include "torture.h"

#include <sys/stat.h>

#define S(text) ((char *)(uintptr_t)(text))

enum { HELD_A = 30, HELD_B = 60, MARGIN = 6 }; /* MB */

/* The peak in MB that text says of the task project:build. */
static double peak_of(const char *text, const char *project)
{
	char start[64];
	double peak = 0;
	const char *at;

	snprintf(start, sizeof start, "nx run %s:build (peak: ", project);
	at = strstr(text, start);
	if (!at || sscanf(at + strlen(start), "%lfMB", &peak) != 1)
		fail_msg("no figure of %s in %s", project, text);
	return peak;
}

/* No byte but the lines' ends is a control character. */
static void assert_plain(const char *file)
{
	FILE *in = fopen(file, "r");
	int c;

	assert_non_null(in);
	while ((c = fgetc(in)) != EOF)
		assert_true(c >= ' ' || c == '\n');
	fclose(in);
}

/* Two tasks at once. "aaaa" rewrites its name, its command line and its environment, so that it seems to be "bbbb" half of
 * the time; it is known by its parent, and by the descriptors that were opened when it came. */
/* [req: H-64] [req: H-80] */
static void test_restless(void **state)
{
	char from[] = "aaaa", to[] = "bbbb", build[] = "build", dash[] = "-", end[] = "--";
	char a_mb[8], b_mb[8], ms[] = "1200";
	char runner[4200], task[4200], here[300], runtime[400];
	char *argv[] = {runner, S("-ta"), from, build, dash, task, S("restless"), a_mb, ms, from,
			to,     end,      to,   build, dash, task, S("hold"),     b_mb, ms, NULL};
	char *entries[] = {S("PATH=/usr/bin:/bin"),
			   S("NX_LOG_HEAP_USAGE=true"),
			   torture_preload(),
			   runtime,
			   S("HEAPLOG_RESULTS=results"),
			   S("HEAPLOG_INTERVAL_MS=20"),
			   NULL,
			   NULL};

	(void)state;
	assert_non_null(getcwd(here, sizeof here));
	assert_int_equal(chmod(here, 0700), 0);
	snprintf(runtime, sizeof runtime, "XDG_RUNTIME_DIR=%s", here);
	snprintf(a_mb, sizeof a_mb, "%d", HELD_A);
	snprintf(b_mb, sizeof b_mb, "%d", HELD_B);
	snprintf(runner, sizeof runner, "%s", torture_path("tests/helper_runner"));
	snprintf(task, sizeof task, "%s", torture_path("tests/helper_task"));
	for (int exact = 0; exact < 2; exact++) {
		struct torture_result *result;
		const char *rounds;
		double peak;

		entries[6] = exact ? S("HEAPLOG_EXACT=1") : NULL;
		result = torture_run(argv, entries);
		assert_int_equal(result->status, 0);
		assert_string_equal(result->errors, "");
		rounds = strstr(result->output, " rounds in a second");
		assert_non_null(rounds);
		peak = peak_of(result->output, from);
		assert_true(peak >= HELD_A && peak <= HELD_A + MARGIN);
		peak = peak_of(result->output, to);
		assert_true(peak >= HELD_B && peak <= HELD_B + MARGIN);
		while (rounds > result->output && rounds[-1] >= '0' && rounds[-1] <= '9')
			rounds--;
		print_message("%.*s\n", (int)strcspn(rounds, "\n"), rounds);
	}
	assert_plain("results");
}

/* Something stands already where the board's file would be. It is not opened, followed or written, and the task has its
 * figure without a board, in the usual mode. */
/* [req: H-81] */
static void test_board_name_is_taken(void **state)
{
	static const char *const kinds[] = {
	    "mkfifo heaplog/$$", "ln -s $PWD/victim heaplog/$$",  "ln victim heaplog/$$",
	    "mkdir heaplog/$$",  "ln -s /nonexistent heaplog/$$", "head -c 4000000 /dev/zero >heaplog/$$"};
	char script[9000], here[300], runtime[400];
	char *argv[] = {S("/bin/sh"), S("-c"), script, NULL};
	char *entries[] = {S("PATH=/usr/bin:/bin"), runtime, S("NX_LOG_HEAP_USAGE=true"), NULL, NULL};

	(void)state;
	assert_non_null(getcwd(here, sizeof here));
	assert_int_equal(chmod(here, 0700), 0);
	snprintf(runtime, sizeof runtime, "XDG_RUNTIME_DIR=%s", here);
	for (size_t i = 0; i < 2 * sizeof kinds / sizeof *kinds; i++) {
		struct torture_result *result;

		entries[3] = i % 2 ? S("HEAPLOG_EXACT=1") : NULL;
		snprintf(script, sizeof script,
			 "rm -rf heaplog; mkdir -m 700 heaplog; echo mine >victim; %s; %s exec %s -t p build - %s hold "
			 "20 200",
			 kinds[i / 2], torture_preload(), torture_path("tests/helper_runner"),
			 torture_path("tests/helper_task"));
		result = torture_run(argv, entries);
		assert_int_equal(result->status, 0);
		assert_string_equal(result->errors, "");
		/* In the exact mode the task is left without the library where there is no board. */
		assert_true(peak_of(result->output, "p") >= 20 && peak_of(result->output, "p") < 20 + MARGIN);
		FILE *victim = fopen("victim", "r");
		char text[16] = "";

		assert_non_null(victim);
		assert_int_equal(fread(text, 1, sizeof text - 1, victim), 5);
		assert_string_equal(text, "mine\n");
		fclose(victim);
	}
}

/* A task that writes nonsense into its runner's board: figures may be nonsense as well, but the runner goes on. */
static void test_scribbled_board(void **state)
{
	char runner[4200], task[4200], here[300], runtime[400];
	char *argv[] = {runner,  S("-ta"), S("p"),     S("build"), S("-"), task,          S("scribble"), S("700"),
			S("--"), S("q"),   S("build"), S("-"),     task,   S("hold"),     S("20"),       S("300"),
			S("--"), S("r"),   S("build"), S("-"),     task,   S("scribble"), S("500"),      NULL};
	char *entries[] = {S("PATH=/usr/bin:/bin"),
			   S("NX_LOG_HEAP_USAGE=true"),
			   torture_preload(),
			   runtime,
			   S("HEAPLOG_INTERVAL_MS=10"),
			   NULL,
			   NULL};

	(void)state;
	assert_non_null(getcwd(here, sizeof here));
	assert_int_equal(chmod(here, 0700), 0);
	snprintf(runtime, sizeof runtime, "XDG_RUNTIME_DIR=%s", here);
	snprintf(runner, sizeof runner, "%s", torture_path("tests/helper_runner"));
	snprintf(task, sizeof task, "%s", torture_path("tests/helper_task"));
	for (int exact = 0; exact < 2; exact++) {
		struct torture_result *result;

		entries[5] = exact ? S("HEAPLOG_EXACT=1") : NULL;
		result = torture_run(argv, entries);
		if (result->status != 0)
			fail_msg("exact %d: status %x\n%s%s", exact, (unsigned)result->status, result->output,
				 result->errors);
		assert_string_equal(result->errors, "");
		assert_non_null(strstr(result->output, "nx run q:build"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_restless),
	    TORTURE(test_scribbled_board),
	    TORTURE(test_board_name_is_taken),
	};

	if (torture_sanitized())
		return 0; /* their own memory is in every figure */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
