#include "preload/stream.h"

#include "preload/runtime.h"

#include <errno.h>
#include <string.h>

struct stream streams[2];
_Atomic bool stream_alternate_screen;
_Atomic int stream_broken_off = -1;

/* What was asked lately, by the number's last bits: the descriptor, the answer, and how often it holds yet. The program
 * closes and duplicates descriptors in ways that nobody sees, hence the limit. */
enum { PLACES = 64, USES = 31, ANSWER_SHIFT = 5, FD_SHIFT = 8, FD_MAX = 0xffffff };
static _Atomic uint32_t lately[PLACES];

static bool is_at(const struct stat *status, int i)
{
	return heaplog_runtime.output_known[i] && heaplog_runtime.output_device[i] == status->st_dev &&
	       heaplog_runtime.output_inode[i] == status->st_ino && heaplog_runtime.output_rdev[i] == status->st_rdev;
}

/* An answer: the stream plus one, and whether what is written there is not even read. */
enum { STREAM = 3, SINK = 4 };

static uint32_t ask(int fd)
{
#ifdef __APPLE__
	enum { MEMORY = 3, MAJOR_SHIFT = 24 };
#else
	enum { MEMORY = 1, MAJOR_SHIFT = 8 };
#endif
	const int saved = errno;
	struct stat status;

	if (fstat(fd, &status) != 0) {
		errno = saved;
		return 0;
	}
	return (is_at(&status, 0)   ? 1U
		: is_at(&status, 1) ? 2U
				    : 0U) |
	       (S_ISCHR(status.st_mode) && status.st_rdev >> MAJOR_SHIFT == MEMORY ? SINK : 0U);
}

static uint32_t ask_lately(int fd)
{
	_Atomic uint32_t *const place = &lately[(unsigned)fd % PLACES];
	const uint32_t entry = atomic_load_explicit(place, memory_order_relaxed);
	uint32_t answer;

	if (fd < 0 || fd > FD_MAX)
		return ask(fd);
	/* Two threads may use it up as one. */
	if (entry >> FD_SHIFT == (uint32_t)fd && (entry & USES)) {
		atomic_store_explicit(place, entry - 1, memory_order_relaxed);
		return entry >> ANSWER_SHIFT & (STREAM | SINK);
	}
	answer = ask(fd);
	atomic_store_explicit(place, (uint32_t)fd << FD_SHIFT | answer << ANSWER_SHIFT | USES, memory_order_relaxed);
	return answer;
}

int stream_of(int fd)
{
	return (int)(ask(fd) & STREAM) - 1;
}

int stream_lately(int fd)
{
	return (int)(ask_lately(fd) & STREAM) - 1;
}

bool stream_is_sink(int fd)
{
	return ask_lately(fd) & SINK;
}

static void forget_lately(void)
{
	for (int i = 0; i < PLACES; i++)
		atomic_store_explicit(&lately[i], 0, memory_order_relaxed);
}

void stream_awaits(bool seen)
{
	forget_lately();
	for (int i = 0; i < 2 && !seen; i++)
		atomic_store(&streams[i].edge, EDGE_UNKNOWN);
}

void stream_escape(const char *chunk, size_t length, int stream)
{
	if (length == 4 && memcmp(chunk, "\x1b[0K", 4) == 0)
		atomic_store(&streams[stream].redrawn, true);
	if (length == 8 && memcmp(chunk, "\x1b[?1049", 7) == 0)
		atomic_store(&stream_alternate_screen, chunk[7] == 'h');
}

void stream_forget(void)
{
	forget_lately();
	for (int i = 0; i < 2; i++) {
		atomic_store(&streams[i].edge, EDGE_UNKNOWN);
		atomic_store(&streams[i].redrawn, false);
	}
	atomic_store(&stream_alternate_screen, false);
	atomic_store(&stream_broken_off, -1);
}
