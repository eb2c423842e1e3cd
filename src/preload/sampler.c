#include "preload/sampler.h"

#include "measure/process_tree.h"
#include "measure/procfs.h"
#include "measure/schedule.h"
#include "preload/boards.h"
#include "preload/closing.h"
#include "preload/exact.h"
#include "preload/handler.h"
#include "preload/runtime.h"
#include "preload/tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	THREADS_MAX = 128,
	UNITS_MAX = 64,          /* tasks of one thread, once there are more tasks than threads */
	STACK_SIZE = 128 * 1024, /* and what the program's thread-local storage takes of it */
	LINGER_MS = 2000,        /* how long a finished task waits for its result line, or for its next command */
	ADOPTION_MS = 50,        /* after that a task without a thread is taken by another's */
	EXEC_MS = 50,            /* a child that takes longer to exec is looked at in the usual rhythm */
	SETTLE_MS = 20,
	NEWS_SHARE = 10, /* looks upon news may take a tenth of a core */
	LOST_MS = 1000,  /* a wait wrapper that has just reaped needs a moment to tell us its status */
};

#define MS 1000000U

/* One task in the hands of a sampler thread. */
struct unit {
	struct task *task;
	struct heaplog_tree *tree;
	struct heaplog_schedule schedule;
	uint64_t due;      /* next look */
	uint64_t glance;   /* next glance, where that is sooner */
	uint64_t soonest;  /* no look before, whatever the news */
	uint64_t finished; /* when its last child was reaped; 0: running */
	uint64_t empty;    /* since when no process of it is left; 0: some are */
};

uint64_t sampler_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* A descriptor table of our own, else every open() of ours would take a number from the program and leak into its
 * children (measured: 18 of 200 000 close(0)/open() went wrong). Without it nothing is sampled. */
static bool private_descriptors(void)
{
	struct rlimit limit;

	if (syscall(SYS_close_range, 0U, UINT_MAX, CLOSE_RANGE_UNSHARE) == 0)
		return true;
	if (syscall(SYS_unshare, CLONE_FILES) != 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return false;
	/* Linux before 5.9: one by one; a limit of millions would take seconds, and such a kernel does not have it. */
	for (unsigned fd = 0; fd < limit.rlim_cur && fd < 1U << 20; fd++)
		syscall(SYS_close, fd);
	return true;
}

static unsigned descriptor_budget(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < 64)
		return 0;
	return (unsigned)(limit.rlim_cur > 8192 ? 8192 : limit.rlim_cur - 32);
}

/* Take the task unless another thread has it. */
static void take(struct unit *units, size_t *count, struct task *task)
{
	uint32_t expected = 0;
	struct unit *unit = &units[*count];
	const struct heaplog_tree_options options = {
	    .proc = "/proc",
	    .fd_budget = descriptor_budget(),
	    .metric = heaplog_runtime.pss ? HEAPLOG_METRIC_PSS : HEAPLOG_METRIC_RSS,
	    .belongs = heaplog_runtime.rule.preset == TASK_ALL ? NULL : tasks_has_environment,
	    .rivals = boards_rivals,
	    .context = task,
	};

	if (*count == UNITS_MAX || !atomic_compare_exchange_strong(&task->sampled, &expected, 1))
		return;
	*unit = (struct unit){.task = task, .tree = heaplog_tree_create(&options)};
	if (!unit->tree) {
		atomic_store(&task->sampled, 0);
		return;
	}
	board_file_open(getpid());
	heaplog_schedule_init(&unit->schedule, heaplog_runtime.interval_ms);
	(*count)++;
}

