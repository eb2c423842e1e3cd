/* Lets the n-th call that libheaplog makes to the kernel or the allocator fail, and no call of the program's own:
 * preloaded before libheaplog, it stands behind that library's imports, and looks where each call comes from.
 *
 *   FAULT_AT=N      which call; 0: none    FAULT_ERRNO=E   with which error
 *   FAULT_COUNT=F   at the end, the number of calls is written to F
 *   FAULT_PROGRAM=P only in processes of this name */
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
	counted = getpid();
}

/* Is this call of the library's the one? */
static bool fails(const void *caller)
{
	if (at < 0)
		set_up();
	if ((uintptr_t)caller < begin || (uintptr_t)caller >= end)
		return false;
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

	/* A futex wake, and the end of a thread's life, cannot fail. */
	FAULT(-1);
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	register long r10 __asm__("r10") = a[3];
	register long r8 __asm__("r8") = a[4];
	register long r9 __asm__("r9") = a[5];
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
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
