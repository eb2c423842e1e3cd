/* The lines of Nx: pure recognition of result lines, and of the places between lines, in one chunk of output. */
#ifndef HEAPLOG_PRELOAD_NX_H
#define HEAPLOG_PRELOAD_NX_H

#include <stdbool.h>
#include <stddef.h>

enum nx_form {
	NX_NONE,
	NX_STATIC, /* "> nx run ID", or "::group::ICON > nx run ID": no newline. A header before the start, or a result
		    */
	NX_HEADER, /* "> nx run ID\n\n" (22+, from Rust): always before the start */
	NX_COLLAPSED, /* "ICON  nx run ID\n" (23+) */
	NX_DYNAMIC,   /* "   ICON  nx run ID (3s)": no newline */
	NX_CHECKLIST, /* "   ICON  nx run ID\n": after the TUI closed */
	NX_SUMMARY,   /* "✖ nx run ID\n": failures of the summary style (23+), on stderr */
};

struct nx_line {
	enum nx_form form;
	bool cached;      /* "[local cache]", "[remote cache]", "[existing outputs match ...]" */
	bool coloured;    /* the chunk carries SGR sequences */
	bool bare;        /* without "nx run", as Lerna has it: a result line only where a task of that name ended */
	size_t insert_at; /* where a suffix goes: the end, or before the newline */
	size_t id_at;     /* where the task's name begins in the chunk; SGR sequences may stand inside it */
};

/* Is the chunk, as a whole, a result line of Nx? Fills *line and returns true. Never reads beyond length. Pure. */
bool nx_parse(const char *chunk, size_t length, struct nx_line *line);

/* Does the parsed line speak of this task? configuration NULL or "": none. Compares with both spellings (the target in
 * quotes when it holds ':', command-line overrides after a space). */
bool nx_line_is(const char *chunk, size_t length, const struct nx_line *line, const char *project, const char *target,
		const char *configuration);

/* What else a chunk can be, for lines of our own to find their place. */
enum nx_place {
	NX_TEXT,    /* anything */
	NX_NOTHING, /* no byte that is seen: empty, or escape sequences alone */
	NX_BLANK,   /* a newline by itself */
	NX_RULE,    /* the coloured rule above the run's last title */
	NX_TITLE,   /* the run's last title: " NX   Successfully ran target …" */
	NX_COUNTS,  /* the same in the summary style, " NX   6 tasks: …": failures follow as NX_SUMMARY */
};

/* Classify a chunk. Pure. */
enum nx_place nx_place_of(const char *chunk, size_t length);

/* Do the first three bytes of a chunk, which are there, say that it is no result line and NX_TEXT, whatever follows? False:
 * they do not say. Pure. */
bool nx_is_text(const char *chunk);

/* The length of the prefix "PROJECT: " with its colours at the start of the chunk, as --output-style=stream has it; 0:
 * there is none. Pure. */
size_t nx_prefix(const char *chunk, size_t length, const char *project);

#endif
