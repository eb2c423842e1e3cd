#include "preload/runtime.h"

#include "preload/closing.h"
#include "preload/exact.h"
#include "preload/plain.h"
#include "preload/real.h"
#include "preload/say.h"
#include "preload/result.h"
#include "preload/settings.h"
#include "preload/stack.h"
#include "preload/symbols.h"
#include "preload/tasks.h"

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
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct runtime heaplog_runtime;
static struct process nobody;
struct process *heaplog_process = &nobody;

void runtime_bind(void)
{
	static _Atomic bool bound;

	if (!atomic_load(&bound))
		symbols_bind_own();
	atomic_store(&bound, true);
}

bool runtime_prepare(void)
{
	struct process *expected = &nobody;
	struct process *process;

	if (heaplog_process != &nobody)
		return true;
	runtime_bind();
	process = mmap(NULL, sizeof *process, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (process == MAP_FAILED)
		return false;
	/* Without it (Linux before 4.14) a forked child would take its parent's state for its own. Another thread may
	 * have been quicker. */
	if (madvise(process, sizeof *process, MADV_WIPEONFORK) == 0 &&
	    __atomic_compare_exchange_n(&heaplog_process, &expected, process, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		return true;
	munmap(process, sizeof *process);
	return heaplog_process != &nobody;
}

bool runtime_is_owner(void)
{
	const pid_t owner = atomic_load(&heaplog_process->owner);

	return owner && owner == getpid();
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

/* rt_sigprocmask copies the set before it looks at how, and no how is -1: EINVAL where the eight bytes can be read. */
static bool can_read(const char *at)
{
	return syscall(SYS_rt_sigprocmask, -1, at, NULL, 8) != 0 && errno != EFAULT;
}

bool runtime_readable(const void *start, size_t length)
{
	const size_t page = 4096; /* or larger: then a page is asked for more than once */
	const int saved = errno;
	const char *at = start;
	bool readable = true;

	/* Most texts lie within one page: one question is enough. */
	if (length &&
	    ((uintptr_t)at & ~(uintptr_t)(page - 1)) == (((uintptr_t)at + length - 1) & ~(uintptr_t)(page - 1))) {
		readable = can_read((const char *)((uintptr_t)at & ~(uintptr_t)7));
		errno = saved;
		return readable;
	}
	/* The first bytes of each page, and the last bytes of all; of fewer than eight, which lie on two pages, what is
	 * beside them as well. */
	for (size_t offset = 0; readable && offset + 8 < length;
	     offset += page - (((uintptr_t)at + offset) & (page - 1)))
		readable = can_read(at + offset);
	if (readable && length && length < 8)
		readable = can_read((const char *)((uintptr_t)at & ~(uintptr_t)7)) &&
			   can_read((const char *)(((uintptr_t)at + length - 1) & ~(uintptr_t)7));
	else if (readable && length)
		readable = can_read(at + length - 8);
	errno = saved;
	return readable;
}

bool runtime_has_stderr(void)
{
	const int saved = errno;
	struct stat status;
	bool same;

	if (!heaplog_runtime.on) /* in the constructor */
		return true;
	same = heaplog_runtime.output_known[1] && fstat(STDERR_FILENO, &status) == 0 &&
	       status.st_dev == heaplog_runtime.output_device[1] && status.st_ino == heaplog_runtime.output_inode[1] &&
	       status.st_rdev == heaplog_runtime.output_rdev[1];
	errno = saved;
	return same;
}

void runtime_warn(const char *first, ...)
{
	const int saved = errno;
	char line[2048] = "heaplog: ";
	size_t used = strlen(line);
	va_list pieces;

	va_start(pieces, first);
	for (const char *piece = first; piece; piece = va_arg(pieces, const char *))
		for (; *piece && used < sizeof line - 1; piece++)
			line[used++] = *piece;
	va_end(pieces);
	plain(line, used);
	line[used++] = '\n';
	if (runtime_has_stderr())
		say(STDERR_FILENO, line, used);
	errno = saved;
}

/* stdout and stderr by device and inode: libuv re-opens a terminal under another number, and a program may close fd 1
 * and get a file of its own there. */
static void note_outputs(void)
{
	struct stat status;

	for (int i = 0; i < 2; i++) {
		if (syscall(SYS_fstat, STDOUT_FILENO + i, &status) != 0)
			continue;
		heaplog_runtime.output_known[i] = true;
		heaplog_runtime.output_device[i] = status.st_dev;
		heaplog_runtime.output_inode[i] = status.st_ino;
		heaplog_runtime.output_rdev[i] = status.st_rdev;
	}
}

static void note_own_name(void)
{
	const char *path = symbols_own_path();
	const char *name = path ? path : "";
	size_t length = 0;

	for (const char *at = name; *at; at++)
		if (*at == '/')
			name = at + 1;
	while (length < RUNTIME_NAME_MAX && name[length])
		length++;
	if (!length || length == RUNTIME_NAME_MAX)
		name = "libheaplog.so";
	for (length = 0; name[length]; length++)
		heaplog_runtime.library[length] = name[length];
}

static int add_tls(struct dl_phdr_info *info, size_t size, void *sum)
{
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_TLS)
			*(size_t *)sum += info->dlpi_phdr[i].p_memsz + info->dlpi_phdr[i].p_align;
	return 0;
}

void runtime_finish(void)
{
	const int saved = errno;

	if (heaplog_runtime.on && runtime_is_owner() && !stack_lacks(STACK_END)) {
		tasks_flush();
		closing_print();
		board_file_remove();
	}
	errno = saved;
}

/* Each function of libc that is called here for the first time is looked up, at 1.3 us: hence system calls by number, and
 * loops of our own. Most processes in which it is on are short and come to nothing else. */
__attribute__((constructor)) static void start(void)
{
	int saved;
	char program[TASK_RUNNER_MAX] = "";

	real_resolve();
	/* The usual process ends here: nothing of libc was called. */
	if (!settings_are_mentioned())
		return;
	saved = errno;
	note_own_name();
#if !defined(__x86_64__)
	runtime_bind(); /* it asks dlsym for some there, which takes a lock: not later */
#endif
	if (!settings_on()) {
		/* A program of a task cleared its environment, and ours put the token back. */
		if (exact_is_marked() && !real_is_another_heaplog()) {
			runtime_bind();
			heaplog_runtime.member = exact_join();
		}
		goto done;
	}
	settings_read_exact();
	if (heaplog_runtime.exact && !real_is_another_heaplog()) {
		runtime_bind(); /* two dozen are called: all at once take half as long as these one by one */
		heaplog_runtime.member = exact_join();
		if (heaplog_runtime.member)
			goto done;
	}
	/* Inside a task: only the outermost runner annotates, since Nx caches a task's output and would replay our
	 * figure. */
	if (real_is_another_heaplog() || settings_value("NX_TASK_TARGET_PROJECT"))
		goto done;
	settings_read();
	/* Where every child is a task the outermost process is the runner. What it starts by another way than a task
	 * (system, a subshell) has the library as well, and is no runner of its own. */
	if (heaplog_runtime.rule.preset == TASK_ALL && settings_parent_has_us())
		goto done;
	syscall(SYS_prctl, PR_GET_NAME, program);
	task_rule_start(&heaplog_runtime.rule, environ, program);
	heaplog_runtime.started = (pid_t)syscall(SYS_getpid);
	note_outputs();
	result_reserve();
	dl_iterate_phdr(add_tls, &heaplog_runtime.tls_size);
	heaplog_runtime.lines = heaplog_runtime.rule.preset == TASK_NX;
	heaplog_runtime.on = true;
done:
	errno = saved;
}

__attribute__((destructor)) static void stop(void)
{
	if (!heaplog_runtime.on && !heaplog_runtime.member)
		return;
	const int saved = errno;

	runtime_finish();
	if (heaplog_runtime.member)
		exact_leave();
	errno = saved;
}
