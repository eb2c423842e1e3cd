/* The lines of Nx: pure recognition of result lines in one chunk of output. */
#ifndef HEAPLOG_PRELOAD_NX_H
#define HEAPLOG_PRELOAD_NX_H

#include <stdbool.h>
#include <stddef.h>

enum nx_form {
	NX_NONE,
	NX_STATIC,    /* "> nx run ID", or "::group::ICON > nx run ID": no newline */
	NX_COLLAPSED, /* "ICON  nx run ID\n" (23+) */
};

struct nx_line {
	enum nx_form form;
	bool cached;      /* "[local cache]", "[remote cache]", "[existing outputs match ...]" */
	bool coloured;    /* the chunk carries SGR sequences */
	size_t insert_at; /* where a suffix goes: the end, or before the newline */
	size_t id_at;     /* where the task's name begins in the chunk; SGR sequences may stand inside it */
};

/* Is the chunk, as a whole, a result line of Nx? Fills *line and returns true. Never reads beyond length. Pure. */
bool nx_parse(const char *chunk, size_t length, struct nx_line *line);

/* Does the parsed line speak of this task? configuration NULL or "": none. Compares with both spellings (the target in
 * quotes when it holds ':', command-line overrides after a space). */
bool nx_line_is(const char *chunk, size_t length, const struct nx_line *line, const char *project, const char *target,
		const char *configuration);

#endif
