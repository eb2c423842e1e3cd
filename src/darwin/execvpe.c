/* execvp with an environment, which macOS does not have: as its execvP, between fork and exec, on the stack. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A script without #! is the shell's, as execvp has it. */
static int run_by_shell(const char *path, char *const argv[], char *const envp[])
{
	size_t count = 0;

	while (argv[count])
		count++;
	{
		char *shell[count + 3];

		shell[0] = (char *)(uintptr_t) "sh";
		shell[1] = (char *)(uintptr_t)path;
		for (size_t i = 1; i < count; i++)
			shell[i + 1] = argv[i];
		shell[count ? count + 1 : 2] = NULL;
		return execve("/bin/sh", shell, envp);
	}
}

static int attempt(const char *path, char *const argv[], char *const envp[])
{
	const int result = execve(path, argv, envp);

	return result < 0 && errno == ENOEXEC ? run_by_shell(path, argv, envp) : result;
}

/* The value of PATH in the caller's own environment, which is what the search goes by. */
static const char *search_path(void)
{
	for (char **entry = environ; entry && *entry; entry++)
		if (strncmp(*entry, "PATH=", 5) == 0)
			return *entry + 5;
	return "/usr/bin:/bin";
}

int darwin_execvpe(const char *file, char *const argv[], char *const envp[])
{
	char path[PATH_MAX];
	int denied = 0;

	if (!*file) {
		errno = ENOENT;
		return -1;
	}
	if (strchr(file, '/'))
		return attempt(file, argv, envp);
	for (const char *at = search_path();; at++) {
		const size_t length = strcspn(at, ":");

		if (length + strlen(file) + 2 <= sizeof path) {
			memcpy(path, length ? at : ".", length ? length : 1);
			path[length ? length : 1] = '/';
			strcpy(path + (length ? length : 1) + 1, file);
			attempt(path, argv, envp);
			if (errno == EACCES)
				denied = 1;
			else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != ENAMETOOLONG)
				return -1;
		}
		at += length;
		if (!*at)
			break;
	}
	errno = denied ? EACCES : ENOENT;
	return -1;
}
