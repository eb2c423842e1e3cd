/* A made-up /proc in the test's directory, as far as the walk reads one, and looks at it. */
#ifndef HEAPLOG_TESTS_FAKE_PROC_H
#define HEAPLOG_TESTS_FAKE_PROC_H

#include "measure/process_tree.h"

/* path with text, which replaces what is there. */
void fake_file(const char *path, const char *text);

/* proc/PID/file with text. */
void fake_put(int pid, const char *file, const char *text);

/* proc/PID with the given comm, flags (field 9 of stat), resident memory (its mark is twice that) and children. */
void fake_process(int pid, const char *comm, unsigned flags, unsigned kb, const char *children);

/* A process without children that has exec'ed, as status, statm and smaps_rollup (half as much) tell it. */
void fake_child(int pid, int parent, unsigned kb, unsigned mark_kb);

/* The id that was given away last, as loadavg has it. */
void fake_last_pid(int pid);

/* A tree over proc with so many descriptors to keep. */
struct heaplog_tree *fake_tree_create(const char *proc, unsigned budget);

/* A look, 110 ms after the one before. Returns the number of members. */
size_t fake_tick(struct heaplog_tree *tree, struct heaplog_peak *peak);

#endif