/* Adopt what was claimed; hand each child to the unit whose task it is. own: the pid this thread was started for. */
static void collect(struct unit *units, size_t *count, pid_t own)
{
	struct board *board = heaplog_board;
	const uint32_t used = atomic_load(&board->used);

	for (uint32_t i = 0; i < used; i++) {
		struct slot *slot = &board->slots[i];
		const uint32_t state = atomic_load(&slot->state);
		struct task *task;
		uint32_t expected = 0;

		if (state != SLOT_CLAIMED && state != SLOT_ADOPTED)
			continue;
		task = slot->kind == SLOT_TASK ? tasks_adopt(slot) : NULL;
		if (!task || atomic_load(&slot->in_tree))
			continue;
		if (!atomic_load(&task->sampled) &&
		    (!own || slot->pid == own || sampler_now() - slot->start_ns > ADOPTION_MS * MS))
			take(units, count, task);
		for (size_t u = 0; u < *count; u++)
			if (units[u].task == task && atomic_compare_exchange_strong(&slot->in_tree, &expected, 1)) {
				heaplog_tree_add_root(units[u].tree, slot->pid);
				units[u].due = 0;
				units[u].finished = 0;
			}
	}
}

/* Children that ended without our seeing a wait (SIGCHLD ignored, a pidfd, a raw system call). */
static void collect_lost(const struct task *task)
{
	struct board *board = heaplog_board;
	const uint32_t used = atomic_load(&board->used);

	for (uint32_t i = 0; i < used; i++) {
		struct slot *slot = &board->slots[i];

		if (atomic_load(&slot->state) == SLOT_ADOPTED && atomic_load(&slot->task) == task &&
		    heaplog_process_has_execed("/proc", slot->pid) < 0)
			tasks_reaped(slot->pid, false, 0, NULL);
	}
}

/* The exact mode: what the task's processes say. Returns whether there was anything. */
static bool hear(struct unit *unit, uint64_t now)
{
	enum { AT_ONCE = 64 };
	struct task *task = unit->task;
	struct exact_news news[AT_ONCE];
	uint32_t at = 0, count;
	bool heard = false;

	while ((count = exact_listen(task->key, &at, news, AT_ONCE)) > 0) {
		const uint64_t peak = task->peak.summary.peak_bytes;

		for (uint32_t i = 0; i < count; i++) {
			if (news[i].doubtful && !heaplog_tree_has(unit->tree, news[i].pid) &&
			    !heaplog_tree_takes(unit->tree, news[i].pid, now)) {
				exact_forget(task->key, news[i].pid);
				continue;
			}
			heaplog_tree_left(unit->tree, &task->peak, news[i].pid, news[i].high_water, now);
			heard = heard || news[i].left || news[i].high_water;
			if (news[i].left || heaplog_tree_has(unit->tree, news[i].pid))
				continue;
			heard = true;
			heaplog_tree_add(unit->tree, news[i].pid, news[i].parent);
			if (!heaplog_tree_has(unit->tree, news[i].pid))
				exact_forget(task->key, news[i].pid); /* killed: it could not say so */
		}
		/* Before it goes from the board, since the task may end now. */
		if (task->peak.summary.peak_bytes > peak)
			tasks_publish(task);
		exact_heard(news, count);
	}
	return heard;
}

