/* The way of a task, through a small runner that spawns and prints as Nx does. */
#include "torture.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ON (char *)(uintptr_t) "NX_LOG_HEAP_USAGE=true"
#define OFF (char *)(uintptr_t) "NX_LOG_HEAP_USAGE=false"
#define PATH (char *)(uintptr_t) "PATH=/usr/bin:/bin"

/* The runner with these arguments, the library loaded and on. extra: one more environment entry, or NULL. */
static struct torture_result *run(char *extra, char *const arguments[])
{
	char *argv[64] = {(char *)(uintptr_t)torture_path("tests/helper_runner")};
	char *entries[] = {PATH, ON, torture_preload(), extra, NULL};

	for (size_t i = 0; arguments[i]; i++)
		argv[i + 1] = arguments[i];
	return torture_run(argv, entries);
}

#define RUN(extra, ...) run(extra, (char *[]){__VA_ARGS__, NULL})
#define TASK ((char *)(uintptr_t)torture_path("tests/helper_task"))
#define S(text) ((char *)(uintptr_t)(text))

/* The peak in MB that the n-th suffix names; 0: there is none. */
static double peak_of(const char *output, size_t n)
{
	const char *at = output;
	char unit[3] = "";
	double value = 0;

	for (size_t i = 0; i <= n; i++) {
		at = strstr(at, "(peak: ");
		if (!at)
			return 0;
		at += 7;
	}
	assert_int_equal(sscanf(at, "%lf%2[KMGTB]", &value, unit), 2);
	return unit[0] == 'K' ? value / 1024 : unit[0] == 'G' ? value * 1024 : value;
}

static void assert_peak(const struct torture_result *result, size_t n, double low, double high)
{
	const double peak = peak_of(result->output, n);

	if (peak < low || (peak > high && !torture_sanitized() && !torture_emulated()))
		fail_msg("peak %zu is %.2f MB, not within %.1f to %.1f, in:\n%s%s", n, peak, low, high, result->output,
			 result->errors);
}

/* One process; the three ways to start it; with threads (Nx) and without. A 200 MB process is 200 MB and its libc. */
static void test_one_process(void **state)
{
	static const char *const ways[][2] = {{"-t", "-t"}, {"-tv", "-t"}, {"-tp", "-t"},
					      {"-w", "-w"}, {"-v", "-v"},  {"-p", "-p"}};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct torture_result *result =
		    RUN(NULL, S(ways[i][0]), S("@acme/a"), S("build"), S("-"), TASK, S("hold"), S("200"), S("100"));

		assert_int_equal(result->status, 0);
		assert_string_equal(result->errors, "");
		assert_peak(result, 0, 200, 204);
		assert_int_equal(torture_strip(result->output), 1);
		assert_string_equal(result->output, "\n> nx run @acme/a:build\n\n");
	}
}

static void test_forms(void **state)
{
	struct torture_result *result;

	(void)state;
	result = RUN(NULL, S("-tk"), S("a"), S("build"), S("-"), TASK, S("hold"), S("30"), S("300"));
	assert_peak(result, 0, 30, 34);
	assert_non_null(strstr(result->output, "MB)\n\n\n"));
	torture_strip(result->output);
	assert_string_equal(result->output, "\n\u2714  nx run a:build\n\n\n");
	result = RUN(NULL, S("-tc"), S("a"), S("build"), S("-"), TASK, S("hold"), S("30"), S("300"));
	assert_non_null(strstr(result->output, "a:build\033[2m (peak: "));
	assert_non_null(strstr(result->output, "MB)\033[22m\n"));
	result = RUN(NULL, S("-tg"), S("a"), S("col:on"), S("ci"), TASK, S("hold"), S("30"), S("300"));
	assert_non_null(strstr(result->output, "::group::\u2705 > nx run a:\"col:on\":ci (peak: "));
}

