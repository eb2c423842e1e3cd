#include "cli/supervise.h"

#include "cli/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct supervisor {
	pid_t child;
	int signals;
	struct witness witness;
	sigset_t before;
	struct sigaction child_action;
	bool ended;
	int status;
};

/* All but those that must act at once, or that the kernel raises for a fault of our own. */
static void watched_signals(sigset_t *set)
{
	static const int not [] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGTSTP, SIGTTIN, SIGTTOU};

	sigfillset(set);
	for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
		sigdelset(set, not [i]);
}

static void pass_on(struct supervisor *supervisor, const struct signalfd_siginfo *info)
{
	const int number = (int)info->ssi_signo;

	/* From the kernel: the terminal's (to the foreground group), or about ourselves (a broken pipe, a limit). */
	if (number == SIGCHLD || info->ssi_code > 0)
		return;
	if (!witness_saw(&supervisor->witness, number, (pid_t)info->ssi_pid) && !supervisor->ended)
		kill(supervisor->child, number);
}

/* The command was stopped, but this process was not: in a shell with job control the job would hang. Stopping by the
 * same signal shows it to the shell; SIGCONT reaches the whole group. */
static void stop_too(int number)
{
	sigset_t set;

	const int terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	const bool foreground = terminal >= 0 && tcgetpgrp(terminal) == getpgrp();

	if (terminal >= 0)
		close(terminal);
	if (!foreground)
		return;
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), number);
}

static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(supervisor->child, &status, WNOHANG | WUNTRACED)) > 0) {
		if (WIFSTOPPED(status)) {
			stop_too(WSTOPSIG(status));
			continue;
		}
		supervisor->ended = true;
		supervisor->status = status;
		return;
	}
	if (pid < 0 && errno == ECHILD) /* somebody else has waited for it: no status, but an end */
		supervisor->ended = true;
}

static void read_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signals, &info, sizeof info) == sizeof info)
		pass_on(supervisor, &info);
}

/* In the child. */
_Noreturn static void become(char *const argv[], char *const envp[], const struct supervisor *supervisor, pid_t parent,
			     int report)
{
	int error;

	/* kill -9 of the launcher ends the command, as it would without the launcher. Not inherited by its children. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	sigaction(SIGCHLD, &supervisor->child_action, NULL);
	sigprocmask(SIG_SETMASK, &supervisor->before, NULL);
	execvpe(argv[0], argv, envp);
	error = errno;
	while (write(report, &error, sizeof error) < 0 && errno == EINTR)
		;
	_exit(127);
}

/* Our copies of the command's descriptors: a pipe that it closes must reach its end. stderr stays, for what comes
 * afterwards. */
static void let_go(void)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		close(null);
	}
}

struct outcome supervise(char *const argv[], char *const envp[], const struct companion *companion)
{
	const struct sigaction usual = {.sa_handler = SIG_DFL};
	struct supervisor supervisor = {.child = -1};
	struct outcome outcome = {.error = 0};
	const pid_t self = getpid();
	sigset_t set, all;
	int report[2];

	if (pipe2(report, O_CLOEXEC) != 0)
		return (struct outcome){.no_child = errno};
	watched_signals(&set);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &supervisor.before); /* from here on none is lost, and none hits the wrong one */
	/* Inherited as ignored, the status would be lost; the command gets it back. */
	sigaction(SIGCHLD, &usual, &supervisor.child_action);
	witness_start(&supervisor.witness);
	supervisor.child = fork();
	if (supervisor.child == 0)
		become(argv, envp, &supervisor, self, report[1]);
	outcome.no_child = supervisor.child < 0 ? errno : 0;
	close(report[1]);
	if (!outcome.no_child && read(report[0], &outcome.error, sizeof outcome.error) != sizeof outcome.error)
		outcome.error = 0;
	close(report[0]);
	if (outcome.error || outcome.no_child) {
		if (supervisor.child > 0)
			waitpid(supervisor.child, NULL, 0);
		witness_stop(&supervisor.witness);
		sigaction(SIGCHLD, &supervisor.child_action, NULL);
		sigprocmask(SIG_SETMASK, &supervisor.before, NULL);
		return outcome;
	}
	let_go();
	supervisor.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	sigprocmask(SIG_SETMASK, &set, NULL);
	if (companion->started)
		companion->started(companion->self, supervisor.child);
	reap(&supervisor);
	while (!supervisor.ended) {
		static struct pollfd fds[SUPERVISE_FDS];
		int timeout = -1;
		size_t count = 2;

		fds[0] = (struct pollfd){.fd = supervisor.signals, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = supervisor.witness.reports, .events = POLLIN};
		if (companion->prepare)
			count += companion->prepare(companion->self, fds + 2, SUPERVISE_FDS - 2, &timeout);
		if (poll(fds, (nfds_t)count, timeout) < 0)
			count = 2;
		if (supervisor.witness.pid > 0)
			witness_listen(&supervisor.witness);
		/* In this order: a SIGCHLD that was taken from the queue after the last look would be lost. */
		read_signals(&supervisor);
		reap(&supervisor);
		if (companion->work)
			companion->work(companion->self, fds + 2, count - 2);
	}
	witness_stop(&supervisor.witness);
	close(supervisor.signals);
	outcome.status = supervisor.status;
	return outcome;
}

_Noreturn void supervise_end(int status)
{
	if (WIFSIGNALED(status)) {
		const struct rlimit none = {0, 0};
		sigset_t set;

		setrlimit(RLIMIT_CORE, &none);
		signal(WTERMSIG(status), SIG_DFL);
		sigemptyset(&set);
		sigaddset(&set, WTERMSIG(status));
		kill(getpid(), WTERMSIG(status));
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		/* The first process of a container is not killed by its own signals. */
		_exit(128 + WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}
