/* _exit and _Exit: the ends of a process that run no destructors. Nothing of ours keeps it from ending. */
#include "preload/exact.h"
#include "preload/real.h"
#include "preload/runtime.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Noreturn void leave(void (*function)(int), int status)
{
	runtime_finish(); /* dash ends a script so */
	if (heaplog_runtime.member)
		exact_leave();
	function(status);
	for (;;) /* there is no such function in this libc */
		syscall(SYS_exit_group, status);
}

/* void _exit(int status); */
HEAPLOG_EXPORT _Noreturn void _exit(int status)
{
	leave(real()->_exit, status);
}

/* void _Exit(int status); */
HEAPLOG_EXPORT _Noreturn void _Exit(int status)
{
	leave(real()->_Exit, status);
}