static uint64_t cpu_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* One look at one task. Returns false when the unit is done with. */
static bool look(struct unit *unit, uint64_t now, int *oom_fd)
{
	struct task *task = unit->task;
	const struct heaplog_summary *summary = &task->peak.summary;
	const uint64_t before = summary->current_bytes;
	bool moved = false;
	size_t members;
	uint64_t cost;

	if (atomic_load(&task->state) != TASK_RUNNING) {
		if (!unit->finished)
			unit->finished = now;
		/* At once: a runner that is killed from now on has lost nothing. */
		tasks_record(task);
		if (atomic_load(&task->state) == TASK_ANNOTATED || now - unit->finished >= (uint64_t)LINGER_MS * MS)
			return false;
		unit->due = unit->glance = unit->finished + (uint64_t)LINGER_MS * MS;
		return true;
	}
	if (heaplog_runtime.exact && hear(unit, now))
		unit->due = unit->soonest < unit->due ? unit->soonest : unit->due;
	if (now < unit->due) {
		if (now >= unit->glance) {
			unit->glance = now + heaplog_schedule_glance(&unit->schedule);
			if (heaplog_tree_glance(unit->tree, now))
				unit->due = now;
		}
		if (now < unit->due)
			return true;
	}
	/* Here, not in take: another thread may just be making the file. */
	if (!task->place) {
		board_file_add(task);
		if (task->place && heaplog_runtime.rule.preset != TASK_ALL)
			boards_tell(task);
	}
	cost = cpu_now();
	members = heaplog_tree_tick(unit->tree, now, &task->peak, &moved);
	task->peak.summary.interval_ms = (uint32_t)(unit->schedule.period_ns / MS);
	tasks_publish(task);
	if (members)
		unit->empty = 0;
	else if (!unit->empty)
		unit->empty = now;
	else if (now - unit->empty > (uint64_t)LOST_MS * MS)
		collect_lost(task);
	cost = cpu_now() - cost;
	now = sampler_now();
	oom_watch_look(&task->oom, oom_fd, now, before, summary->current_bytes);
	/* Between its fork and its exec: the first look at the task itself must come soon, it may live for a
	 * millisecond. */
	if (members && !summary->samples && now - task->start_ns < (uint64_t)EXEC_MS * MS) {
		unit->due = unit->glance = now + MS / 4;
		return true;
	}
	unit->soonest = now + cost * NEWS_SHARE;
	unit->due = now + heaplog_schedule_next(&unit->schedule, cost, moved);
	unit->glance = now + heaplog_schedule_glance(&unit->schedule);
	return true;
}

/* Has the program ended by pthread_exit in its last thread? The process ends with the last of all threads, and ours,
 * which no signal reaches, would keep it for ever: a hang (seen). Directory links: two, and one for each thread; the
 * first thread counts as long as another lives. */
static bool is_left_alone(void)
{
	char text[512];
	struct stat status;
	const char *at;
	long length;
	int fd;

	if (stat("/proc/self/task", &status) != 0 || status.st_nlink > 3 + atomic_load(&heaplog_process->threads))
		return false;
	fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	length = syscall(SYS_read, fd, text, sizeof text - 1);
	syscall(SYS_close, fd);
	text[length > 0 ? length : 0] = '\0';
	at = strrchr(text, ')');
	return at && strncmp(at, ") Z", 3) == 0;
}

/* Wait for the child to become a task. Returns false when it has become something else, or nothing. */
static bool wait_for_claim(struct unit *units, size_t *count, pid_t pid)
{
	struct board *board = heaplog_board;

	for (uint64_t pause = MS; pid; pause = pause < 250 * MS ? pause * 2 : 500 * MS) {
		const uint32_t seen = atomic_load(&board->sequence);
		/* Read before the board: a claim precedes its exec, so that one which exec'ed without a claim is no
		 * task. */
		const int execed = heaplog_process_has_execed("/proc", pid);
		struct slot *slot;

		collect(units, count, pid);
		if (*count)
			return true;
		if (is_left_alone())
			return false;
		slot = board_find(board, pid);
		if (execed != 0) {
			if (slot && slot->kind == SLOT_SCRATCH)
				board_release(board, slot);
			return false;
		}
		board_wait(board, seen, pause);
	}
	collect(units, count, 0);
	return *count > 0;
}

static void *sampler_main(void *argument)
{
	struct unit units[UNITS_MAX];
	size_t count = 0;
	struct board *board = heaplog_board;
	const pid_t pid = (pid_t)(intptr_t)argument;
	int oom_fd = -1;

	if (private_descriptors() && procfs_is_ours("/proc")) {
		prctl(PR_SET_NAME, "heaplog");
		for (bool go = wait_for_claim(units, &count, pid); go && count && !is_left_alone();) {
			const uint32_t seen = board_news(board);
			uint64_t due = UINT64_MAX;
			uint64_t now;

			collect(units, &count, pid ? pid : -1);
			now = sampler_now();
			for (size_t i = 0; i < count;) {
				if (look(&units[i], now, &oom_fd)) {
					due = units[i].due < due ? units[i].due : due;
					due = units[i].glance < due ? units[i].glance : due;
					i++;
				} else {
					heaplog_tree_destroy(units[i].tree);
					atomic_store(&units[i].task->sampled, 0);
					units[i] = units[--count];
				}
			}
			now = sampler_now();
			if (count && due > now)
				board_wait_for_news(board, seen, due - now);
		}
	}
	atomic_fetch_sub(&heaplog_process->threads, 1);
	return NULL;
}

