/* What the command is: would the library get into its runner? */
#include "cli/doctor.h"
#include "cli/find.h"
#include "cli/runner.h"
#include "heaplog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The loader ignores LD_PRELOAD in programs that gain rights: AT_SECURE. */
static bool gains_rights(const char *program)
{
	struct stat status;

	if (stat(program, &status) != 0)
		return false;
	if ((status.st_mode & S_ISUID && status.st_uid != getuid()) ||
	    ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status.st_gid != getgid()))
		return true;
	return geteuid() != 0 && getxattr(program, "security.capability", NULL, 0) > 0;
}

/* A runner that is measured from outside needs neither of the library nor of the switch in its environment; but sudo makes
 * it somebody else's, and heaplog itself may be told to be off. */
static bool needs_no_way(const struct runner *runner)
{
	const struct way *way = &runner->way;

	return runner->reach != ELF_REACHED && way->loss != WAY_TAKEN && way->loss != WAY_ELSEWHERE &&
	       strncmp(way->switched_by, "heaplog", 7) != 0;
}

/* What becomes of the library and of the switch on the way to the runner. Returns true when that is the reason. */
static bool check_way(const struct runner *runner, const struct elf *own)
{
	const struct way *way = &runner->way;
	/* "sudo: sudo takes ..." would say it twice. */
	const char *first = find_basename(runner->chain);
	const bool long_way = *first && strncmp(way->by, first, strlen(first)) != 0;
	const char *chain = long_way ? runner->chain : "", *colon = long_way ? ": " : "", *by = way->by;

	if (needs_no_way(runner))
		return false;
	switch (way->loss) {
	case WAY_KEPT:
		break;
	case WAY_TAKEN:
		doctor_say(DOCTOR_WRONG, "command",
			   "%s%s%s takes LD_PRELOAD out of the environment: put heaplog behind it, "
			   "%s ... heaplog COMMAND",
			   chain, colon, by, by);
		return true;
	case WAY_EMPTIED:
		doctor_say(DOCTOR_WRONG, "command",
			   "%s%s%s empties the environment, LD_PRELOAD with it: put heaplog behind it, %s ... heaplog "
			   "COMMAND",
			   chain, colon, by, by);
		return true;
	case WAY_UNSET:
		doctor_say(DOCTOR_WRONG, "command", "%s%s%s takes the library out: leave it, or put heaplog behind it",
			   chain, colon, by);
		return true;
	case WAY_REPLACED:
		doctor_say(DOCTOR_WRONG, "command",
			   "%s%s%s stands in the place of the library's: name that too, or put heaplog behind it",
			   chain, colon, by);
		return true;
	case WAY_ELSEWHERE:
		doctor_say(way->heaplog_there ? DOCTOR_NOTE : DOCTOR_WRONG, "command",
			   way->heaplog_there
			       ? "%s%s%s runs the rest in another place, heaplog with it: ask heaplog doctor there"
			       : "%s%s%s runs the rest in another place, where this library is not: put heaplog inside",
			   chain, colon, by);
		return true;
	}
	if (*way->preload && !doctor_check_preload(way->preload, own, NULL))
		return true;
	if (way_is_on(way))
		return false;
	doctor_say(DOCTOR_WRONG, "switch", "%s%s%s %s", chain, colon, way->switched_by,
		   way->nx == WAY_SWITCH_OFF || way->own == WAY_SWITCH_OFF
		       ? "switches heaplog off"
		       : "takes the switch out: set NX_LOG_HEAP_USAGE=true behind it");
	return true;
}

/* The version of Nx, from the package.json that the script belongs to. */
static void check_nx(const char *script)
{
	static char text[1 << 20];
	char directory[PATH_MAX], manifest[PATH_MAX], version[64];
	int major;

	snprintf(directory, sizeof directory, "%.*s", (int)(find_basename(script) - script), script);
	for (;;) {
		char *slash = strrchr(directory, '/');

		if (!slash)
			return;
		*slash = '\0';
		snprintf(manifest, sizeof manifest, "%.4000s/package.json", directory);
		if (find_read(manifest, text, sizeof text) > 0 &&
		    heaplog_record_string(text, "version", version, sizeof version) > 0)
			break;
	}
	major = atoi(version);
	doctor_say(major >= 18 && major <= 24 ? DOCTOR_GOOD : DOCTOR_NOTE, "Nx", "%s%s", version,
		   major >= 18 && major <= 24 ? "" : ": heaplog knows the lines of Nx 18 to 24");
}

bool doctor_check_command(size_t argc, char *const argv[], const struct elf *own)
{
	struct runner runner;
	char directory[PATH_MAX], path[PATH_MAX];
	int error;

	if (!getcwd(directory, sizeof directory))
		return false;
	runner_trace(argc, argv, getenv("PATH"), directory, own, &runner);
	if (check_way(&runner, own))
		return false;
	error = find_command(argv[0], getenv("PATH"), path);
	if (error) {
		doctor_say(DOCTOR_WRONG, "command", "%s: %s", argv[0],
			   strchr(argv[0], '/') ? strerror(error) : "command not found");
		return false;
	}
	if (strncmp(path, "/snap/", 6) == 0 || strncmp(runner.program, "/snap/", 6) == 0 ||
	    strcmp(find_basename(runner.program), "snap") == 0)
		doctor_say(DOCTOR_WRONG, "command",
			   "%s is a snap, whose confinement keeps the library out; use another "
			   "build of it (NodeSource, nvm, Debian's)",
			   runner.chain);
	else if (runner.reach == ELF_STATIC && strcmp(find_basename(runner.program), "node") == 0)
		doctor_say(DOCTOR_WRONG, "command",
			   "%s is statically linked: no library can be preloaded; use a build "
			   "of Node.js that is dynamically linked",
			   runner.program);
	else if (runner.reach == ELF_STATIC)
		doctor_say(DOCTOR_NOTE, "command",
			   "%s is statically linked: LD_PRELOAD has no effect, but \"heaplog "
			   "COMMAND\" measures its tasks from outside",
			   runner.chain);
	else if (runner.reach != ELF_REACHED)
		doctor_say(DOCTOR_WRONG, "command",
			   "%s is %s than this library; \"heaplog COMMAND\" measures its tasks "
			   "from outside",
			   runner.program,
			   runner.reach == ELF_OTHER_LIBC ? "for another C library (musl or glibc)"
							  : "for another architecture");
	else if (*runner.program && gains_rights(runner.program))
		doctor_say(DOCTOR_WRONG, "command",
			   "%s gains rights (set-user-ID, set-group-ID or capabilities): the "
			   "loader ignores LD_PRELOAD",
			   runner.program);
	else if (*runner.missing)
		doctor_say(DOCTOR_WRONG, "command", "%s: the nearest package.json has no script \"%s\"", runner.chain,
			   runner.missing);
	else if (!*runner.name)
		doctor_say(DOCTOR_NOTE, "command", "%s: what it starts in the end is not known", runner.chain);
	else if (!runner_rank(runner.name) && !getenv("HEAPLOG_TASK"))
		doctor_say(DOCTOR_NOTE, "command",
			   "%s is no task runner that heaplog knows: unless it starts one, --runner "
			   "all takes each of its children for a task",
			   runner.chain);
	else
		doctor_say(DOCTOR_GOOD, "command", "%s, run by %s", runner.chain, runner.program);
	if (strcmp(runner.name, "nx") == 0 && *runner.script)
		check_nx(runner.script);
	return strcmp(find_basename(runner.program), "node") == 0;
}
