/* write and writev against their libc prototypes, also while a task waits for its result line. */
#include "exact.h"

#include <limits.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char *half; /* the last page before a hole */
static long page;
/* volatile, or the compiler warns of what is meant */
static void *volatile nowhere = NULL;
static volatile int count = -1, too_many = IOV_MAX + 1;

static void faults(int fd)
{
	struct iovec parts[3] = {{.iov_base = BAD, .iov_len = 20}};

	CASE("write NULL", write(fd, nowhere, 20));
	CASE("write nothing", write(fd, nowhere, 0));
	CASE("write bad", write(fd, BAD, 20));
	CASE("write bad long", write(fd, BAD, 100000));
	CASE("writev bad array", writev(fd, BAD, 2));
	CASE("writev bad buffer", writev(fd, parts, 1));
	CASE("writev negative", writev(fd, parts, count));
	CASE("writev too many", writev(fd, parts, too_many));
	CASE("writev none", writev(fd, parts, 0));
	CASE("writev none, no array", writev(fd, nowhere, 0));
	parts[0] = (struct iovec){.iov_base = half, .iov_len = SIZE_MAX / 2};
	parts[1] = parts[0];
	parts[2] = parts[0];
	CASE("writev overflow", writev(fd, parts, 3));
	/* "> nx run a:build" up to the hole: the kernel takes what it can read. */
	memcpy(half + page - 10, "> nx run e", 10);
	CASE("write into a hole", write(fd, half + page - 10, 30));
	say(".");
	parts[0] = (struct iovec){.iov_base = half + page - 10, .iov_len = 10};
	parts[1] = (struct iovec){.iov_base = BAD, .iov_len = 12};
	CASE("writev into a hole", writev(fd, parts, 2));
	say(".");
}

static void descriptors(void)
{
	struct iovec part = {.iov_base = half, .iov_len = 12};

	CASE("write -1", write(-1, "> nx run a:b", 12));
	CASE("write closed", write(987, "> nx run a:b", 12));
	CASE("writev closed", writev(987, &part, 1));
	const int fd = open("/dev/null", O_RDONLY);

	CASE("write read-only", write(fd, "> nx run a:b", 12));
	close(fd);
	CASE("write to full", write(open("/dev/full", O_WRONLY), "> nx run a:b", 12));
}

static void pipes(void)
{
	static char block[1 << 17];
	int ends[2];

	if (pipe2(ends, O_NONBLOCK) != 0)
		return;
	CASE("write more than a pipe holds", write(ends[1], block, sizeof block));
	CASE("write to a full pipe", write(ends[1], "> nx run a:b", 12));
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	CASE("write to a closed pipe", write(ends[1], "> nx run a:b", 12));
	close(ends[1]);
	signal(SIGPIPE, SIG_DFL);
}

static void *fill(void *end)
{
	static char block[1 << 18];

	if (write((int)(intptr_t)end, block, sizeof block) < 0)
		return NULL;
	return NULL;
}

static void cancellation(void)
{
	pthread_t thread;
	void *result;
	int ends[2];

	if (pipe(ends) != 0)
		return;
	pthread_create(&thread, NULL, fill, (void *)(intptr_t)ends[1]);
	usleep(30000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	say("cancelled in write: %d", result == PTHREAD_CANCELED);
}

static void file_limit(void)
{
	const struct rlimit none = {.rlim_cur = 4, .rlim_max = RLIM_INFINITY};
	struct rlimit kept;
	const int fd = open("limited", O_CREAT | O_TRUNC | O_WRONLY, 0600);

	getrlimit(RLIMIT_FSIZE, &kept);
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &none) != 0)
		say("no limit");
	CASE("write over the limit", write(fd, "> nx run a:b", 12));
	CASE("write at the limit", write(fd, "> nx run a:b", 12));
	setrlimit(RLIMIT_FSIZE, &kept);
	signal(SIGXFSZ, SIG_DFL);
	close(fd);
}

int main(int argc, char **argv)
{
	prepare(argc, argv);
	page = sysconf(_SC_PAGESIZE);
	half = mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (half == MAP_FAILED || munmap(half + page, (size_t)page) != 0)
		return 1;
	faults(STDOUT_FILENO);
	descriptors();
	pipes();
	cancellation();
	file_limit();
	return 0;
}