/* `true` from a runner of 400 MB: between fork and exec, and in ru_maxrss, its memory is the runner's. */
/* [req: H-65] */
static void test_carry_over(void **state)
{
	static const char *const ways[] = {"-t", "-tv", "-tp", "-v", "-p", "-w"};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct torture_result *result =
		    RUN(NULL, S(ways[i]), S("-b"), S("400"), S("a"), S("build"), S("-"), S("true"));

		assert_int_equal(result->status, 0);
		assert_true(torture_sanitized() || peak_of(result->output, 0) < 8);
		assert_null(strstr(result->output, "(peak: 0"));
		result = RUN(NULL, S(ways[i]), S("-b"), S("400"), S("a"), S("build"), S("-"), TASK, S("hold"), S("20"),
			     S("400"));
		/* Under a sanitizer the fork of what is 2 GB there takes so long that the child may be seen too late. */
		if (!torture_sanitized())
			assert_peak(result, 0, 20, 24);
	}
}

/* Shares, where a program may not be looked into, but its fork. Root may look into each. */
static void test_undumpable(void **state)
{
	char *argv[] = {S("/usr/bin/setpriv"),
			S("--reuid=65534"),
			S("--regid=65534"),
			S("--clear-groups"),
			S(torture_path("tests/helper_runner")),
			S("-t"),
			S("a"),
			S("build"),
			S("-"),
			TASK,
			S("undumpable"),
			S("100"),
			S("400"),
			NULL};
	char *entries[] = {PATH, ON, torture_preload(), S("HEAPLOG_METRIC=pss"), NULL};
	struct torture_result *result;

	(void)state;
	if (geteuid() == 0 && access(argv[0], X_OK) != 0)
		skip();
	result = torture_run(geteuid() == 0 ? argv : argv + 4, entries);
	assert_int_equal(result->status, 0);
	assert_peak(result, 0, 95, 104);
}

/* What a task grew to just before its end only the wait knows: waitpid and waitid. A look may come in time, but not
 * each time. */
static void test_grown_at_the_end(void **state)
{
	static const char *const ways[] = {"-t", "-ti"};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		for (int time = 0; time < 4; time++) {
			struct torture_result *result = RUN(NULL, S(ways[i]), S("a"), S("build"), S("-"), S("sh"),
							    S("-c"), S("sleep 0.6; exec \"$0\" hold 60 0"), TASK);

			assert_int_equal(result->status, 0);
			assert_peak(result, 0, 60, 66);
		}
}

/* Two children of one task at the same time: one peak, their sum. One after the other: the larger. */
static void test_several_children(void **state)
{
	struct torture_result *result =
	    RUN(NULL, S("-tao"), S("a"), S("build"), S("-"), TASK, S("hold"), S("100"), S("700"), S("--"), S("a"),
		S("build"), S("-"), TASK, S("hold"), S("100"), S("700"));

	(void)state;
	assert_peak(result, 0, 200, 206);
	assert_int_equal(torture_strip(result->output), 1);
	result = RUN(NULL, S("-to"), S("a"), S("build"), S("-"), TASK, S("hold"), S("100"), S("400"), S("--"), S("a"),
		     S("build"), S("-"), TASK, S("hold"), S("40"), S("400"));
	assert_peak(result, 0, 100, 104);
	assert_int_equal(torture_strip(result->output), 1);
}

static void test_parallel_tasks(void **state)
{
	struct torture_result *result =
	    RUN(NULL, S("-ta"), S("a"), S("build"), S("-"), TASK, S("hold"), S("60"), S("200"), S("--"), S("a"),
		S("build"), S("production"), TASK, S("hold"), S("120"), S("200"), S("--"), S("b"), S("build"), S("-"),
		TASK, S("hold"), S("180"), S("200"));

	(void)state;
	assert_peak(result, 0, 60, 63);
	assert_peak(result, 1, 120, 123);
	assert_peak(result, 2, 180, 184);
}

/* The sum over a tree: a shell and two children. */
static void test_descendants(void **state)
{
	char script[9000];

	(void)state;
	snprintf(script, sizeof script, "%s hold 80 700 & %s hold 80 700 & wait", TASK, TASK);
	assert_peak(RUN(NULL, S("-t"), S("a"), S("build"), S("-"), S("sh"), S("-c"), script), 0, 160, 168);
}

