/* kill and killpg: what the runner sends itself is not the out-of-memory killer's; and a runner that ends by its own
 * hand, as programs do after they have cleaned up in a handler (make, bash and npm after Ctrl-C), calls no exit
 * function. Both are async-signal-safe here as in libc. */
#include "preload/real.h"
#include "preload/runtime.h"
#include "preload/tasks.h"

#include <errno.h>
#include <unistd.h>

/* Does the signal end this process? */
static bool is_deadly(int signal)
{
	struct sigaction action;

	switch (signal) {
	case SIGHUP:
	case SIGINT:
	case SIGQUIT:
	case SIGABRT:
	case SIGPIPE:
	case SIGTERM:
		return sigaction(signal, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
		       action.sa_handler == SIG_DFL;
	default:
		return signal == SIGKILL;
	}
}

static void before(pid_t pid, int signal)
{
	const int saved = errno;

	if (pid == getpid() && is_deadly(signal))
		runtime_finish();
	else if (signal == SIGKILL)
		tasks_killed(pid);
	errno = saved;
}

/* int kill(pid_t pid, int sig); */
HEAPLOG_EXPORT int kill(pid_t pid, int signal)
{
	if (heaplog_runtime.on && signal)
		before(pid, signal);
	return real()->kill(pid, signal);
}

/* int killpg(int pgrp, int sig); */
HEAPLOG_EXPORT int killpg(int group, int signal)
{
	if (heaplog_runtime.on && signal)
		before(group > 0 ? -group : 0, signal);
	return real()->killpg(group, signal);
}
