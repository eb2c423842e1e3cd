/* What waitpid takes when it returns a child.   reap TASKS AT-ONCE
 * A runner with threads, as Node is: it starts tasks that live for 30 ms, so many at once, is told by SIGCHLD, and asks
 * for each child with WNOHANG, as libuv does. Prints the wall time of each call that returned one, in ns. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE_MAX = 64 };

static void *idle(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static pid_t start(int number)
{
	static char project[32];
	const pid_t pid = fork();

	if (pid == 0) {
		snprintf(project, sizeof project, "p%d", number);
		setenv("NX_TASK_TARGET_PROJECT", project, 1);
		setenv("NX_TASK_TARGET_TARGET", "build", 1);
		execlp("sleep", "sleep", "0.03", (char *)NULL);
		_exit(127);
	}
	return pid;
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv)
{
	const int count = argc > 1 ? atoi(argv[1]) : 0;
	const int at_once = argc > 2 ? atoi(argv[2]) % AT_ONCE_MAX : 1;
	pid_t pids[AT_ONCE_MAX] = {0};
	int started = 0, ended = 0, number;
	pthread_t thread;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pthread_create(&thread, NULL, idle, NULL) != 0)
		return 1;
	while (started < count && started < at_once) {
		pids[started] = start(started);
		started++;
	}
	while (ended < count && sigwait(&set, &number) == 0) {
		for (int i = 0; i < at_once; i++) {
			const long long begin = now();
			int status;

			if (pids[i] <= 0 || waitpid(pids[i], &status, WNOHANG) != pids[i])
				continue;
			printf("%lld\n", now() - begin);
			ended++;
			pids[i] = 0;
		}
		/* The line, then the next task: after all have been asked for. */
		for (int i = 0; i < at_once; i++)
			if (!pids[i] && started < count)
				pids[i] = start(started++);
	}
	return 0;
}
