/* heaplog run: the command is what it would be without us, in both ways of running it: in our place (exec), and with us
 * waiting (--summary always, or a statically linked runner). */
#include "torture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define W(text) (char *)(uintptr_t)(text)
#define PATH_ENTRY W("PATH=/usr/local/bin:/usr/bin:/bin")

static char *heaplog(void)
{
	return (char *)(uintptr_t)torture_path("heaplog");
}

static char *static_runner(void)
{
	return (char *)(uintptr_t)torture_path("tests/helper_runner_static");
}

static char *task(void)
{
	return (char *)(uintptr_t)torture_path("tests/helper_task");
}

/* The environment of the tests: a runtime directory of their own. extra: one more entry, or NULL. */
static char **surroundings(char *extra)
{
	static char runtime[512];
	static char *entries[5];

	snprintf(runtime, sizeof runtime, "XDG_RUNTIME_DIR=%s", getcwd((char[400]){""}, 400));
	entries[0] = PATH_ENTRY;
	entries[1] = runtime;
	entries[2] = W("HOME=/nonexistent");
	entries[3] = extra;
	entries[4] = NULL;
	return entries;
}

/* heaplog run [option...] sh -c script; waiting: as a parent that waits. */
static struct torture_result *run_shell(bool waiting, const char *script, char *extra)
{
	char *argv[] = {heaplog(),    W("run"), W("--summary"), W(waiting ? "always" : "never"),
			W("/bin/sh"), W("-c"),  W(script),      NULL};

	return torture_run(argv, surroundings(extra));
}

static struct torture_result *plain_shell(const char *script)
{
	char *argv[] = {W("/bin/sh"), W("-c"), W(script), NULL};

	return torture_run(argv, surroundings(NULL));
}

/* 256 codes and 23 signals that end a process, each with and without a parent that waits: 558 cases. */
static void test_status(void **state)
{
	static const int not_deadly[] = {SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};
	char script[64];
	unsigned cases = 0;

	(void)state;
	if (torture_sanitized())
		skip();
	for (int waiting = 0; waiting < 2; waiting++) {
		for (int code = 0; code < 256; code++, cases++) {
			snprintf(script, sizeof script, "exit %d", code);
			assert_int_equal(run_shell(waiting, script, NULL)->status, code << 8);
		}
		for (int number = 1; number < 32; number++) {
			bool deadly = true;

			for (size_t i = 0; i < sizeof not_deadly / sizeof *not_deadly; i++)
				deadly = deadly && number != not_deadly[i];
			if (!deadly)
				continue;
			snprintf(script, sizeof script, "ulimit -c 0; kill -%d $$; exit 99", number);
			assert_int_equal(run_shell(waiting, script, NULL)->status & 0x7f, number);
			cases++;
		}
	}
	assert_true(cases >= 300);
}

static void check_failure(char *const command[], int status, const char *message)
{
	for (int waiting = 0; waiting < 2; waiting++) {
		char *argv[16] = {heaplog(), W("run"), W("--summary"), W(waiting ? "always" : "auto"), W("--")};
		struct torture_result *result;

		for (size_t i = 0; command[i]; i++)
			argv[5 + i] = command[i];
		result = torture_run(argv, surroundings(NULL));
		assert_int_equal(WEXITSTATUS(result->status), status);
		assert_string_equal(result->errors, message);
		assert_string_equal(result->output, "");
	}
}

static void put_file(const char *name, mode_t mode, const char *text)
{
	const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	fchmod(fd, mode);
	close(fd);
}