/* [req: H-84] */
static void test_killed(void **state)
{
	struct torture_result *result =
	    RUN(NULL, S("-t"), S("a"), S("build"), S("-"), TASK, S("kill"), S("50"), S("9"));

	(void)state;
	assert_int_equal(WEXITSTATUS(result->status), 1);
	assert_peak(result, 0, 50, 53);
	assert_non_null(strstr(result->output, "MB, SIGKILL)"));
}

/* The task sees the environment that the runner made, less our token; nothing of us is in it. */
/* [req: H-31] [req: H-40] */
static void test_environment_of_task(void **state)
{
	char *argv[] = {
	    S(torture_path("tests/helper_runner")), S("-t"), S("a"), S("build"), S("-"), TASK, S("environment"), NULL};
	char preload[5000];
	char *base_entries[] = {PATH, S("noequals"), S("D=1"), S("D=2"), ON, NULL};
	char *entries[] = {PATH, S("noequals"), S("D=1"), S("D=2"), ON, preload, NULL};
	static char base[1 << 18];

	(void)state;
	memcpy(base, torture_run(argv, base_entries)->output, sizeof base);
	assert_non_null(strstr(base, "NX_TASK_TARGET_PROJECT=a\n"));
	snprintf(preload, sizeof preload, "LD_PRELOAD=%s", torture_path("libheaplog.so"));
	struct torture_result *result = torture_run(argv, entries);
	torture_strip(result->output);
	assert_string_equal(result->output, base);

	argv[6] = S("look");
	memcpy(base, torture_run(argv, base_entries)->output, sizeof base);
	assert_non_null(strstr(base, " threads 1\nlibheaplog not mapped\n"));
	result = torture_run(argv, entries);
	torture_strip(result->output);
	assert_string_equal(result->output, base);
}

/* Other preloaded libraries keep their places; our token goes under any path. */
/* [req: H-07] [req: H-32] */
static void test_other_preloads(void **state)
{
	char preload[16000];
	char *argv[] = {S(torture_path("tests/helper_runner")),
			S("-t"),
			S("a"),
			S("build"),
			S("-"),
			S("sh"),
			S("-c"),
			S("tr '\\0' '\\n' </proc/$$/environ; exec sleep 0.1"),
			NULL};
	char *entries[] = {PATH, ON, preload, NULL};
	const char *library = torture_path("libheaplog.so");
	char copied[512], command[9000];
	struct torture *torture = *state;

	snprintf(copied, sizeof copied, "%s/libheaplog.so", torture->directory);
	snprintf(command, sizeof command, "cp %s %s", library, copied);
	assert_int_equal(system(command), 0);
	snprintf(preload, sizeof preload,
		 "LD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6:%s:%s:%s /lib/x86_64-linux-gnu/librt.so.1", library,
		 library, copied);
	struct torture_result *result = torture_run(argv, entries);
	assert_int_equal(result->status, 0);
	/* Listed twice and as a copy: one suffix. */
	assert_int_equal(torture_strip(result->output), 1);
	assert_non_null(
	    strstr(result->output, "\nLD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6 /lib/x86_64-linux-gnu/librt.so.1\n"));
	/* A relative path. */
	strcpy(preload, "LD_PRELOAD=./libheaplog.so");
	result = torture_run(argv, entries);
	assert_int_equal(torture_strip(result->output), 1);
	assert_null(strstr(result->output, "\nLD_PRELOAD"));
}

/* Libraries that preload shims are known to quarrel with, before and after ours: a figure, the task's work done, and
 * they are still in the task's LD_PRELOAD. One that is not installed would make the test void, so that it fails. */
