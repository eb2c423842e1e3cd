/* The wait family. The record of a task is complete before the runner learns that it ended: its result line can follow
 * within a tenth of a millisecond. We never wait ourselves, and hold nothing while the real function waits. */
#include "preload/real.h"
#include "preload/runtime.h"
#include "preload/sampler.h"
#include "preload/tasks.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One call of the family: what the caller gave, for an attempt that does not block. */
struct call {
	pid_t pid;
	idtype_t type;
	id_t id;
	int options;
	int *status;
	siginfo_t *info;
	struct rusage *usage;
};

/* By number: with signals blocked this is no place for a cancellation. */
static long try_wait4(const void *argument)
{
	const struct call *call = argument;

	return syscall(SYS_wait4, call->pid, call->status, call->options | WNOHANG, call->usage);
}

/* 0: nothing yet; 1: *info has a child; -1: an error. */
static long try_waitid(const void *argument)
{
	const struct call *call = argument;

	if (syscall(SYS_waitid, call->type, call->id, call->info, call->options | WNOHANG, call->usage) != 0)
		return -1;
	return call->info->si_pid > 0;
}

/* The real wait. cancelled: as a cancellation point, which wait and waitpid are. musl's wait4 is none, so that a thread
 * that is cancelled there would wait for ever; meanwhile it is cancelled at once, as glibc long had it. */
static pid_t wait_for(const struct call *call, bool cancelled)
{
#if defined(__GLIBC__) || defined(__APPLE__)
	(void)cancelled;
	return real()->wait4(call->pid, call->status, call->options, call->usage);
#else
	int type = PTHREAD_CANCEL_DEFERRED;
	pid_t child;

	if (cancelled)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	child = real()->wait4(call->pid, call->status, call->options, call->usage);
	if (cancelled)
		pthread_setcanceltype(type, NULL);
	return child;
#endif
}

/* wait4 serves all but waitid: the same semantics as waitpid, and it alone gives ru_maxrss. A child may become a task
 * while the call is under way, so that it is used whether or not there is a task yet. The kernel writes to the caller's
 * own places: where these are bad it says EFAULT, with the child reaped all the same. */
static pid_t reap(pid_t pid, int *status, int options, struct rusage *usage)
{
	/* Not left as it is: an old return address of a handler might stand here, and look like a handler that runs
	 * (handler.c; seen on musl). */
	struct rusage local_usage = {.ru_maxrss = 0};
	int local = 0;
	const struct call call = {
	    .pid = pid,
	    .options = options,
	    .status = status ? status : &local,
	    .usage = usage ? usage : &local_usage,
	};
	long settled;
	pid_t child;

	settled = sampler_settle(try_wait4, &call, !(options & WNOHANG));
	child = settled ? (pid_t)settled : wait_for(&call, !usage && !(options & WNOHANG));
	if (child > 0 && (WIFEXITED(*call.status) || WIFSIGNALED(*call.status)))
		tasks_reaped(child, true, *call.status, call.usage);
	return child;
}

/* pid_t wait(int *status); */
HEAPLOG_EXPORT pid_t wait(int *status)
{
	return heaplog_board ? reap(-1, status, 0, NULL) : real()->wait(status);
}

HEAPLOG_ALIAS(__wait, wait);

/* pid_t waitpid(pid_t pid, int *status, int options); */
HEAPLOG_EXPORT pid_t waitpid(pid_t pid, int *status, int options)
{
	return heaplog_board ? reap(pid, status, options, NULL) : real()->waitpid(pid, status, options);
}

HEAPLOG_ALIAS(__waitpid, waitpid);

/* pid_t wait3(int *status, int options, struct rusage *usage); */
HEAPLOG_EXPORT pid_t wait3(int *status, int options, struct rusage *usage)
{
	return heaplog_board ? reap(-1, status, options, usage) : real()->wait3(status, options, usage);
}

/* pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage); */
HEAPLOG_EXPORT pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	return heaplog_board ? reap(pid, status, options, usage) : real()->wait4(pid, status, options, usage);
}

/* What the child held the system call says (kernel/exit.c), and libc's waitid does not. That one is a cancellation point:
 * meanwhile the thread is cancelled at once, as in glibc before 2.41. Not two calls, one to wait that leaves the child and
 * one to reap it: between them a handler of SIGCHLD would take it. */
static int wait_by_id(const struct call *call)
{
#if defined(__linux__)
	int type = PTHREAD_CANCEL_DEFERRED;
	int result;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	result = (int)syscall(SYS_waitid, call->type, call->id, call->info, call->options, call->usage);
	pthread_setcanceltype(type, NULL);
	return result;
#else
	return real()->waitid(call->type, call->id, call->info, call->options);
#endif
}

/* int waitid(idtype_t type, id_t id, siginfo_t *info, int options); WNOWAIT leaves the child to be waited for again. */
HEAPLOG_EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	siginfo_t local = {.si_pid = 0};
	/* An emulator may leave it as it is (qemu): then nothing is known. */
	struct rusage usage = {.ru_maxrss = 0};
	const struct call call = {
	    .type = type, .id = id, .options = options, .info = info ? info : &local, .usage = &usage};
	const siginfo_t *const seen = call.info;
	long settled = 0;
	int result;

	if (!heaplog_board)
		return real()->waitid(type, id, info, options);
	/* A bad address is the kernel's to refuse: not looked at before it has written there. */
	if (!info || runtime_readable(info, sizeof *info))
		settled = sampler_settle(try_waitid, &call, !(options & WNOHANG));
	result = settled ? (settled > 0 ? 0 : -1) : wait_by_id(&call);
	if (result == 0 && !(options & WNOWAIT) && seen->si_pid > 0) {
		/* Put together as waitpid reports it. */
		if (seen->si_code == CLD_EXITED)
			tasks_reaped(seen->si_pid, true, (seen->si_status & 0xff) << 8, &usage);
		else if (seen->si_code == CLD_KILLED || seen->si_code == CLD_DUMPED)
			tasks_reaped(seen->si_pid, true, seen->si_status & 0x7f, &usage);
	}
	return result;
}
