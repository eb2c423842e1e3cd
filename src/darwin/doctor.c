/* heaplog doctor on macOS: what keeps the library out of a program there, and whether it is switched on. */
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/find.h"
#include "cli/library.h"
#include "cli/resolve.h"
#include "heaplog.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool something_is_wrong;

/* One line, as on Linux: "ok", "note" or "wrong", what was looked at, what was found. */
__attribute__((format(printf, 3, 4))) static void say(const char *verdict, const char *topic, const char *format, ...)
{
	va_list values;

	something_is_wrong = something_is_wrong || strcmp(verdict, "wrong") == 0;
	printf("%-5s  %-12s  ", verdict, topic);
	va_start(values, format);
	vprintf(format, values);
	va_end(values);
	putchar('\n');
}

static void check_library(void)
{
	char self[PATH_MAX], library[PATH_MAX];

	if (library_self(self) != 0)
		say("wrong", "library", "cannot tell where heaplog itself is");
	else if (library_find(self, library) != 0)
		say("wrong", "library", "%s is not there, nor anywhere else where this command looks", library);
	else
		say("ok", "library", "%s", library);
}

/* The variable as somebody has set it by hand: dyld takes its paths apart at colons, and a library that it cannot load
 * ends the program. */
static void check_variable(void)
{
	const char *value = getenv(LIBRARY_VARIABLE);
	char path[PATH_MAX];

	for (const char *at = value; at && *at;) {
		const size_t length = strcspn(at, ":");

		if (length && length < sizeof path) {
			memcpy(path, at, length);
			path[length] = '\0';
			if (access(path, R_OK) != 0)
				say("wrong", LIBRARY_VARIABLE,
				    "%s cannot be read: macOS ends each program that is started with it", path);
			else if (path[0] != '/')
				say("wrong", LIBRARY_VARIABLE,
				    "%s is a relative path, which is another file in every directory: where it is "
				    "none, macOS ends the program; give the library's absolute path",
				    path);
			else
				say("ok", LIBRARY_VARIABLE, "%s", path);
		}
		at += length + (at[length] != '\0');
	}
}

static bool is(const char *name, const char *word, const char *number)
{
	const char *value = getenv(name);

	return value && (strcmp(value, word) == 0 || strcmp(value, number) == 0);
}

static void check_switches(void)
{
	static const char *const names[] = {HEAPLOG_ENV_NX, HEAPLOG_ENV_ON};
	const char *value, *off = NULL, *on = NULL;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		value = getenv(names[i]);
		if (is(names[i], "true", "1"))
			on = names[i];
		else if (is(names[i], "false", "0"))
			off = names[i];
		else if (value && *value)
			say("wrong", names[i], "%s is not true, 1, false or 0, and counts as false", value);
	}
	if (on)
		say("ok", "switch", "%s is on", on);
	else if (off)
		say("wrong", "switch", "%s is off, for the library and for heaplog run; --log-heap-usage overrules it",
		    off);
	if (getenv("NX_TASK_TARGET_PROJECT"))
		say("wrong", "nested", "this is inside a task of Nx: only the outermost runner shows peaks");
}

/* System Integrity Protection covers these; what it covers runs without inserted libraries. */
static bool is_protected(const char *path)
{
	static const char *const places[] = {"/bin/", "/sbin/", "/usr/", "/System/"};

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			return strncmp(path, "/usr/local/", 11) != 0;
	return false;
}

/* They start their command by /bin/sh. */
static bool goes_through_shell(const char *command)
{
	static const char *const names[] = {"npx", "npm", "pnpm", "yarn", "pnpx", "bunx"};
	const char *name = find_basename(command);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void check_command(char **command)
{
	char path[PATH_MAX], *modules = NULL;
	char **resolved = resolve_scripts(command, getenv("PATH"), &modules);

	if (resolved)
		snprintf(path, sizeof path, "%s", resolved[0]);
	if (!resolved && find_command(command[0], getenv("PATH"), path) != 0)
		say("wrong", "command", "%s: not found", command[0]);
	else if (goes_through_shell(command[0]))
		say("wrong", "command",
		    "%s starts its command by /bin/sh, and macOS starts that without inserted libraries (System "
		    "Integrity Protection): put heaplog behind it, as in: npx heaplog nx ...",
		    command[0]);
	else if (is_protected(path))
		say("wrong", "command",
		    "%s: macOS starts it without inserted libraries (System Integrity Protection): start the runner "
		    "itself, as in: npx heaplog nx ...",
		    path);
	else
		say("ok", "command", "%s", path);
	resolve_free(resolved);
	free(modules);
}

static const char help[] =
    "usage: heaplog doctor [COMMAND...]\n"
    "Say why no peak is shown: looks at the library, at the environment (" LIBRARY_VARIABLE " and what switches\n"
    "heaplog on), and at COMMAND, which is not run.\n\n"
    "Lines begin with ok, note, or wrong, which is a reason for not seeing a peak, with what to do about it.\n"
    "exit status: 0 nothing is wrong; 1 something is; 2 wrong usage\n";

int cmd_doctor(int argc, char **argv)
{
	char **command = argv + 1;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return arguments_help(help);
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts("heaplog " HEAPLOG_VERSION);
		return arguments_flush("heaplog doctor") ? CLI_OK : CLI_USAGE;
	}
	if (argc > 1 && strcmp(argv[1], "--") == 0)
		command++;
	else if (argc > 1 && argv[1][0] == '-')
		return arguments_wrong("heaplog doctor", "unknown option");
	something_is_wrong = false;
	check_library();
	check_variable();
	check_switches();
	if (*command)
		check_command(command);
	else
		say("note", "command", "none given: heaplog doctor COMMAND... looks at that as well");
	if (!arguments_flush("heaplog doctor"))
		return CLI_USAGE;
	return something_is_wrong ? CLI_FOUND : CLI_OK;
}
