/* HEAPLOG_EXACT=1: the library in the task's processes, and that they do not notice. */
#include "torture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define S(text) ((char *)(uintptr_t)(text))

static char *task(void)
{
	return S(torture_path("tests/helper_task"));
}

/* A runner whose one task is sh -c script. mode: how it starts the task. */
static struct torture_result *run(const struct torture *torture, const char *mode, const char *exact,
				  const char *script)
{
	char variable[700], results[700];
	char *argv[] = {S(torture_path("tests/helper_runner")),
			S(mode),
			S("a"),
			S("build"),
			S("-"),
			S("/bin/sh"),
			S("-c"),
			S(script),
			NULL};
	char *entries[] = {
	    S("PATH=/usr/bin:/bin"), S("NX_LOG_HEAP_USAGE=true"), torture_preload(), variable, S(exact), results, NULL};

	snprintf(variable, sizeof variable, "XDG_RUNTIME_DIR=%s", torture->directory);
	snprintf(results, sizeof results, "HEAPLOG_RESULTS=%s/results", torture->directory);
	return torture_run(argv, entries);
}

static double peak_of(const char *output)
{
	const char *at = strstr(output, "(peak: ");
	char unit[3] = "";
	double value = 0;

	if (!at)
		return 0;
	assert_int_equal(sscanf(at + 7, "%lf%2[KMGTB]", &value, unit), 2);
	return unit[0] == 'K' ? value / 1024 : unit[0] == 'G' ? value * 1024 : value;
}

/* Children so short that no look may hit them, one after the other, started in every way. */
static void test_short_children(void **state)
{
	static const char *const modes[] = {"-t", "-tv", "-tp", "-v", "-p", "-w"};
	char script[9000];

	snprintf(script, sizeof script, "for i in 1 2 3; do %s hold 60 0; done; (%s hold 61 0)", task(), task());
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		struct torture_result *result = run(*state, modes[i], "HEAPLOG_EXACT=1", script);

		assert_string_equal(result->errors, "");
		assert_int_equal(result->status, 0);
		assert_in_range((int)peak_of(result->output), 61, 68);
	}
}

/* A double fork whose middle process is gone at once. */
static void test_short_orphan(void **state)
{
	char script[9000];
	struct torture_result *result;

	/* The pipe ends with the orphan, however long it takes on a loaded machine. */
	snprintf(script, sizeof script, "(setsid %s hold 80 60 &) | cat", task());
	result = run(*state, "-t", "HEAPLOG_EXACT=1", script);
	assert_int_equal(result->status, 0);
	assert_in_range((int)peak_of(result->output), 80, 88);
}

/* A task that is run again in the same runner does not have what its first run left behind: neither what still lives
 * and goes on to start programs, nor what has ended since, of which nobody has heard. */
static void test_run_again(void **state)
{
	const struct torture *torture = *state;
	static const char *const left[] = {
	    "(while :; do $TASK hold 60 50; ($TASK hold 61 0); done) >/dev/null 2>&1 & echo $! >pid; $TASK hold 21 200",
	    "($TASK hold 200 600; : >pipe) >/dev/null 2>&1 & $TASK hold 21 200"};

	for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
		char program[600], variable[700];
		const char *at;
		char *argv[] = {S(torture_path("tests/helper_runner")),
				S("-t"),
				S("a"),
				S("build"),
				S("-"),
				S("/bin/sh"),
				S("-c"),
				S(left[i]),
				S("--"),
				S("z"),
				S("build"),
				S("-"),
				S("/bin/sh"),
				S("-c"),
				S("[ ! -p pipe ] || cat pipe"),
				S("--"),
				S("a"),
				S("build"),
				S("-"),
				task(),
				S("hold"),
				S("20"),
				S("300"),
				NULL};
		char *entries[] = {S("PATH=/usr/bin:/bin"),
				   S("NX_LOG_HEAP_USAGE=true"),
				   torture_preload(),
				   variable,
				   program,
				   S("HEAPLOG_EXACT=1"),
				   NULL};

		snprintf(variable, sizeof variable, "XDG_RUNTIME_DIR=%s", torture->directory);
		/* z ends when the one that was left behind has ended. */
		if (i == 1)
			assert_int_equal(mkfifo("pipe", 0600), 0);
		snprintf(program, sizeof program, "TASK=%s", task());
		at = strstr(torture_run(argv, entries)->output, "a:build (peak: ");
		if (i == 0)
			assert_int_equal(system("kill $(cat pid)"), 0);
		assert_non_null(at); /* the first */
		at = strstr(at + 1, "a:build (peak: ");
		assert_non_null(at);
		assert_in_range((int)peak_of(at), 20, 28);
	}
}

