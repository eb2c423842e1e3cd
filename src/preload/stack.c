#include "preload/stack.h"

#include "preload/runtime.h"

#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

/* To a depth of 8 MiB, the usual limit of a stack. */
enum { DEEPEST = 8 << 20 };

uintptr_t stack_first_end(uintptr_t here)
{
	const uintptr_t end = (uintptr_t)getauxval(AT_RANDOM); /* above main */

	/* No other mapping is as near to it (mmap_base, at least 128 MiB). */
	return syscall(SYS_gettid) == syscall(SYS_getpid) && here < end && end - here <= DEEPEST ? end : 0;
}

/* By number: the constructor has called syscall, so that nothing is looked up here, which takes 3 KB by itself. */
bool stack_lacks(size_t bytes)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	const int saved = errno;
	stack_t stack = {.ss_flags = SS_DISABLE};

	if (syscall(SYS_sigaltstack, NULL, &stack) != 0) {
		errno = saved; /* forbidden by a filter: as before there were such stacks */
		return false;
	}
	if (stack.ss_flags & SS_ONSTACK)
		return here - (uintptr_t)stack.ss_sp < bytes;
	/* The first stack grows by itself: what is below has not been there yet. */
	bytes = bytes < STACK_SEEN ? bytes : STACK_SEEN;
	return !stack_first_end(here) && !runtime_readable((const void *)(here - bytes), bytes);
}
