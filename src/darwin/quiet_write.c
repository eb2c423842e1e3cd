/* What the library writes for itself, without a signal. xnu sends SIGPIPE and SIGXFSZ for a write to the process, not to
 * the thread that writes (psignal in bsd/kern/sys_generic.c and bsd/vfs/vfs_vnops.c): another thread may take it,
 * whatever ours has blocked, and the program would die of our words. So neither is to be sent at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Would it make a regular file longer than RLIMIT_FSIZE? Refused as a whole: half a record is none. */
static bool is_too_long(int fd, size_t size)
{
	struct rlimit limit;
	struct stat status;
	int flags;
	off_t at;

	if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || fstat(fd, &status) != 0 ||
	    !S_ISREG(status.st_mode))
		return false;
	flags = fcntl(fd, F_GETFL);
	at = flags >= 0 && flags & O_APPEND ? status.st_size : lseek(fd, 0, SEEK_CUR);
	return at < 0 || (rlim_t)at > limit.rlim_cur || limit.rlim_cur - (rlim_t)at < size;
}

/* write(2). The mark that keeps SIGPIPE away belongs to the open file, which others may share, and is put back at once;
 * a write of theirs in that moment to a pipe without a reader fails with EPIPE alone. Async-signal-safe. */
long darwin_SYS_write(int fd, const void *text, size_t size)
{
	bool marked;
	long written;
	int error;

	if (is_too_long(fd, size)) {
		errno = EFBIG;
		return -1;
	}
	marked = fcntl(fd, F_GETNOSIGPIPE) == 0 && fcntl(fd, F_SETNOSIGPIPE, 1) == 0;
	written = write(fd, text, size);
	error = errno;
	if (marked)
		fcntl(fd, F_SETNOSIGPIPE, 0);
	errno = error;
	return written;
}
