/* macOS in place of Linux: what the library's files name and macOS does not have, and what stands for it there. Included
 * before every file of a build for macOS (-include), so that those files need no #ifdef.
 *
 * On Linux the library makes raw system calls, past other preloaded libraries. On macOS the numbers of system calls are
 * private and libSystem is the interface; dyld does not interpose the calls of the library that holds the table, so that
 * a plain call from here goes past our own functions. syscall(SYS_close, fd) becomes darwin_SYS_close(fd). */
#ifndef HEAPLOG_DARWIN_PLATFORM_H
#define HEAPLOG_DARWIN_PLATFORM_H

#define _DARWIN_C_SOURCE 1

#include <alloca.h>
#include <crt_externs.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mach/mach.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A dynamic library cannot name the program's environ itself. */
#ifndef HEAPLOG_COMMAND
#define environ (*_NSGetEnviron())
#endif

/* qsort_r with the arguments in glibc's order. */
struct darwin_order {
	int (*compare)(const void *, const void *, void *);
	void *context;
};

static inline int darwin_compare(void *order, const void *a, const void *b)
{
	const struct darwin_order *by = (const struct darwin_order *)order;

	return by->compare(a, b, by->context);
}

static inline void darwin_qsort_r(void *base, size_t count, size_t width,
				  int (*compare)(const void *, const void *, void *), void *context)
{
	struct darwin_order order = {compare, context};

	qsort_r(base, count, width, &order, darwin_compare);
}
#define qsort_r darwin_qsort_r

/* A set-user-ID program; its dyld would not have loaded us. */
#define secure_getenv(name) (issetugid() ? NULL : getenv(name))

#define AT_SECURE 23
#define getauxval(which) issetugid()
#define O_PATH 0      /* of /proc, which is not there */
#define O_LARGEFILE 0 /* all are */
#define st_mtim st_mtimespec

#pragma clang diagnostic ignored "-Wvariadic-macro-arguments-omitted" /* syscall(SYS_getpid) */
#define syscall(call, ...) darwin_##call(__VA_ARGS__)
#define darwin_SYS_getpid() getpid()

static inline long darwin_SYS_openat(int directory, const char *path, int flags, int mode)
{
	return openat(directory, path, flags, mode);
}

static inline long darwin_SYS_close(long fd)
{
	return close((int)fd);
}

static inline long darwin_SYS_read(int fd, void *text, size_t size)
{
	return read(fd, text, size);
}

/* Without SIGPIPE and SIGXFSZ. */
long darwin_SYS_write(int fd, const void *text, size_t size);

static inline long darwin_SYS_pread64(int fd, void *text, size_t size, off_t at)
{
	return pread(fd, text, size, at);
}

static inline long darwin_SYS_fcntl(int fd, int command, int argument)
{
	return fcntl(fd, command, argument);
}

/* Only ever asked about this process. */
static inline long darwin_SYS_prlimit64(pid_t pid, int resource, const struct rlimit *set, struct rlimit *limit)
{
	(void)pid;
	(void)set;
	return getrlimit(resource, limit);
}

static inline long darwin_SYS_fstat(int fd, struct stat *status)
{
	return fstat(fd, status);
}

static inline long darwin_SYS_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	return wait4(pid, status, options, usage);
}

static inline long darwin_SYS_waitid(idtype_t type, long id, siginfo_t *info, int options, const void *usage)
{
	(void)usage;
	return waitid(type, (id_t)id, info, options);
}

static inline long darwin_SYS_getcwd(char *text, size_t size)
{
	return getcwd(text, size) ? (long)strlen(text) : -1;
}

/* Where libc's _exit is missing; here it never is. */
static inline void darwin_SYS_exit_group(int status)
{
	_exit(status);
}

/* A private table of descriptors: there is none on macOS, and none is needed, since libproc opens nothing. What the
 * library opens for a moment (HEAPLOG_RESULTS, a record's file) has close-on-exec. */
#define CLOSE_RANGE_UNSHARE 0U
#define CLONE_FILES 0
#define darwin_SYS_close_range(from, to, flags) 0
#define darwin_SYS_unshare(flags) 0

/* Waiting for a word in memory, also in memory that processes share: what libc++ uses for atomic waits. Exported by
 * libSystem since 10.12; declared here as in xnu's bsd/sys/ulock.h. Microseconds; 0: no limit. */
