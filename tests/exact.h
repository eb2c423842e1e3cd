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
#include <sys/auxv.h>
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

/* What a handler of SIGUSR2 calls on an alternate stack of SIGSTKSZ as it long was, 8192 bytes; more where the kernel
 * takes too much of it. Below it nothing can be written. */
static void (*small_stack_body)(void);

static inline void small_stack_handler(int signal)
{
	(void)signal;
	small_stack_body();
}

static inline void on_signal_stack(void (*body)(void))
{
	enum { GUARD = 65536, LEFT = 4608 }; /* the latter for libc, and to look a function up */
	const size_t least = getauxval(AT_MINSIGSTKSZ) + LEFT;
	stack_t stack = {.ss_size = least > 8192 ? least : 8192}, before;
	struct sigaction action = {.sa_handler = small_stack_handler, .sa_flags = SA_ONSTACK};
	char *const map = mmap(NULL, 2 * GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || stack.ss_size > GUARD || mprotect(map, GUARD, PROT_NONE) != 0) {
		say("no small stack");
		return;
	}
	stack.ss_sp = map + GUARD;
	small_stack_body = body;
	sigaltstack(&stack, &before);
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR2);
	signal(SIGUSR2, SIG_DFL);
	sigaltstack(&before, NULL);
	munmap(map, 2 * GUARD);
}

/* The environment of a task. */
static inline char **as_task(void)
{
	static char project[] = "NX_TASK_TARGET_PROJECT=exact", target[] = "NX_TASK_TARGET_TARGET=build";
	static char *entries[512];
	size_t count = 0;

	for (; environ[count] && count < 500; count++)
		entries[count] = environ[count];
	entries[count++] = project;
	entries[count++] = target;
	entries[count] = NULL;
	return entries;
}

/* In a child. */
static inline void exec_as_task(const char *command)
{
	char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)command, NULL};

	execve("/bin/sh", argv, as_task());
	_exit(127);
}

/* In "runner" state: has started a task that ended and whose result line has not come, so that every hook of the
 * library is at work. In the other states it is just a program that ran `true`. */
static inline void become_runner(void)
{
	int status;
	const pid_t pid = vfork();

	if (pid == 0)
		exec_as_task("exec sleep 0.05");
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
