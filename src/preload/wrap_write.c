/* write and writev. Most of what is written goes straight on; bash, printf and stdio write inside libc and do not come
 * this way. */
#include "preload/output.h"
#include "preload/real.h"

#include <errno.h>
#include <unistd.h>

static bool is_cached_line(const void *buffer, size_t count)
{
	const struct iovec one = {.iov_base = (void *)(uintptr_t)buffer, .iov_len = count};

	return output_is_cached_line(&one, 1);
}

/* Apart, here and below: where nothing is to be done, which is in every process but the runner, a call then takes 12
 * instructions more instead of 24 (`make bench BENCH=calls`). */
static __attribute__((noinline)) ssize_t write_line(int fd, const void *buffer, size_t count)
{
	ssize_t taken;

	if (buffer && (output_matters() || (heaplog_runtime.results[0] && is_cached_line(buffer, count))))
		return output_write(fd, buffer, count);
	taken = real()->write(fd, buffer, count);
	/* Only now: what the kernel has read can be read. */
	if (output_is_passage(fd, buffer, count, taken))
		output_passed(fd, buffer, count, (size_t)taken);
	return taken;
}

/* ssize_t write(int fd, const void *buf, size_t count); */
HEAPLOG_EXPORT ssize_t write(int fd, const void *buffer, size_t count)
{
	return heaplog_runtime.lines ? write_line(fd, buffer, count) : real()->write(fd, buffer, count);
}

HEAPLOG_ALIAS(__write, write);

static __attribute__((noinline)) ssize_t writev_line(int fd, const struct iovec *iov, int count)
{
	ssize_t taken;

	if (iov && (output_matters() || (heaplog_runtime.results[0] && output_is_cached_line(iov, count))))
		return output_writev(fd, iov, count);
	taken = real()->writev(fd, iov, count);
	for (ssize_t left = taken, i = 0; left > 0 && iov && i < count; left -= (ssize_t)iov[i++].iov_len) {
		const size_t part = (size_t)left < iov[i].iov_len ? (size_t)left : iov[i].iov_len;

		if (output_is_passage(fd, iov[i].iov_base, iov[i].iov_len, (ssize_t)part))
			output_passed(fd, iov[i].iov_base, iov[i].iov_len, part);
	}
	return taken;
}

/* ssize_t writev(int fd, const struct iovec *iov, int iovcnt); */
HEAPLOG_EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
	return heaplog_runtime.lines ? writev_line(fd, iov, count) : real()->writev(fd, iov, count);
}
