/* The last runs, with the histories of their tasks: what timelines are drawn from. Memory: that of the runs kept. */
#ifndef HEAPLOG_CLI_RUNS_H
#define HEAPLOG_CLI_RUNS_H

#include "cli/table.h"

struct run_task {
	char *task, *metric;
	char *top, *series; /* JSON; NULL: none */
	struct table_record record;
	uint64_t pid;
	uint32_t sequence;
};

struct run {
	char *id;
	uint32_t number;
	int64_t start_ms;       /* of its first task */
	struct run_task *tasks; /* after runs_finish: one of each name, by start */
	size_t count, capacity;
};

struct runs {
	size_t limit;     /* how many to keep; 0: none */
	struct run *runs; /* after runs_finish: the latest first */
	size_t count, capacity;
	unsigned char
	    *dropped; /* internal: a run that was let go stays away, for it would come back without its first tasks */
	size_t dropped_size;
	uint32_t sequence;
};

/* Keep the record, whose run has that number, if its run is one of the last. Records without a start are passed over:
 * they have no place on a timeline. */
void runs_add(struct runs *runs, const struct line *line, uint32_t number);

void runs_finish(struct runs *runs);

void runs_free(struct runs *runs);

#endif