/* A program that clears its environment: its children are still known, and see nothing but the token, once. */
/* [req: H-34] */
static void test_cleared_environment(void **state)
{
	const char *library = torture_path("libheaplog.so");
	char script[9000], expected[4400];
	struct torture_result *result;
	const char *slash = strrchr(library, '/');

	snprintf(script, sizeof script,
		 "env -i /bin/sh -c 'tr \"\\0\" \"\\n\" </proc/$$/environ; env -i %s hold 70 0; :'", task());
	result = run(*state, "-t", "HEAPLOG_EXACT=1", script);
	assert_int_equal(result->status, 0);
	assert_string_equal(result->errors, "");
	snprintf(expected, sizeof expected, "LD_PRELOAD=%.*s/%s\n", (int)(slash - library), library, slash);
	assert_int_equal(strncmp(result->output, expected, strlen(expected)), 0);
	assert_int_equal(result->output[strlen(expected)], '\n'); /* Nx's empty line: there was no other entry */
	assert_in_range((int)peak_of(result->output), 70, 78);
}

/* The task's environment is the runner's, our token included; without the exact mode less our token. */
static void test_environment(void **state)
{
	static char exact[1 << 18];
	char *at;

	memcpy(exact, run(*state, "-t", "HEAPLOG_EXACT=1", "tr '\\0' '\\n' </proc/$$/environ")->output, sizeof exact);
	torture_strip(exact);
	at = strstr(exact, "LD_PRELOAD=");
	assert_non_null(at);
	memmove(at, strchr(at, '\n') + 1, strlen(strchr(at, '\n') + 1) + 1);
	at = strstr(exact, "HEAPLOG_EXACT=1");
	at[14] = '0';
	struct torture_result *result = run(*state, "-t", "HEAPLOG_EXACT=0", "tr '\\0' '\\n' </proc/$$/environ");
	torture_strip(result->output);
	assert_string_equal(result->output, exact);
}

/* Exit codes, signals, descriptors, output and errors of all kinds of programs are what they are without. */
static void test_undisturbed(void **state)
{
	static const char *const scripts[] = {
	    "exit 7",
	    "kill -9 $$",
	    "exec /bin/false",
	    "exec /nonexistent/program",
	    "ls /proc/self/fd; echo done",
	    "python3 -c 'import os; os._exit(3)'",
	    "python3 -c 'import os, sys; p = os.fork(); p or os._exit(4); print(os.WEXITSTATUS(os.waitpid(p, 0)[1]))'",
	    "python3 -c 'import subprocess as s; print(s.run([\"sh\", \"-c\", \"exit 5\"]).returncode)'",
	    "python3 -c 'import subprocess as s; print(s.run([\"true\"], env={}).returncode)'",
	    "perl -e 'system(\"exit 3\"); print $? >> 8, `echo x`'",
	    "(exit 3); echo $?; /bin/echo x | cat; find /etc/passwd -exec echo {} \\;",
	    "env -i /usr/bin/env",
	    "cd /; exec ./bin/echo relative",
	};

	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		static struct torture_result base;
		struct torture_result *result;

		memcpy(&base, run(*state, "-t", "HEAPLOG_EXACT=0", scripts[i]), sizeof base);
		result = run(*state, "-t", "HEAPLOG_EXACT=1", scripts[i]);
		torture_strip(base.output);
		torture_strip(result->output);
		char *token = strstr(result->output, "LD_PRELOAD="); /* env prints it */
		if (token)
			memmove(token, strchr(token, '\n') + 1, strlen(strchr(token, '\n') + 1) + 1);
		assert_int_equal(result->status, base.status);
		assert_string_equal(result->output, base.output);
		assert_string_equal(result->errors, base.errors);
	}
}

