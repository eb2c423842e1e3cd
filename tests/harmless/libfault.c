/* Lets the n-th call that libheaplog makes to the kernel or the allocator fail, and no call of the program's own:
 * preloaded before libheaplog, it stands behind that library's imports, and looks where each call comes from.
 *
 *   FAULT_AT=N      which call; 0: none    FAULT_ERRNO=E   with which error
 *   FAULT_COUNT=F   at the end, the number of calls is written to F
 *   FAULT_PROGRAM=P only in processes of this name
 *   FAULT_SITES=F   each place in the library from which such a call came is appended to F: its offset, once a process
 *
 * What the library calls in libc that can fail is defined here: faults.py compares that with what the library imports. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static uintptr_t begin, end;
static long at = -1;
static int error;
static _Atomic long calls;
static pid_t counted;
static const char *sites;
static _Atomic unsigned char seen[1 << 20]; /* by offset: more than the library's text */

static int find(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	if (!strstr(info->dlpi_name, "libheaplog"))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD) {
			const uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

			begin = !begin || from < begin ? from : begin;
			end = from + info->dlpi_phdr[i].p_memsz > end ? from + info->dlpi_phdr[i].p_memsz : end;
		}
	return 1;
}

static void set_up(void)
{
	const char *program = getenv("FAULT_PROGRAM");

	at = 0;
	if (!program || strcmp(program, program_invocation_short_name) != 0)
		return;
	dl_iterate_phdr(find, NULL);
	at = getenv("FAULT_AT") ? atol(getenv("FAULT_AT")) : 0;
	error = getenv("FAULT_ERRNO") ? atoi(getenv("FAULT_ERRNO")) : EPERM;
	sites = getenv("FAULT_SITES");
	counted = getpid();
}

static long system_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* Between fork and exec as well, and in a thread that has no stack to speak of. */
static void note_site(uintptr_t offset)
{
	char line[20];
	size_t digit = sizeof line;
	long fd;

	if (!sites || offset >= sizeof seen || seen[offset])
		return;
	seen[offset] = 1;
	line[--digit] = '\n';
	do
		line[--digit] = "0123456789abcdef"[offset % 16];
	while (offset /= 16);
	fd = system_call(SYS_open, (long)sites, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600, 0, 0, 0);
	if (fd < 0)
		return;
	system_call(SYS_write, fd, (long)(line + digit), (long)(sizeof line - digit), 0, 0, 0);
	system_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

/* Is this call of the library's the one? */
static bool fails(const void *caller)
{
	if (at < 0)
		set_up();
	if ((uintptr_t)caller < begin || (uintptr_t)caller >= end)
		return false;
	note_site((uintptr_t)caller - begin);
	if (++calls != at)
		return false;
	errno = error;
	return true;
}

__attribute__((destructor)) static void report(void)
{
	const char *path = getenv("FAULT_COUNT");
	FILE *file;

	if (!path || counted != getpid() || !(file = fopen(path, "w")))
		return;
	fprintf(file, "%ld\n", (long)calls);
	fclose(file);
}

int __cxa_atexit(void (*function)(void *), void *argument, void *object);

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))
#define FAULT(failed)                                   \
	do {                                            \
		if (fails(__builtin_return_address(0))) \
			return failed;                  \
	} while (0)

long syscall(long number, ...)
{
	long a[6];
	va_list list;

	/* A thread always has a number. */
	if (number != SYS_gettid)
		FAULT(-1);
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	const long result = system_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);

	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
}

/* What else of libc can fail: the same for each. */
#define FAILING(type, name, failed, parameters, arguments) \
	type name parameters                               \
	{                                                  \
		FAULT(failed);                             \
		return REAL(name) arguments;               \
	}

FAILING(int, statfs, -1, (const char *path, struct statfs *status), (path, status))
FAILING(int, poll, -1, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
FAILING(int, sigaltstack, -1, (const stack_t *stack, stack_t *old), (stack, old))
FAILING(int, sigpending, -1, (sigset_t * set), (set))
FAILING(int, sigtimedwait, -1, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout),
	(set, info, timeout))
FAILING(int, nanosleep, -1, (const struct timespec *time, struct timespec *left), (time, left))
FAILING(int, pthread_attr_setstacksize, error, (pthread_attr_t * attributes, size_t size), (attributes, size))
FAILING(int, pthread_attr_setdetachstate, error, (pthread_attr_t * attributes, int state), (attributes, state))
FAILING(int, pthread_detach, error, (pthread_t thread), (thread))
FAILING(int, pthread_setcanceltype, error, (int type, int *old), (type, old))
FAILING(pid_t, getsid, -1, (pid_t pid), (pid))
FAILING(long, sysconf, -1, (int name), (name))
FAILING(int, __cxa_atexit, -1, (void (*function)(void *), void *argument, void *object), (function, argument, object))

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *argument;

	FAULT(-1);
	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	return REAL(ioctl)(fd, request, argument);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	FAULT(MAP_FAILED);
	return REAL(mmap)(address, length, protection, flags, fd, offset);
}

void *mremap(void *old, size_t old_size, size_t size, int flags, ...)
{
	FAULT(MAP_FAILED);
	return REAL(mremap)(old, old_size, size, flags);
}

int munmap(void *address, size_t length)
{
	FAULT(-1);
	return REAL(munmap)(address, length);
}

int madvise(void *address, size_t length, int advice)
{
	FAULT(-1);
	return REAL(madvise)(address, length, advice);
}

int fstat(int fd, struct stat *status)
{
	FAULT(-1);
	return REAL(fstat)(fd, status);
}

int stat(const char *path, struct stat *status)
{
	FAULT(-1);
	return REAL(stat)(path, status);
}

int fstatfs(int fd, struct statfs *status)
{
	FAULT(-1);
	return REAL(fstatfs)(fd, status);
}

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
	FAULT(-1);
	return REAL(getrlimit)(resource, limit);
}

int getrusage(__rusage_who_t who, struct rusage *usage)
{
	FAULT(-1);
	return REAL(getrusage)(who, usage);
}

int fcntl(int fd, int command, ...)
{
	va_list list;
	long argument;

	FAULT(-1);
	va_start(list, command);
	argument = va_arg(list, long);
	va_end(list);
	return REAL(fcntl)(fd, command, argument);
}

int prctl(int option, ...)
{
	unsigned long a[4];
	va_list list;

	FAULT(-1);
	va_start(list, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, unsigned long);
	va_end(list);
	return REAL(prctl)(option, a[0], a[1], a[2], a[3]);
}

ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
	FAULT(-1);
	return REAL(pread)(fd, buffer, size, offset);
}

ssize_t readlink(const char *path, char *buffer, size_t size)
{
	FAULT(-1);
	return REAL(readlink)(path, buffer, size);
}

char *getcwd(char *buffer, size_t size)
{
	FAULT(NULL);
	return REAL(getcwd)(buffer, size);
}

int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
	FAULT(-1);
	return REAL(sigaction)(number, action, old);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *), void *argument)
{
	if (fails(__builtin_return_address(0)))
		return error;
	return REAL(pthread_create)(thread, attributes, function, argument);
}
