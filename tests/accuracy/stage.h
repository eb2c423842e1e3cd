/* What a case, the reference sampler and the command that starts both share: one mapped file. */
#ifndef HEAPLOG_ACCURACY_STAGE_H
#define HEAPLOG_ACCURACY_STAGE_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { STAGE_PROCESSES = 1000 };

struct stage {                      /* accuracy.py knows this layout: eight numbers of 64 bits, then the processes */
	_Atomic uint64_t go;        /* the case may begin */
	_Atomic uint64_t done;      /* the reference sampler may end */
	_Atomic uint64_t truth;     /* the largest sum of resident bytes, read while all stood still */
	_Atomic uint64_t truth_pss; /* the same moment, shared pages once */
	_Atomic uint64_t reference; /* the largest sum that was seen at 1000 looks a second */
	_Atomic uint64_t looks;     /* how many those were */
	_Atomic uint64_t root;      /* the process that the runner started */
	_Atomic uint64_t count;     /* processes so far */
	_Atomic int32_t pids[STAGE_PROCESSES];
	_Atomic uint32_t holds[STAGE_PROCESSES];    /* by child: has its memory */
	_Atomic uint32_t releases[STAGE_PROCESSES]; /* by child: may end */
	_Atomic uint32_t turn;                      /* handover: 1 or 2, the worker that may have the block */
};

static inline struct stage *stage_map(const char *path)
{
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	void *memory = mmap(NULL, sizeof(struct stage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd < 0 || memory == MAP_FAILED)
		exit(90);
	close(fd);
	return memory;
}

static inline void stage_sleep(double ms)
{
	struct timespec rest = {.tv_sec = (time_t)(ms / 1e3), .tv_nsec = (long)(ms * 1e6) % 1000000000};

	while (nanosleep(&rest, &rest) != 0)
		continue;
}

/* The resident bytes of a process by its statm, whose descriptor is kept. 0 when it has gone. */
static inline uint64_t stage_resident(int fd)
{
	char text[128];
	const ssize_t length = pread(fd, text, sizeof text - 1, 0);
	char *end;

	if (length <= 0)
		return 0;
	text[length] = '\0';
	strtoull(text, &end, 10);
	return strtoull(end, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

#endif