/* The number of links of this directory is two and the threads. */
static bool has_threads(void)
{
	struct stat status;

	return stat("/proc/self/task", &status) == 0 && status.st_nlink > 3;
}

/* The table at the end. After the program's own exit functions were registered, so that ours runs before one that closes
 * stderr (coreutils), and already at the first fork: no sampler may ever be started here. */
static void arm(void)
{
	if (heaplog_runtime.rule.preset != TASK_NX)
		closing_arm();
}

void sampler_start(pid_t pid)
{
	const int saved = errno;
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, mask;

	if (!runtime_is_owner())
		return;
	if (!has_threads())
		arm();
	if (atomic_fetch_add(&heaplog_process->threads, 1) >= THREADS_MAX) {
		atomic_fetch_sub(&heaplog_process->threads, 1);
		return;
	}
	/* Blocked from its first instruction on: no handler of the program may run on our small stack. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE + heaplog_runtime.tls_size);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attributes, sampler_main, (void *)(intptr_t)pid) != 0)
		atomic_fetch_sub(&heaplog_process->threads, 1);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	errno = saved;
}

/* The last child of a process without threads, until it has exec'ed or ended; and the board's sequence at its fork. */
static _Atomic pid_t unsettled;
static _Atomic uint32_t unsettled_sequence;

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
	const uint32_t forked = atomic_load(&unsettled_sequence);
	struct board *board = heaplog_board;
	enum wake wake = WAKE_NOTHING;
	uint64_t waited = 0;
	sigset_t all, mask;
	long result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	for (uint64_t pause = MS / 16; !(result = attempt(call)); waited += pause, pause += pause / 4) {
		siginfo_t ended = {.si_pid = 0};

		wake = pending_signals(&mask);
		if (wake != WAKE_NOTHING || waited >= SETTLE_MS * MS || atomic_load(&board->sequence) != forked ||
		    syscall(SYS_waitid, P_PID, pid, &ended, WEXITED | WNOWAIT | WNOHANG, NULL) != 0 || ended.si_pid)
			break;
		board_wait(board, forked, pause);
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

long sampler_settle(long (*attempt)(const void *), const void *call, bool blocks)
{
	const int saved = errno;
	const pid_t pid = atomic_exchange(&unsettled, 0);
	long result = 0;

	if (pid && runtime_is_owner()) {
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

void sampler_forked(pid_t pid, uint64_t before_ns)
{
	const int saved = errno;

	if (pid > 0 && runtime_is_owner()) {
		board_outdate(heaplog_board, pid, before_ns);
		if (has_threads()) {
			sampler_start(pid);
		} else {
			sampler_poll();
			arm();
			atomic_store(&unsettled_sequence, atomic_load(&heaplog_board->sequence));
			atomic_store(&unsettled, pid);
		}
	}
	errno = saved;
}

void sampler_poll(void)
{
	struct board *board = heaplog_board;
	const int saved = errno;

	if (!board || !atomic_load(&board->taken) || !runtime_is_owner())
		return;
	for (uint32_t i = 0; i < atomic_load(&board->used); i++) {
		struct slot *slot = &board->slots[i];
		uint32_t expected = 0;

		const uint32_t state = atomic_load(&slot->state);

		/* After vfork, or without threads, no sampler is under way. Where one is, the second finds the task
		 * taken. Also of a slot that the sampler of another task has adopted in passing. */
		if ((state != SLOT_CLAIMED && state != SLOT_ADOPTED) || slot->kind != SLOT_TASK ||
		    atomic_load(&slot->polled) || atomic_load(&slot->in_tree))
			continue;
		/* waitpid and write may be called in a handler: whoever calls next from outside of one starts it. */
		if (handler_may_run())
			break;
		if (atomic_compare_exchange_strong(&slot->polled, &expected, 1))
			sampler_start(slot->pid);
	}
	errno = saved;
}
