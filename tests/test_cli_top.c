/* heaplog top: tables and screen from the boards of running, ended and killed runners. */
#include "torture.h"

#include "cli/boards.h"
#include "record/board_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define W(text) (char *)(uintptr_t)(text)

/* A directory for boards that only this test knows; not /tmp/heaplog-UID. */
static char *runtime_entry(void)
{
	static char entry[512];
	char directory[400];

	snprintf(entry, sizeof entry, "XDG_RUNTIME_DIR=%s", getcwd(directory, sizeof directory));
	return entry;
}

static char *heaplog(void)
{
	return (char *)(uintptr_t)torture_path("heaplog");
}

static const char *once(char *extra)
{
	char *argv[] = {heaplog(), W("top"), W("--once"), extra, NULL};
	char *entries[] = {W("PATH=/usr/bin:/bin"), W("LC_ALL=C.UTF-8"), runtime_entry(), NULL};
	struct torture_result *result = torture_run(argv, entries);

	assert_int_equal(result->status, 0);
	return result->output;
}

/* A runner with one task that holds 40 MB until it is killed. */
static pid_t start_runner(const char *project)
{
	const pid_t pid = fork();

	if (pid == 0) {
		char *argv[] = {W(torture_path("tests/helper_runner")), W("-t"),   W(project), W("build"),  W("-"),
				W(torture_path("tests/helper_task")),   W("hold"), W("40"),    W("600000"), NULL};
		char *entries[] = {W("HEAPLOG=1"), torture_preload(), runtime_entry(), NULL};
		const int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		/* The task must not outlive the test: it is in the runner's group. */
		setpgid(0, 0);
		execve(argv[0], argv, entries);
		_exit(126);
	}
	setpgid(pid, pid);
	return pid;
}

