#include "preload/settings.h"

#include "measure/summary.h"
#include "task/environment.h"
#include "preload/runtime.h"
#include "record/board_layout.h"
#include "record/size.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { INTERVAL_DEFAULT_MS = 500, INTERVAL_MIN_MS = 10, INTERVAL_MAX_MS = 60000 };

/* Own loops: in a process in which it is off, no function of libc is to be bound for us. */
static const char *after(const char *entry, const char *name)
{
	while (*name && *entry == *name) {
		entry++;
		name++;
	}
	return *name ? NULL : entry;
}

static bool equal(const char *text, const char *word)
{
	const char *rest = after(text, word);

	return rest && !*rest;
}

const char *settings_value(const char *name)
{
	if (getauxval(AT_SECURE))
		return NULL;
	for (char **entry = environ; entry && *entry; entry++) {
		const char *value = after(*entry, name);

		if (value && *value == '=')
			return value + 1;
	}
	return NULL;
}

/* "/proc/PPID/" and name. */
static void path_of_parent(char path[static 32], const char *name)
{
	char *digit = path + 31;

	*digit = '\0';
	for (pid_t pid = getppid(); pid > 0; pid /= 10)
		*--digit = (char)('0' + pid % 10);
	memmove(path + 6, digit, strlen(digit) + 1);
	memcpy(path, "/proc/", 6); /* NOLINT(bugprone-not-null-terminated-result): the digits follow */
	strcat(path, name);
}

bool settings_parent_has_us(void)
{
	enum { SIZE = 1 << 20 }; /* not on the stack, which may be a few pages here; only what is read becomes memory */
	char path[32];
	char *text;
	bool found = false;
	size_t length = 0;
	ssize_t got;
	int fd;

	path_of_parent(path, "/environ");
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	text = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	while (text != MAP_FAILED && length < SIZE - 1 &&
	       (got = syscall(SYS_read, fd, text + length, SIZE - 1 - length)) > 0)
		length += (size_t)got;
	syscall(SYS_close, fd);
	for (size_t at = 0; at < length && !found; at += strlen(text + at) + 1)
		found = strncmp(text + at, PRELOAD, sizeof PRELOAD - 1) == 0 &&
			environment_has_token(text + at + sizeof PRELOAD - 1, heaplog_runtime.library);
	if (text != MAP_FAILED)
		munmap(text, SIZE);
	return found;
}

/* A parent with the library has read the same variables and said what there was to say. */
static void malformed(const char *name, const char *value, const char *expected, const char *used)
{
	if (!settings_parent_has_us())
		runtime_warn(name, "=", value, " is not ", expected, "; using ", used, (char *)NULL);
}

/* 1 on, 0 off, -1 not set. */
static int read_switch(const char *name)
{
	const char *value = settings_value(name);

	if (!value || !*value)
		return -1;
	if (equal(value, "true") || equal(value, "1"))
		return 1;
	if (!equal(value, "false") && !equal(value, "0"))
		malformed(name, value, "true, 1, false or 0", "false");
	return 0;
}

/* Digits alone, within low and high; *value is touched only then. Not libbsd's strtonum: its object is built with a
 * stack guard, which on aarch64 makes ld-linux-aarch64.so.1 a second needed library, and it takes " +500". */
static bool read_number(const char *text, uint32_t low, uint32_t high, uint32_t *value)
{
	uint64_t number = 0;

	for (const char *at = text; *at; at++) {
		if (*at < '0' || *at > '9' || number > high)
			return false;
		number = number * 10 + (uint64_t)(*at - '0');
	}
	if (!*text || number < low || number > high)
		return false;
	*value = (uint32_t)number;
	return true;
}

/* The directory that a relative path is relative to. Where scripts of packages are the tasks there may be a runner in
 * each package (yarn 1), and one file for all of them is meant: npm, pnpm and yarn leave in INIT_CWD where they were
 * called, and a runner that a runner started is told by its parent. */