static void test_coresident_libraries(void **state)
{
	static const char *const patterns[] = {
	    "/usr/lib/*/faketime/libfaketime.so.1",
	    "/usr/lib/*/libjemalloc.so.2",
	    "/usr/lib/gcc/*/*/libasan.so",
	};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (int after = 0; after < 2; after++) {
			char preload[9000];
			char *argv[] = {S(torture_path("tests/helper_runner")),
					S("-t"),
					S("a"),
					S("build"),
					S("-"),
					S("sh"),
					S("-c"),
					S("tr '\\0' '\\n' </proc/$$/environ; exec sleep 0.2"),
					NULL};
			char *entries[] = {PATH, ON, preload, S("ASAN_OPTIONS=detect_leaks=0"), NULL};
			struct torture_result *result;
			char expected[4200];
			glob_t found;

			assert_int_equal(glob(patterns[i], 0, NULL, &found), 0);
			if (i == 2 && after == 0) { /* ASan refuses to be second, with or without us in front */
				globfree(&found);
				continue;
			}
			snprintf(preload, sizeof preload, "LD_PRELOAD=%s:%s",
				 after ? found.gl_pathv[0] : torture_path("libheaplog.so"),
				 after ? torture_path("libheaplog.so") : found.gl_pathv[0]);
			snprintf(expected, sizeof expected, "\nLD_PRELOAD=%s\n", found.gl_pathv[0]);
			result = torture_run(argv, entries);
			assert_int_equal(result->status, 0);
			assert_string_equal(result->errors, "");
			assert_non_null(strstr(result->output, expected));
			assert_int_equal(torture_strip(result->output), 1);
			globfree(&found);
		}
}

/* env -i takes the library away on the way to the runner, an empty LD_PRELOAD has none: as without. */
static void test_taken_away(void **state)
{
	char runner[4200], task[4200];
	char *argv[] = {
	    S("/usr/bin/env"), S("-i"), S("PATH=/usr/bin:/bin"), runner, S("-t"), S("a"), S("build"), S("-"), task,
	    S("look"),         NULL};
	char *entries[] = {PATH, ON, torture_preload(), NULL};
	struct torture_result *result;

	(void)state;
	strcpy(runner, torture_path("tests/helper_runner"));
	strcpy(task, TASK);
	result = torture_run(argv, entries);
	assert_int_equal(result->status, 0);
	assert_non_null(strstr(result->output, "libheaplog not mapped\n\n> nx run a:build\n\n"));
	entries[2] = S("LD_PRELOAD=");
	result = torture_run(argv + 3, entries);
	assert_int_equal(result->status, 0);
	assert_string_equal(result->errors, "");
	assert_non_null(strstr(result->output, "libheaplog not mapped\n\n> nx run a:build\n\n"));
}

static void test_daemon_is_left_alone(void **state)
{
	/* A shell starts the "daemon" and another child; both print whether the variable reached them. */
	static const char script[] = "sh -c 'echo \"daemon ${LD_PRELOAD:-none}\"' x/daemon/server/start.js; "
				     "sh -c 'echo \"other ${LD_PRELOAD:-none}\"' other.js; :";
	char *argv[] = {S("/bin/sh"), S("-c"), S(script), NULL};
	char *entries[] = {PATH, ON, torture_preload(), NULL};
	char expected[8400];

	(void)state;
	snprintf(expected, sizeof expected, "daemon none\nother %s\n", torture_path("libheaplog.so"));
	assert_string_equal(torture_run(argv, entries)->output, expected);
}

/* Off: no suffix, no thread, no descriptor, no variable changed. */
static void test_off(void **state)
{
	char *values[] = {OFF, S("NX_LOG_HEAP_USAGE=0"), S("NX_LOG_HEAP_USAGE="), S("UNSET=1")};
	char *argv[] = {
	    S(torture_path("tests/helper_runner")), S("-f"), S("a"), S("build"), S("-"), TASK, S("look"), NULL};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char *entries[] = {PATH, values[i], torture_preload(), NULL};
		char *base_entries[] = {PATH, values[i], NULL};
		static char base[1024];
		struct torture_result *result;
		char *mapped;

		memcpy(base, torture_run(argv, base_entries)->output, sizeof base - 1);
		result = torture_run(argv, entries);
		assert_int_equal(result->status, 0);
		assert_string_equal(result->errors, "threads 1\n");
		mapped = strstr(result->output, "libheaplog mapped");
		assert_non_null(mapped);
		memmove(mapped + 15, mapped + 11, strlen(mapped + 11) + 1);
		memcpy(mapped + 11, "not ", 4);
		assert_string_equal(result->output, base);
	}
}

