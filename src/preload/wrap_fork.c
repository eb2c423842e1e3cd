/* fork, _Fork and vfork. No atfork handlers: a child is told from its parent by a page that fork wipes (runtime.h). */
#include "preload/board.h"
#include "preload/exact.h"
#include "preload/real.h"
#include "preload/runtime.h"
#include "preload/sampler.h"
#include "preload/stack.h"
#include "preload/tasks.h"

#include <unistd.h>

/* On a small stack (stack.h) the child is not noted: where there is no board yet, it has none. */
static void prepare(void)
{
	if (!heaplog_runtime.on) {
		if (heaplog_runtime.member)
			runtime_bind();
	} else if (!stack_lacks(STACK_WORK)) {
		board_prepare();
	}
}

/* With our thread in the process, or once it has been there, fork() takes libc's locks, and the handler may have interrupted
 * who has them: a program without threads would wait for itself for ever (seen: malloc, fork itself). _Fork takes none, and
 * calls no fork handlers. */
static pid_t real_fork(void)
{
	return sampler_is_in_handler() && real_has(&real()->_Fork) ? real()->_Fork() : real()->fork();
}

/* pid_t fork(void); */
HEAPLOG_EXPORT pid_t fork(void)
{
	uint64_t before;
	pid_t pid;

	prepare();
	if (!heaplog_runtime.on) {
		pid = real_fork();
		if (pid == 0 && heaplog_runtime.member)
			exact_forked();
		return pid;
	}
	before = runtime_is_owner() ? sampler_now() : 0;
	pid = real_fork();
	if (pid > 0)
		sampler_forked(pid, before);
	else if (pid == 0)
		tasks_forked();
	return pid;
}

HEAPLOG_ALIAS(__fork, fork);

/* pid_t _Fork(void); async-signal-safe, so that no thread may be made here: other wrappers do it (sampler_poll). */
HEAPLOG_EXPORT pid_t _Fork(void)
{
	pid_t pid;

	prepare();
	pid = real()->_Fork();
	if (pid == 0 && heaplog_runtime.member)
		exact_forked();
	return pid;
}

#if defined(__x86_64__) || defined(__aarch64__)
/* Called by vfork_<arch>.S, which then jumps to what this returns. Elsewhere vfork is not interposed. */
__attribute__((visibility("hidden"))) pid_t (*heaplog_before_vfork(void))(void);
pid_t (*heaplog_before_vfork(void))(void)
{
	prepare();
	return real()->vfork;
}
#endif
