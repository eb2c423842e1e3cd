#include "cli/witness.h"

#include "cli/find.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	KILL_MS = 5,    /* how long one kill(-group) may take from its first receiver to its last */
	FRESH_MS = 1000 /* a report that found no partner (two of our own signals became one) is forgotten */
};

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The child. Descriptors of others must not stay open because of it: a pipe's reader waits for the end. */
_Noreturn static void testify(int reports, pid_t parent)
{
	struct witness_report report = {.number = 0};
	sigset_t all;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || dup2(reports, 0) != 0)
		_exit(0);
	syscall(SYS_close_range, 1, ~0U, 0);
	prctl(PR_SET_NAME, "heaplog:witness");
	sigfillset(&all);
	for (;;) {
		siginfo_t info;

		report.number = sigwaitinfo(&all, &info);
		if (report.number <= 0 || info.si_code > 0) /* the kernel's own are known to be for all */
			continue;
		report.sender = info.si_pid;
		if (write(0, &report, sizeof report) != sizeof report && errno != EINTR)
			_exit(0);
	}
}

void witness_start(struct witness *witness)
{
	const pid_t parent = getpid();
	int ends[2];

	*witness = (struct witness){.pid = -1, .reports = -1};
	if (pipe2(ends, O_CLOEXEC) != 0)
		return;
	witness->pid = fork();
	if (witness->pid == 0)
		testify(ends[1], parent);
	close(ends[1]);
	if (witness->pid < 0) {
		close(ends[0]);
		return;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	witness->reports = ends[0];
}

void witness_stop(struct witness *witness)
{
	if (witness->pid > 0) {
		kill(witness->pid, SIGKILL);
		while (waitpid(witness->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (witness->reports >= 0)
		close(witness->reports);
	witness->pid = -1;
	witness->reports = -1;
}

bool witness_listen(struct witness *witness)
{
	struct witness_report report;
	ssize_t got;

	while ((got = read(witness->reports, &report, sizeof report)) == sizeof report) {
		report.at_ms = now_ms();
		witness->seen[witness->count++ % WITNESS_REPORTS] = report;
	}
	if (got == 0)
		witness_stop(witness);
	return got != 0;
}

static bool take(struct witness *witness, int number, pid_t sender)
{
	for (unsigned i = 0; i < WITNESS_REPORTS; i++) {
		struct witness_report *report = &witness->seen[i];

		if (report->number == number && report->sender == sender && now_ms() - report->at_ms < FRESH_MS) {
			report->number = 0;
			return true;
		}
	}
	return false;
}

/* Asleep, and nothing waits to be received: it has said all. */
static bool is_silent(const struct witness *witness, int number)
{
	char path[64], text[4096];
	const char *pending;

	snprintf(path, sizeof path, "/proc/%ld/status", (long)witness->pid);
	if (find_read(path, text, sizeof text) <= 0)
		return true;
	pending = strstr(text, "ShdPnd:");
	return strstr(text, "State:\tS") && pending && !(strtoull(pending + 7, NULL, 16) >> (number - 1) & 1);
}

bool witness_saw(struct witness *witness, int number, pid_t sender)
{
	const long long start = now_ms();

	while (witness->pid > 0) {
		const bool late = now_ms() - start >= KILL_MS;
		const bool silent = late && is_silent(witness, number); /* before the pipe is read */
		struct pollfd wait = {.fd = witness->reports, .events = POLLIN};

		if (!witness_listen(witness))
			return false;
		if (take(witness, number, sender))
			return true;
		if (silent)
			return false;
		poll(&wait, 1, 1);
	}
	return false;
}