static void test_cannot_run(void **state)
{
	struct torture_result *result;

	(void)state;
	check_failure((char *[]){W("no-such-command"), NULL}, 127, "heaplog: no-such-command: command not found\n");
	check_failure((char *[]){W("./nowhere/nx"), NULL}, 127, "heaplog: ./nowhere/nx: No such file or directory\n");
	put_file("plain", 0644, "echo\n");
	check_failure((char *[]){W("./plain"), NULL}, 126, "heaplog: ./plain: Permission denied\n");
	assert_int_equal(mkdir("directory", 0755), 0);
	check_failure((char *[]){W("./directory"), NULL}, 126, "heaplog: ./directory: Permission denied\n");
	check_failure((char *[]){W("./plain/x"), NULL}, 126, "heaplog: ./plain/x: Not a directory\n");
	put_file("lost", 0755, "#!/no/such/interpreter\n");
	check_failure((char *[]){W("./lost"), NULL}, 127,
		      "heaplog: ./lost: its interpreter (the \"#!\" line, or the loader) does not exist\n");
	/* Names steer no terminal. */
	check_failure((char *[]){W("x\033[31m"), NULL}, 127, "heaplog: x?[31m: command not found\n");

	result = torture_run((char *[]){heaplog(), W("run"), NULL}, surroundings(NULL));
	assert_int_equal(WEXITSTATUS(result->status), 2);
	assert_non_null(strstr(result->errors, "heaplog: no command\n"));
	result = torture_run((char *[]){heaplog(), W("--bogus"), W("x"), NULL}, surroundings(NULL));
	assert_int_equal(WEXITSTATUS(result->status), 2);
	result =
	    torture_run((char *[]){heaplog(), W("run"), W("--runner"), W("{"), W("true"), NULL}, surroundings(NULL));
	assert_int_equal(WEXITSTATUS(result->status), 2);
	assert_non_null(strstr(result->errors, "--runner"));
	if (torture_sanitized())
		return;
	/* A file without "#!" is the shell's, as everywhere. */
	put_file("bare", 0755, "exit 7\n");
	result = torture_run((char *[]){heaplog(), W("./bare"), NULL}, surroundings(NULL));
	assert_int_equal(WEXITSTATUS(result->status), 7);
}

static void sort_lines(char *text)
{
	char *lines[512];
	size_t count = 0;
	char sorted[1 << 16] = "";

	for (char *line = strtok(text, "\n"); line && count < 512; line = strtok(NULL, "\n"))
		lines[count++] = line;
	for (size_t i = 0; i < count; i++)
		for (size_t j = i + 1; j < count; j++)
			if (strcmp(lines[j], lines[i]) < 0) {
				char *swap = lines[i];

				lines[i] = lines[j];
				lines[j] = swap;
			}
	for (size_t i = 0; i < count; i++)
		strcat(strcat(sorted, lines[i]), "\n");
	strcpy(text, sorted);
}

/* The environment of the command, with us and by hand. */
static void test_environment(void **state)
{
	char by_hand[8192], library[4300];
	char *print[] = {W("/usr/bin/env"), NULL};
	char **entries;
	char *more[16];
	size_t count = 0;

	(void)state;
	if (torture_sanitized())
		skip();
	snprintf(library, sizeof library, "LD_PRELOAD=%s", torture_path("libheaplog.so"));
	entries = surroundings(NULL);
	for (; entries[count]; count++)
		more[count] = entries[count];
	more[count++] = W("NX_LOG_HEAP_USAGE=true");
	more[count++] = library;
	more[count] = NULL;
	strcpy(by_hand, torture_run(print, more)->output);
	sort_lines(by_hand);
	for (int waiting = 0; waiting < 2; waiting++) {
		char *argv[] = {heaplog(), W("run"), W("--summary"), W(waiting ? "always" : "auto"), print[0], NULL};
		struct torture_result *result = torture_run(argv, surroundings(NULL));
		char *results = strstr(result->output, "HEAPLOG_RESULTS=");

		assert_int_equal(result->status, 0);
		/* Where a table was asked for the records have to be somewhere; the same place every time. */
		assert_int_equal(waiting, results != NULL);
		if (results) {
			assert_non_null(strstr(results, "/heaplog/summary-0.jsonl\n"));
			memmove(results, strchr(results, '\n') + 1, strlen(strchr(results, '\n')));
		}
		sort_lines(result->output);
		assert_string_equal(result->output, by_hand);
	}
	/* The user's own library stays, and stays first. */
	struct torture_result *result = run_shell(false, "echo $LD_PRELOAD", W("LD_PRELOAD=libm.so.6"));
	char expected[5000];

	snprintf(expected, sizeof expected, "libm.so.6:%s\n", torture_path("libheaplog.so"));
	assert_string_equal(result->output, expected);
}

