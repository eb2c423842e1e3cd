#include "preload/cause.h"

#include <signal.h>

enum { SHELL_SIGNAL = 128 };

/* Of the exit codes above 128 only those that mean a death: git ends with 129 for wrong usage, and 130 (Ctrl-C) needs
 * no explanation. Node that has exhausted its heap aborts: 134. */
static int signal_of_code(int code)
{
	switch (code - SHELL_SIGNAL) {
	case SIGILL:
	case SIGTRAP:
	case SIGABRT:
	case SIGBUS:
	case SIGFPE:
	case SIGKILL:
	case SIGSEGV:
	case SIGTERM:
		return code - SHELL_SIGNAL;
	default:
		return 0;
	}
}

static int signal_of(enum heaplog_exit exit, int value)
{
	if (exit == HEAPLOG_EXIT_SIGNAL)
		return value;
	return exit == HEAPLOG_EXIT_CODE ? signal_of_code(value) : 0;
}

bool cause_may_be_oom(enum heaplog_exit exit, int value)
{
	return signal_of(exit, value) == SIGKILL;
}

struct cause cause_of(enum heaplog_exit exit, int value, bool sent, bool oom_killed)
{
	const int signal = signal_of(exit, value);

	return (struct cause){.signal = signal, .oom = signal == SIGKILL && !sent && oom_killed};
}
