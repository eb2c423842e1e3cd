/* What the helper_exact_* programs share. Each prints one line per case, "case: outcome"; test_exactness.c runs it with
 * and without the library and wants the same lines. */
#ifndef HEAPLOG_TESTS_EXACT_H
#define HEAPLOG_TESTS_EXACT_H

#include "musl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* An address that is never mapped; volatile, or the compiler warns of what is meant. */
static void *volatile bad_address = (void *)(uintptr_t)8;
#define BAD bad_address

/* errno before each case: whatever succeeds has to leave it alone. */
enum { UNTOUCHED = 4711 };

/* One line on stdout. A test that dies later has told what came before. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
	const int saved = errno;
	va_list list;

	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
	fflush(stdout);
	errno = saved;
}

static inline const char *errno_name(int error)
{
	return error == UNTOUCHED ? "untouched" : error ? strerrorname_np(error) : "0";
}

/* The case's outcome: what was returned (as the caller put it), and errno. */
#define CASE(name, call)                                                      \
	do {                                                                  \
		errno = UNTOUCHED;                                            \
		const long returned_ = (long)(call);                          \
		say("%s: %ld, errno %s", name, returned_, errno_name(errno)); \
	} while (0)

/* The same of a call that starts a child: its lines come first. */
#define SPAWN(name, call)                                                                                    \
	do {                                                                                                 \
		int status_ = -1;                                                                            \
		errno = UNTOUCHED;                                                                           \
		const long returned_ = (long)(call);                                                         \
		const int error_ = errno;                                                                    \
		while (waitpid(-1, &status_, 0) > 0)                                                         \
			;                                                                                    \
		say("%s: %ld, errno %s, status %x", name, returned_, errno_name(error_), (unsigned)status_); \
	} while (0)

/* In "runner" state: has started a task that ended and whose result line has not come, so that every hook of the
 * library is at work. In the other states it is just a program that ran `true`. */
static inline void become_runner(void)
{
	static char project[] = "NX_TASK_TARGET_PROJECT=exact", target[] = "NX_TASK_TARGET_TARGET=build";
	char *entries[512];
	char *argv[] = {(char *)(uintptr_t) "sleep", (char *)(uintptr_t) "0.05", NULL};
	size_t count = 0;
	int status;

	for (; environ[count] && count < 500; count++)
		entries[count] = environ[count];
	entries[count++] = project;
	entries[count++] = target;
	entries[count] = NULL;
	const pid_t pid = vfork();

	if (pid == 0) {
		execve("/bin/sleep", argv, entries);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		say("become_runner failed");
}

/* "runner" as the first argument makes it one. */
static inline void prepare(int argc, char **argv)
{
	/* Before anything else: a constructor that leaves errno set breaks programs which read it too early. */
	say("errno at main: %s", errno_name(errno));
	if (argc > 1 && strcmp(argv[1], "runner") == 0)
		become_runner();
}

#endif
