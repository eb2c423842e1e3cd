/* The sampler threads: their places, and when one is started. */
#include "preload/sampler.h"

#include "preload/board.h"
#include "preload/board_file.h"
#include "preload/closing.h"
#include "preload/futex.h"
#include "preload/handler.h"
#include "preload/runtime.h"
#include "preload/stack.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNSENT_NS UINT64_C(10000000000)

enum { STACK_SIZE = 128 * 1024 }; /* and what the program's thread-local storage takes of it */

/* Has this process, or one that it was forked from, ever had a thread of ours? libc takes locks from then on for ever. */
static _Atomic bool was_threaded;

/* The number of links of this directory is two and the threads. */
static bool has_threads(void)
{
#ifdef __APPLE__
	return darwin_has_threads();
#else
	struct stat status;

	return stat("/proc/self/task", &status) == 0 && status.st_nlink > 3;
#endif
}

#ifndef __APPLE__
/* Samplers that have left their place and that the kernel still has. */
static uint32_t leaving(void)
{
	const long process = syscall(SYS_getpid);
	uint32_t count = 0;

	for (uint32_t i = 0; i < RUNTIME_SAMPLERS; i++) {
		pid_t thread = atomic_load(&heaplog_process->leavers[i]);

		if (thread && syscall(SYS_tgkill, process, thread, 0) == 0)
			count++;
		else if (thread)
			atomic_compare_exchange_strong(&heaplog_process->leavers[i], &thread, 0);
	}
	return count;
}
#endif

bool sampler_is_in_handler(void)
{
#ifdef __APPLE__
	return false;
#else
	const int saved = errno;
	uint32_t ours;
	struct stat status;
	bool inside;

	if (!atomic_load(&was_threaded))
		return false;
	/* In this order: one that leaves meanwhile is counted twice, and not left out. */
	ours = atomic_load(&heaplog_process->threads);
	ours += leaving();
	inside = stat("/proc/self/task", &status) == 0 && status.st_nlink <= 3 + ours && handler_may_run();
	errno = saved; /* a fork that succeeds leaves it alone */
	return inside;
#endif
}

static bool is_taken(uint32_t place)
{
	return atomic_load(&heaplog_process->places[place / 64]) >> place % 64 & 1;
}

static bool take_place(uint32_t place)
{
	const uint64_t bit = UINT64_C(1) << place % 64;

	if (atomic_fetch_or(&heaplog_process->places[place / 64], bit) & bit)
		return false;
	atomic_fetch_add(&heaplog_process->threads, 1);
	return true;
}

static void leave_place(uint32_t place)
{
	atomic_fetch_and(&heaplog_process->places[place / 64], ~(UINT64_C(1) << place % 64));
	atomic_fetch_sub(&heaplog_process->threads, 1);
}

static void wake_place(uint32_t place)
{
	struct heaplog_board *file = heaplog_runtime.exact ? atomic_load(&heaplog_board_file) : NULL;

	atomic_fetch_add(&heaplog_process->news[place], 1);
	futex_wake(&heaplog_process->news[place]);
	if (file) {
		atomic_fetch_add(&file->sampler[place].news, 1);
		futex_wake(&file->sampler[place].news);
	}
}

void sampler_leave(void)
{
	if (!heaplog_process)
		return;
	atomic_store(&heaplog_process->leaving, true);
	for (uint32_t place = 0; place < RUNTIME_SAMPLERS; place++)
		if (is_taken(place))
			wake_place(place);
}

