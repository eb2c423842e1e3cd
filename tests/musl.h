/* What the tests use of glibc and musl does not have. */
#ifndef HEAPLOG_TESTS_MUSL_H
#define HEAPLOG_TESTS_MUSL_H

#include <features.h>
#ifndef __GLIBC__

#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define strerrorname_np(error) strerror(error)
#define dlvsym(handle, name, version) dlsym(handle, name)

static inline int execveat(int directory, const char *path, char *const argv[], char *const envp[], int flags)
{
	/* By a name that is interposed, where that means the same. */
	if (path && path[0] == '/' && !flags)
		return execve(path, argv, envp);
	if (path && !*path && flags == AT_EMPTY_PATH)
		return fexecve(directory, argv, envp);
	return (int)syscall(SYS_execveat, directory, path, argv, envp, flags);
}

static inline void closefrom(int from)
{
	syscall(SYS_close_range, (unsigned)from, ~0U, 0);
}

#endif
#endif
