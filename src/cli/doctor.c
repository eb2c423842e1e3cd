#include "cli/doctor.h"

#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/library.h"
#include "cli/terminal.h"
#include "cli/utf8.h"
#include "heaplog.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

static unsigned wrong;

void doctor_say(enum verdict verdict, const char *topic, const char *format, ...)
{
	static const char *const words[] = {"ok", "note", "wrong"}, *const colours[] = {"\033[32m", "\033[33m",
											"\033[31m"};
	const bool colour = terminal_colour(stdout);
	char text[8192];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof text, format, values);
	va_end(values);
	wrong += verdict == DOCTOR_WRONG;
	printf("%s%-5s%s  %-12s  ", colour ? colours[verdict] : "", words[verdict], colour ? "\033[0m" : "", topic);
	utf8_print(stdout, text, SIZE_MAX, terminal_unicode());
	putchar('\n');
	fflush(stdout); /* before children print */
}

static const char help[] =
    "usage: heaplog doctor [COMMAND...]\n"
    "Say why no peak is shown: looks at this machine, at the environment (LD_PRELOAD and what switches heaplog on),\n"
    "and at COMMAND, which is not run; and tries a runner of one task with the library in it.\n\n"
    "Lines begin with ok, note, or wrong, which is a reason for not seeing a peak, with what to do about it.\n"
    "exit status: 0 nothing is wrong; 1 something is; 2 wrong usage\n";

int cmd_doctor(int argc, char **argv)
{
	char self[PATH_MAX], library[PATH_MAX];
	struct elf own = {.is_elf = false};
	bool found, preloaded, room, with_node = false;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return arguments_help(help);
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts("heaplog " HEAPLOG_VERSION);
		return arguments_flush("heaplog doctor") ? CLI_OK : CLI_USAGE;
	}
	/* Without /proc (which is said below) the kernel has left us the name that we were started by. */
	if (library_self(self) != 0 && !realpath((const char *)(uintptr_t)getauxval(AT_EXECFN), self))
		return arguments_wrong("heaplog doctor", "cannot tell where heaplog itself is");
	/* What the trial starts. */
	if (argc == 2 && strcmp(argv[1], "--trial-runner") == 0)
		return doctor_trial_runner(self);
	if (argc == 2 && strcmp(argv[1], "--trial-task") == 0)
		return doctor_trial_task();
	if (argc > 1 && strcmp(argv[1], "--") == 0) {
		argc--;
		argv++;
	} else if (argc > 1 && argv[1][0] == '-') {
		return arguments_wrong("heaplog doctor", "unknown option");
	}
	elf_read(self, &own);
	found = library_find(self, library) == 0;
	if (!found)
		doctor_say(DOCTOR_WRONG, "library",
			   "%s is not there, nor %s, nor beside this command; make install puts both in their places",
			   library, library_installed);
	else
		found = doctor_check_library("library", library, &own);
	preloaded = doctor_check_environment(&own, found ? library : NULL);
	room = doctor_check_machine();
	if (argc > 1)
		with_node = doctor_check_command((size_t)argc - 1, argv + 1, &own);
	else
		doctor_say(DOCTOR_NOTE, "command", "none given: heaplog doctor COMMAND... looks at that as well");
	/* The user's LD_PRELOAD where it names us: that is what is to be tried. */
	if (room && (preloaded || found))
		doctor_check_trial(self, preloaded ? NULL : library, with_node);
	if (!arguments_flush("heaplog doctor"))
		return CLI_USAGE;
	return wrong ? CLI_FOUND : CLI_OK;
}
