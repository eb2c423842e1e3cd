/* The table at the end of `heaplog run`: the records of this run, and their printing. */
#ifndef HEAPLOG_CLI_SUMMARY_H
#define HEAPLOG_CLI_SUMMARY_H

#include "cli/supervise.h"

#include <stdbool.h>

/* A descriptor for records that only this process reads: nameless, in memory. -1: there is none. */
int summary_records(void);

struct summary_source;

/* Follow the results file of a command that has the library in it. Where HEAPLOG_RESULTS names none, one is set: a file
 * in the user's runtime directory, of the same name in every run unless several run at once (Nx recomputes its graph
 * when a variable changes). The companion is for supervise(). NULL with errno: it cannot be made. */
struct summary_source *summary_open(struct companion *companion);

/* The end: returns a descriptor as summary_records, with the records of this run. Lines of the file that other runners
 * appended meanwhile are left out. */
int summary_close(struct summary_source *source);

/* Print the table of these records on stderr, and close the descriptor. largest: only the 20 largest tasks, as the
 * library's own table has them. */
void summary_print(int records, bool largest);

#endif