/* On, but no task: a process gains no thread and no descriptor. */
/* [req: H-47] */
static void test_not_a_runner(void **state)
{
	/* No pipeline: its descriptors would come and go in the shell that is looked at. */
	char *argv[] = {S("/bin/sh"), S("-c"),
			S("sh -c 'set /proc/$$/task/*; echo $#'; set /proc/$$/task/*; echo $#; ls /proc/$$/fd; true"),
			NULL};
	char *entries[] = {PATH, ON, torture_preload(), NULL};

	(void)state;
	char *base_entries[] = {PATH, NULL};
	char base[64] = "";

	memcpy(base, torture_run(argv, base_entries)->output, sizeof base - 1);
	assert_int_equal(strncmp(base, "1\n1\n", 4), 0);
	assert_string_equal(torture_run(argv, entries)->output, base);
}

static void test_malformed_values(void **state)
{
	static const struct {
		const char *entry, *message;
	} rows[] = {
	    {"NX_LOG_HEAP_USAGE=yes", "heaplog: NX_LOG_HEAP_USAGE=yes is not true, 1, false or 0; using false\n"},
	    {"HEAPLOG=\033]0;x", "heaplog: HEAPLOG=?]0;x is not true, 1, false or 0; using false\n"},
	    {"HEAPLOG_INTERVAL_MS=12x",
	     "heaplog: HEAPLOG_INTERVAL_MS=12x is not a number of milliseconds from 10 to 60000; using 500\n"},
	    {"HEAPLOG_TASK={P", "heaplog: HEAPLOG_TASK={P is not nx, npm, all or a pattern such as "
				"{VARIABLE}:{VARIABLE}[:{VARIABLE}]; using nx\n"},
	    {"HEAPLOG_WARN=much",
	     "heaplog: HEAPLOG_WARN=much is not a size such as 800MB or 1.5GB; using no threshold\n"},
	    {"HEAPLOG_WARN=0", "heaplog: HEAPLOG_WARN=0 is not a size such as 800MB or 1.5GB; using no threshold\n"},
	    {"HEAPLOG_INTERVAL_MS=5",
	     "heaplog: HEAPLOG_INTERVAL_MS=5 is not a number of milliseconds from 10 to 60000; using 500\n"},
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		/* Said once, by the first process that reads it, not by each of the chain. */
		char *argv[] = {S("/bin/sh"), S("-c"), S("sh -c 'true; echo went on'; true"), NULL};
		char *entries[] = {PATH, S(rows[i].entry), torture_preload(), i >= 2 ? ON : NULL, NULL};
		struct torture_result *result = torture_run(argv, entries);

		assert_int_equal(result->status, 0);
		assert_string_equal(result->output, "went on\n");
		assert_string_equal(result->errors, rows[i].message);
	}
}

/* A warning goes to what was stderr at the start, never to a file that has its number by now. */
static void test_warning_without_stderr(void **state)
{
	struct torture_result *result;
	struct stat status;

	(void)state;
	result = RUN(S("HEAPLOG_RESULTS=/nonexistent/results"), S("-t"), S("a"), S("build"), S("-"), TASK, S("hold"),
		     S("5"), S("20"));
	assert_non_null(strstr(result->errors, "heaplog: HEAPLOG_RESULTS: cannot write"));
	result = RUN(S("HEAPLOG_RESULTS=/nonexistent/results"), S("-te"), S("data"), S("a"), S("build"), S("-"), TASK,
		     S("hold"), S("5"), S("20"));
	assert_int_equal(result->status, 0);
	assert_string_equal(result->errors, "");
	assert_int_equal(stat("data", &status), 0);
	assert_int_equal(status.st_size, 0);
}

