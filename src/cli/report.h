/* `heaplog report`: what all its formats are given. */
#ifndef HEAPLOG_CLI_REPORT_H
#define HEAPLOG_CLI_REPORT_H

#include "cli/runs.h"
#include "cli/table.h"

#include <stdio.h>

struct report {
	struct table table; /* finished and sorted */
	struct runs runs;   /* finished; empty for formats without timelines */
	uint64_t records, bad;
	size_t shown;      /* how many of the table's tasks */
	bool processes;    /* with the processes of each task */
	bool several;      /* a task has more than one run: medians make sense */
	uint64_t warn;     /* bytes; 0: no threshold */
	uint64_t memory;   /* bytes that the machine has for tasks; 0: not known */
	bool memory_given; /* by --memory; otherwise it is this machine's */
	FILE *out;
};

void report_text(const struct report *report);
void report_json(const struct report *report);
void report_csv(const struct report *report);
void report_markdown(const struct report *report);
void report_html(const struct report *report);
void report_openmetrics(const struct report *report);
void report_trace(const struct report *report);

/* Memory that programs on this machine can have: its own, or less where a cgroup of ours says so. 0: not known. */
uint64_t report_machine_memory(void);

#endif
