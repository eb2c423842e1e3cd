/* Reading /proc by raw system calls: this runs in a thread of somebody else's program, and the hooks of other preloaded
 * libraries on open() and read() are not for us. No allocation, no stdio. Reentrant. */
#ifndef HEAPLOG_MEASURE_PROCFS_H
#define HEAPLOG_MEASURE_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCFS_PATH_MAX = 256 }; /* of the directory where procfs is */

/* Decimal digits and a NUL; returns the length. text has room for 24 bytes. */
size_t procfs_put_number(char *text, uint64_t value);

/* Open "<proc>/PID/<file>", with tid > 0 "<proc>/PID/task/TID/<file>", with pid 0 "<proc>/<file>". O_CLOEXEC is added
 * to flags. Returns a descriptor, or -1 with errno. */
int procfs_open(const char *proc, pid_t pid, pid_t tid, const char *file, int flags);

/* pread; text always ends with a NUL. Returns the number of bytes before it, or -1 with errno. */
ssize_t procfs_read(int fd, char *text, size_t size, long offset);

/* Open, read from the start, close. As procfs_read. */
ssize_t procfs_read_file(const char *proc, pid_t pid, const char *file, char *text, size_t size);

/* close; negative numbers are ignored. */
void procfs_close(int fd);

/* How many threads a process has, by the links of its directory "task": two, and one for each. 0: it has gone, or the file
 * system does not say, or fd is negative. */
unsigned procfs_threads(int fd);

/* The number after name ("\nVmRSS:") in text; 0 where it is not there. */
uint64_t procfs_field(const char *text, const char *name);

struct procfs_stat {
	pid_t parent, group, session;
	unsigned long flags; /* field 9 */
	uint64_t started;    /* field 22: clock ticks since boot */
};

/* Returns 0, or -1 when pid is gone or unreadable. */
int procfs_stat(const char *proc, pid_t pid, struct procfs_stat *stat);

/* Call visit for every entry of directory fd that is a number, until it returns false. */
void procfs_each_number(int fd, bool (*visit)(void *context, pid_t number), void *context);

/* Is proc that of this process's own pid namespace? Where it is not, its numbers mean other processes. */
bool procfs_is_ours(const char *proc);

#endif
