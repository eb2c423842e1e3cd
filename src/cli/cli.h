/* The subcommands of `heaplog`: one file each, one row each in main.c's table. */
#ifndef HEAPLOG_CLI_CLI_H
#define HEAPLOG_CLI_CLI_H

/* Exit statuses, as diff and grep have them. `run` has its command's instead. */
enum {
	CLI_OK = 0,
	CLI_FOUND = 1, /* what was asked about is so: a task grew, or no parallelism fits */
	CLI_USAGE = 2, /* wrong usage, or an input that cannot be read */
};

/* A subcommand: int cmd_NAME(int argc, char **argv), argv[0] being its name, returns the exit status. */
int cmd_run(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_history(int argc, char **argv);
int cmd_plan(int argc, char **argv);

#endif
