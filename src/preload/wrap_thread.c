/* pthread_exit of the first thread. libc ends such a program with its last thread: that one calls exit(), where buffers
 * are flushed and exit functions run. With our samplers the last one would be a sampler, whose stack is small, whose signals
 * are blocked and whose descriptor table is its own, and what the program had still to say would be lost (seen). So the
 * first thread leaves another in its place, with the program's descriptors and a stack of the usual size, which waits for
 * the program's threads, has the samplers end, and then ends as the last. */
#include "preload/real.h"
#include "preload/runtime.h"
#include "preload/sampler.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_NS = 5000000, FIRST_AND_LAST = 2 };

static sigset_t mask_of_first;

/* The threads of this process, the first included also when it has ended; 0: not known. The number of links of this
 * directory is two and the threads. */
static unsigned threads(void)
{
	struct stat status;

	/* Once more where it fails: what is taken for an end loses the program's last words. */
	for (int tries = 0; tries < 2; tries++)
		if (stat("/proc/self/task", &status) == 0 && status.st_nlink > 2)
			return (unsigned)status.st_nlink - 2;
	return 0;
}

static unsigned samplers(void)
{
	return heaplog_process ? atomic_load(&heaplog_process->threads) : 0;
}

static void *last_thread(void *unused)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	unsigned alone = 0;

	(void)unused;
	/* Twice: a sampler that is just being started is counted before it is there. */
	while (threads() > FIRST_AND_LAST && alone < 2) {
		alone = threads() <= FIRST_AND_LAST + samplers() ? alone + 1 : 0;
		nanosleep(&pause, NULL);
	}
	for (; threads() > FIRST_AND_LAST; nanosleep(&pause, NULL))
		sampler_leave(); /* again and again: one may have been started meanwhile */
	pthread_sigmask(SIG_SETMASK, &mask_of_first, NULL);
	return NULL;
}

static void leave_another(void)
{
	pthread_t thread;
	sigset_t all;

	if (syscall(SYS_gettid) != getpid() || threads() == 1)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask_of_first);
	/* Where it cannot be had the samplers go at once, and no figure is final: the program's own thread is the last. */
	if (threads() && pthread_create(&thread, NULL, last_thread, NULL) == 0)
		pthread_detach(thread);
	else if (runtime_prepare()) /* there may have been no fork yet */
		sampler_leave();
	pthread_sigmask(SIG_SETMASK, &mask_of_first, NULL);
}

/* void pthread_exit(void *value); Not to be called in a handler, as the real one. */
HEAPLOG_EXPORT void pthread_exit(void *value)
{
	if (heaplog_runtime.on)
		leave_another();
	real()->pthread_exit(value);
	for (;;) /* without the function there is no way on */
		syscall(SYS_exit, 0);
}
