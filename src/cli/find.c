#include "cli/find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *find_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* 0, or why path cannot be executed. */
static int check(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return errno;
	if (!S_ISREG(status.st_mode))
		return EACCES; /* what execve says of a directory */
	return access(path, X_OK) == 0 ? 0 : errno;
}

int find_command(const char *command, const char *search_path, char path[PATH_MAX])
{
	int denied = 0; /* as execvp: a file that may not be executed is worth more of a message than none */

	if (!*command)
		return ENOENT;
	if (strchr(command, '/')) {
		if (strlen(command) >= PATH_MAX)
			return ENAMETOOLONG;
		strcpy(path, command);
		return check(path);
	}
	if (!search_path)
		search_path = "/bin:/usr/bin"; /* what glibc and musl use where PATH is not set */
	for (const char *at = search_path;; at++) {
		const size_t length = strcspn(at, ":");
		int error;

		if ((size_t)snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, at, length ? "/" : "", command) <
		    PATH_MAX) {
			error = check(path);
			if (error == 0)
				return 0;
			if (error == EACCES)
				denied = EACCES;
		}
		at += length;
		if (!*at)
			break;
	}
	return denied ? denied : ENOENT;
}

int find_upwards(const char *directory, const char *relative, char path[PATH_MAX])
{
	size_t length = strlen(directory);

	for (;;) {
		if ((size_t)snprintf(path, PATH_MAX, "%.*s/%s", (int)length, directory, relative) < PATH_MAX &&
		    access(path, F_OK) == 0)
			return 0;
		if (!length)
			return ENOENT;
		while (length && directory[--length] != '/')
			;
	}
}

long find_read(const char *path, char *text, unsigned long size)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	unsigned long used = 0;
	ssize_t got = 0;

	if (fd < 0)
		return -1;
	while (used < size - 1 && ((got = read(fd, text + used, size - 1 - used)) > 0 || (got < 0 && errno == EINTR)))
		used += got > 0 ? (unsigned long)got : 0;
	text[used] = '\0';
	if (got < 0) {
		const int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	close(fd);
	return (long)used;
}
