/* One call of libc, so many times.   calls KIND COUNT [task|waiting]
 * It prints the CPU time of one in ns on stderr. task: it runs a task first and prints its result line, as a runner
 * does; waiting: that line has not come yet. What is written goes to the standard output, write-other to another file. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char chunk[4096];
static int other;

static int call(const char *kind)
{
	static char *const argv[] = {NULL};
	const struct iovec parts[2] = {{.iov_base = chunk, .iov_len = 40}, {.iov_base = chunk + 40, .iov_len = 40}};

	if (strcmp(kind, "write") == 0)
		return write(1, chunk, 80) == 80;
	if (strcmp(kind, "write-4k") == 0)
		return write(1, chunk, sizeof chunk) == sizeof chunk;
	if (strcmp(kind, "write-other") == 0)
		return write(other, chunk, 80) == 80;
	if (strcmp(kind, "writev") == 0)
		return writev(1, parts, 2) == 80;
	if (strcmp(kind, "waitpid") == 0)
		return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
	if (strcmp(kind, "kill") == 0)
		return kill(getpid(), 0) == 0;
	if (strcmp(kind, "execve") == 0)
		return execve("/nonexistent", argv, argv) < 0;
	if (strcmp(kind, "fork") == 0) {
		const pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		return waitpid(pid, NULL, 0) == pid;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const int count = argc > 2 ? atoi(argv[2]) : 0;
	static const char line[] = "> nx run bench:build";
	struct timespec begin, end;

	other = open("/dev/zero", O_WRONLY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof chunk; i++)
		chunk[i] =
		    "  src/app/module.ts compiled in 12 ms, no problems were found in this file at all\n"[i % 82];
	if (argc > 3) {
		const pid_t pid = fork();

		if (pid == 0) {
			setenv("NX_TASK_TARGET_PROJECT", "bench", 1);
			setenv("NX_TASK_TARGET_TARGET", "build", 1);
			execlp("sleep", "sleep", "0.05", (char *)NULL);
			_exit(127);
		}
		waitpid(pid, NULL, 0);
		if (strcmp(argv[3], "task") == 0 &&
		    (write(1, "\n", 1) < 0 || write(1, line, sizeof line - 1) < 0 || write(1, "\n\n", 2) < 0))
			return 1;
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	for (int i = 0; i < count; i++)
		if (!call(argv[1]))
			return 1;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	fprintf(stderr, "%.1f\n",
		((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
		    (count ? count : 1));
	return 0;
}