static void stop_runner(pid_t pid)
{
	kill(-pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Look until the table has all of text; a test that never sees it is ended by its time limit. */
static const char *await(const char *text)
{
	const char *table;

	for (;;) {
		table = once(NULL);
		if (strstr(table, text))
			return table;
		usleep(20000);
	}
}

static void test_once(void **state)
{
	pid_t runner;
	const char *table, *row;

	(void)state;
	if (torture_sanitized())
		skip();
	runner = start_runner("web\033]0;x");
	table = await("MB  "); /* measured */
	while (!(row = strstr(table, "web")))
		table = await("web");
	/* A name steers no terminal. */
	assert_null(strchr(table, '\033'));
	assert_non_null(strstr(table, "web\\x1b]0;x:build"));
	assert_non_null(strstr(table, "nx "));
	/* Killed, it leaves its last figures. */
	kill(runner, SIGKILL);
	table = await("lost");
	assert_non_null(strstr(table, "web\\x1b]0;x:build"));
	stop_runner(runner);
}

/* A copy of the runner's board as one that was made in another pid namespace (a container that shares the directory). */
static void copy_to_another_namespace(pid_t runner)
{
	struct heaplog_board_head head;
	char command[128];
	FILE *file;

	snprintf(command, sizeof command, "cp heaplog/%d heaplog/1%d", runner, runner);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "heaplog/1%d", runner);
	file = fopen(command, "r+");
	assert_int_equal(fread(&head, sizeof head, 1, file), 1);
	assert_true(head.pid_namespace != 0);
	head.pid_namespace++;
	rewind(file);
	assert_int_equal(fwrite(&head, sizeof head, 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

/* There its pids say nothing about processes here: "?", and behind those that are known to run. */
static void test_another_namespace(void **state)
{
	pid_t runner;
	const char *table, *known, *unknown;

	(void)state;
	if (torture_sanitized())
		skip();
	runner = start_runner("web");
	await("MB  ");
	copy_to_another_namespace(runner);
	table = once(NULL);
	stop_runner(runner);
	known = strstr(table, "web:build");
	assert_non_null(known);
	unknown = strchr(table, '?');
	assert_non_null(unknown);
	assert_true(unknown > known);
	assert_non_null(strstr(unknown, "web:build"));
}

/* A statically linked runner is on the board of the launcher that watches it. */
static void test_outside(void **state)
{
	pid_t pid;

	(void)state;
	if (torture_sanitized())
		skip();
	pid = fork();
	if (pid == 0) {
		char *argv[] = {heaplog(),
				W("run"),
				W("--runner"),
				W("nx"),
				W(torture_path("tests/helper_runner_static")),
				W("outer"),
				W("build"),
				W("-"),
				W(torture_path("tests/helper_task")),
				W("hold"),
				W("40"),
				W("600000"),
				NULL};
		char *entries[] = {W("PATH=/usr/bin:/bin"), runtime_entry(), NULL};
		const int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		setpgid(0, 0);
		execve(argv[0], argv, entries);
		_exit(126);
	}
	setpgid(pid, pid);
	assert_non_null(strstr(await("outer:build"), "helper_"));
	kill(-pid, SIGTERM);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	assert_null(strstr(once(NULL), "outer:build")); /* removed */
}

static void test_empty_and_wrong(void **state)
{
	char *entries[] = {W("PATH=/usr/bin:/bin"), runtime_entry(), NULL};
	static const char *const wrong[][2] = {{"--interval=1ms", "not a time"},
					       {"--interval=x", "not a time"},
					       {"--sort=x", "peak"},
					       {"file", "takes no file"},
					       {"--bogus", "bogus"}};
	struct torture_result *result;
	FILE *file;

	(void)state;
	assert_non_null(strstr(once(NULL), "PEAK"));
	/* stdout is no terminal here: as --once. */
	result = torture_run((char *[]){heaplog(), W("top"), NULL}, entries);
	assert_int_equal(result->status, 0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		result = torture_run((char *[]){heaplog(), W("top"), W(wrong[i][0]), NULL}, entries);
		assert_int_equal(WEXITSTATUS(result->status), 2);
		assert_non_null(strstr(result->errors, wrong[i][1]));
	}
	/* Files that are no boards: named, and no harm. */
	assert_int_equal(mkdir("heaplog", 0700), 0);
	file = fopen("heaplog/12", "w");
	fputs("short", file);
	fclose(file);
	file = fopen("heaplog/13", "w");
	for (int i = 0; i < 300000; i++)
		putc('x', file);
	fclose(file);
	assert_int_equal(symlink("/etc/passwd", "heaplog/14"), 0);
	assert_int_equal(mkfifo("heaplog/15", 0600), 0);
	result = torture_run((char *[]){heaplog(), W("top"), W("--once"), NULL}, entries);
	assert_int_equal(result->status, 0);
	assert_non_null(strstr(result->errors, "no boards"));
}

/* ---- on a terminal ---- */

struct screen {
	pid_t pid;
	int terminal;
	char text[1 << 16];
	size_t length;
};

static struct screen *show(const char *term)
{
	static struct screen screen;
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	char variable[64], asan[600];

	memset(&screen, 0, sizeof screen);
	snprintf(variable, sizeof variable, "TERM=%s", term);
	/* As torture_run does it: ncurses keeps memory to its end. */
	snprintf(asan, sizeof asan, "ASAN_OPTIONS=%s", getenv("ASAN_OPTIONS") ? getenv("ASAN_OPTIONS") : "");
	screen.pid = forkpty(&screen.terminal, NULL, NULL, &size);
	assert_true(screen.pid >= 0);
	if (screen.pid == 0) {
		char *argv[] = {heaplog(), W("top"), W("--interval"), W("100ms"), NULL};
		char *entries[] = {W("PATH=/usr/bin:/bin"), W("LC_ALL=C.UTF-8"), runtime_entry(), variable, asan, NULL};

		execve(argv[0], argv, entries);
		_exit(126);
	}
	return &screen;
}

/* Read until what has come since the mark has text; "": until the end. */
static void see(struct screen *screen, const char *text)
{
	while (!*text || !strstr(screen->text, text)) {
		struct pollfd wait = {.fd = screen->terminal, .events = POLLIN};
		ssize_t got;

		assert_int_equal(poll(&wait, 1, 30000), 1);
		if (screen->length > sizeof screen->text / 2)
			screen->length = 0;
		got = read(screen->terminal, screen->text + screen->length, sizeof screen->text - 1 - screen->length);
		if (got <= 0 && !*text)
			return;
		assert_true(got > 0);
		screen->length += (size_t)got;
		screen->text[screen->length] = '\0';
	}
}

static void forget(struct screen *screen)
{
	screen->length = 0;
	screen->text[0] = '\0';
}

static int closed(struct screen *screen)
{
	int status;

	see(screen, "");
	assert_int_equal(waitpid(screen->pid, &status, 0), screen->pid);
	close(screen->terminal);
	return status;
}

static void test_screen(void **state)
{
	static const char leave[] = "\033[?1049l"; /* xterm's own screen comes back */
	struct screen *screen;
	struct winsize size = {.ws_row = 10, .ws_col = 60};

	(void)state;
	/* One thread, nothing to be found there; and TSan keeps signals back until it likes (a screen that was resized on a
	 * busy machine was not drawn for 30 s, once). */
	if (getenv("HEAPLOG_SANITIZER") && strcmp(getenv("HEAPLOG_SANITIZER"), "tsan") == 0)
		skip();
	screen = show("xterm");
	see(screen, "PEAK");
	assert_non_null(strstr(screen->text, "\033[?1049h"));
	forget(screen);
	/* A new size is drawn to: the head, whose last word moves. */
	assert_int_equal(ioctl(screen->terminal, TIOCSWINSZ, &size), 0);
	see(screen, "RUNNER");
	forget(screen);
	assert_int_equal(write(screen->terminal, "t", 1), 1);
	see(screen, "name");
	assert_int_equal(write(screen->terminal, "q", 1), 1);
	assert_int_equal(closed(screen), 0);
	assert_non_null(strstr(screen->text, leave));

	screen = show("xterm");
	see(screen, "PEAK");
	assert_int_equal(write(screen->terminal, "\003", 1), 1); /* Ctrl-C */
	assert_int_equal(closed(screen), 0);
	assert_non_null(strstr(screen->text, leave));

	screen = show("xterm");
	see(screen, "PEAK");
	kill(screen->pid, SIGTERM);
	assert_int_equal(closed(screen) & 0x7f, SIGTERM);
	assert_non_null(strstr(screen->text, leave));

	screen = show("dumb");
	see(screen, "--once");
	assert_int_equal(closed(screen), 2 << 8);
#ifdef SCREEN_CURSES /* plain sequences ask no description of the terminal */
	screen = show("no-such-terminal");
	see(screen, "--once");
	assert_int_equal(closed(screen), 2 << 8);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_once),   TORTURE(test_another_namespace), TORTURE(test_outside), TORTURE(test_empty_and_wrong),
	    TORTURE(test_screen),
	};

	return cmocka_run_group_tests_name("cli_top", tests, NULL, NULL);
}
