#include "cli/library.h"

#include "cli/find.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

#ifndef HEAPLOG_LIBDIR
#define HEAPLOG_LIBDIR "/usr/local/lib"
#endif

/* LIBDIR may be anything, /usr/lib/x86_64-linux-gnu for one. */
const char library_installed[] = HEAPLOG_LIBDIR "/" LIBRARY_NAME;

int library_self(char path[PATH_MAX])
{
#ifdef __APPLE__
	char found[PATH_MAX];
	uint32_t size = sizeof found;

	return _NSGetExecutablePath(found, &size) == 0 && realpath(found, path) ? 0 : -1;
#else
	return realpath("/proc/self/exe", path) ? 0 : -1;
#endif
}

int library_find(const char *self, char path[PATH_MAX])
{
	static const char *const places[] = {
	    "",        /* the build tree, or a directory with both */
	    "../lib/", /* an installation; the npm package has bin/ and lib/ as well */
	    "../lib64/",
	    NULL,
	};
	const int length = (int)(find_basename(self) - self);
	char place[PATH_MAX];

	for (size_t i = 0; places[i]; i++)
		if ((size_t)snprintf(place, sizeof place, "%.*s%s%s", length, self, places[i], LIBRARY_NAME) <
			sizeof place &&
		    access(place, F_OK) == 0 && realpath(place, path))
			return 0;
	if (realpath(library_installed, path))
		return 0;
	snprintf(path, PATH_MAX, "%.*s../lib/" LIBRARY_NAME, length, self);
	return ENOENT;
}

/* The last component of each entry, as the library itself recognises its own. */
static bool has_library(const char *value, const char *name)
{
	const size_t wanted = strlen(name);

	for (; *value; value += *value != '\0') {
		const size_t length = strcspn(value, ": ");

		if (length >= wanted && memcmp(value + length - wanted, name, wanted) == 0 &&
		    (length == wanted || value[length - wanted - 1] == '/'))
			return true;
		value += length;
	}
	return false;
}

size_t library_join(const char *before, const char *library, char *text, size_t size)
{
	int length;

	if (!before || !*before)
		length = snprintf(text, size, "%s", library);
	else if (has_library(before, find_basename(library)))
		length = snprintf(text, size, "%s", before);
	else
		length = snprintf(text, size, "%s:%s", before, library);
	return length > 0 && (size_t)length < size ? (size_t)length : 0;
}

int library_runtime_directory(char directory[PATH_MAX])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct stat status;

	if (runtime && runtime[0] == '/' && stat(runtime, &status) == 0 && status.st_uid == geteuid() &&
	    strlen(runtime) < PATH_MAX - 64)
		snprintf(directory, PATH_MAX, "%s/heaplog", runtime);
	else
		snprintf(directory, PATH_MAX, "/tmp/heaplog-%lu", (unsigned long)geteuid());
	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return errno;
	/* In /tmp somebody else may have made it: a link or a directory of theirs is not for us. */
	if (lstat(directory, &status) != 0)
		return errno;
	return S_ISDIR(status.st_mode) && status.st_uid == geteuid() && !(status.st_mode & 022) ? 0 : EPERM;
}

int library_spell(const char *library, char path[PATH_MAX])
{
	char directory[PATH_MAX], found[PATH_MAX], temporary[PATH_MAX];
	ssize_t length;
	int error;

	if (!strpbrk(library, ": \t\n$")) {
		snprintf(path, PATH_MAX, "%s", library);
		return 0;
	}
	error = library_runtime_directory(directory);
	if (error)
		return error;
	/* What tells apart two libraries of one user: their paths. One that is installed anew keeps its link, so that
	 * there are as many as there are such paths. Our name must stay the last component. FNV-1a. */
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (const char *at = library; *at; at++)
		hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
	if ((size_t)snprintf(found, sizeof found, "%s/link-%016" PRIx64, directory, hash) >= sizeof found ||
	    strpbrk(found, ": \t\n$"))
		return EINVAL;
	if (mkdir(found, 0700) != 0 && errno != EEXIST)
		return errno;
	if ((size_t)snprintf(path, PATH_MAX, "%s/" LIBRARY_NAME, found) >= PATH_MAX)
		return ENAMETOOLONG;
	length = readlink(path, temporary, sizeof temporary - 1);
	if (length > 0 && (temporary[length] = '\0', strcmp(temporary, library) == 0))
		return 0;
	/* Two runs may do this at once: a link under a name of its own, moved into place. */
	if ((size_t)snprintf(temporary, sizeof temporary, "%s/%ld", found, (long)getpid()) >= sizeof temporary)
		return ENAMETOOLONG;
	if (symlink(library, temporary) != 0 || rename(temporary, path) != 0)
		return errno;
	return 0;
}