static void test_settings(void **state)
{
	char *argv[] = {heaplog(),
			W("run"),
			W("--results"),
			W("r.jsonl"),
			W("--metric"),
			W("pss"),
			W("--warn"),
			W("2GB"),
			W("--interval"),
			W("1s"),
			W("--exact"),
			W("--runner"),
			W("{A}:{B}"),
			W("/bin/sh"),
			W("-c"),
			W("echo $HEAPLOG_RESULTS $HEAPLOG_METRIC $HEAPLOG_WARN $HEAPLOG_INTERVAL_MS $HEAPLOG_EXACT "
			  "$HEAPLOG_TASK $HEAPLOG $NX_LOG_HEAP_USAGE"),
			NULL};
	char expected[600], directory[400];

	(void)state;
	if (torture_sanitized())
		skip();
	snprintf(expected, sizeof expected, "%s/r.jsonl pss 2GB 1000 1 {A}:{B} 1\n",
		 getcwd(directory, sizeof directory));
	assert_string_equal(torture_run(argv, surroundings(NULL))->output, expected);
}

/* Off is the user's word, and --log-heap-usage the later one. */
static void test_off(void **state)
{
	static const char script[] = "echo ${LD_PRELOAD:+on}";

	(void)state;
	if (torture_sanitized())
		skip();
	assert_string_equal(run_shell(false, script, NULL)->output, "on\n");
	assert_string_equal(run_shell(false, script, W("NX_LOG_HEAP_USAGE=false"))->output, "\n");
	assert_string_equal(run_shell(false, script, W("HEAPLOG=0"))->output, "\n");
	assert_string_equal(run_shell(false, script, W("NX_TASK_TARGET_PROJECT=a"))->output, "\n"); /* inside a task */
	char *on[] = {heaplog(), W("--log-heap-usage"), W("sh"), W("-c"), W(script), NULL};
	assert_string_equal(torture_run(on, surroundings(W("HEAPLOG=0")))->output, "on\n");
	char *last[] = {
	    heaplog(), W("sh"), W("-c"), W("echo ${LD_PRELOAD:+on} $*"), W("x"), W("a"), W("--log-heap-usage"),
	    W("b"),    NULL};
	assert_string_equal(torture_run(last, surroundings(W("HEAPLOG=0")))->output, "on a b\n");
	last[6] = W("--log-heap-usage=false");
	assert_string_equal(torture_run(last, surroundings(NULL))->output, "a b\n");
}

/* Byte for byte as by hand, in both forms, but for the figures themselves. */
static void test_same_as_by_hand(void **state)
{
	char *runner = (char *)(uintptr_t)torture_path("tests/helper_runner");
	char *plain[] = {runner,   W("-t"), W("a"), W("build"),  W("-"),          task(),     W("hold"), W("30"),
			 W("200"), W("--"), W("b"), W("col:on"), W("production"), W("false"), NULL};
	char *argv[20] = {heaplog()};
	char expected[4096];
	struct torture_result *result;

	(void)state;
	if (torture_sanitized())
		skip();
	result = torture_run(plain, surroundings(NULL));
	strcpy(expected, result->output);
	assert_null(strstr(expected, "(peak: "));
	memcpy(argv + 1, plain, sizeof plain);
	result = torture_run(argv, surroundings(NULL));
	assert_int_equal(WEXITSTATUS(result->status), 1);
	assert_true(torture_strip(result->output) >= 1);
	assert_string_equal(result->output, expected);
	assert_string_equal(result->errors, "");
	/* With the table: stdout as before, the table on stderr. */
	memcpy(argv + 4, plain, sizeof plain);
	argv[1] = W("run");
	argv[2] = W("--summary");
	argv[3] = W("always");
	result = torture_run(argv, surroundings(NULL));
	assert_int_equal(WEXITSTATUS(result->status), 1);
	torture_strip(result->output);
	assert_string_equal(result->output, expected);
	assert_non_null(strstr(result->errors, "a:build"));
	assert_non_null(strstr(result->errors, "MB"));
}

