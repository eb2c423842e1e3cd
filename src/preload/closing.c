#include "preload/closing.h"

#include "preload/handler.h"
#include "preload/result.h"
#include "preload/runtime.h"
#include "preload/say.h"
#include "preload/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct table table; /* under the lock */
static _Atomic bool exiting;

static void clear(void)
{
	table.total = table.beyond = table.count = 0;
}

void closing_forget(void)
{
	clear();
	atomic_store(&exiting, false);
}

void closing_add(struct task *task)
{
	const struct figure figure = result_figure(task);

	if (task->in_table)
		return;
	task->in_table = true;
	table_insert(&table, task->name, (task->end_ns - task->start_ns) / 1000000, &figure);
}

void closing_print(void)
{
	static char text[TABLE_TEXT];
	const int saved = errno;
	struct winsize window = {.ws_col = 0};
	uint64_t mask[16];
	bool terminal;

	if (!runtime_has_stderr())
		return;
	terminal = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0;
	runtime_lock(mask);
	const size_t length =
	    table_format(&table, window.ws_col, terminal && !heaplog_runtime.no_colour, text, sizeof text);
	clear();
	runtime_unlock(mask);
	/* On a terminal the echo of ^C stands in the row, or a prompt: ours begins a row of its own. */
	if (terminal && length)
		say(STDERR_FILENO, "\n", 1);
	say(STDERR_FILENO, text, length);
	errno = saved;
}

/* xargs waits for its last children in a function of its own for exit: what we have is not complete before that. */
static void at_exit(void *unused)
{
	(void)unused;
	atomic_store(&exiting, true);
	if (!tasks_are_running())
		runtime_finish();
}

void closing_reaped(void)
{
	if (atomic_load(&exiting) && !tasks_are_running())
		runtime_finish();
}

/* atexit is this one with a handle of the library, which is in the compiler's start files; the Makefile leaves them out. */
int __cxa_atexit(void (*function)(void *), void *argument, void *handle);

void closing_arm(void)
{
	static bool armed;

	if (armed || handler_may_run())
		return;
	__cxa_atexit(at_exit, NULL, NULL);
	armed = true;
}
