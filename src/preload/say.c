#include "preload/say.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { STUCK_MS = 200, INTERRUPTIONS_MAX = 100 };

static const int signals[] = {SIGPIPE, SIGXFSZ, SIGTTOU};
enum { SIGNALS = sizeof signals / sizeof *signals };

/* Has fd room for PIPE_BUF bytes, and somebody to read them? A pipe without a reader says POLLERR. */
static bool has_room(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	int ready;

	for (int i = 0; (ready = poll(&wait, 1, STUCK_MS)) < 0 && errno == EINTR && i < INTERRUPTIONS_MAX; i++)
		;
	return ready > 0 && (wait.revents & (POLLOUT | POLLERR | POLLNVAL)) == POLLOUT;
}

static void write_all(int fd, const char *text, size_t length)
{
	/* A descriptor that blocks must not: after has_room a pipe takes so many at once. */
	for (int refusals = 0; length && refusals < INTERRUPTIONS_MAX && has_room(fd);) {
		const long taken = syscall(SYS_write, fd, text, length < PIPE_BUF ? length : PIPE_BUF);

		if (taken > 0) {
			text += taken;
			length -= (size_t)taken;
		} else if (taken < 0 && (errno == EINTR || errno == EAGAIN)) {
			refusals++;
		} else {
			return;
		}
	}
}

void say(int fd, const char *text, size_t length)
{
	static const struct timespec now = {0, 0};
	sigset_t ours, before, pending;

	sigemptyset(&ours);
	for (int i = 0; i < SIGNALS; i++)
		sigaddset(&ours, signals[i]);
	sigemptyset(&pending);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &ours, &before);
	write_all(fd, text, length);
	/* The kernel sends these to the thread that writes: what was not pending before is of our making. */
	for (int i = 0; i < SIGNALS; i++) {
		sigset_t one;

		if (sigismember(&pending, signals[i]))
			continue;
		sigemptyset(&one);
		sigaddset(&one, signals[i]);
		while (sigtimedwait(&one, NULL, &now) < 0 && errno == EINTR)
			;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
