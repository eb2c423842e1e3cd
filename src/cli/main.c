/* heaplog: the command. Finds the subcommand in a table and calls it; what is no subcommand is a command to run. */
#include "cli/cli.h"
#include "heaplog.h"

#include <stdio.h>
#include <string.h>

struct command {
	const char *name;
	int (*function)(int argc, char **argv);
	const char *help; /* one line, after the arguments */
	const char *arguments;
};

static const struct command commands[] = {
    {"run", cmd_run, "run a task runner and show its tasks' peaks", "[OPTIONS] [--] COMMAND..."},
    {"report", cmd_report, "each task's peak, largest first", "[OPTIONS] FILE..."},
    {"compare", cmd_compare, "what grew between two sets of records", "[OPTIONS] BASE HEAD"},
    {"history", cmd_history, "one task's peaks over time", "[OPTIONS] TASK FILE..."},
    {"plan", cmd_plan, "the highest --parallel that fits a memory", "--memory SIZE FILE..."},
    {"top", cmd_top, "the running tasks of all your runners, live", "[OPTIONS]"},
    {"doctor", cmd_doctor, "why no peak is shown", "[COMMAND...]"},
    {0}, /* the end */
};

/* What `heaplog nx run-many` means: the first word is then the runner's. */
static const char default_command[] = "run";

static const struct command *find(const char *name)
{
	for (const struct command *command = commands; command->name != NULL; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

static void help(FILE *out)
{
	fputs("heaplog " HEAPLOG_VERSION ": how much memory each task of a task runner needed\n\n"
	      "usage: heaplog [run] [OPTIONS] [--] COMMAND...\n"
	      "       heaplog SUBCOMMAND [OPTIONS] ...\n\n",
	      out);
	for (const struct command *command = commands; command->name != NULL; command++)
		fprintf(out, "  %-8s %-30s %s\n", command->name, command->arguments, command->help);
	fputs("\nFILE is a results file (HEAPLOG_RESULTS); - is the standard input; a directory: all *.jsonl below.\n"
	      "heaplog SUBCOMMAND --help tells the options. heaplog run NAME runs a program that is called like one.\n"
	      "exit status: 0; 1 a task grew, or nothing fits; 2 wrong usage or unreadable input; run: COMMAND's\n",
	      out);
}

static int version(void)
{
	puts("heaplog " HEAPLOG_VERSION);
	return fflush(stdout) == 0 ? CLI_OK : CLI_USAGE;
}

int main(int argc, char **argv)
{
	static char help_option[] = "--help";
	const char *first = argc > 1 ? argv[1] : NULL;
	const struct command *command;

	if (first == NULL) {
		help(stderr);
		return CLI_USAGE;
	}
	if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || (strcmp(first, "help") == 0 && argc == 2)) {
		help(stdout);
		return fflush(stdout) == 0 ? CLI_OK : CLI_USAGE;
	}
	if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0)
		return version();
	command = find(first);
	/* run has words of another command behind its own, and sees to these itself. */
	if (command != NULL && command->function != cmd_run && argc > 2) {
		if (strcmp(argv[2], "--version") == 0 || strcmp(argv[2], "-V") == 0)
			return version();
		if (strcmp(argv[2], "-h") == 0)
			argv[2] = help_option;
	}
	if (command != NULL)
		return command->function(argc - 1, argv + 1);
	command = find(default_command);
	if (command != NULL)
		return command->function(argc, argv);
	fprintf(stderr, "heaplog: there is no subcommand \"%s\"; heaplog --help lists them\n", first);
	return CLI_USAGE;
}
