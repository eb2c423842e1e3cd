#include "preload/suffix.h"

#include "preload/real.h"
#include "preload/stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <sys/uio.h>

enum { REST_TIMEOUT_MS = 1000 };

void suffix_rest(int fd, const char *text, size_t length)
{
	while (length) {
		const ssize_t taken = real()->write(fd, text, length);
		struct pollfd wait = {.fd = fd, .events = POLLOUT};

		if (taken > 0) {
			text += taken;
			length -= (size_t)taken;
		} else if (errno != EINTR && (errno != EAGAIN || poll(&wait, 1, REST_TIMEOUT_MS) <= 0)) {
			return;
		}
	}
}

/* A pipe takes one write whole or not at all (up to PIPE_BUF): another writer cannot come between, and a full pipe is the
 * EAGAIN that the runner knows. */
ssize_t suffix_write(int fd, const char *chunk, size_t length, const struct nx_line *line, const struct figure *figure,
		     bool *annotated)
{
	char suffix[ANNOTATE_SUFFIX_MAX + 1];
	size_t added = annotate_suffix(figure, line->coloured, suffix);
	struct iovec parts[3] = {
	    {.iov_base = (void *)(uintptr_t)chunk, .iov_len = line->insert_at},
	    {.iov_base = suffix, .iov_len = added},
	    {.iov_base = (void *)(uintptr_t)(chunk + line->insert_at), .iov_len = length - line->insert_at},
	};
	ssize_t taken;
	int saved;

	if (length + added > PIPE_BUF)
		added = parts[1].iov_len = 0;
	taken = real()->writev(fd, parts, 3);
	saved = errno;
	*annotated = added ? taken > (ssize_t)line->insert_at : taken == (ssize_t)length && !figure->peak;
	if (*annotated && (size_t)taken < line->insert_at + added) {
		suffix_rest(fd, suffix + ((size_t)taken - line->insert_at), line->insert_at + added - (size_t)taken);
		taken = (ssize_t)(line->insert_at + added);
	}
	if (taken >= 0 && (size_t)taken < length + added)
		atomic_store(&stream_broken_off, fd);
	if (taken > (ssize_t)line->insert_at)
		taken -= (ssize_t)added;
	errno = saved;
	return taken;
}
