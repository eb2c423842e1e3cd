/* How a process without threads learns that a child of its has become a task: in its wait, since a thread that waits for
 * the claim, as in one that has threads, would be its first. */
#include "preload/sampler.h"

#include "preload/board.h"
#include "preload/futex.h"
#include "preload/runtime.h"
#include "preload/stack.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum { SETTLE_MS = 20 };

#define MS 1000000U

/* The last child of a process without threads, until it has exec'ed or ended; and the word of its claim at its fork. */
static _Atomic pid_t unsettled;
static _Atomic uint32_t unsettled_claim;

/* Of the pending signals that the caller would take now. Those which nobody would notice do not count. */
enum wake { WAKE_NOTHING, WAKE_RESTART, WAKE_INTERRUPT };

static enum wake pending_signals(const sigset_t *mask)
{
	enum wake wake = WAKE_NOTHING;
	sigset_t pending;

	sigemptyset(&pending);
	sigpending(&pending);
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;

		if (sigismember(&pending, number) != 1 || sigismember(mask, number) == 1 ||
		    sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_IGN)
			continue;
		if (action.sa_handler == SIG_DFL) {
			if (number != SIGCHLD && number != SIGURG && number != SIGWINCH && number != SIGCONT)
				wake = wake == WAKE_NOTHING ? WAKE_RESTART : wake;
		} else if (!(action.sa_flags & SA_RESTART)) {
			wake = WAKE_INTERRUPT;
		} else if (wake == WAKE_NOTHING) {
			wake = WAKE_RESTART;
		}
	}
	return wake;
}

/* Signals are blocked while we wait in the place of the program's wait: a handler that ran here would leave the real
 * wait to sleep on, where the program counts on EINTR; and a handler of SIGCHLD could take the child that the kernel
 * gives to the wait first. */
static long settle(pid_t pid, long (*attempt)(const void *), const void *call, bool blocks)
{
	const uint32_t forked = atomic_load(&unsettled_claim);
	_Atomic uint32_t *const claim = board_claim(heaplog_board, pid);
	enum wake wake = WAKE_NOTHING;
	uint64_t waited = 0;
	sigset_t all, mask;
	long result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	for (uint64_t pause = MS / 16; !(result = attempt(call)); waited += pause, pause += pause / 4) {
		siginfo_t ended = {.si_pid = 0};

		wake = pending_signals(&mask);
		if (wake != WAKE_NOTHING || waited >= SETTLE_MS * MS || atomic_load(claim) != forked ||
		    syscall(SYS_waitid, P_PID, pid, &ended, WEXITED | WNOWAIT | WNOHANG, NULL) != 0 || ended.si_pid)
			break;
		futex_wait(claim, forked, pause);
	}
	const int error = errno;

	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	errno = error;
	/* Errors are for the real wait to report. But for EFAULT, with which the child has been taken. */
	if (result < 0 && error != EFAULT)
		result = 0;
	if (!result && blocks && wake == WAKE_INTERRUPT) {
		errno = EINTR;
		return -1;
	}
	return result;
}

void settle_later(pid_t pid, uint32_t claim)
{
	atomic_store(&unsettled_claim, claim);
	atomic_store(&unsettled, pid);
}

long sampler_settle(long (*attempt)(const void *), const void *call, bool blocks)
{
	const int saved = errno;
	const pid_t pid = atomic_exchange(&unsettled, 0);
	long result = 0;

	if (pid && runtime_is_owner() && !stack_lacks(STACK_WORK)) {
		/* The real wait acts upon a cancellation before it takes a child, and attempt is not one. */
		if (blocks)
			pthread_testcancel();
		result = settle(pid, attempt, call, blocks);
	}
	if (result < 0)
		return result;
	errno = saved;
	if (!result)
		sampler_poll();
	return result;
}