/* ---- a parent that waits ---- */

struct watched {
	pid_t pid;
	int output;
	char text[4096];
	size_t length;
};

/* Start heaplog --summary always sh -c script in a process group of its own, its stdout on a pipe. */
static struct watched start(const char *script)
{
	struct watched watched = {.pid = -1};
	int ends[2];
	char *argv[] = {heaplog(), W("run"), W("--summary"), W("always"), W("/bin/sh"), W("-c"), W(script), NULL};

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	watched.pid = fork();
	if (watched.pid == 0) {
		setpgid(0, 0);
		/* What nohup, or a shell for its background, has ignored, no script can trap. */
		for (int number = 1; number < NSIG; number++)
			signal(number, SIG_DFL);
		dup2(ends[1], 1);
		execve(argv[0], argv, surroundings(NULL));
		_exit(126);
	}
	setpgid(watched.pid, watched.pid);
	close(ends[1]);
	watched.output = ends[0];
	return watched;
}

/* Read until line (with its newline) has come; "": until the end. */
static void await(struct watched *watched, const char *line)
{
	while (!*line || !strstr(watched->text, line)) {
		struct pollfd wait = {.fd = watched->output, .events = POLLIN};
		ssize_t got;

		assert_int_equal(poll(&wait, 1, 60000), 1);
		got =
		    read(watched->output, watched->text + watched->length, sizeof watched->text - 1 - watched->length);
		if (got <= 0 && !*line)
			return;
		assert_true(got > 0);
		watched->length += (size_t)got;
		watched->text[watched->length] = '\0';
	}
}

static int end(struct watched *watched)
{
	int status;

	await(watched, "");
	close(watched->output);
	assert_int_equal(waitpid(watched->pid, &status, 0), watched->pid);
	return status;
}

static size_t occurrences(const char *text, const char *what)
{
	size_t count = 0;

	for (; (text = strstr(text, what)); text++)
		count++;
	return count;
}

/* Each signal once: to us alone it is passed on, to the group it is not, because the command has it already. The shell
 * waits for its child with wait(1), which a trapped signal ends; it ends with the directory, should the test fail. */
static void test_signals(void **state)
{
	static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGWINCH, SIGALRM};
	static const char script[] =
	    "for s in 1 2 3 10 12 15 28 14; do trap \"echo got $s.\" $s; done; echo ready; "
	    "until [ -e done ] || [ ! -d \"$PWD\" ]; do sleep 0.01 & wait $!; done; echo bye; exit 3";

	(void)state;
	if (torture_sanitized())
		skip();
	for (int group = 0; group < 2; group++) {
		struct watched watched;
		int status;

		unlink("done");
		watched = start(script);
		await(&watched, "ready\n");
		for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
			char line[32];

			assert_int_equal(kill(group ? -watched.pid : watched.pid, numbers[i]), 0);
			snprintf(line, sizeof line, "got %d.\n", numbers[i]);
			await(&watched, line);
		}
		put_file("done", 0600, "");
		status = end(&watched);
		assert_int_equal(status, 3 << 8);
		for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
			char line[32];

			snprintf(line, sizeof line, "got %d.\n", numbers[i]);
			assert_int_equal(occurrences(watched.text, line), 1);
		}
	}
}

