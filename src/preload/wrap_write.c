/* write and writev. Everything but a finished task's result line goes straight on; bash, printf and stdio write inside
 * libc and do not come this way. */
#include "preload/output.h"
#include "preload/real.h"
#include "preload/runtime.h"

#include <unistd.h>

static inline bool nothing_pending(void)
{
	return __builtin_expect(atomic_load_explicit(&heaplog_process->pending, memory_order_relaxed) == 0, 1);
}

/* ssize_t write(int fd, const void *buf, size_t count); */
HEAPLOG_EXPORT ssize_t write(int fd, const void *buffer, size_t count)
{
	if (nothing_pending() || !buffer)
		return real()->write(fd, buffer, count);
	return output_write(fd, buffer, count);
}

HEAPLOG_ALIAS(__write, write);

/* ssize_t writev(int fd, const struct iovec *iov, int iovcnt); */
HEAPLOG_EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
	if (nothing_pending() || !iov)
		return real()->writev(fd, iov, count);
	return output_writev(fd, iov, count);
}
