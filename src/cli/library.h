/* Where libheaplog is, and how it gets into a process. */
#ifndef HEAPLOG_CLI_LIBRARY_H
#define HEAPLOG_CLI_LIBRARY_H

#include <limits.h>
#include <stddef.h>

#ifdef __APPLE__
#define LIBRARY_NAME "libheaplog.dylib"
#define LIBRARY_VARIABLE "DYLD_INSERT_LIBRARIES"
#else
#define LIBRARY_NAME "libheaplog.so"
#define LIBRARY_VARIABLE "LD_PRELOAD"
#endif

/* The path of the running program (/proc/self/exe), symbolic links resolved. Returns 0, or -1 with errno. */
int library_self(char path[PATH_MAX]);

/* The library that belongs to the command at path self: beside it (build tree), in ../lib of an installation and of the
 * npm package, or where this build's `make install` puts it. Returns 0 and fills path, symbolic links resolved, or
 * ENOENT; then path is the first place that was looked at. */
int library_find(const char *self, char path[PATH_MAX]);

/* Where this build's `make install` puts it: the last place that is looked at. */
extern const char library_installed[];

/* The value of LD_PRELOAD with library in it. before: the user's value (NULL or "": none), which stays as it is with
 * ours at the end: a sanitizer's runtime insists on being first. Where a library of our name is there already, that
 * stays the only one. Returns the length, or 0 when it does not fit into size bytes at text. Pure. */
size_t library_join(const char *before, const char *library, char *text, size_t size);

/* A path that LD_PRELOAD can hold. The loader splits at blanks and colons and expands '$', and there is no quoting: for
 * a path with one of these a symbolic link to it is made in the user's runtime directory (the same for every run, since
 * Nx recomputes its graph when a variable changes). Returns 0, or a positive errno. */
int library_spell(const char *library, char path[PATH_MAX]);

/* The user's own directory for such things, "$XDG_RUNTIME_DIR/heaplog" or "/tmp/heaplog-UID", made with mode 0700 where
 * it is not there. Returns 0 and fills directory; or a positive errno: EPERM when it belongs to somebody else or others
 * may write to it. */
int library_runtime_directory(char directory[PATH_MAX]);

#endif
