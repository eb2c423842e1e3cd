/* What the environment says: LD_PRELOAD, the switches, the results file. */
#include "cli/doctor.h"
#include "cli/find.h"
#include "cli/library.h"
#include "cli/options.h"
#include "heaplog.h"
#include "measure/summary.h"
#include "task/task.h"
#include "record/size.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

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
		doctor_say(DOCTOR_WRONG, LIBRARY_VARIABLE, "%s does not exist%s", token,
			   strcmp(find_basename(token), LIBRARY_NAME) == 0
			       ? ""
			       : " (a path in " LIBRARY_VARIABLE " ends at a blank or colon, and cannot hold one)");
		return false;
	}
	if (strcmp(find_basename(token), LIBRARY_NAME) != 0) {
		doctor_say(DOCTOR_WRONG, LIBRARY_VARIABLE, "%s: is it the library? Its name is " LIBRARY_NAME, token);
		return false;
	}
	return doctor_check_library(LIBRARY_VARIABLE, token, own);
}

/* "/home/me/My Project/libheaplog.so" is two entries to the loader: the first says nothing of us. */
bool doctor_check_preload(const char *value, const struct elf *own)
{
	char token[PATH_MAX];
	bool works = false;

	for (const char *at = value; at && *at;) {
		const size_t length = strcspn(at, ": ");

		if (length && length < sizeof token) {
			memcpy(token, at, length);
			token[length] = '\0';
			if (strstr(token, "heaplog"))
				works = check_token(token, own) || works;
		}
		at += length + (at[length] != '\0');
	}
	return works;
}

enum state { STATE_UNSET, STATE_ON, STATE_OFF, STATE_MALFORMED };

static enum state state_of(const char *name)
{
	const char *value = getenv(name);

	if (!value || !*value)
		return STATE_UNSET;
	if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		return STATE_ON;
	if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		return STATE_OFF;
	/* The exact mode alone is no reason for not seeing a peak. */
	doctor_say(strcmp(name, "HEAPLOG_EXACT") == 0 ? DOCTOR_NOTE : DOCTOR_WRONG, name,
		   "%s is not true, 1, false or 0, and counts as false", value);
	return STATE_MALFORMED;
}

static void check_switches(bool meant)
{
	const enum state nx = state_of("NX_LOG_HEAP_USAGE"), own = state_of("HEAPLOG");

	if (nx == STATE_ON || own == STATE_ON)
		doctor_say(DOCTOR_GOOD, "switch", "%s is on", nx == STATE_ON ? "NX_LOG_HEAP_USAGE" : "HEAPLOG");
	else if (nx == STATE_OFF || own == STATE_OFF)
		doctor_say(DOCTOR_WRONG, "switch",
			   "%s is off, for the library and for heaplog run; "
			   "--log-heap-usage overrules it",
			   nx == STATE_OFF ? "NX_LOG_HEAP_USAGE" : "HEAPLOG");
	else if (meant && nx == STATE_UNSET && own == STATE_UNSET)
		doctor_say(DOCTOR_WRONG, "switch",
			   "the library is preloaded, but off: set NX_LOG_HEAP_USAGE=true, "
			   "or HEAPLOG=1");
	if (getenv("NX_TASK_TARGET_PROJECT") || getenv("TURBO_HASH"))
		doctor_say(DOCTOR_WRONG, "nested", "this is inside a task of %s: only the outermost runner shows peaks",
			   getenv("TURBO_HASH") ? "turbo" : "Nx");
	if (getenv("NX_BATCH_MODE") && strcmp(getenv("NX_BATCH_MODE"), "true") == 0)
		doctor_say(DOCTOR_NOTE, "NX_BATCH_MODE", "the tasks of a batch share one process and one figure");
}

/* As the library reads it: digits alone. */
static bool is_interval(const char *text)
{
	const unsigned long value = strtoul(text, NULL, 10);

	return strspn(text, "0123456789") == strlen(text) && value >= OPTIONS_INTERVAL_MIN_MS &&
	       value <= OPTIONS_INTERVAL_MAX_MS;
}

static void check_values(void)
{
	const char *results = getenv("HEAPLOG_RESULTS"), *task = getenv("HEAPLOG_TASK"), *warn = getenv("HEAPLOG_WARN");
	const char *interval = getenv("HEAPLOG_INTERVAL_MS"), *metric = getenv("HEAPLOG_METRIC");
	struct task_rule rule;
	struct stat status;
	uint64_t bytes;
	char directory[PATH_MAX];

	if (task && *task && !task_rule_read(&rule, task))
		doctor_say(DOCTOR_WRONG, "HEAPLOG_TASK", "%s is not nx, npm, all or a pattern; nx is used", task);
	else if (task && *task)
		doctor_say(DOCTOR_NOTE, "HEAPLOG_TASK", "tasks are recognised by %s", task);
	if (warn && *warn && (heaplog_size_parse(warn, &bytes) != 0 || !bytes))
		doctor_say(DOCTOR_NOTE, "HEAPLOG_WARN", "%s is not a size such as 1.5GB; there is no threshold", warn);
	if (interval && *interval && !is_interval(interval))
		doctor_say(DOCTOR_NOTE, "HEAPLOG_INTERVAL_MS",
			   "%s is not a number of milliseconds from %d to %d; 500 is used", interval,
			   OPTIONS_INTERVAL_MIN_MS, OPTIONS_INTERVAL_MAX_MS);
	if (metric && *metric && strcmp(metric, "rss") != 0 && strcmp(metric, HEAPLOG_OTHER_METRIC) != 0)
		doctor_say(DOCTOR_NOTE, "HEAPLOG_METRIC", "%s is not rss or " HEAPLOG_OTHER_METRIC "; rss is used",
			   metric);
	state_of("HEAPLOG_EXACT");
	if (!results || !*results)
		return;
	snprintf(directory, sizeof directory, "%.*s", (int)(find_basename(results) - results), results);
	if (lstat(results, &status) == 0 && !S_ISREG(status.st_mode))
		doctor_say(DOCTOR_WRONG, "HEAPLOG_RESULTS", "%s is %s, which the library does not write to", results,
			   S_ISLNK(status.st_mode) ? "a symbolic link" : "not a regular file");
	else if (access(results, F_OK) == 0 ? access(results, W_OK) != 0
					    : access(*directory ? directory : ".", W_OK) != 0)
		doctor_say(DOCTOR_WRONG, "HEAPLOG_RESULTS", "%s cannot be written: %s", results, strerror(errno));
	else
		doctor_say(DOCTOR_GOOD, "HEAPLOG_RESULTS", "%s", results);
}

bool doctor_check_environment(const struct elf *own, const char *library)
{
	const char *value = getenv(LIBRARY_VARIABLE);
	const bool meant = value && strstr(value, "heaplog"), works = doctor_check_preload(value, own);

	if (!meant && library)
		doctor_say(
		    DOCTOR_NOTE, LIBRARY_VARIABLE,
		    "does not name the library: peaks are shown by \"heaplog COMMAND\", or with " LIBRARY_VARIABLE
		    "=%s",
		    library);
	check_switches(meant);
	check_values();
	return works;
}
