#include "measure/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

size_t procfs_put_number(char *text, uint64_t value)
{
	char reversed[24];
	size_t length = 0;

	do
		reversed[length++] = (char)('0' + value % 10);
	while (value /= 10);
	for (size_t i = 0; i < length; i++)
		text[i] = reversed[length - 1 - i];
	text[length] = '\0';
	return length;
}

static char *put(char *at, const char *text)
{
	const size_t length = strlen(text);

	memcpy(at, text, length + 1);
	return at + length;
}

int procfs_open(const char *proc, pid_t pid, pid_t tid, const char *file, int flags)
{
	char path[PROCFS_PATH_MAX + 96];
	char *at = put(path, proc);

	if (pid > 0) {
		at = put(at, "/");
		at += procfs_put_number(at, (uint64_t)pid);
	}
	if (tid > 0) {
		at = put(at, "/task/");
		at += procfs_put_number(at, (uint64_t)tid);
	}
	put(put(at, "/"), file);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0);
}

ssize_t procfs_read(int fd, char *text, size_t size, long offset)
{
	const ssize_t length = syscall(SYS_pread64, fd, text, size - 1, offset);

	text[length > 0 ? length : 0] = '\0';
	return length;
}

void procfs_close(int fd)
{
	const int saved = errno;

	if (fd >= 0)
		syscall(SYS_close, fd);
	errno = saved;
}

ssize_t procfs_read_file(const char *proc, pid_t pid, const char *file, char *text, size_t size)
{
	const int fd = procfs_open(proc, pid, 0, file, O_RDONLY);
	ssize_t length = -1;

	text[0] = '\0';
	if (fd < 0)
		return -1;
	length = procfs_read(fd, text, size, 0);
	procfs_close(fd);
	return length;
}

unsigned procfs_threads(int fd)
{
#ifdef SYS_newfstatat /* where struct stat is the kernel's own */
	struct stat status;

	if (fd >= 0 && syscall(SYS_fstat, fd, &status) == 0 && status.st_nlink > 2)
		return (unsigned)status.st_nlink - 2;
#else
	(void)fd;
#endif
	return 0;
}

uint64_t procfs_field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* Fields are counted from the last ')': a process names itself as it likes, also ") R 1 (". */
int procfs_stat(const char *proc, pid_t pid, struct procfs_stat *stat)
{
	char text[2048];
	char *at;

	if (procfs_read_file(proc, pid, "stat", text, sizeof text) <= 0 || !(at = strrchr(text, ')')))
		return -1;
	for (int field = 3; (at = strchr(at, ' ')); field++) {
		at++;
		if (field == 4)
			stat->parent = (pid_t)strtol(at, NULL, 10);
		else if (field == 5)
			stat->group = (pid_t)strtol(at, NULL, 10);
		else if (field == 6)
			stat->session = (pid_t)strtol(at, NULL, 10);
		else if (field == 9)
			stat->flags = strtoul(at, NULL, 10);
		else if (field == 22) {
			stat->started = strtoull(at, NULL, 10);
			return 0;
		}
	}
	return -1;
}

struct directory_entry { /* linux_dirent64 */
	uint64_t inode;
	int64_t next;
	unsigned short length;
	unsigned char type;
	char name[];
};

void procfs_each_number(int fd, bool (*visit)(void *context, pid_t number), void *context)
{
	_Alignas(struct directory_entry) char buffer[4096];
	long length;

	while ((length = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
		for (long offset = 0; offset < length;) {
			const struct directory_entry *entry = (const void *)(buffer + offset);

			if (entry->name[0] >= '1' && entry->name[0] <= '9' &&
			    !visit(context, (pid_t)strtol(entry->name, NULL, 10)))
				return;
			offset += entry->length;
		}
}

bool procfs_is_ours(const char *proc)
{
	char path[PROCFS_PATH_MAX + 8];
	char link[24], own[24];
	long length;

	put(put(path, proc), "/self");
	length = syscall(SYS_readlinkat, AT_FDCWD, path, link, sizeof link - 1);
	if (length <= 0)
		return false;
	link[length] = '\0';
	procfs_put_number(own, (uint64_t)getpid());
	return strcmp(link, own) == 0;
}