/* One line of JSON per task, and the same in the runner's result fd. */
/* [req: H-60] [req: H-81] */
static void test_results(void **state)
{
	struct torture *torture = *state;
	char entry[512], line[65536];
	struct torture_result *result;
	struct stat status;
	FILE *file;

	snprintf(entry, sizeof entry, "HEAPLOG_RESULTS=%s/results", torture->directory);
	result = RUN(entry, S("-tf"), S("@acme/a"), S("build"), S("-"), TASK, S("hold"), S("30"), S("300"), S("--"),
		     S("b"), S("test"), S("ci"), TASK, S("kill"), S("40"), S("15"));
	assert_int_equal(WEXITSTATUS(result->status), 1);
	assert_non_null(strstr(result->errors, "fd /memfd:heaplog:@acme/a:build (deleted)\n"));
	assert_non_null(strstr(result->errors, "fd /memfd:heaplog:b:test:ci (deleted)\n"));
	file = fopen("results", "r");
	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_non_null(fgets(line, sizeof line, file));
	assert_non_null(strstr(
	    line, "\"task\":\"@acme/a:build\",\"project\":\"@acme/a\",\"target\":\"build\",\"hash\":\"1234@acme/a\""));
	assert_non_null(strstr(line, "\"exit\":{\"code\":0}"));
	assert_non_null(fgets(line, sizeof line, file));
	assert_non_null(strstr(line, "\"configuration\":\"ci\""));
	assert_non_null(strstr(line, "\"exit\":{\"signal\":\"SIGTERM\"}"));
	assert_null(fgets(line, sizeof line, file));
	fclose(file);
}

/* The example formatter in C, run beside the runner, reads the result fds. */
static void test_example_formatter(void **state)
{
	char script[5000];
	struct torture_result *result;

	(void)state;
	snprintf(script, sizeof script, "exec %s $PPID", torture_path("examples/formatter"));
	result = RUN(NULL, S("-t"), S("@acme/a"), S("build"), S("-"), TASK, S("hold"), S("30"), S("300"), S("--"),
		     S("b"), S("show"), S("-"), S("sh"), S("-c"), script);
	assert_int_equal(result->status, 0);
	assert_non_null(strstr(result->output, "\n@acme/a:build "));
}

/* [req: H-81] */
static void test_results_unwritable(void **state)
{
	struct torture_result *result;

	(void)state;
	assert_int_equal(symlink("elsewhere", "link"), 0);
	result = RUN(S("HEAPLOG_RESULTS=link"), S("-t"), S("a"), S("build"), S("-"), TASK, S("hold"), S("10"), S("20"),
		     S("--"), S("b"), S("build"), S("-"), TASK, S("hold"), S("10"), S("20"));
	assert_int_equal(result->status, 0);
	assert_int_equal(torture_strip(result->output), 2);
	assert_non_null(strstr(result->errors, "/link: it is a symbolic link"));
	assert_ptr_equal(strchr(result->errors, '\n'), result->errors + result->errors_length - 1);
	assert_int_equal(access("elsewhere", F_OK), -1);
}

/* A runner inside a task stays silent: Nx would cache its figures with the outer task's output. */
static void test_nested(void **state)
{
	struct torture_result *result = RUN(S("NX_TASK_TARGET_PROJECT=outer"), S("-t"), S("a"), S("build"), S("-"),
					    TASK, S("hold"), S("10"), S("20"));

	(void)state;
	assert_int_equal(result->status, 0);
	assert_int_equal(torture_strip(result->output), 0);
}

/* Above the threshold the suffix says so, yellow on a coloured line. */
static void test_warn(void **state)
{
	struct torture_result *result =
	    RUN(S("HEAPLOG_WARN=50MB"), S("-tc"), S("a"), S("build"), S("-"), TASK, S("hold"), S("100"), S("400"),
		S("--"), S("b"), S("build"), S("-"), TASK, S("hold"), S("10"), S("400"));

	(void)state;
	assert_string_equal(result->errors, "");
	assert_non_null(strstr(result->output, "a:build\033[33m (peak: "));
	assert_non_null(strstr(result->output, "MB, over 50MB)\033[39m"));
	if (!torture_sanitized()) /* whose memory is several times that */
		assert_non_null(strstr(result->output, "b:build\033[2m (peak: 1"));
}

