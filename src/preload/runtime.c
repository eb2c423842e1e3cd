#include "preload/runtime.h"

#include "preload/environment.h"
#include "preload/real.h"
#include "preload/tasks.h"
#include "record/size.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { INTERVAL_DEFAULT_MS = 500, INTERVAL_MIN_MS = 10, INTERVAL_MAX_MS = 60000 };

struct runtime heaplog_runtime;
static struct process nobody;
struct process *heaplog_process = &nobody;

bool runtime_is_owner(void)
{
	return atomic_load(&heaplog_process->owner) == getpid();
}

void runtime_lock(void *mask)
{
	sigset_t all;
	uint32_t expected = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, mask);
	if (atomic_compare_exchange_strong(&heaplog_process->lock, &expected, 1))
		return;
	while (atomic_exchange(&heaplog_process->lock, 2) != 0)
		syscall(SYS_futex, &heaplog_process->lock, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

void runtime_unlock(const void *mask)
{
	if (atomic_exchange(&heaplog_process->lock, 0) == 2)
		syscall(SYS_futex, &heaplog_process->lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	pthread_sigmask(SIG_SETMASK, mask, NULL);
}

void runtime_warn(const char *first, ...)
{
	const int saved = errno;
	char line[2048] = "heaplog: ";
	size_t used = strlen(line);
	va_list pieces;

	va_start(pieces, first);
	for (const char *piece = first; piece; piece = va_arg(pieces, const char *))
		for (; *piece && used < sizeof line - 1; piece++) /* what a variable holds must not steer a terminal */
			line[used++] = (unsigned char)*piece < ' ' || *piece == 0x7f ? '?' : *piece;
	va_end(pieces);
	line[used++] = '\n';
	syscall(SYS_write, STDERR_FILENO, line, used);
	errno = saved;
}

/* Does the parent have us loaded as well? Then it has read the same variables and said what there was to say. */
static bool parent_is_preloaded(void)
{
	char path[32] = "/proc/";
	char text[65536];
	char *digit = path + sizeof path - 1;
	ssize_t length;
	int fd;

	*digit = '\0';
	for (pid_t pid = getppid(); pid > 0; pid /= 10)
		*--digit = (char)('0' + pid % 10);
	memmove(path + 6, digit, strlen(digit) + 1);
	strcat(path, "/environ");
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	length = syscall(SYS_read, fd, text, sizeof text - 1);
	syscall(SYS_close, fd);
	for (ssize_t at = 0; at < length; at += (ssize_t)strlen(text + at) + 1) {
		text[length] = '\0';
		if (strncmp(text + at, "LD_PRELOAD=", 11) == 0)
			return environment_has_token(text + at + 11, heaplog_runtime.library);
	}
	return false;
}

static void malformed(const char *name, const char *value, const char *expected, const char *used)
{
	if (!parent_is_preloaded())
		runtime_warn(name, "=", value, " is not ", expected, "; using ", used, (char *)NULL);
}

/* 1 on, 0 off, -1 not set. */
static int read_switch(const char *name)
{
	const char *value = secure_getenv(name);

	if (!value || !*value)
		return -1;
	if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		return 1;
	if (strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
		malformed(name, value, "true, 1, false or 0", "false");
	return 0;
}

/* Digits alone, within low and high; *value is touched only then. Not libbsd's strtonum: its object is built with a
 * stack guard, which on aarch64 makes ld-linux-aarch64.so.1 a second needed library, and it takes " +500". */
static bool read_number(const char *text, uint32_t low, uint32_t high, uint32_t *value)
{
	uint64_t number = 0;

	for (const char *at = text; *at; at++) {
		if (*at < '0' || *at > '9' || number > high)
			return false;
		number = number * 10 + (uint64_t)(*at - '0');
	}
	if (!*text || number < low || number > high)
		return false;
	*value = (uint32_t)number;
	return true;
}

static void read_settings(void)
{
	const char *interval = secure_getenv("HEAPLOG_INTERVAL_MS");
	const char *results = secure_getenv("HEAPLOG_RESULTS");
	const char *warn = secure_getenv("HEAPLOG_WARN");

	if (warn && *warn &&
	    (heaplog_size_parse(warn, &heaplog_runtime.warn_bytes) != 0 || !heaplog_runtime.warn_bytes))
		malformed("HEAPLOG_WARN", warn, "a size such as 800MB or 1.5GB", "no threshold");
	heaplog_runtime.interval_ms = INTERVAL_DEFAULT_MS;
	if (interval && *interval &&
	    !read_number(interval, INTERVAL_MIN_MS, INTERVAL_MAX_MS, &heaplog_runtime.interval_ms))
		malformed("HEAPLOG_INTERVAL_MS", interval, "a number of milliseconds from 10 to 60000", "500");
	if (!results || !*results)
		return;
	/* Made absolute now: the runner may change its directory before the first record. */
	if (*results != '/' && getcwd(heaplog_runtime.results, RUNTIME_PATH_MAX))
		strcat(heaplog_runtime.results, "/");
	if (strlen(heaplog_runtime.results) + strlen(results) >= RUNTIME_PATH_MAX) {
		heaplog_runtime.results[0] = '\0';
		malformed("HEAPLOG_RESULTS", results, "a path that is short enough", "no results file");
		return;
	}
	strcat(heaplog_runtime.results, results);
}

/* stdout and stderr by device and inode: libuv re-opens a terminal under another number, and a program may close fd 1
 * and get a file of its own there. */
static void note_outputs(void)
{
	struct stat status;

	for (int i = 0; i < 2; i++) {
		if (fstat(STDOUT_FILENO + i, &status) != 0)
			continue;
		heaplog_runtime.output_known[i] = true;
		heaplog_runtime.output_device[i] = status.st_dev;
		heaplog_runtime.output_inode[i] = status.st_ino;
		heaplog_runtime.output_rdev[i] = status.st_rdev;
	}
}

static void note_own_name(void)
{
	Dl_info info;
	const char *slash;

	strcpy(heaplog_runtime.library, "libheaplog.so");
	if (!dladdr(&heaplog_runtime, &info) || !info.dli_fname)
		return;
	slash = strrchr(info.dli_fname, '/');
	slash = slash ? slash + 1 : info.dli_fname;
	if (*slash && strlen(slash) < RUNTIME_NAME_MAX)
		strcpy(heaplog_runtime.library, slash);
}

static int add_tls(struct dl_phdr_info *info, size_t size, void *sum)
{
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_TLS)
			*(size_t *)sum += info->dlpi_phdr[i].p_memsz + info->dlpi_phdr[i].p_align;
	return 0;
}

__attribute__((constructor)) static void start(void)
{
	const int saved = errno;
	struct process *process;
	int nx, own;

	real_resolve();
	note_own_name();
	nx = read_switch("NX_LOG_HEAP_USAGE");
	own = read_switch("HEAPLOG");
	/* Inside a task: only the outermost runner annotates, since Nx caches a task's output and would replay our
	 * figure. */
	if ((nx != 1 && own != 1) || real_is_another_heaplog() || getenv("NX_TASK_TARGET_PROJECT"))
		goto done;
	process = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (process == MAP_FAILED)
		goto done;
	/* Without it (Linux before 4.14) a forked child would take its parent's state for its own. */
	if (madvise(process, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK) != 0) {
		munmap(process, (size_t)sysconf(_SC_PAGESIZE));
		goto done;
	}
	heaplog_process = process;
	read_settings();
	note_outputs();
	dl_iterate_phdr(add_tls, &heaplog_runtime.tls_size);
	heaplog_runtime.on = true;
done:
	errno = saved;
}

__attribute__((destructor)) static void stop(void)
{
	const int saved = errno;

	if (heaplog_runtime.on)
		tasks_flush();
	errno = saved;
}