/* No thread can be had for the child: one that there is sees to it as well. In turns, so that each has its share. */
static void send(pid_t pid)
{
	static _Atomic uint32_t turn;

	for (uint32_t tries = 0; tries < RUNTIME_SAMPLERS; tries++) {
		const uint32_t place = atomic_fetch_add(&turn, 1) % RUNTIME_SAMPLERS;

		for (int i = 0; is_taken(place) && i < RUNTIME_MAIL; i++) {
			_Atomic pid_t *const mail = &heaplog_process->mail[place][i];
			pid_t expected = 0;

			if (!atomic_compare_exchange_strong(mail, &expected, pid))
				continue;
			/* Its thread may have looked for the last time; if so the mail is still there, and ours. */
			expected = pid;
			if (is_taken(place) || !atomic_compare_exchange_strong(mail, &expected, 0)) {
				wake_place(place);
				return;
			}
		}
	}
	/* All are full, on a machine that is far behind: whoever comes to it looks through the board. */
	atomic_store(&heaplog_process->unsent, sampler_now() + UNSENT_NS);
}

pid_t sampler_mail(uint32_t place)
{
	pid_t pid = 0;

	for (int i = 0; !pid && i < RUNTIME_MAIL; i++)
		pid = atomic_exchange(&heaplog_process->mail[place][i], 0);
	return pid;
}

/* For leaving(). */
static pid_t own_thread(void)
{
#ifdef __APPLE__
	return 0; /* nobody asks there */
#else
	return (pid_t)syscall(SYS_gettid);
#endif
}

static void *thread_main(void *argument)
{
	const uint32_t place = (uintptr_t)argument % RUNTIME_SAMPLERS;
	const pid_t self = own_thread();
	pid_t pid = (pid_t)((uintptr_t)argument / RUNTIME_SAMPLERS);

	for (;;) {
		_Atomic pid_t *leaver;
		pid_t expected = self;

		sampler_run(pid, place);
		leaver = &heaplog_process->leavers[atomic_fetch_add(&heaplog_process->left, 1) % RUNTIME_SAMPLERS];
		atomic_store(leaver, self);
		leave_place(place);
		/* What came in the last moment. */
		pid = sampler_mail(place);
		if (!pid)
			break;
		if (!take_place(place)) {
			send(pid);
			break;
		}
		atomic_compare_exchange_strong(leaver, &expected, 0);
	}
	return NULL;
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
	uint32_t place = 0;
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, mask;

	if (!runtime_is_owner())
		return;
	if (!has_threads())
		arm();
	while (place < RUNTIME_SAMPLERS && !take_place(place))
		place++;
	if (place == RUNTIME_SAMPLERS) {
		send(pid);
		errno = saved;
		return;
	}
	atomic_store(&was_threaded, true);
	/* Blocked from its first instruction on: no handler of the program may run on our small stack. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE + heaplog_runtime.tls_size);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attributes, thread_main, (void *)((uintptr_t)pid * RUNTIME_SAMPLERS + place)) !=
	    0) {
		leave_place(place);
		send(pid);
	}
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	errno = saved;
}

void sampler_forked(pid_t pid, uint64_t before_ns)
{
	const int saved = errno;

	if (pid > 0 && runtime_is_owner()) {
		board_outdate(heaplog_board, pid, before_ns);
		/* What it becomes is seen as soon as somebody calls us who has a stack (sampler_poll). */
		if (stack_lacks(STACK_WORK))
			return;
		if (has_threads() && !sampler_is_in_handler()) {
			sampler_start(pid);
		} else {
			/* Before the poll: it may claim at any moment. */
			const uint32_t claim = atomic_load(board_claim(heaplog_board, pid));

			sampler_poll();
			arm();
			settle_later(pid, claim);
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
		if ((state != SLOT_CLAIMED && state != SLOT_ADOPTED) || atomic_load(&slot->kind) != SLOT_TASK ||
		    atomic_load(&slot->polled) || atomic_load(&slot->in_tree))
			continue;
		/* waitpid and write may be called in a handler: whoever calls next from outside of one starts it. */
		if (stack_lacks(STACK_WORK) || handler_may_run())
			break;
		if (atomic_compare_exchange_strong(&slot->polled, &expected, 1))
			sampler_start(slot->pid);
	}
	errno = saved;
}
