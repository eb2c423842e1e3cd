/* A runner while its tasks live: with and without the library the same, but for the suffixes and the library's own
 * lines. */
#include "torture.h"

#include <sys/wait.h>

#define S(text) ((char *)(uintptr_t)(text))
#define PATH S("PATH=/usr/bin:/bin:/usr/sbin")
#define ON S("NX_LOG_HEAP_USAGE=true")

static char program[4200], task[4200];
static struct torture_result *last;
static int first_peak; /* of its suffixes, MB */

/* Lines that the library says on stderr are its own. */
static void assert_own_lines(const char *errors)
{
	for (const char *at = errors; *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : at + strlen(at))
		if (strncmp(at, "heaplog: ", 9) != 0 && strncmp(at, "  ", 2) != 0)
			fail_msg("stderr: %s", errors);
}

/* Run a mode of helper_live both ways, after prefix. Returns the number of suffixes; last is the run with the library.
 */
static size_t compare_after(char *const prefix[], const char *mode)
{
	static char base[1 << 16];
	char *argv[16] = {NULL};
	char *base_entries[] = {PATH, ON, S("HEAPLOG_INTERVAL_MS=10"), NULL};
	char *entries[] = {PATH, ON, S("HEAPLOG_INTERVAL_MS=10"), torture_preload(), NULL};
	size_t count = 0;
	int status;

	for (; prefix && prefix[count]; count++)
		argv[count] = prefix[count];
	snprintf(program, sizeof program, "%s", torture_path("tests/helper_live"));
	snprintf(task, sizeof task, "%s",
		 torture_path(strcmp(mode, "opened") == 0 ? "libheaplog.so" : "tests/helper_task"));
	argv[count++] = program;
	argv[count++] = S(mode);
	argv[count] = task;
	last = torture_run(argv, base_entries);
	status = last->status;
	memcpy(base, last->output, sizeof base - 1);
	last = torture_run(argv, entries);
	assert_int_equal(last->status, status);
	assert_null(strstr(last->output, "(peak: 0"));
	assert_own_lines(last->errors);
	const char *const suffix = strstr(last->output, "(peak: ");

	first_peak = suffix ? atoi(suffix + 7) : 0;
	count = torture_strip(last->output);
	assert_string_equal(last->output, base);
	return count;
}

static size_t compare(const char *mode)
{
	return compare_after(NULL, mode);
}

/* [req: H-20] [req: H-40] [req: H-42] */
static void test_forked(void **state)
{
	(void)state;
	assert_int_equal(compare("forked"), 1);
}

/* [req: H-43] */
static void test_lowest(void **state)
{
	(void)state;
	assert_int_equal(compare("lowest"), 1);
}

/* [req: H-41] */
static void test_closing(void **state)
{
	(void)state;
	assert_int_equal(compare("closing"), 3);
}

/* [req: H-46] [req: H-56] */
static void test_threads(void **state)
{
	(void)state;
	assert_int_equal(compare("threads"), 1);
}

/* [req: H-70] */
static void test_moved(void **state)
{
	(void)state;
	assert_int_equal(compare("moved"), 1);
}

/* [req: H-69] [req: H-72] [req: H-73] */
static void test_others(void **state)
{
	(void)state;
	assert_int_equal(compare("others"), 0);
}

/* [req: H-30] */
static void test_jumps(void **state)
{
	(void)state;
	assert_int_equal(compare("jumps"), 1);
}

/* [req: H-59] [req: H-62] */
static void test_reaps(void **state)
{
	(void)state;
	assert_int_equal(compare("reaps"), 2);
	assert_true(first_peak >= 60);
}

/* [req: H-66] */
static void test_slow(void **state)
{
	(void)state;
	compare("slow");
}

/* [req: H-55] */
static void test_opened(void **state)
{
	(void)state;
	compare("opened");
}

/* [req: H-61] The child that got a dead task's number holds 100 MB; the task held 10. */
static void test_reused(void **state)
{
	char *prefix[] = {S("/usr/bin/unshare"), S("-p"), S("-f"), S("--mount-proc"), NULL};

	(void)state;
	if (system("unshare -p -f --mount-proc true 2>/dev/null") != 0)
		skip(); /* needs root */
	compare_after(prefix, "reused");
	assert_non_null(strstr(last->output, "same number 1"));
	for (const char *at = last->errors; (at = strstr(at, "reused:build (peak: ")); at++)
		assert_true(atoi(at + 20) < 20);
}

/* [req: H-19] With our thread libc's fork takes the allocator's lock, which the interrupted code holds: a hang (seen). */
static void test_forks_in_handler(void **state)
{
	(void)state;
	compare("handlerforks");
}

