#include "preload/handler.h"

#include "preload/runtime.h"
#include "preload/stack.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What rt_sigaction(2) gives on x86-64 and aarch64; musl's sigaction leaves the restorer out. */
struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

enum { NUMBERS = 64, SET = 8 };

/* The first sign: during a handler its signal is blocked, unless SA_NODEFER says otherwise. SA_RESETHAND takes the
 * handler itself away before it runs. */
static bool may_be(const struct kernel_action *action, bool blocked)
{
	const bool handles = action->handler != SIG_DFL && action->handler != SIG_IGN;

	return (handles || (action->flags & (unsigned long)SA_RESETHAND)) &&
	       (blocked || (action->flags & (unsigned long)SA_NODEFER));
}

#ifdef __x86_64__
/* The second sign, since many block a signal for other reasons (timeout all that it handles, and for its whole life): a
 * handler returns to the restorer, so that the restorer's address is on the stack above us. An old one that nothing has
 * overwritten may be as well. Each word of the caller's frames, which begin at here, is read, whatever it belongs to. */
__attribute__((no_sanitize_address, no_sanitize_thread)) static bool
is_on_stack(uintptr_t here, const uintptr_t *restorers, size_t count)
{
	const uintptr_t top = stack_first_end(here);
	stack_t alternate;

	/* Only the first stack has a known end. */
	if (!top)
		return true;
	if (sigaltstack(NULL, &alternate) != 0 || (alternate.ss_flags & SS_ONSTACK))
		return true;
	/* A program may have guarded a piece of it (coroutines). */
	if (!runtime_readable((const void *)here, top - here))
		return true;
	for (const uintptr_t *word = (const uintptr_t *)(here & ~(uintptr_t)7); (uintptr_t)word < (top & ~(uintptr_t)7);
	     word++)
		for (size_t i = 0; i < count; i++)
			if (*(const volatile uintptr_t *)word == restorers[i])
				return true;
	return false;
}
#else
static bool is_on_stack(uintptr_t here, const uintptr_t *restorers, size_t count)
{
	(void)here;
	(void)restorers;
	(void)count;
	return true;
}
#endif

bool handler_may_run(void)
{
	uintptr_t restorers[NUMBERS];
	size_t count = 0;
	uint64_t blocked;
	bool maybe = false;

	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, SET) != 0)
		return true;
	for (int number = 1; number <= NUMBERS; number++) {
		struct kernel_action action = {.handler = SIG_DFL};
		size_t known = 0;

		if (syscall(SYS_rt_sigaction, number, NULL, &action, SET) != 0) {
			if (number < SIGSYS) /* valgrind has the last for itself */
				return true;
			continue;
		}
		if (!may_be(&action, blocked >> (number - 1) & 1))
			continue;
		maybe = true;
		while (known < count && restorers[known] != action.restorer)
			known++;
		if (known == count)
			restorers[count++] = action.restorer;
	}
	/* Our own frame holds them as well, below this address. */
	return maybe && is_on_stack((uintptr_t)__builtin_frame_address(0), restorers, count);
}
