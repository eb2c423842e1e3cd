#include "measure/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* System calls by number: open and read may be wrapped, and this runs in other people's processes. */
struct lines {
	int fd;
	size_t begin, end;
	bool skip; /* the rest of a line that was too long */
	char bytes[4096];
};

static bool lines_open(struct lines *lines, const char *path)
{
	lines->fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	lines->begin = lines->end = 0;
	lines->skip = false;
	return lines->fd >= 0;
}

static void lines_close(const struct lines *lines)
{
	syscall(SYS_close, lines->fd);
}

/* The next line, without its newline; NULL: no more. Longer ones than fit (a mount with thousands of layers) are left
 * out. */
static char *lines_next(struct lines *lines)
{
	for (;;) {
		char *const start = lines->bytes + lines->begin;
		char *const newline = memchr(start, '\n', lines->end - lines->begin);
		const bool skipped = lines->skip;
		long got;

		if (newline) {
			*newline = '\0';
			lines->begin = (size_t)(newline - lines->bytes) + 1;
			lines->skip = false;
			if (!skipped)
				return start;
			continue;
		}
		memmove(lines->bytes, start, lines->end - lines->begin);
		lines->end -= lines->begin;
		lines->begin = 0;
		if (lines->end == sizeof lines->bytes) {
			lines->skip = true;
			lines->end = 0;
		}
		do
			got = syscall(SYS_read, lines->fd, lines->bytes + lines->end, sizeof lines->bytes - lines->end);
		while (got < 0 && errno == EINTR);
		if (got > 0) {
			lines->end += (size_t)got;
			continue;
		}
		if (lines->end == 0 || lines->skip)
			return NULL;
		lines->bytes[lines->end] = '\0'; /* the last line, without a newline; there is room */
		lines->begin = lines->end = 0;
		return lines->bytes;
	}
}

/* Append text; false: no room. */
static bool append(char path[static HEAPLOG_OOM_PATH], const char *text, size_t length)
{
	const size_t used = strlen(path);

	if (length >= HEAPLOG_OOM_PATH - used)
		return false;
	memcpy(path + used, text, length);
	path[used + length] = '\0';
	return true;
}

/* Take the next field of a line; fields are separated by one space. */
static char *field(char **line)
{
	char *const start = *line;
	char *const space = strchr(start, ' ');

	if (space)
		*space = '\0';
	*line = space ? space + 1 : start + strlen(start);
	return start;
}

/* mountinfo writes space, tab, newline and backslash as three octal digits. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
		    from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* Is word one of the comma-separated words of list? */
static bool has_word(const char *list, const char *word)
{
	const size_t length = strlen(word);

	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, word, length) == 0 && (at[length] == ',' || !at[length]))
			return true;
	return false;
}

/* This process's groups: of version 2, and of version 1's memory controller. "": none, or its name does not fit. */
struct groups {
	char unified[1024];
	char memory[1024];
};

static void copy_group(char group[static 1024], const char *name)
{
	if (*name == '/' && strlen(name) < 1024)
		strcpy(group, name);
}

static bool read_groups(const char *proc, struct groups *groups)
{
	char path[HEAPLOG_OOM_PATH] = "";
	struct lines lines;
	char *line;

	groups->unified[0] = groups->memory[0] = '\0';
	if (!append(path, proc, strlen(proc)) || !append(path, "/self/cgroup", strlen("/self/cgroup")) ||
	    !lines_open(&lines, path))
		return false;
	while ((line = lines_next(&lines))) { /* "0::/group", "4:memory,cpu:/group" */
		char *const controllers = strchr(line, ':');
		char *const group = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!group)
			continue;
		*group = '\0';
		if (!controllers[1])
			copy_group(groups->unified, group + 1);
		else if (has_word(controllers + 1, "memory"))
			copy_group(groups->memory, group + 1);
	}
	lines_close(&lines);
	return true;
}

/* The file of a group in one mount. root: the group that is mounted at mount; a container sees its own there. */
static bool try_group(struct heaplog_oom_counter *counter, const char *mount, const char *root, const char *group,
		      const char *file)
{
	const size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (!*group || strncmp(group, root, length) != 0 || (length && group[length] && group[length] != '/'))
		return false;
	group += length;
	if (strcmp(group, "/") == 0)
		group++;
	counter->path[0] = '\0';
	return append(counter->path, mount, strlen(mount)) && append(counter->path, group, strlen(group)) &&
	       append(counter->path, file, strlen(file)) && heaplog_oom_count(counter) >= 0;
}

/* One line of mountinfo: "36 35 98:0 /root /mount options [tags…] - type source super-options". */
static bool try_mount(struct heaplog_oom_counter *counter, char *line, const struct groups *groups)
{
	char *root, *mount, *type;
	char *rest = strstr(line, " - ");

	if (!rest)
		return false;
	*rest = '\0';
	rest += 3;
	for (int i = 0; i < 3; i++)
		field(&line);
	root = field(&line);
	mount = field(&line);
	type = field(&rest);
	field(&rest);
	unescape(root);
	unescape(mount);
	if (strcmp(type, "cgroup2") == 0)
		return try_group(counter, mount, root, groups->unified, "/memory.events");
	if (strcmp(type, "cgroup") == 0 && has_word(rest, "memory"))
		return try_group(counter, mount, root, groups->memory, "/memory.oom_control");
	return false;
}

bool heaplog_oom_find(const char *proc, struct heaplog_oom_counter *counter)
{
	struct groups groups;
	struct lines lines;
	bool found = false;
	char *line;

	counter->path[0] = '\0';
	if (read_groups(proc, &groups) && append(counter->path, proc, strlen(proc)) &&
	    append(counter->path, "/self/mountinfo", strlen("/self/mountinfo")) && lines_open(&lines, counter->path)) {
		while (!found && (line = lines_next(&lines)))
			found = try_mount(counter, line, &groups);
		lines_close(&lines);
	}
	if (found)
		return true;
	counter->path[0] = '\0';
	return append(counter->path, proc, strlen(proc)) && append(counter->path, "/vmstat", strlen("/vmstat")) &&
	       heaplog_oom_count(counter) >= 0;
}

static int64_t count_in(struct lines *lines)
{
	static const char key[] = "oom_kill ";
	int64_t count = -1;
	char *line;

	while (count < 0 && (line = lines_next(lines))) {
		if (strncmp(line, key, sizeof key - 1) != 0)
			continue;
		count = 0;
		for (line += sizeof key - 1; *line >= '0' && *line <= '9' && count < INT64_MAX / 10 - 1; line++)
			count = count * 10 + (*line - '0');
	}
	return count;
}

int64_t heaplog_oom_count(const struct heaplog_oom_counter *counter)
{
	struct lines lines;
	int64_t count;

	if (!lines_open(&lines, counter->path))
		return -1;
	count = count_in(&lines);
	lines_close(&lines);
	return count;
}

int64_t heaplog_oom_count_again(const struct heaplog_oom_counter *counter, int *kept)
{
	struct lines lines = {.fd = *kept};
	int64_t count;

	if (lines.fd < 0 && !lines_open(&lines, counter->path))
		return -1;
	*kept = lines.fd;
	syscall(SYS_lseek, lines.fd, 0L, SEEK_SET);
	count = count_in(&lines);
	if (count < 0) { /* the group is gone */
		lines_close(&lines);
		*kept = -1;
	}
	return count;
}