int __ulock_wait(uint32_t operation, void *address, uint64_t value, uint32_t timeout_us);
int __ulock_wake(uint32_t operation, void *address, uint64_t value);

enum {
	UL_COMPARE_AND_WAIT_SHARED = 3,
	ULF_WAKE_ALL = 0x100,
	FUTEX_WAIT,
	FUTEX_WAKE,
	FUTEX_WAIT_PRIVATE,
	FUTEX_WAKE_PRIVATE,
};

static inline long darwin_SYS_futex(void *word, int operation, uint32_t value, const struct timespec *timeout,
				    const void *unused, int also_unused)
{
	uint64_t us = timeout ? (uint64_t)timeout->tv_sec * 1000000U + (uint64_t)timeout->tv_nsec / 1000U + 1 : 0;

	(void)unused;
	(void)also_unused;
	if (operation == FUTEX_WAKE || operation == FUTEX_WAKE_PRIVATE)
		return __ulock_wake(UL_COMPARE_AND_WAIT_SHARED | ULF_WAKE_ALL, word, 0);
	if (us > UINT32_MAX)
		us = UINT32_MAX;
	return __ulock_wait(UL_COMPARE_AND_WAIT_SHARED, word, value, (uint32_t)us);
}

/* A file without a name, in TMPDIR. It has no seals: only its owner could change it. */
enum { MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2 };
enum { F_SEAL_SEAL = FD_CLOEXEC, F_SEAL_SHRINK = 0, F_SEAL_GROW = 0, F_SEAL_WRITE = 0 };
#define F_ADD_SEALS F_SETFD /* says again what holds already */
long darwin_SYS_memfd_create(const char *name, int flags);

/* Has this process more than one thread? */
bool darwin_has_threads(void);

/* execvp with an environment. */
int darwin_execvpe(const char *file, char *const argv[], char *const envp[]);
#ifdef HEAPLOG_COMMAND
#define execvpe darwin_execvpe
#endif

/* Can these eight bytes be read? As the Linux call with an impossible request: it never succeeds, and says EFAULT where
 * they cannot. */
static inline long darwin_SYS_rt_sigprocmask(int how, const void *at, void *old, size_t size)
{
	char bytes[8];
	vm_size_t got = 0;

	(void)how;
	(void)old;
	errno = vm_read_overwrite(mach_task_self(), (vm_address_t)at, size, (vm_address_t)bytes, &got) == KERN_SUCCESS
		    ? EINVAL
		    : EFAULT;
	return -1;
}

/* Takes nothing. What say.c and record.c take from the queue on Linux is not sent here: darwin_SYS_write sees to SIGPIPE
 * and SIGXFSZ, and a thread that blocks SIGTTOU is not sent it (xnu's bsd/kern/tty.c). sigpending() and sigwait() in
 * its place could wait for ever: of a signal that was sent to the process, which another thread has had in between. */
static inline int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *none)
{
	(void)set;
	(void)info;
	(void)none;
	errno = EAGAIN;
	return -1;
}

/* The thread's name; the program's. name has room for 16 bytes, as on Linux. */
enum { PR_SET_NAME = 15, PR_GET_NAME = 16 };
#define prctl(what, ...) darwin_prctl(what, __VA_ARGS__)
#define darwin_SYS_prctl(what, ...) darwin_prctl(what, __VA_ARGS__)

static inline int darwin_name(int what, const char *name)
{
	if (what == PR_SET_NAME)
		return pthread_setname_np(name);
	strlcpy((char *)(uintptr_t)name, getprogname(), 16);
	return 0;
}
#define darwin_prctl(what, name, ...) darwin_name(what, name)

/* There is no page that fork wipes: our fork does it in the child (real_darwin.c), and who calls another has no child
 * that comes back to us. */
#define MADV_WIPEONFORK MADV_NORMAL
#define MADV_DONTFORK MADV_NORMAL /* spares a copy, no more */

/* Thread-local storage does not come out of a thread's stack. */
struct dl_phdr_info {
	int dlpi_phnum;
	const struct {
		int p_type;
		size_t p_memsz, p_align;
	} * dlpi_phdr;
};
enum { PT_TLS = 7 };
#define dl_iterate_phdr(visit, data) ((void)(visit), (void)(data))

#endif
