/* The wait family. The record of a task is complete before the runner learns that it ended: its result line can follow
 * within a tenth of a millisecond. We never wait ourselves, and hold nothing while the real function waits. */
#include "preload/real.h"
#include "preload/runtime.h"
#include "preload/sampler.h"
#include "preload/tasks.h"

#include <string.h>

/* wait4 serves all but waitid: the same semantics as waitpid, and it alone gives ru_maxrss. A child may become a task
 * while the call is under way, so that it is used whether or not there is a task yet. */
static pid_t reap(pid_t pid, int *status, int options, struct rusage *usage)
{
	struct rusage local_usage;
	int local = 0;
	pid_t child;

	options &WNOHANG ? sampler_poll() : sampler_settle();
	child = real()->wait4(pid, &local, options, usage ? usage : &local_usage);
	if (child > 0) {
		if (status)
			*status = local;
		if (WIFEXITED(local) || WIFSIGNALED(local))
			tasks_reaped(child, true, local, usage ? usage : &local_usage);
	}
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

/* int waitid(idtype_t type, id_t id, siginfo_t *info, int options); WNOWAIT leaves the child to be waited for again. */
HEAPLOG_EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	siginfo_t local = {.si_pid = 0};
	siginfo_t *const seen = info ? info : &local;
	int result;

	if (!heaplog_board)
		return real()->waitid(type, id, info, options);
	options &WNOHANG ? sampler_poll() : sampler_settle();
	result = real()->waitid(type, id, seen, options);
	if (result == 0 && !(options & WNOWAIT) && seen->si_pid > 0) {
		/* Put together as waitpid reports it. */
		if (seen->si_code == CLD_EXITED)
			tasks_reaped(seen->si_pid, true, (seen->si_status & 0xff) << 8, NULL);
		else if (seen->si_code == CLD_KILLED || seen->si_code == CLD_DUMPED)
			tasks_reaped(seen->si_pid, true, seen->si_status & 0x7f, NULL);
	}
	return result;
}