/* kill -TERM to us ends the command, and us by the same signal; kill -KILL to us leaves no command behind. */
static void test_killed(void **state)
{
	struct watched watched;
	int status;

	(void)state;
	if (torture_sanitized())
		skip();
	watched = start("echo ready; exec sleep 600");
	await(&watched, "ready\n");
	kill(watched.pid, SIGTERM);
	status = end(&watched);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	watched = start("echo ready; exec sleep 600");
	await(&watched, "ready\n");
	kill(watched.pid, SIGKILL);
	status = end(&watched); /* the pipe's end comes only with the command's */
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* The command's mask, dispositions and descriptors are as they would be. */
static void test_inherited(void **state)
{
	static const char script[] =
	    "grep -E '^(SigBlk|SigIgn|SigCgt|Threads|NoNewPrivs)' /proc/self/status; ls -l /proc/self/fd | "
	    "sed 's/.* \\([0-9]* ->\\)/\\1/;s/pipe:.*/pipe/;s/proc.*/proc/'; ulimit -n; umask";
	char expected[4096];

	(void)state;
	if (torture_sanitized())
		skip();
	signal(SIGUSR1, SIG_IGN); /* something to be inherited */
	strcpy(expected, plain_shell(script)->output);
	assert_string_equal(run_shell(false, script, NULL)->output, expected);
	assert_string_equal(run_shell(true, script, NULL)->output, expected);
	signal(SIGUSR1, SIG_DFL);
	/* What would lose the status, and which the command has all the same. */
	char *ignoring[] = {W("/usr/bin/env"), W("--ignore-signal=CHLD"),
			    heaplog(),         W("run"),
			    W("--summary"),    W("always"),
			    W("sh"),           W("-c"),
			    W("exit 5"),       NULL};
	assert_int_equal(torture_run(ignoring, surroundings(NULL))->status, 5 << 8);
}

/* A pipe that the command closes reaches its end although we wait. */
static void test_let_go(void **state)
{
	struct watched watched;

	(void)state;
	if (torture_sanitized())
		skip();
	watched = start(
	    "echo first; exec >/dev/null 2>&1; until [ -e done ] || [ ! -d \"$PWD\" ]; do sleep 0.01; done; exit 4");
	await(&watched, ""); /* the end of the pipe, while the command runs on */
	put_file("done", 0600, "");
	assert_int_equal(end(&watched), 4 << 8);
}

/* A statically linked runner: its tasks in a table, named by HEAPLOG_TASK's rule or by their command. */
static void test_static(void **state)
{
	char *argv[] = {
	    heaplog(), W("run"),   W("--results"), W("r.jsonl"), W("--runner"), W("nx"), static_runner(),
	    W("web"),  W("build"), W("-"),         task(),       W("hold"),     W("60"), W("400"),
	    W("--"),   W("api"),   W("test"),      W("ci"),      W("/bin/sh"),  W("-c"), W("sleep 0.5; kill -9 $$"),
	    NULL};
	struct torture_result *result;
	char plain[4096], line[20000];
	FILE *file;
	int records = 0;

	(void)state;
	if (torture_sanitized()) /* a task that kills itself at once lives for a few looks from outside, or for none */
		skip();
	strcpy(plain, torture_run(argv + 6, surroundings(NULL))->output);
	result = torture_run(argv, surroundings(NULL));
	assert_int_equal(result->status, 1 << 8);
	assert_string_equal(result->output, plain); /* its own output is untouched */
	assert_non_null(strstr(result->errors, "web:build"));
	assert_non_null(strstr(result->errors, "api:test:ci"));
	file = fopen("r.jsonl", "r");
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		const bool web = strstr(line, "\"task\":\"web:build\"") != NULL;

		assert_non_null(strstr(line, web ? "\"exit\":{\"code\":0}" : "\"exit\":{\"signal\":\"SIGKILL\"}"));
		if (web && !torture_sanitized()) {
			const long peak = atol(strstr(line, "\"peak_bytes\":") + 13);

			assert_true(peak >= 60 << 20 && peak < 70 << 20);
		}
		records++;
	}
	fclose(file);
	assert_int_equal(records, 2);

	/* Without a rule: every child of the static program, by its command. */
	char *by_command[] = {heaplog(), static_runner(), W("web"), W("build"), W("-"),
			      task(),    W("hold"),       W("30"),  W("300"),   NULL};
	result = torture_run(by_command, surroundings(NULL));
	assert_int_equal(result->status, 0);
	assert_non_null(strstr(result->errors, "helper_task hold 30 300"));
	/* Nothing to show and nothing to keep: nothing stands between. */
	char *never[] = {heaplog(),
			 W("run"),
			 W("--summary"),
			 W("never"),
			 static_runner(),
			 W("web"),
			 W("build"),
			 W("-"),
			 W("/bin/sh"),
			 W("-c"),
			 W("ps -o comm= -p $(ps -o ppid= -p $PPID)"),
			 NULL};
	result = torture_run(never, surroundings(NULL));
	assert_null(strstr(result->output, "heaplog\n"));
	assert_string_equal(result->errors, "");
}

