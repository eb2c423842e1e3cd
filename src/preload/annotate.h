/* The suffix of a result line: pure, no I/O. */
#ifndef HEAPLOG_PRELOAD_ANNOTATE_H
#define HEAPLOG_PRELOAD_ANNOTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANNOTATE_SUFFIX_MAX = 112 };

/* What a suffix says. All zero but for the peak: " (peak: 512MB)". */
struct figure {
	uint64_t peak; /* bytes; 0: there is no figure, and no suffix */
	uint64_t warn; /* bytes, as HEAPLOG_WARN has it; a peak above it is yellow and says so. 0: no threshold */
	int signal;    /* number of the signal that ended the task, 0: none */
	bool oom;      /* the kernel ended it for want of memory; said instead of the signal */
	bool running;  /* it outlived its runner: "still running" */
	bool pss;      /* proportional: " (peak: 512MB pss)" */
	bool last;     /* of an earlier run: " (last peak: …)" */
};

/* Write " (peak: 512MB, over 500MB, OOM-killed)" into text; when coloured dim (SGR 2 … 22), and yellow (33 … 39) above
 * the threshold. Returns the length, at most ANNOTATE_SUFFIX_MAX; no NUL is written. 0 when there is no figure. */
size_t annotate_suffix(const struct figure *figure, bool coloured, char text[static ANNOTATE_SUFFIX_MAX]);

/* What stands behind the peak, by itself: "over 500MB, OOM-killed". Returns the length; 0: nothing. */
size_t annotate_notes(const struct figure *figure, char text[static ANNOTATE_SUFFIX_MAX]);

#endif