/* A program that cannot load the library gets an environment without it: nothing is said on its stderr. */
static void test_foreign_programs(void **state)
{
	static const char source[] = "#include <stdio.h>\n#include <stdlib.h>\n"
				     "int main(void){puts(getenv(\"LD_PRELOAD\")?\"there\":\"gone\");return 0;}\n";
	static const char *const builds[] = {"cc -static", "cc -fsanitize=address", "cc"};
	static const char *const outputs[] = {"gone\n", "gone\n", "there\n"};
	FILE *file = fopen("foreign.c", "w");

	assert_non_null(file);
	fputs(source, file);
	fclose(file);
	for (size_t i = 0; i < 3; i++) {
		char command[200];
		struct torture_result *result;

		snprintf(command, sizeof command, "%s -o foreign foreign.c", builds[i]);
		assert_int_equal(system(command), 0);
		result = run(*state, "-t", "HEAPLOG_EXACT=1", "./foreign; exec ./foreign");
		assert_int_equal(result->status, 0);
		assert_string_equal(result->errors, "");
		assert_int_equal(strncmp(result->output, outputs[i], strlen(outputs[i])), 0);
		assert_int_equal(strncmp(result->output + strlen(outputs[i]), outputs[i], strlen(outputs[i])), 0);
	}
}

static const char *record_of(const struct torture *torture, const char *exact, const char *script)
{
	static char line[65536];
	char path[600];
	FILE *file;

	snprintf(path, sizeof path, "%s/results", torture->directory);
	unlink(path);
	run(torture, "-t", exact, script);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof line, file));
	fclose(file);
	return line;
}

/* The bounds meet: all that the processes held is known. */
static void test_bounds(void **state)
{
	char script[9000];
	const char *line, *peak, *upper;

	snprintf(script, sizeof script, "%s hold 100 300 & %s hold 100 300 & wait", task(), task());
	/* On a busy machine a look may come late, and the bounds lie apart: seen once, with four programs that wanted to run. */
	for (int tries = 0; tries < 3; tries++) {
		line = record_of(*state, "HEAPLOG_EXACT=1", script);
		peak = strstr(line, "\"peak_bytes\":");
		upper = strstr(line, "\"peak_upper_bytes\":");
		assert_true(atoll(peak + 13) <= 210 << 20 && atoll(upper + 19) >= 200 << 20);
		if (strstr(line, "\"exact\":true"))
			break;
	}
	assert_non_null(strstr(line, "\"processes_max\":3"));
	assert_in_range(atoll(peak + 13), 200 << 20, 210 << 20);
	assert_in_range(atoll(upper + 19), atoll(peak + 13), atoll(peak + 13) / 50 * 51);
	assert_non_null(strstr(line, "\"exact\":true"));
}

/* "exact" is said only where no process can have held memory unseen. */
static void test_says_exact(void **state)
{
	static const struct {
		const char *mode, *script, *said;
	} rows[] = {
	    {"HEAPLOG_EXACT=1", "$TASK hold 100 300", "\"exact\":true"},
	    {"HEAPLOG_EXACT=0", "$TASK hold 100 300", "\"exact\":false"},
	    {"HEAPLOG_EXACT=1", "$TASK hold 100 300; ./static; true", "\"exact\":false"},
	    {"HEAPLOG_EXACT=1", "$TASK hold 100 300; exec ./static", "\"exact\":false"},
	    {"HEAPLOG_EXACT=1", "$TASK hold 100 300; $TASK kill 1 9; true", "\"exact\":false"},
	    {"HEAPLOG_EXACT=1", "$TASK hold 100 1000 & $TASK hold 60 300", "\"exact\":false"}, /* one lives on */
	};

	assert_int_equal(system("echo 'int main(void){return 0;}' >static.c; cc -static -o static static.c"), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char script[5000];

		snprintf(script, sizeof script, "TASK=%s; %s", task(), rows[i].script);
		if (!strstr(record_of(*state, rows[i].mode, script), rows[i].said))
			fail_msg("%s %s: not %s", rows[i].mode, rows[i].script, rows[i].said);
	}
}

