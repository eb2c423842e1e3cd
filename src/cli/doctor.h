/* heaplog doctor: why is no peak shown? Each check says one thing about this machine, this environment or the command.
 */
#ifndef HEAPLOG_CLI_DOCTOR_H
#define HEAPLOG_CLI_DOCTOR_H

#include "cli/elf.h"

#include <stdbool.h>
#include <stddef.h>

enum verdict {
	DOCTOR_GOOD,
	DOCTOR_NOTE,  /* worth knowing */
	DOCTOR_WRONG, /* no peak will be shown for this reason */
};

/* Print one finding: "wrong  LD_PRELOAD   ..." */
void doctor_say(enum verdict verdict, const char *topic, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The machine: limits, /proc, the system calls that the library needs. Forks children of its own. Returns false when there
 * can be none, so that nothing can be tried. */
bool doctor_check_machine(void);

/* A part of it: how many descriptors and processes may there be? Returns whether there is room to look on. */
bool doctor_check_limits(void);

/* After that: what there is little of, as the end of a sentence, for where a trial fails; "" where there is enough. Static
 * storage. */
const char *doctor_shortage(void);

/* LD_PRELOAD, the switches and the other variables. library: the one that belongs to this command, or NULL.
 * Returns whether LD_PRELOAD names a library of ours. */
bool doctor_check_environment(const struct elf *own, const char *library);

/* A value of LD_PRELOAD (NULL: none): the entries in it that have to do with us, and those that are not there. Returns
 * whether one of them is our library and works; *meant (may be NULL): whether one of them was to be it. */
bool doctor_check_preload(const char *value, const struct elf *own, bool *meant);

/* A library's file: can the loader take it? Says what is wrong with it under topic; returns whether all is well. */
bool doctor_check_library(const char *topic, const char *path, const struct elf *own);

/* What the command is and whether it can be reached. Returns true when it is worth a trial with Node.js. */
bool doctor_check_command(size_t argc, char *const argv[], const struct elf *own);

/* A trial: a runner of one task, with library loaded; with node as well when that is asked for. */
void doctor_check_trial(const char *self, const char *library, bool with_node);

/* The two programs of the trial; they do not return to the doctor. */
int doctor_trial_runner(const char *self);
int doctor_trial_task(void);

#endif