/* Exit functions run with the program's descriptors and mask, and what is buffered is written. */
static void test_last_thread(void **state)
{
	(void)state;
	assert_int_equal(compare("lastthread"), 0);
	assert_int_equal(last->status, 0);
	assert_non_null(strstr(last->output, "buffered 1\nat exit: "));
}

/* [req: H-53] */
static void test_ends(void **state)
{
	static const char *const ways[] = {"exit", "_exit", "quick_exit", "abort", "kill", "exec", "thread"};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		compare(ways[i]);
}

/* What a task came to hold after its runner had gone, or its samplers, nobody knows. */
static void test_outlived(void **state)
{
	static const char *const ways[] = {"exit", "thread"};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		char *argv[] = {S(torture_path("tests/helper_live")), S(ways[i]), NULL};
		char *entries[] = {PATH, ON, S("HEAPLOG_RESULTS=results"), torture_preload(), NULL};
		char line[65536] = "";
		FILE *file;

		torture_run(argv, entries);
		file = fopen("results", "r");
		assert_non_null(file);
		assert_non_null(fgets(line, sizeof line, file));
		fclose(file);
		remove("results");
		assert_non_null(strstr(line, "\"task\":\"ends:build\""));
		assert_non_null(strstr(line, "\"exact\":false"));
	}
}

/* [req: H-47] What a process with threads may not do, and a process without us may. */
static void test_unshare(void **state)
{
	char *argv[] = {S("/usr/bin/unshare"), S("-U"), S("/bin/sh"), S("-c"), S("set /proc/$$/task/*; echo $#"), NULL};
	char *base_entries[] = {PATH, NULL};
	char *entries[] = {PATH, ON, torture_preload(), NULL};
	char base[256];
	int status;

	(void)state;
	last = torture_run(argv, base_entries);
	status = last->status;
	memcpy(base, last->output, sizeof base);
	last = torture_run(argv, entries);
	assert_int_equal(last->status, status);
	assert_memory_equal(last->output, base, strlen(base) + 1);
}

/* [req: H-16] [req: H-17] [req: H-19] [req: H-39] [req: H-50] [req: H-57] What the objects import: between fork and
 * exec no allocation, lock or look-up; variables only where the constructor reads; no fork handlers, no wait, no TLS.
 */
static void test_objects(void **state)
{
	char command[20000];
	static const char between[] =
	    "preload/wrap_exec preload/launch preload/readable preload/target preload/board preload/registry "
	    "preload/boards preload/board_file preload/board_figures task/environment task/task task/pattern "
	    "task/command";
	static const char ours[] = "preload/[a-z]*.o task/*.o measure/*.o record/*.o";
	const char *build = getenv("HEAPLOG_BUILD");

	(void)state;
	snprintf(command, sizeof command,
		 "cd '%s/src' && for object in %s; do nm -u $object.c.o >/dev/null || exit 1; nm -u $object.c.o | sed "
		 "'s/@.*//' | "
		 "grep -wE "
		 "'malloc|calloc|realloc|free|.*printf|getenv|secure_getenv|dlsym|dlvsym|opendir|pthread_mutex.*|exit|"
		 "abort' && "
		 "exit 1; done; ! nm -u -A %s | grep -wE 'getenv|secure_getenv' | grep -vE 'settings|runtime|exact' && "
		 "! nm -u %s | grep -E 'atfork|__register_atfork' && ! nm -u %s | grep -wE "
		 "'wait|waitpid|wait4|waitid|kill|raise|setitimer' && "
		 "! readelf -lW '%s/libheaplog.so' | grep -w TLS",
		 build, between, ours, ours, ours, build);
	assert_int_equal(system(command), 0);
}

/* [req: H-84] Under a tracer. */
static void test_traced(void **state)
{
	char *prefix[] = {S("/usr/bin/strace"), S("-f"), S("-qq"),       S("-e"),
			  S("trace=none"),      S("-o"), S("/dev/null"), NULL};

	(void)state;
	if (system("strace -f -o /dev/null true 2>/dev/null") != 0)
		skip(); /* not installed, or not allowed */
	compare_after(prefix, "reaps");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_forked),   TORTURE(test_lowest),      TORTURE(test_closing),
	    TORTURE(test_threads),  TORTURE(test_moved),       TORTURE(test_others),
	    TORTURE(test_jumps),    TORTURE(test_reaps),       TORTURE(test_slow),
	    TORTURE(test_opened),   TORTURE(test_reused),      TORTURE(test_ends),
	    TORTURE(test_outlived), TORTURE(test_last_thread), TORTURE(test_forks_in_handler),
	    TORTURE(test_unshare),  TORTURE(test_objects),     TORTURE(test_traced),
	};

	return torture_sanitized() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
