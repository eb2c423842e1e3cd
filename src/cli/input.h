/* The records of results files, one after the other. */
#ifndef HEAPLOG_CLI_INPUT_H
#define HEAPLOG_CLI_INPUT_H

#include "cli/line.h"

#include <stdbool.h>

struct input {
	/* What to do with a record. Its strings last until visit returns. */
	void (*visit)(void *context, const struct line *line);
	void *context;
	const char *command; /* for messages: "report" */
	/* What came of it: */
	uint64_t records, bad, files, bytes;
	bool failed; /* something could not be read; a message said so */
};

/* Read each path: a results file, "-" for the standard input, or a directory, of which all *.jsonl and *.ndjson files
 * are read, at any depth, in the order of their names; symbolic links in it are not followed. Memory does not grow with
 * the input. A line that is no record is named on stderr with its file and number (ten for each file, then their count)
 * and passed over; a last line that is still being written is one of them. While a terminal waits longer than half a
 * second, a progress line stands on stderr. Returns false when failed was set. */
bool input_read(struct input *input, char *const *paths);

#endif
