/* The library's file, and the entries of LD_PRELOAD. */
#include "cli/doctor.h"
#include "cli/find.h"
#include "cli/library.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Does the file have that name among its strings, as DT_SONAME and DT_NEEDED give one? */
static bool has_name(const char *path, const char *name)
{
	static char image[1 << 20];
	char string[64];
	const long length = find_read(path, image, sizeof image);
	const int used = snprintf(string + 1, sizeof string - 1, "%s", name);

	string[0] = '\0';
	return length > 0 && memmem(image, (size_t)length, string, (size_t)used + 2);
}

static bool is_musl(const struct elf *own)
{
	return strstr(own->interpreter, "ld-musl") != NULL;
}

/* own: that of this command, which says nothing where it is static. */
static bool is_of_other_libc(const char *path, const struct elf *own)
{
	const bool glibc = has_name(path, "libc.so.6");

	return own->has_interpreter && (is_musl(own) ? glibc : !glibc && has_name(path, "libc.so"));
}

bool doctor_check_library(const char *topic, const char *path, const struct elf *own)
{
	struct elf elf;
	struct stat status;
	struct statvfs system;
	void *mapping;
	int error, fd;

	/* By the same way as all that follows: too few descriptors must not be told as a fault of the file. */
	if (elf_read(path, &elf) != 0 || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0 || fstat(fd, &status) != 0) {
		doctor_say(DOCTOR_WRONG, topic, "%s: %s", path, strerror(errno));
		return false;
	}
	/* What the loader does with it; a file system that is mounted noexec, or a policy, forbids it. */
	mapping = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	error = errno;
	if (mapping != MAP_FAILED)
		munmap(mapping, 4096);
	if (!elf.is_elf)
		doctor_say(DOCTOR_WRONG, topic, "%s is no shared library", path);
	else if (elf.machine != own->machine || elf.width != own->width)
		doctor_say(DOCTOR_WRONG, topic, "%s is for %s, this machine's programs are for %s", path,
			   elf_machine_name(&elf), own->width == 64 ? "its 64-bit architecture" : "32 bits");
	else if ((uint64_t)status.st_size < elf.loaded)
		doctor_say(DOCTOR_WRONG, topic,
			   "%s is truncated (%ju of at least %ju bytes): programs that load it are ended by SIGBUS; "
			   "install it again",
			   path, (uintmax_t)status.st_size, (uintmax_t)elf.loaded);
	else if (is_of_other_libc(path, own))
		doctor_say(DOCTOR_WRONG, topic, "%s is for %s, this machine's programs are for %s", path,
			   is_musl(own) ? "glibc" : "musl", is_musl(own) ? "musl" : "glibc");
	else if (mapping == MAP_FAILED && fstatvfs(fd, &system) == 0 && system.f_flag & ST_NOEXEC)
		doctor_say(DOCTOR_WRONG, topic,
			   "%s lies on a file system that is mounted noexec: the loader refuses it; "
			   "copy it elsewhere",
			   path);
	else if (mapping == MAP_FAILED)
		doctor_say(DOCTOR_WRONG, topic, "%s cannot be mapped as a program: %s", path, strerror(error));
	else {
		doctor_say(DOCTOR_GOOD, topic, "%s", path);
		close(fd);
		return true;
	}
	close(fd);
	return false;
}

/* One entry of LD_PRELOAD that has to do with us. Returns whether it works. */
static bool check_token(const char *token, const struct elf *own)
{
	const bool named = strcmp(find_basename(token), LIBRARY_NAME) == 0;

	if (strchr(token, '$')) {
		doctor_say(DOCTOR_NOTE, LIBRARY_VARIABLE, "%s: the loader expands the '$'; not checked", token);
		return true;
	}
	if (token[0] != '/') {
		doctor_say(DOCTOR_WRONG, LIBRARY_VARIABLE, "%s is %s: give the library's absolute path", token,
			   strchr(token, '/') ? "a relative path, which is another file in every directory"
					      : "no path, and looked for among the system's libraries only");
		return false;
	}
	if (access(token, F_OK) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			doctor_say(DOCTOR_WRONG, LIBRARY_VARIABLE, "%s: %s", token, strerror(errno));
		else
			doctor_say(DOCTOR_WRONG, LIBRARY_VARIABLE, "%s does not exist%s", token,
				   named ? "" : ": is it the library? Its name is " LIBRARY_NAME);
		return false;
	}
	if (named)
		return doctor_check_library(LIBRARY_VARIABLE, token, own);
	if (!has_name(token, LIBRARY_NAME)) {
		doctor_say(DOCTOR_WRONG, LIBRARY_VARIABLE, "%s: is it the library? Its name is " LIBRARY_NAME, token);
		return false;
	}
	if (!doctor_check_library(LIBRARY_VARIABLE, token, own))
		return false;
	doctor_say(DOCTOR_NOTE, LIBRARY_VARIABLE,
		   "%s is the library by another name than " LIBRARY_NAME ", by which it knows itself", token);
	return true;
}

