/* The exec family. These run between fork (or vfork) and exec: the stack, the slot and raw system calls, nothing else.
 * None of libc's goes through another of them by a symbol that we could see, so that each is interposed itself; each
 * reads environ at the time of the call, because libuv and Rust exchange it in the child. */
#include "preload/exact.h"
#include "preload/launch.h"
#include "preload/real.h"
#include "preload/runtime.h"

#include <alloca.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

/* Room for an edited environment, in the caller's frame. */
#define ROOM() (launch_needs_room() ? alloca(sizeof(struct exact_edit)) : NULL)

static int with_environment(const char *path, char *const argv[], char *const envp[])
{
	struct launch launch;
	int result;

	launch_exec(&launch, ROOM(), AT_FDCWD, path, false, argv, envp);
	do
		result = real()->execve(path, argv, launch.envp);
	while (launch_again(&launch, envp));
	launch_failed(&launch);
	return result;
}

/* int execve(const char *path, char *const argv[], char *const envp[]); */
HEAPLOG_EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	return with_environment(path, argv, envp);
}

/* The bodies of execv and execvp, for execl and execlp too: a call of ours by the exported name could land in another
 * preloaded library and be seen twice. */
static int with_environ(const char *path, char *const argv[])
{
	char *const *const given = environ;
	struct launch launch;
	int result;

	launch_exec(&launch, ROOM(), AT_FDCWD, path, false, argv, given);
	do
		result = launch.envp == given ? real()->execv(path, argv) : real()->execve(path, argv, launch.envp);
	while (launch_again(&launch, given));
	launch_failed(&launch);
	return result;
}

static int with_environ_on_path(const char *file, char *const argv[])
{
	char *const *const given = environ;
	struct launch launch;
	int result;

	launch_exec(&launch, ROOM(), AT_FDCWD, file, true, argv, given);
	do
		result = launch.envp == given ? real()->execvp(file, argv) : real()->execvpe(file, argv, launch.envp);
	while (launch_again(&launch, given));
	launch_failed(&launch);
	return result;
}

/* int execv(const char *path, char *const argv[]); */
HEAPLOG_EXPORT int execv(const char *path, char *const argv[])
{
	return with_environ(path, argv);
}

/* int execvp(const char *file, char *const argv[]); */
HEAPLOG_EXPORT int execvp(const char *file, char *const argv[])
{
	return with_environ_on_path(file, argv);
}

/* int execvpe(const char *file, char *const argv[], char *const envp[]); */
HEAPLOG_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	struct launch launch;
	int result;

	launch_exec(&launch, ROOM(), AT_FDCWD, file, true, argv, envp);
	do
		result = real()->execvpe(file, argv, launch.envp);
	while (launch_again(&launch, envp));
	launch_failed(&launch);
	return result;
}

/* int fexecve(int fd, char *const argv[], char *const envp[]); */
HEAPLOG_EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	struct launch launch;
	int result;

	launch_exec(&launch, ROOM(), fd, "", false, argv, envp);
	do
		result = real()->fexecve(fd, argv, launch.envp);
	while (launch_again(&launch, envp));
	launch_failed(&launch);
	return result;
}

#if !defined(__GLIBC__) /* musl does not declare it */
int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags);
#endif

/* int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags); */
HEAPLOG_EXPORT int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
	struct launch launch;
	int result;

	launch_exec(&launch, ROOM(), dirfd, path, false, argv, envp);
	do
		result = real()->execveat(dirfd, path, argv, launch.envp, flags);
	while (launch_again(&launch, envp));
	launch_failed(&launch);
	return result;
}

/* The arguments of execl and its sisters as an array on the caller's stack, as libc itself does it. Macros, because the
 * array must live in the wrapper's frame. */
#define COUNT_ARGUMENTS(count, first)                                                      \
	do {                                                                               \
		va_list counted;                                                           \
		va_start(counted, first);                                                  \
		for (const char *each = first; each; each = va_arg(counted, const char *)) \
			count++;                                                           \
		va_end(counted);                                                           \
	} while (0)
#define FILL_ARGUMENTS(list, argv, first)                  \
	do {                                               \
		size_t at = 0;                             \
		argv[at] = (char *)(uintptr_t)first;       \
		while (argv[at])                           \
			argv[++at] = va_arg(list, char *); \
	} while (0)

/* int execl(const char *path, const char *arg, ... NULL); */
HEAPLOG_EXPORT int execl(const char *path, const char *argument, ...)
{
	size_t count = 0;
	va_list list;

	COUNT_ARGUMENTS(count, argument);
	char *argv[count + 1];
	va_start(list, argument);
	FILL_ARGUMENTS(list, argv, argument);
	va_end(list);
	return with_environ(path, argv);
}

/* int execlp(const char *file, const char *arg, ... NULL); */
HEAPLOG_EXPORT int execlp(const char *file, const char *argument, ...)
{
	size_t count = 0;
	va_list list;

	COUNT_ARGUMENTS(count, argument);
	char *argv[count + 1];
	va_start(list, argument);
	FILL_ARGUMENTS(list, argv, argument);
	va_end(list);
	return with_environ_on_path(file, argv);
}

/* int execle(const char *path, const char *arg, ... NULL, char *const envp[]); */
HEAPLOG_EXPORT int execle(const char *path, const char *argument, ...)
{
	size_t count = 0;
	char *const *envp;
	va_list list;

	COUNT_ARGUMENTS(count, argument);
	char *argv[count + 1];
	va_start(list, argument);
	FILL_ARGUMENTS(list, argv, argument);
	envp = va_arg(list, char *const *);
	va_end(list);
	return with_environment(path, argv, envp);
}