/* A short process that might not say what it held: either the figure has it, or it is not said to be exact. */
static void test_unsaid(void **state)
{
	enum { TRUTH = 160, TIMES = 4 };
	static const struct {
		const char *way;
		bool bounded; /* it does say it: the upper bound holds */
	} rows[] = {{"exec", true},       {"raw", false},    {"fork", true},       {"_Fork", true},
		    {"clone", false},     {"small", true},   {"namespace", false}, {"unset", false},
		    {"directory", false}, {"stopped", true}, {"shell", false},     {"user", false},
		    {"files", false},     {"blind", false},  {"handler", false},   {"handler-exec", false}};

	for (size_t i = 0; i < TIMES * sizeof rows / sizeof *rows; i++) {
		const char *way = rows[i / TIMES].way;
		char script[5000];
		const char *line;
		double peak, upper;

		snprintf(script, sizeof script, "%s %s %d; s=$?; [ $s = 3 ] || exit $s",
			 torture_path("tests/helper_unsaid"), way, TRUTH - 100);
		line = record_of(*state, "HEAPLOG_EXACT=1", script);
		if (!strstr(line, "\"code\":0"))
			fail_msg("%s: %s", way, line);
		peak = strtod(strstr(line, "\"peak_bytes\":") + 13, NULL) / (1 << 20);
		upper = strtod(strstr(line, "\"peak_upper_bytes\":") + 19, NULL) / (1 << 20);
		if (strstr(line, "\"exact\":true") && peak < TRUTH)
			fail_msg("%s: %.0f is said to be exact", way, peak);
		if (rows[i / TIMES].bounded && upper < TRUTH)
			fail_msg("%s: the upper bound is %.0f", way, upper);
		/* In another pid namespace it is number 1, which is somebody else here. */
		if (peak > TRUTH + 16)
			fail_msg("%s: %.0f MB", way, peak);
	}
}

/* The first tasks of a run, started by several threads at once: the file in which they register is made by one of them, and
 * the others wait for it. */
static void test_started_at_once(void **state)
{
	enum { TASKS = 6, RUNS = 8 };
	static char names[TASKS][4];
	const struct torture *torture = *state;
	char *argv[TASKS * 6 + 3] = {S(torture_path("tests/helper_runner")), S("-mp")};
	char directory[700], results[700], line[65536];
	char *entries[] = {S("PATH=/usr/bin:/bin"),
			   S("NX_LOG_HEAP_USAGE=true"),
			   torture_preload(),
			   directory,
			   S("HEAPLOG_EXACT=1"),
			   results,
			   NULL};
	size_t exact = 0;

	for (size_t i = 0; i < TASKS; i++) {
		char *const task[] = {names[i], S("build"), S("-"), S("sleep"), S("0.2"), S("--")};

		snprintf(names[i], sizeof names[i], "t%zu", i);
		memcpy(argv + 2 + i * 6, task, sizeof task);
	}
	snprintf(directory, sizeof directory, "XDG_RUNTIME_DIR=%s", torture->directory);
	snprintf(results, sizeof results, "HEAPLOG_RESULTS=%s/results", torture->directory);
	for (size_t i = 0; i < RUNS; i++)
		assert_int_equal(torture_run(argv, entries)->status, 0);
	FILE *file = fopen(results + strlen("HEAPLOG_RESULTS="), "r");
	assert_non_null(file);
	for (; fgets(line, sizeof line, file); exact++)
		if (!strstr(line, "\"exact\":true"))
			fail_msg("%s", line);
	fclose(file);
	assert_int_equal(exact, TASKS * RUNS);
}