/* "libhealog.so": no more than two letters are other ones, missing or too many. */
static bool is_misspelt(const char *name)
{
	enum { LENGTH = sizeof LIBRARY_NAME - 1, OFF = 2 };
	unsigned char row[LENGTH + 1];
	const size_t length = strlen(name);

	if (length + OFF < LENGTH || length > LENGTH + OFF)
		return false;
	/* Levenshtein's distance, row by row. */
	for (size_t column = 0; column <= LENGTH; column++)
		row[column] = (unsigned char)column;
	for (size_t at = 0; at < length; at++) {
		unsigned char corner = row[0];

		row[0] = (unsigned char)(at + 1);
		for (size_t column = 1; column <= LENGTH; column++) {
			unsigned char least = (unsigned char)(corner + (name[at] != LIBRARY_NAME[column - 1]));

			corner = row[column];
			if (row[column] < least)
				least = (unsigned char)(row[column] + 1);
			if (row[column - 1] < least)
				least = (unsigned char)(row[column - 1] + 1);
			row[column] = least;
		}
	}
	return row[LENGTH] <= OFF;
}

/* An entry that does not have our name in it. Returns whether it was to be the library; *works as above. */
static bool check_stranger(const char *token, const struct elf *own, bool *works)
{
	struct stat status;

	if (token[0] != '/' || strchr(token, '$'))
		return false;
	if (stat(token, &status) == 0) {
		if (!S_ISREG(status.st_mode) || !has_name(token, LIBRARY_NAME))
			return false;
	} else if (!is_misspelt(find_basename(token))) {
		if (errno == ENOENT || errno == ENOTDIR)
			doctor_say(DOCTOR_NOTE, LIBRARY_VARIABLE,
				   "%s does not exist: the loader complains of it as each program starts", token);
		return false;
	}
	*works = check_token(token, own) || *works;
	return true;
}

/* "/home/me/My Project/libheaplog.so" is two entries to the loader. at: an entry. Returns the length of the path that was
 * meant, 0 where it is no such one. */
static size_t split_path(const char *at)
{
	size_t end = strcspn(at, ": ");
	char path[PATH_MAX];
	bool blank = true;
	struct stat status;

	snprintf(path, sizeof path, "%.*s", (int)end, at);
	if (at[0] != '/' || (stat(path, &status) == 0 && S_ISREG(status.st_mode)))
		return 0;
	while (at[end] && at[end + 1] != '/') {
		const size_t length = strcspn(at + end + 1, ": ");

		blank = blank && at[end] == ' ';
		snprintf(path, sizeof path, "%.*s", (int)length, at + end + 1);
		end += 1 + length;
		if (!strchr(path, '/') || !strstr(path, "heaplog"))
			continue;
		snprintf(path, sizeof path, "%.*s", (int)end, at);
		if (blank || access(path, F_OK) == 0)
			return end;
	}
	return 0;
}

bool doctor_check_preload(const char *value, const struct elf *own, bool *meant)
{
	char token[PATH_MAX];
	bool works = false, ours = false;

	for (const char *at = value; at && *at;) {
		const size_t split = split_path(at), length = split ? split : strcspn(at, ": ");

		if (length && length < sizeof token) {
			memcpy(token, at, length);
			token[length] = '\0';
			if (split) {
				doctor_say(DOCTOR_WRONG, LIBRARY_VARIABLE,
					   "%s: an entry ends at a blank or colon, and cannot hold one; \"heaplog "
					   "COMMAND\" makes a link that has none",
					   token);
				ours = true;
			} else if (strstr(token, "heaplog")) {
				works = check_token(token, own) || works;
				ours = true;
			} else {
				ours = check_stranger(token, own, &works) || ours;
			}
		}
		at += length + (at[length] != '\0');
	}
	if (meant)
		*meant = ours;
	return works;
}