/* The library is found in an installation, in the npm package, and where a path needs a detour. */
/* No descriptor or process is to be had for watching: one line, and the command runs as it would without us. */
static void test_starved(void **state)
{
	static const char *const ways[] = {"--summary always /bin/sh", "--summary auto $RUNNER web build - /bin/sh"};
	char extra[4200], script[4600];

	(void)state;
	if (torture_sanitized())
		skip();
	snprintf(extra, sizeof extra, "RUNNER=%s", static_runner());
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		snprintf(script, sizeof script, "ulimit -n 5; exec %s run %s -c 'exit 3'", heaplog(), ways[i]);
		struct torture_result *result =
		    torture_run((char *[]){W("/bin/sh"), W("-c"), script, NULL}, surroundings(extra));

		assert_int_equal(result->status, i ? 1 << 8 : 3 << 8); /* the helper's own status is 1 */
		assert_string_equal(result->errors,
				    "heaplog: cannot watch: Too many open files; the command runs without heaplog\n");
	}
}

/* Measured from outside the variables are read as the library reads them. */
static void test_static_malformed(void **state)
{
	static const struct {
		const char *entry, *says;
	} cases[] = {
	    {"HEAPLOG_INTERVAL_MS=abc",
	     "heaplog: HEAPLOG_INTERVAL_MS=abc is not a number of milliseconds from 10 to 60000; using 500\n"},
	    {"HEAPLOG_METRIC=vsz", "heaplog: HEAPLOG_METRIC=vsz is not rss or pss; using rss\n"},
	    {"HEAPLOG_TASK={", "heaplog: HEAPLOG_TASK={ is not nx, npm, turbo, all or a pattern"},
	    {"HEAPLOG_WARN=zz", "heaplog: HEAPLOG_WARN=zz is not a size such as 800MB or 1.5GB; using no threshold\n"},
	};
	char *argv[] = {heaplog(), W("run"),   W("--summary"), W("always"),    static_runner(),
			W("web"),  W("build"), W("-"),         W("/bin/true"), NULL};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct torture_result *result = torture_run(argv, surroundings(W(cases[i].entry)));

		assert_int_equal(result->status, 0);
		assert_non_null(strstr(result->errors, cases[i].says));
	}
}

/* A task that execs once more has one name, whenever it was found; a shell's line is the name, whatever bash makes of
 * its last command. */
static void test_static_names(void **state)
{
	char *argv[] = {heaplog(),
			W("run"),
			W("--results"),
			W("r.jsonl"),
			W("--summary"),
			W("never"),
			static_runner(),
			W("web"),
			W("build"),
			W("-"),
			W("./script"),
			W("x"),
			W("--"),
			W("api"),
			W("build"),
			W("-"),
			W("/bin/bash"),
			W("-c"),
			W("sleep 1; sleep 0.1"),
			NULL};
	char line[20000];
	FILE *file;

	(void)state;
	put_file("script", 0755, "#!/usr/bin/env perl\nselect undef, undef, undef, 1;\n");
	for (int i = 0; i < 3; i++)
		assert_int_equal(torture_run(argv, surroundings(NULL))->status, 0);
	file = fopen("r.jsonl", "r");
	assert_non_null(file);
	for (int i = 0; i < 6; i++) {
		assert_non_null(fgets(line, sizeof line, file));
		if (!strstr(line, "\"task\":\"perl ./script x\"") && !strstr(line, "\"task\":\"sleep 1; sleep 0.1\""))
			fail_msg("%s", line);
	}
	assert_null(fgets(line, sizeof line, file));
	fclose(file);
}