/* A task that removes the library (npm ci of the workspace that it lies in): no loader complains. */
static void test_library_removed(void **state)
{
	const struct torture *torture = *state;
	char command[1500], preload[700], directory[700], script[900];
	char *argv[] = {S(torture_path("tests/helper_runner")),
			S("-t"),
			S("a"),
			S("build"),
			S("-"),
			S("/bin/sh"),
			S("-c"),
			script,
			NULL};
	char *entries[] = {
	    S("PATH=/usr/bin:/bin"), S("NX_LOG_HEAP_USAGE=true"), preload, directory, S("HEAPLOG_EXACT=1"), NULL};
	struct torture_result *result;

	snprintf(command, sizeof command, "cp %s %s/libheaplog.so", torture_preload() + strlen("LD_PRELOAD="),
		 torture->directory);
	assert_int_equal(system(command), 0);
	snprintf(preload, sizeof preload, "LD_PRELOAD=%s/libheaplog.so", torture->directory);
	snprintf(directory, sizeof directory, "XDG_RUNTIME_DIR=%s", torture->directory);
	snprintf(script, sizeof script, "rm %s/libheaplog.so; /bin/echo one; exec /bin/echo two", torture->directory);
	result = torture_run(argv, entries);
	assert_string_equal(result->errors, "");
	assert_int_equal(result->status, 0);
	assert_non_null(strstr(result->output, "one\ntwo\n"));
}

/* What the processes of ended tasks said makes room: the table has 2048 places, and a build ten thousand commands. */
static void test_room(void **state)
{
	enum { TASKS = 20 };
	struct torture *torture = *state;
	char *argv[TASKS * 6 + 12] = {S(torture_path("tests/helper_runner")), S("-t")};
	char directory[700], variable[700];
	char *entries[] = {S("PATH=/usr/bin:/bin"),
			   S("NX_LOG_HEAP_USAGE=true"),
			   torture_preload(),
			   variable,
			   S("HEAPLOG_EXACT=1"),
			   S("HEAPLOG_TASK=all"),
			   NULL};
	char *const task[] = {S("a"), S("build"), S("-"), S("sleep"), S("0.05"), S("--")};
	char *const last[] = {S("a"),      S("build"), S("-"), S(torture_path("tests/helper_board")),
			      S("places"), directory,  NULL};
	struct torture_result *result;
	unsigned places = 0;

	snprintf(variable, sizeof variable, "XDG_RUNTIME_DIR=%s", torture->directory);
	snprintf(directory, sizeof directory, "%s/heaplog", torture->directory);
	for (size_t i = 0; i < TASKS; i++)
		memcpy(argv + 2 + i * 6, task, sizeof task);
	memcpy(argv + 2 + TASKS * 6, last, sizeof last);
	result = torture_run(argv, entries);
	assert_int_equal(result->status, 0);
	assert_non_null(strstr(result->output, "places "));
	assert_int_equal(sscanf(strstr(result->output, "places "), "places %u", &places), 1);
	assert_in_range(places, 1, TASKS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_short_children),
	    TORTURE(test_short_orphan),
	    TORTURE(test_cleared_environment),
	    TORTURE(test_environment),
	    TORTURE(test_undisturbed),
	    TORTURE(test_foreign_programs),
	    TORTURE(test_run_again),
	    TORTURE(test_bounds),
	    TORTURE(test_says_exact),
	    TORTURE(test_room),
	    TORTURE(test_unsaid),
	    TORTURE(test_started_at_once),
	    TORTURE(test_library_removed),
	};

	/* Under a sanitizer the library is linked with the runner, and LD_PRELOAD is not used. */
	return torture_sanitized() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