static bool base_directory(char directory[RUNTIME_PATH_MAX])
{
	const char *called = settings_value("INIT_CWD");
	char path[32];
	ssize_t length;

	if (heaplog_runtime.rule.preset == TASK_NPM) {
		if (called && *called == '/' && strlen(called) < RUNTIME_PATH_MAX - 1) {
			strcpy(directory, called);
			return true;
		}
		path_of_parent(path, "/cwd");
		length = settings_parent_has_us() ? readlink(path, directory, RUNTIME_PATH_MAX - 2) : -1;
		if (length > 0) {
			directory[length] = '\0';
			return true;
		}
	}
	return getcwd(directory, RUNTIME_PATH_MAX - 1) != NULL; /* and a slash */
}

void settings_read_exact(void)
{
	const char *directory = settings_value("XDG_RUNTIME_DIR");

	heaplog_runtime.exact = read_switch("HEAPLOG_EXACT") == 1;
	if (directory && *directory == '/' &&
	    strlen(directory) + sizeof HEAPLOG_BOARD_SUBDIRECTORY + 1 <= RUNTIME_DIRECTORY_MAX) {
		strcpy(heaplog_runtime.directory, directory);
		strcat(heaplog_runtime.directory, "/" HEAPLOG_BOARD_SUBDIRECTORY);
	}
}

void settings_read(void)
{
	const char *interval = settings_value("HEAPLOG_INTERVAL_MS");
	const char *results = settings_value("HEAPLOG_RESULTS");
	const char *warn = settings_value("HEAPLOG_WARN");
	const char *metric = settings_value("HEAPLOG_METRIC");
	const char *task = settings_value("HEAPLOG_TASK");
	const char *no_color = settings_value("NO_COLOR");

	heaplog_runtime.no_colour = no_color && *no_color;
	if (!task_rule_read(&heaplog_runtime.rule, task))
		malformed("HEAPLOG_TASK", task, "nx, npm, all or a pattern such as {VARIABLE}:{VARIABLE}[:{VARIABLE}]",
			  "nx");
	heaplog_runtime.pss = metric && strcmp(metric, HEAPLOG_OTHER_METRIC) == 0;
	if (metric && *metric && !heaplog_runtime.pss && strcmp(metric, "rss") != 0)
		malformed("HEAPLOG_METRIC", metric, "rss or " HEAPLOG_OTHER_METRIC, "rss");
	if (warn && *warn &&
	    (heaplog_size_parse(warn, &heaplog_runtime.warn_bytes) != 0 || !heaplog_runtime.warn_bytes))
		malformed("HEAPLOG_WARN", warn, "a size such as 800MB or 1.5GB", "no threshold");
	heaplog_runtime.interval_ms = INTERVAL_DEFAULT_MS;
	if (interval && *interval &&
	    !read_number(interval, INTERVAL_MIN_MS, INTERVAL_MAX_MS, &heaplog_runtime.interval_ms))
		malformed("HEAPLOG_INTERVAL_MS", interval, "a number of milliseconds from 10 to 60000", "500");
	if (!results || !*results)
		return;
	/* Made absolute now: the runner may change its directory before the first record. */
	if (*results != '/' && base_directory(heaplog_runtime.results))
		strcat(heaplog_runtime.results, "/");
	if ((*results != '/' && !*heaplog_runtime.results) ||
	    strlen(heaplog_runtime.results) + strlen(results) >= RUNTIME_PATH_MAX) {
		heaplog_runtime.results[0] = '\0';
		malformed("HEAPLOG_RESULTS", results, "a path that is short enough", "no results file");
		return;
	}
	strcat(heaplog_runtime.results, results);
}

bool settings_are_mentioned(void)
{
	for (char **entry = environ; entry && *entry; entry++) {
		if (**entry != 'N' && **entry != 'H' && **entry != 'L')
			continue;
		if (after(*entry, "NX_LOG_HEAP_USAGE=") || after(*entry, "HEAPLOG="))
			return true;
		/* A token with the mark of a task (exact.h). */
		for (const char *at = after(*entry, PRELOAD); at && *at; at++)
			if (at[0] == '/' && at[1] == '/')
				return true;
	}
	return false;
}

bool settings_on(void)
{
	const int nx = read_switch("NX_LOG_HEAP_USAGE");
	const int own = read_switch("HEAPLOG");

	return nx == 1 || own == 1;
}