static void test_layouts(void **state)
{
	static const char *const layouts[][2] = {{"usr/bin", "usr/lib"},
						 {"pkg/bin", "pkg/lib"},
						 {"flat", "flat"},
						 {"my project/bin", "my project/lib"},
						 {"usr64/bin", "usr64/lib64"}};
	char command[12000], copy[600], directory[400];

	(void)state;
	if (torture_sanitized())
		skip();
	assert_non_null(getcwd(directory, sizeof directory));
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
		struct torture_result *result;

		snprintf(command, sizeof command,
			 "mkdir -p '%s' '%s' && cp '%s' '%s/heaplog' && cp '%s' '%s/libheaplog.so'", layouts[i][0],
			 layouts[i][1], heaplog(), layouts[i][0], torture_path("libheaplog.so"), layouts[i][1]);
		assert_int_equal(system(command), 0);
		snprintf(copy, sizeof copy, "%s/%s/heaplog", directory, layouts[i][0]);
		char *argv[] = {copy, W("sh"), W("-c"),
				W("readlink -f \"$LD_PRELOAD\"; grep -c libheaplog /proc/self/maps"), NULL};
		result = torture_run(argv, surroundings(NULL));
		assert_string_equal(result->errors, "");
		snprintf(command, sizeof command, "%s/%s/libheaplog.so\n", directory, layouts[i][1]);
		assert_memory_equal(result->output, command, strlen(command));
		assert_true(atoi(result->output + strlen(command)) > 0); /* and it is loaded */
	}
	/* Installed anew it has the same path in LD_PRELOAD, where a blank stands in its own as well. */
	{
		char *argv[] = {copy, W("sh"), W("-c"), W("echo \"$LD_PRELOAD\""), NULL};
		char *before;

		snprintf(copy, sizeof copy, "%s/my project/bin/heaplog", directory);
		before = strdup(torture_run(argv, surroundings(NULL))->output);
		assert_non_null(before);
		assert_non_null(strstr(before, "/heaplog/link-"));
		assert_int_equal(system("cd 'my project/lib' && cp libheaplog.so new && mv new libheaplog.so"), 0);
		assert_string_equal(torture_run(argv, surroundings(NULL))->output, before);
		free(before);
	}
	/* Without one the command runs all the same, and we say so. */
	assert_int_equal(system("rm -r usr/lib"), 0);
	snprintf(copy, sizeof copy, "%s/usr/bin/heaplog", directory);
	if (access("/usr/local/lib/libheaplog.so", F_OK) != 0) {
		struct torture_result *result =
		    torture_run((char *[]){copy, W("sh"), W("-c"), W("exit 6"), NULL}, surroundings(NULL));

		assert_int_equal(result->status, 6 << 8);
		assert_non_null(strstr(result->errors, "cannot find libheaplog.so"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_status),           TORTURE(test_cannot_run),   TORTURE(test_environment),
	    TORTURE(test_settings),         TORTURE(test_off),          TORTURE(test_same_as_by_hand),
	    TORTURE(test_signals),          TORTURE(test_killed),       TORTURE(test_inherited),
	    TORTURE(test_let_go),           TORTURE(test_static),       TORTURE(test_starved),
	    TORTURE(test_static_malformed), TORTURE(test_static_names), TORTURE(test_layouts),
	};

	return cmocka_run_group_tests_name("cli_run", tests, NULL, NULL);
}
