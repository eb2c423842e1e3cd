#include "preload/last_peak.h"

#include "measure/summary.h"
#include "heaplog.h"
#include "preload/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The end of the results file as it was at the first cache hit; NULL: not read yet. Written under the lock. */
static char *_Atomic records;
static size_t records_size;

/* By number: a wrapper of another preloaded library is not for us, and neither is cancellation. */
static void read_tail(char *text, size_t room)
{
	const int fd = (int)syscall(SYS_openat, AT_FDCWD, heaplog_runtime.results,
				    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
	struct stat status;
	off_t at;

	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
		at = status.st_size > (off_t)room ? status.st_size - (off_t)room : 0;
		while (records_size < room) {
			const long got = syscall(SYS_pread64, fd, text + records_size, room - records_size, at);

			if (got <= 0)
				break;
			records_size += (size_t)got;
			at += got;
		}
	}
	syscall(SYS_close, fd);
}

static const char *tail(void)
{
	uint64_t mask[16];

	if (!atomic_load(&records)) {
		runtime_lock(mask);
		if (!atomic_load(&records)) {
			char *text = mmap(NULL, LAST_PEAK_BYTES + 1, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

			if (text != MAP_FAILED) {
				read_tail(text, LAST_PEAK_BYTES);
				atomic_store(&records, text);
			}
		}
		runtime_unlock(mask);
	}
	return atomic_load(&records);
}

/* Does the record's task have the name that the line shows? */
static bool names(const char *record, const char *chunk, size_t length, const struct nx_line *line)
{
	char project[512], target[512], configuration[512];

	if (heaplog_record_string(record, "project", project, sizeof project) <= 0 ||
	    heaplog_record_string(record, "target", target, sizeof target) <= 0)
		return false;
	if (heaplog_record_string(record, "configuration", configuration, sizeof configuration) < 0)
		configuration[0] = '\0';
	return nx_line_is(chunk, length, line, project, target, configuration);
}

bool last_peak_find(const char *text, size_t size, const char *chunk, size_t length, const struct nx_line *line,
		    struct figure *figure)
{
	size_t end = size;

	while (end > 0 && text[end - 1] != '\n')
		end--; /* a line that is being written */
	while (end > 0) {
		char record[2048]; /* what is asked for stands before the long fields */
		char metric[8];
		uint64_t peak = 0;
		size_t start = end - 1;

		while (start > 0 && text[start - 1] != '\n')
			start--;
		const size_t count = end - 1 - start < sizeof record - 1 ? end - 1 - start : sizeof record - 1;
		memcpy(record, text + start, count);
		record[count] = '\0';
		end = start;
		if (heaplog_record_uint64(record, "peak_bytes", &peak) != 0 || !peak ||
		    !names(record, chunk, length, line))
			continue;
		*figure = (struct figure){.peak = peak, .last = true};
		figure->pss = heaplog_record_string(record, "metric", metric, sizeof metric) > 0 &&
			      strcmp(metric, HEAPLOG_OTHER_METRIC) == 0;
		return true;
	}
	return false;
}

struct figure last_peak(const char *chunk, size_t length, const struct nx_line *line)
{
	struct figure figure = {.peak = 0};
	const int saved = errno;
	const char *text = heaplog_runtime.results[0] ? tail() : NULL;

	if (text)
		last_peak_find(text, records_size, chunk, length, line, &figure);
	errno = saved;
	return figure;
}
