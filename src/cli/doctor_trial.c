/* The proof: a runner of one task, with the library in it as the user would have it. */
#include "cli/doctor.h"
#include "cli/library.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TASK_BYTES = 32 << 20, TASK_MS = 150, TRIAL_SECONDS = 20, OUTPUT_MAX = 8192 };

int doctor_trial_task(void)
{
	char *memory = malloc(TASK_BYTES);

	if (!memory)
		return 1;
	memset(memory, 1, TASK_BYTES);
	__asm__ volatile("" : : "r"(memory) : "memory");
	nanosleep(&(struct timespec){.tv_nsec = TASK_MS * 1000000L}, NULL);
	free(memory);
	return 0;
}

static void say(const char *text)
{
	(void)!write(STDOUT_FILENO, text, strlen(text));
}

/* As Nx does it: the task's name in its environment, and one write for the result line. */
int doctor_trial_runner(const char *self)
{
	char *arguments[] = {(char *)(uintptr_t)self, (char[]){"doctor"}, (char[]){"--trial-task"}, NULL};
	const pid_t task = fork();

	if (task == 0) {
		setenv("NX_TASK_TARGET_PROJECT", "heaplog", 1);
		setenv("NX_TASK_TARGET_TARGET", "trial", 1);
		execv(self, arguments);
		_exit(127);
	}
	while (task > 0 && waitpid(task, NULL, 0) < 0 && errno == EINTR)
		;
	say("\n");
	say("> nx run heaplog:trial");
	say("\n\n");
	return 0;
}

static const char node_runner[] =
    "const c = require('child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 200)'], "
    "{ stdio: 'ignore', env: { ...process.env, NX_TASK_TARGET_PROJECT: 'heaplog', NX_TASK_TARGET_TARGET: 'trial' } });"
    "c.on('exit', () => { process.stdout.write('\\n'); process.stdout.write('> nx run heaplog:trial'); "
    "process.stdout.write('\\n\\n'); });";

/* Run argv with the library switched on; its stdout and stderr into text. Returns its status as of waitpid, or -1. */
static int run(char *const argv[], const char *library, char text[OUTPUT_MAX])
{
	size_t used = 0;
	ssize_t got;
	int ends[2], status = 0;
	pid_t pid;

	text[0] = '\0';
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		if (library)
			setenv(LIBRARY_VARIABLE, library, 1);
		setenv("NX_LOG_HEAP_USAGE", "true", 1);
		unsetenv("HEAPLOG_TASK"); /* the trial's task is named as Nx does it */
		unsetenv("HEAPLOG_RESULTS");
		unsetenv("NX_TASK_TARGET_PROJECT");
		alarm(TRIAL_SECONDS);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(ends[1]);
	while (pid > 0 &&
	       ((got = read(ends[0], text + used, OUTPUT_MAX - 1 - used)) > 0 || (got < 0 && errno == EINTR)))
		used += got > 0 ? (size_t)got : 0;
	text[used] = '\0';
	close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 ? status : -1;
}

static void judge(const char *who, int status, const char *text)
{
	const char *peak = strstr(text, "> nx run heaplog:trial (peak: ");
	const char *loader = strstr(text, "ERROR: ld.so:");

	if (peak)
		doctor_say(DOCTOR_GOOD, "trial", "%s showed \"%.*s\"", who, (int)strcspn(peak, "\n"), peak);
	else if (loader)
		doctor_say(DOCTOR_WRONG, "trial", "%s: the loader says %.*s", who, (int)strcspn(loader, "\n"), loader);
	else if (WIFSIGNALED(status))
		doctor_say(DOCTOR_WRONG, "trial", "%s was ended by signal %d (%s)%s", who, WTERMSIG(status),
			   strsignal(WTERMSIG(status)), doctor_shortage());
	else if (status == -1 || WEXITSTATUS(status) == 127)
		doctor_say(DOCTOR_WRONG, "trial", "%s could not be run%s", who, doctor_shortage());
	else
		doctor_say(DOCTOR_WRONG, "trial", "%s ran a task with the library, and no peak was shown%s", who,
			   doctor_shortage());
}

void doctor_check_trial(const char *self, const char *library, bool with_node)
{
	char *own[] = {(char *)(uintptr_t)self, (char[]){"doctor"}, (char[]){"--trial-runner"}, NULL};
	char *node[] = {(char[]){"node"}, (char[]){"-e"}, (char *)(uintptr_t)node_runner, NULL};
	char text[OUTPUT_MAX], spelt[PATH_MAX];
	int status;

	if (library && library_spell(library, spelt) == 0)
		library = spelt;
	status = run(own, library, text);
	judge("a runner of one task", status, text);
	if (with_node) {
		status = run(node, library, text);
		judge("the same in node", status, text);
	}
}
