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

bool cause_is_failure(enum heaplog_exit exit, int value)
{
	return exit != HEAPLOG_EXIT_UNKNOWN && value != 0;
}

/* A process that was killed needs no more than that the killer was about just then. A task that failed in another way
 * may have lost a process of its own (a compiler's worker, or a command under npm, which makes 1 of its 137), or
 * another task may have been the victim. */
static bool is_oom(enum heaplog_exit exit, int value, int signal, enum oom oom)
{
	if (exit == HEAPLOG_EXIT_SIGNAL)
		return signal == SIGKILL && oom >= OOM_NEAR;
	if (signal)
		return signal == SIGKILL && oom != OOM_NONE;
	return exit == HEAPLOG_EXIT_CODE && value != 0 && (oom == OOM_BEFORE || oom == OOM_HIT);
}

struct cause cause_of(enum heaplog_exit exit, int value, bool sent, enum oom oom)
{
	const int signal = signal_of(exit, value);

	return (struct cause){.signal = signal, .oom = !sent && is_oom(exit, value, signal, oom)};
}