/* A shell ends with 128 and the number of the signal that ended its command. */
static void test_shell_names_signal(void **state)
{
	char command[5000];
	struct torture_result *result;

	(void)state;
	snprintf(command, sizeof command, "%s kill 10 6; exit $?", TASK);
	result = RUN(NULL, S("-t"), S("a"), S("build"), S("-"), S("sh"), S("-c"), command);
	assert_non_null(strstr(result->output, "MB, SIGABRT)"));
	snprintf(command, sizeof command, "%s kill 10 9; exit $?", TASK);
	result = RUN(NULL, S("-t"), S("a"), S("build"), S("-"), S("sh"), S("-c"), command);
	assert_non_null(strstr(result->output, "MB, SIGKILL)"));
}

/* Room for the result fds is made at the start: with threads the kernel takes 10 ms and more for it, and Nx 20 lost the
 * output of tasks that ended while a wait wrapper was held up so long. */
static void test_descriptor_table(void **state)
{
	struct torture_result *result;
	struct rlimit limit;
	unsigned size = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	result = torture_run((char *[]){S("/bin/grep"), S("FDSize"), S("/proc/self/status"), NULL},
			     (char *[]){PATH, ON, torture_preload(), NULL});
	assert_int_equal(sscanf(result->output, "FDSize: %u", &size), 1);
	assert_true(size >= (limit.rlim_cur < 4096 ? limit.rlim_cur : 4096));
}

/* A spawn that fails is no task, and its errors are libc's. */
static void test_failed_exec(void **state)
{
	struct torture_result *result = RUN(NULL, S("-t"), S("a"), S("build"), S("-"), S("/nonexistent"));

	(void)state;
	assert_int_equal(WEXITSTATUS(result->status), 1);
	assert_string_equal(result->output, "\n> nx run a:build\n\n");
}

/* More tasks than sampler threads: all have a figure. */
/* [req: H-51] */
static void test_many_tasks(void **state)
{
	enum { TASKS = 300 };
	static char names[TASKS][8];
	static char *argv[TASKS * 7 + 8];
	char *entries[] = {PATH, ON, torture_preload(), NULL};
	size_t at = 0;
	struct torture_result *result;

	(void)state;
	argv[at++] = S(torture_path("tests/helper_runner"));
	argv[at++] = S("-ta");
	for (int i = 0; i < TASKS; i++) {
		snprintf(names[i], sizeof names[i], "p%d", i);
		argv[at++] = names[i];
		argv[at++] = S("build");
		argv[at++] = S("-");
		argv[at++] = S("sleep");
		argv[at++] = S("4"); /* on a loaded machine 300 starts take their time */
		if (i + 1 < TASKS)
			argv[at++] = S("--");
	}
	result = torture_run(argv, entries);
	assert_int_equal(result->status, 0);
	assert_int_equal(torture_strip(result->output), TASKS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_one_process),
	    TORTURE(test_forms),
	    TORTURE(test_carry_over),
	    TORTURE(test_undumpable),
	    TORTURE(test_grown_at_the_end),
	    TORTURE(test_several_children),
	    TORTURE(test_parallel_tasks),
	    TORTURE(test_descendants),
	    TORTURE(test_killed),
	    TORTURE(test_warning_without_stderr),
	    TORTURE(test_results),
	    TORTURE(test_results_unwritable),
	    TORTURE(test_example_formatter),
	    TORTURE(test_nested),
	    TORTURE(test_failed_exec),
	    TORTURE(test_warn),
	    TORTURE(test_shell_names_signal),
	    TORTURE(test_many_tasks),
	};
	const struct CMUnitTest preload_tests[] = {
	    TORTURE(test_environment_of_task), TORTURE(test_other_preloads),       TORTURE(test_coresident_libraries),
	    TORTURE(test_taken_away),          TORTURE(test_daemon_is_left_alone), TORTURE(test_off),
	    TORTURE(test_not_a_runner),        TORTURE(test_descriptor_table),     TORTURE(test_malformed_values),
	};
	const int failed = cmocka_run_group_tests(tests, NULL, NULL);

	return torture_sanitized() ? failed : failed + cmocka_run_group_tests(preload_tests, NULL, NULL);
}
