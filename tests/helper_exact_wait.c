/* The wait family against its libc prototype: statuses, errors, interruption by signals, cancellation. */
#include "exact.h"

#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static pid_t child_that_exits(int code)
{
	const pid_t pid = fork();

	if (pid == 0)
		_exit(code);
	return pid;
}

static pid_t child_that_pauses(void)
{
	const pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void plain(void)
{
	struct rusage usage;
	siginfo_t info;
	int status = -1;
	pid_t pid = child_that_exits(3);

	CASE("waitpid", waitpid(pid, &status, 0) == pid);
	say("status %x", (unsigned)status);
	child_that_exits(0);
	CASE("wait NULL", wait(NULL) > 0);
	child_that_exits(0);
	CASE("waitpid NULL", waitpid(-1, NULL, 0) > 0);
	child_that_exits(5);
	CASE("wait3", wait3(&status, 0, &usage) > 0);
	say("status %x, maxrss %d", (unsigned)status, usage.ru_maxrss > 0);
	child_that_exits(5);
	CASE("wait3 NULL", wait3(NULL, 0, NULL) > 0);
	pid = child_that_exits(6);
	CASE("wait4", wait4(pid, &status, 0, &usage) == pid);
	say("status %x", (unsigned)status);
	pid = child_that_exits(7);
	memset(&info, 0xff, sizeof info);
	CASE("waitid WNOWAIT", waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	CASE("waitid", waitid(P_PID, (id_t)pid, &info, WEXITED));
	say("siginfo %d %d %d %d %d", info.si_signo, info.si_errno, info.si_code, info.si_pid == pid, info.si_status);
	child_that_exits(8);
	CASE("waitid NULL", waitid(P_ALL, 0, NULL, WEXITED));
	pid = child_that_exits(9);
	CASE("raw waitid", syscall(SYS_waitid, P_PID, pid, NULL, WEXITED, NULL));
	CASE("no child", wait(&status));
	memset(&info, 0xff, sizeof info);
	CASE("waitid no child", waitid(P_ALL, 0, &info, WEXITED));
	say("siginfo %d %d %d %d", info.si_signo, info.si_code, info.si_pid, info.si_status);
}

static void errors(void)
{
	siginfo_t info;
	int status;
	pid_t pid = child_that_exits(0);

	/* The kernel reaps first and then finds that it cannot tell. */
	CASE("waitpid bad status", waitpid(pid, BAD, 0));
	CASE("and then", waitpid(pid, NULL, 0));
	pid = child_that_exits(0);
	CASE("wait4 bad usage", wait4(pid, NULL, 0, BAD));
	CASE("and then", waitpid(pid, NULL, 0));
	pid = child_that_exits(0);
	CASE("waitid bad info", waitid(P_PID, (id_t)pid, BAD, WEXITED));
	CASE("and then", waitpid(pid, NULL, 0));
	CASE("waitpid bad options", waitpid(-1, &status, 0x40000));
	CASE("waitpid INT_MIN", waitpid(-2147483647 - 1, &status, 0));
	CASE("waitid no options", waitid(P_ALL, 0, &info, 0));
	CASE("waitid bad type", waitid((idtype_t)77, 0, &info, WEXITED));
	CASE("waitid no such", waitid(P_PID, 1, &info, WEXITED));
	CASE("waitid bad pidfd", waitid((idtype_t)3, 9999, &info, WEXITED));
}

static void states(void)
{
	siginfo_t info;
	int status = 0;
	const pid_t pid = child_that_pauses();

	memset(&info, 0xff, sizeof info);
	CASE("WNOHANG", waitpid(pid, &status, WNOHANG));
	CASE("waitid WNOHANG", waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG));
	say("siginfo %d %d", info.si_signo, info.si_pid);
	kill(pid, SIGSTOP);
	CASE("WUNTRACED", waitpid(pid, &status, WUNTRACED) == pid);
	say("status %x", (unsigned)status);
	kill(pid, SIGCONT);
	CASE("WCONTINUED", waitpid(pid, &status, WCONTINUED) == pid);
	say("status %x", (unsigned)status);
	kill(pid, SIGTERM);
	CASE("killed", waitpid(pid, &status, 0) == pid);
	say("status %x", (unsigned)status);
	signal(SIGCHLD, SIG_IGN);
	child_that_exits(0);
	CASE("SIGCHLD ignored", wait(NULL));
	signal(SIGCHLD, SIG_DFL);
}

static volatile sig_atomic_t handled;
static volatile sig_atomic_t handler_reaped;

static void note(int signal)
{
	(void)signal;
	handled++;
}

static void reap(int signal)
{
	const int saved = errno;

	(void)signal;
	handled++;
	if (waitpid(-1, NULL, WNOHANG) > 0)
		handler_reaped++;
	errno = saved;
}

static void on(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigaction(number, &action, NULL);
}

/* A signal comes while the parent waits for a child which never execs. */
static pid_t child_that_signals(int number, useconds_t after, useconds_t exits_after)
{
	const pid_t pid = fork();

	if (pid == 0) {
		usleep(after);
		kill(getppid(), number);
		usleep(exits_after);
		_exit(1);
	}
	return pid;
}

static void interruption(void)
{
	static const useconds_t delays[] = {2000, 8000, 60000};
	siginfo_t info;
	pid_t pid;

	for (size_t i = 0; i < 3; i++) {
		handled = 0;
		on(SIGUSR1, note, 0);
		pid = child_that_signals(SIGUSR1, delays[i], 30000000);
		CASE("wait EINTR", wait(NULL));
		say("handled %d", handled);
		end(pid);
		pid = child_that_signals(SIGUSR1, delays[i], 30000000);
		memset(&info, 0xff, sizeof info);
		CASE("waitid EINTR", waitid(P_PID, (id_t)pid, &info, WEXITED));
		say("handled %d, siginfo %d %d %d", handled, info.si_signo, info.si_code, info.si_pid);
		end(pid);
		on(SIGUSR1, note, SA_RESTART);
		pid = child_that_signals(SIGUSR1, delays[i], 30000);
		CASE("wait SA_RESTART", wait(NULL) == pid);
		say("handled %d", handled);
		on(SIGUSR1, SIG_IGN, 0);
		pid = child_that_signals(SIGUSR1, delays[i], 30000);
		CASE("wait ignored signal", wait(NULL) == pid);
		/* The kernel gives the child to the wait that sleeps, before the handler can take it. */
		handled = handler_reaped = 0;
		on(SIGCHLD, reap, i == 0 ? 0 : SA_RESTART);
		pid = child_that_signals(SIGUSR1, delays[i], 100);
		CASE("wait against handler", waitpid(pid, NULL, 0) == pid);
		say("handled %d, reaped there %d", handled, handler_reaped);
		handled = handler_reaped = 0;
		pid = child_that_signals(SIGUSR1, delays[i], 100);
		CASE("waitid against handler", waitid(P_PID, (id_t)pid, &info, WEXITED));
		say("siginfo %d, handled %d, reaped there %d", info.si_pid == pid, handled, handler_reaped);
		on(SIGCHLD, SIG_DFL, 0);
	}
}

static long by_pid(pid_t pid)
{
	return waitpid(pid, NULL, 0);
}

static long by_id(pid_t pid)
{
	return waitid(P_PID, (id_t)pid, NULL, WEXITED) == 0 ? pid : -1;
}

/* A thread that waits for a child. */
struct waiting {
	long (*wait)(pid_t pid);
	pid_t pid;
	int taken;
};

static void *wait_for_ever(void *data)
{
	const struct waiting *waiting = data;

	waiting->wait(waiting->pid);
	return NULL;
}

static void *wait_when_cancelled(void *data)
{
	struct waiting *waiting = data;
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	pthread_cancel(pthread_self());
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	/* A cancellation point: acts before it takes the child. */
	waiting->taken = waiting->wait(waiting->pid) > 0;
	return NULL;
}

static void cancellation(long (*function)(pid_t pid))
{
	struct waiting waiting = {.wait = function, .pid = child_that_pauses()};
	pthread_t thread;
	void *result;

	pthread_create(&thread, NULL, wait_for_ever, &waiting);
	usleep(30000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	say("cancelled while it waits: %d", result == PTHREAD_CANCELED);
	end(waiting.pid);
	waiting.pid = child_that_exits(0);
	usleep(10000);
	pthread_create(&thread, NULL, wait_when_cancelled, &waiting);
	pthread_join(thread, &result);
	say("cancelled before: %d, child taken %d", result == PTHREAD_CANCELED, waiting.taken);
	CASE("still there", function(waiting.pid) == waiting.pid);
}

/* What handlers on a small stack saw: nothing is printed there, which takes more of it than is left. */
static struct {
	long result;
	int error, status;
	siginfo_t info;
} seen;

static void say_seen(const char *name)
{
	say("%s on a small stack: %ld, errno %s, status %x", name, seen.result, errno_name(seen.error),
	    (unsigned)seen.status);
}

#define SEEN(call)                          \
	do {                                \
		errno = UNTOUCHED;          \
		seen.result = (long)(call); \
		seen.error = errno;         \
	} while (0)

static void fork_and_wait(void)
{
	const pid_t pid = fork();

	if (pid == 0)
		_exit(3);
	SEEN(waitpid(pid, &seen.status, 0) == pid);
}

static void vfork_and_wait(void)
{
	const pid_t pid = vfork();

	if (pid == 0)
		_exit(4);
	SEEN(wait(&seen.status) == pid);
}

static void fork_and_wait_by_id(void)
{
	const pid_t pid = _Fork();

	if (pid == 0)
		_exit(5);
	SEEN(waitid(P_PID, (id_t)pid, &seen.info, WEXITED));
	seen.status = seen.info.si_status;
}

static void wait_for_any(void)
{
	SEEN(wait(&seen.status) > 0);
}

static void wait_by_id_for_any(void)
{
	SEEN(waitid(P_ALL, 0, &seen.info, WEXITED));
	seen.status = seen.info.si_status;
}

/* With half of what is left taken. */
static void wait_deeper(void)
{
	volatile char taken[2048];

	taken[0] = taken[sizeof taken - 1] = 0;
	wait_for_any();
	taken[0] = 1;
}

/* The first task of a program, whose end is the first thing that a handler sees of it. */
static int first(void)
{
	wait(NULL); /* looked up: that needs no stack any more */
	if (fork() == 0)
		exec_as_task("sleep 0.2; exit 3");
	usleep(50000); /* it is a task by now */
	on_signal_stack(wait_deeper);
	say_seen("first of all, wait");
	return 0;
}

/* Also of tasks that failed, of which we have more to say. */
static void small_stacks(bool runner)
{
	static void (*const waits[])(void) = {wait_for_any, wait_by_id_for_any};
	char *again[] = {(char *)(uintptr_t) "helper", (char *)(uintptr_t) "first", NULL};
	siginfo_t info;

	on_signal_stack(fork_and_wait);
	say_seen("fork, waitpid");
	on_signal_stack(vfork_and_wait);
	say_seen("vfork, wait");
	on_signal_stack(fork_and_wait_by_id);
	say_seen("_Fork, waitid");
	for (size_t i = 0; i < 2; i++) {
		if (fork() == 0)
			runner ? exec_as_task("sleep 0.05; exit 3") : _exit(3);
		/* Unseen by the library. */
		syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOWAIT, NULL);
		on_signal_stack(waits[i]);
		say_seen(i ? "waitid" : "wait");
	}
	if (runner)
		SPAWN("first of all", posix_spawn(NULL, "/proc/self/exe", NULL, NULL, again, environ));
	/* Whatever was left of these is no other child's. */
	CASE("fork", waitpid(child_that_exits(6), &seen.status, 0) > 0);
	say("status %x", (unsigned)seen.status);
}

int main(int argc, char **argv)
{
	const bool runner = argc > 1 && strcmp(argv[1], "runner") == 0;

	if (argc > 1 && strcmp(argv[1], "first") == 0)
		return first();
	prepare(argc, argv);
	plain();
	errors();
	states();
	interruption();
	cancellation(by_pid);
	cancellation(by_id);
	small_stacks(runner);
	return 0;
}
