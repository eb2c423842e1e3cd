/* Where a command is, as execvp would find it. */
#ifndef HEAPLOG_CLI_FIND_H
#define HEAPLOG_CLI_FIND_H

#include <limits.h>

/* The file that execvp(command) would run: command itself where it holds a '/', else the first executable regular file
 * of that name in search_path ("" components mean the current directory; NULL: the C library's default).
 * Returns 0 and fills path, or a positive errno: ENOENT (nowhere; status 127 in a shell), EACCES (found, but not
 * executable), ENAMETOOLONG. Reads the file system, changes nothing. */
int find_command(const char *command, const char *search_path, char path[PATH_MAX]);

/* The last component of path ("/usr/bin/node" -> "node"): a pointer into it. Pure. */
const char *find_basename(const char *path);

/* Search from directory upwards for an existing "DIRECTORY/relative" (node_modules/.bin/nx, package.json).
 * Returns 0 and fills path, or ENOENT. */
int find_upwards(const char *directory, const char *relative, char path[PATH_MAX]);

/* Read at most size - 1 bytes of the file at path and add a NUL. Returns the length, or -1 with errno. */
long find_read(const char *path, char *text, unsigned long size);

#endif
