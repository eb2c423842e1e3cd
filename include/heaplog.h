/* heaplog: the peak memory of each task of a task runner.
 *
 * This header is heaplog's public face: the environment it obeys, the record it writes, and calls for reading the
 * records out of a running task runner. Everything is here: nothing to link, no stdio, no state, C99 and C++.
 * Linux only; on other systems the calls are left out and the constants remain. With -std=c99 or -std=c11 the system
 * headers hide POSIX: define _POSIX_C_SOURCE as 200809L (or _GNU_SOURCE) before the first #include.
 *
 *	struct heaplog_results results;
 *	char task[256], line[HEAPLOG_LINE_SIZE];
 *	int fd;
 *	if (heaplog_results_open(&results, runner) == 0) {
 *		while ((fd = heaplog_result_next(&results, task, sizeof(task))) >= 0) {
 *			uint64_t peak;
 *			if (heaplog_result_read(fd, line, sizeof(line)) > 0 &&
 *			    heaplog_record_uint64(line, "peak_bytes", &peak) == 0)
 *				...
 *			close(fd);
 *		}
 *		heaplog_results_close(&results);
 *	}
 *
 * (examples/formatter.c is the whole program.)
 *
 * Environment of the runner
 *	NX_LOG_HEAP_USAGE     "true" or "1": measure and show. Anything else or unset: off.
 *	HEAPLOG               "true" or "1": the same, for runners other than Nx.
 *	HEAPLOG_TASK          what a task is: "nx" (default), "npm" (scripts of packages), "all" (each direct child), or
 *	                      a pattern, "{VARIABLE}:{VARIABLE}[:{VARIABLE}]": variables of the task's first process
 *	HEAPLOG_WARN          a size ("800MB", "1.5GB"): a peak above it is shown as "over 1.5GB". Unset: no threshold.
 *	HEAPLOG_RESULTS       path of the results file to which each record is appended (created with mode 0600; a
 *	                      symbolic link or anything but a regular file is refused). Unset: no file.
 *	HEAPLOG_INTERVAL_MS   period between two samples, in milliseconds.
 *	HEAPLOG_METRIC        "rss" (unset) or "pss" (on macOS "footprint"): what is summed.
 *	HEAPLOG_EXACT         "1": the library stays in the tasks' processes, which then say themselves what they held.
 *
 * Result fds
 *	For each finished task the library leaves one file descriptor in the runner: a sealed memfd named heaplog:TASK,
 *	that is, the link /proc/PID/fd/N reads "/memfd:heaplog:@acme/a:build (deleted)". It holds exactly one record.
 *	The kernel allows names of 249 bytes, and a longer one is cut: the record's "task" is the authority. The file
 *	is sealed against writing (F_SEAL_WRITE): what was read once does not change. A descriptor without that seal is
 *	not a result, whatever its name. The seal shows that the content is final, not who wrote it: any code in the
 *	runner's process could create one.
 *
 * The record: one line of JSON (UTF-8, ended by a newline, at most HEAPLOG_RECORD_LINE_MAX bytes)
 *	v                 1 (HEAPLOG_RECORD_VERSION). Keys may be added under the same version; unknown ones are to be
 *	                  ignored. A key whose value is not known is left out.
 *	run               string: the same for all tasks of one runner process
 *	task              string: "project:target" or "project:target:configuration"; "batch 1" and so on for a worker of
 *	                  Nx that runs several tasks; for other runners what HEAPLOG_TASK makes of it, or the command
 *	project, target, configuration, hash
 *	                  strings: the parts of the task's name, and the runner's hash of the task's inputs
 *	runner            string: "nx", "npm" (any package manager), else the name of the runner's program
 *	pid               number: process id of the task's first process, as the runner sees it
 *	start             string: RFC 3339 in UTC with milliseconds, "2026-11-23T21:00:00.123Z"; sorts as text
 *	duration_ms       milliseconds from start to the end of the task, >= 0
 *	exit              {"code":N}, N from 0 to 255, or {"signal":"SIGKILL"} ("SIG34" for a signal without a name)
 *	oom               true: the kernel killed the task, or its command, for want of memory
 *	metric            string: what the sizes are. "rss": resident set size, summed over the task's processes; "pss":
 *	                  proportional set size, in which a page that n processes share counts 1/n in each; on macOS
 *	                  "footprint": the physical footprint
 *	peak_bytes        bytes: the largest sum that was seen. A lower bound of the truth. 0: nothing was measured
 *	peak_upper_bytes  bytes: an upper bound, >= peak_bytes, for the processes that were seen, up to the last look at
 *	                  each; without a forked child that was taken for its parent's copy
 *	exact             true: nothing can have been missed, and the two bounds lie within 1 % of peak_bytes. With
 *	                  HEAPLOG_EXACT=1 alone: from outside nobody knows what came and went between two looks
 *	peak_at_ms        milliseconds from start to the peak
 *	samples           number of samples taken, >= 0
 *	interval_ms       milliseconds between samples, as configured
 *	processes_max     the largest number of processes that were alive in one sample
 *	top               [{"pid":N,"command":"…","bytes":N}], at most 8, largest first: the processes at the peak.
 *	                  command: the arguments joined by spaces, cut at 127 bytes
 *	series            [[ms,bytes],…], at most 120, ascending in ms: the history, thinned, with the peak in it
 *	A record too long for its buffer leaves out series, then top. Numbers are integers from 0 to 2^64 - 1. In
 *	strings, bytes that were not UTF-8 are U+FFFD. Strings may hold escaped control characters: filter before a
 *	terminal.
 */
#ifndef HEAPLOG_H
#define HEAPLOG_H

#define HEAPLOG_VERSION "0.1.0"

#define HEAPLOG_RECORD_VERSION 1

/* The longest record in bytes, newline included; and a buffer that holds any record with a NUL. */
#define HEAPLOG_RECORD_LINE_MAX 16384
#define HEAPLOG_LINE_SIZE (HEAPLOG_RECORD_LINE_MAX + 1)

#define HEAPLOG_ENV_NX "NX_LOG_HEAP_USAGE"
#define HEAPLOG_ENV_ON "HEAPLOG"
#define HEAPLOG_ENV_RESULTS "HEAPLOG_RESULTS"
#define HEAPLOG_ENV_INTERVAL_MS "HEAPLOG_INTERVAL_MS"
#define HEAPLOG_ENV_TASK "HEAPLOG_TASK"
#define HEAPLOG_ENV_WARN "HEAPLOG_WARN"
#define HEAPLOG_ENV_METRIC "HEAPLOG_METRIC"
#define HEAPLOG_ENV_EXACT "HEAPLOG_EXACT"

/* What /proc/PID/fd/N of a result begins with; the task follows. */
#define HEAPLOG_RESULT_LINK "/memfd:heaplog:"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(__GLIBC__) && (!defined(_POSIX_C_SOURCE) || _POSIX_C_SOURCE < 200809L)
#error "heaplog.h: define _POSIX_C_SOURCE as 200809L, or _GNU_SOURCE, before the first #include"
#endif

/* linux/fcntl.h has them, but cannot be included beside fcntl.h, which shows them with _GNU_SOURCE only. */
#ifdef F_GET_SEALS
#define HEAPLOG_F_GET_SEALS F_GET_SEALS
#else
#define HEAPLOG_F_GET_SEALS 1034
#endif
#define HEAPLOG_F_SEAL_WRITE 0x0008

/* ---- JSON: names that end in an underscore are internal ---- */

static inline const char *heaplog_json_space_(const char *at)
{
	while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
		at++;
	return at;
}

/* Four hexadecimal digits at text, or -1. Stops at the first that is none, so never beyond the NUL. */
static inline long heaplog_json_hex_(const char *text)
{
	long value = 0;
	int i;

	for (i = 0; i < 4; i++) {
		char c = text[i];
		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return value;
}

/* code as UTF-8 into out; returns the number of bytes, 1 to 4. */
static inline size_t heaplog_json_utf8_(long code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* The character that the escape after a backslash stands for, or -1; *end is set behind it. A lone surrogate is U+FFFD.
 */
static inline long heaplog_json_escape_(const char *at, const char **end)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *simple = *at != '\0' ? strchr(from, *at) : NULL;
	long high, low;

	*end = at + 1;
	if (simple != NULL)
		return (unsigned char)to[simple - from];
	if (*at != 'u' || (high = heaplog_json_hex_(at + 1)) < 0)
		return -1;
	*end = at + 5;
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high <= 0xdbff && at[5] == '\\' && at[6] == 'u') {
		low = heaplog_json_hex_(at + 7);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*end = at + 11;
			return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return 0xfffd;
}

/* Decode the string whose opening quote is at text into buf (NULL: only skip it) and set *length to the decoded bytes,
 * which is >= size where they did not fit, and *nul where there is a \u0000 among them. Returns the place behind the
 * closing quote, or NULL: not a string. */
static inline const char *heaplog_json_string_(const char *text, char *buf, size_t size, size_t *length, int *nul)
{
	const char *at = text;
	size_t used = 0;

	*nul = 0;
	if (*at++ != '"')
		return NULL;
	while (*at != '"') {
		char bytes[4];
		size_t count = 1, i;

		if ((unsigned char)*at < 0x20)
			return NULL; /* the end of the text, too */
		if (*at == '\\') {
			long code = heaplog_json_escape_(at + 1, &at);
			if (code < 0)
				return NULL;
			if (code == 0)
				*nul = 1;
			count = heaplog_json_utf8_(code, bytes);
		} else {
			bytes[0] = *at++;
		}
		for (i = 0; i < count; i++, used++)
			if (buf != NULL && used < size)
				buf[used] = bytes[i];
	}
	if (buf != NULL && size > 0)
		buf[used < size ? used : size - 1] = '\0';
	*length = used;
	return at + 1;
}

/* The place behind the value at text, or NULL: not a value. Not recursive: brackets are kept as bits, 64 deep at most,
 * so no input can exhaust the stack. */
static inline const char *heaplog_json_skip_(const char *text)
{
	const char *at = text;
	uint64_t braces = 0; /* bit 0: the innermost bracket is a brace */
	unsigned depth = 0;
	size_t length;
	int nul;

	do {
		at = heaplog_json_space_(at);
		if (*at == '"') {
			at = heaplog_json_string_(at, NULL, 0, &length, &nul);
			if (at == NULL)
				return NULL;
		} else if (*at == '{' || *at == '[') {
			if (++depth > 64)
				return NULL;
			braces = braces << 1 | (*at == '{' ? 1U : 0U);
			at++;
		} else if (*at == '}' || *at == ']') {
			if (depth == 0 || (braces & 1U) != (*at == '}' ? 1U : 0U))
				return NULL;
			braces >>= 1;
			depth--;
			at++;
		} else if (depth > 0 && (*at == ',' || *at == ':')) {
			at++;
		} else {
			length = strspn(at, "+-.0123456789Eaeflnrstu"); /* numbers, true, false, null */
			if (length == 0)
				return NULL;
			at += length;
		}
	} while (depth > 0);
	return at;
}

/* ---- reading a record ---- */

/* heaplog_record_value: find a key of a JSON object.
 *
 * line    a NUL-terminated text that starts with a JSON object; what follows the object is ignored. NULL: as if empty
 * key     the key, of at most 127 bytes. Only keys of the object itself are found, not those of objects inside it.
 *         Of equal keys, the first is meant
 * Returns the place in line where the value starts, or NULL with errno ENOENT (no such key) or EBADMSG (not JSON).
 *         Where the value is an object the result can be used as a line, with any of these calls:
 *         heaplog_record_uint64(heaplog_record_value(line, "exit"), "code", &code)
 * Threads pure; safe in a signal handler but for errno
 * Source  the text given; nothing behind the key is checked */
static inline const char *heaplog_record_value(const char *line, const char *key)
{
	const char *at;
	size_t key_length = strlen(key);

	at = line != NULL ? heaplog_json_space_(line) : "";
	if (*at != '{')
		goto bad;
	at = heaplog_json_space_(at + 1);
	if (*at == '}')
		goto none;
	for (;;) {
		char name[128];
		size_t length;
		int nul;

		at = heaplog_json_string_(at, name, sizeof(name), &length, &nul);
		if (at == NULL)
			goto bad;
		at = heaplog_json_space_(at);
		if (*at != ':')
			goto bad;
		at = heaplog_json_space_(at + 1);
		if (length == key_length && length < sizeof(name) && memcmp(name, key, length) == 0)
			return at;
		at = heaplog_json_skip_(at);
		if (at == NULL)
			goto bad;
		at = heaplog_json_space_(at);
		if (*at == '}')
			goto none;
		if (*at != ',')
			goto bad;
		at = heaplog_json_space_(at + 1);
	}
none:
	errno = ENOENT;
	return NULL;
bad:
	errno = EBADMSG;
	return NULL;
}

/* heaplog_record_uint64: a number of the record.
 *
 * line    the record, NUL-terminated
 * key     the key; see heaplog_record_value
 * out     where to store the number, in the key's unit (bytes for *_bytes, milliseconds for *_ms); untouched on failure
 * Returns 0, or -1 with errno ENOENT (no such key), EBADMSG (not JSON), EINVAL (not an integer >= 0), ERANGE (> 2^64 -
 * 1) Threads pure; safe in a signal handler but for errno Source  the text given */
static inline int heaplog_record_uint64(const char *line, const char *key, uint64_t *out)
{
	const char *at = heaplog_record_value(line, key);
	uint64_t value = 0;
	const char *digits = at;
	int overflow = 0;

	if (at == NULL)
		return -1;
	for (; *at >= '0' && *at <= '9'; at++) {
		unsigned digit = (unsigned)(*at - '0');
		if (value > (UINT64_MAX - digit) / 10)
			overflow = 1;
		else
			value = value * 10 + digit;
	}
	if (at == digits || (*digits == '0' && at - digits > 1)) {
		errno = EINVAL;
		return -1;
	}
	at = heaplog_json_space_(at);
	if (*at != ',' && *at != '}') {
		errno = *at == '\0' ? EBADMSG : EINVAL; /* a line that was cut in the middle of a number is no number */
		return -1;
	}
	if (overflow) {
		errno = ERANGE;
		return -1;
	}
	*out = value;
	return 0;
}

/* heaplog_record_string: a string of the record, escapes decoded, NUL-terminated.
 *
 * line    the record, NUL-terminated
 * key     the key; see heaplog_record_value
 * buf     where to store the string (UTF-8). It may hold control characters. Empty on failure
 * size    bytes at buf, the NUL included; at least 1
 * Returns the length without the NUL, or -1 with errno ENOENT (no such key), EBADMSG (not JSON), EINVAL (not a string),
 *         ERANGE (does not fit), EILSEQ (holds a NUL character)
 * Threads pure; safe in a signal handler but for errno
 * Source  the text given */
static inline ssize_t heaplog_record_string(const char *line, const char *key, char *buf, size_t size)
{
	const char *at = heaplog_record_value(line, key);
	size_t length = 0;
	int nul = 0;
	int error = 0;

	if (at == NULL)
		error = errno;
	else if (*at != '"')
		error = EINVAL;
	else if (heaplog_json_string_(at, buf, size, &length, &nul) == NULL)
		error = EBADMSG;
	else if (length >= size)
		error = ERANGE;
	else if (nul)
		error = EILSEQ;
	if (error == 0)
		return (ssize_t)length;
	if (size > 0)
		buf[0] = '\0';
	errno = error;
	return -1;
}

#ifdef __linux__

/* ---- result fds ---- */

/* An iterator over the results of one process. Not to be shared between threads without a lock. */
struct heaplog_results {
	DIR *dir; /* of /proc/PID/fd */
};

/* heaplog_result_read: the record in a result fd.
 *
 * fd      a result fd, yours or as given by heaplog_result_next; its file offset is neither used nor changed
 * buf     where to store the record: a line of JSON with its newline, then a NUL
 * size    bytes at buf; HEAPLOG_LINE_SIZE is always enough
 * Returns the length in bytes without the NUL, or -1 with errno EMSGSIZE (does not fit) or what pread(2) gives
 * Threads safe; safe in a signal handler but for errno
 * Source  pread(2) from offset 0 */
static inline ssize_t heaplog_result_read(int fd, char *buf, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t count = pread(fd, buf + length, size - length, (off_t)length);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -1;
		if (count == 0) {
			buf[length] = '\0';
			return (ssize_t)length;
		}
		length += (size_t)count;
	}
	errno = EMSGSIZE;
	return -1;
}

/* Open entry name of the directory dirfd (a /proc/PID/fd) if it is a genuine result, and store its record in line.
 * Returns the fd, or -1: none. */
static inline int heaplog_result_open_entry_(int directory, const char *name, char *line, size_t size)
{
	const size_t prefix = sizeof(HEAPLOG_RESULT_LINK) - 1;
	char link[sizeof(HEAPLOG_RESULT_LINK)];
	int fd, seals;

	/* The name first: opening is not free of effects where the entry is a device or a fifo. */
	if (readlinkat(directory, name, link, sizeof(link)) < (ssize_t)prefix ||
	    memcmp(link, HEAPLOG_RESULT_LINK, prefix) != 0)
		return -1;
	/* The runner may have replaced the entry in between: do not block, and ask what was opened, not what was named.
	 */
	fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -1;
	seals = fcntl(fd, HEAPLOG_F_GET_SEALS);
	if (seals >= 0 && (seals & HEAPLOG_F_SEAL_WRITE) != 0 && heaplog_result_read(fd, line, size) > 0)
		return fd;
	close(fd);
	return -1;
}

/* heaplog_results_open: begin to iterate over the results of a runner.
 *
 * results the iterator to initialise; end it with heaplog_results_close
 * pid     process id of the runner, as this process sees it
 * Returns 0, or -1 with errno ENOENT (no such process, or no /proc), EACCES (not yours), EMFILE, ENOMEM …
 * Threads safe, each with an iterator of its own
 * Source  opendir of /proc/PID/fd. The directory stays with the process: a pid reused later yields nothing */
static inline int heaplog_results_open(struct heaplog_results *results, pid_t pid)
{
	char path[40] = "/proc/";
	char digits[24];
	size_t at = sizeof(digits);
	unsigned long left = pid > 0 ? (unsigned long)pid : 0;

	digits[--at] = '\0';
	do {
		digits[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left != 0);
	strcat(path, digits + at);
	strcat(path, "/fd");
	results->dir = opendir(path);
	return results->dir != NULL ? 0 : -1;
}

/* heaplog_results_close: end an iteration. Descriptors that were given out stay open.
 *
 * results the iterator; closing it twice does nothing
 * Threads safe, each with an iterator of its own */
static inline void heaplog_results_close(struct heaplog_results *results)
{
	if (results->dir != NULL)
		closedir(results->dir);
	results->dir = NULL;
}

/* heaplog_result_next: the next result of a runner.
 *
 * results the iterator
 * task    where to store the task's name, from the record, NUL-terminated (not from the link, which may be cut)
 * size    bytes at task. A result whose name does not fit is skipped; 256 is enough for all but hostile names
 * Returns a new file descriptor of the result, read-only, close-on-exec, for you to close; or -1 with errno 0: no more,
 *         or -1 with what readdir(3) gives. The order is by descriptor number. Entries that are not results (another
 *         name, no F_SEAL_WRITE, no record with a task) are passed over. A task that ran twice is given twice.
 * Threads safe, each with an iterator of its own
 * Source  /proc/PID/fd, readlink(2), F_GET_SEALS of fcntl(2). Needs the right to ptrace-read the runner: same user */
static inline int heaplog_result_next(struct heaplog_results *results, char *task, size_t size)
{
	char line[HEAPLOG_LINE_SIZE];
	struct dirent *entry;

	for (;;) {
		int fd;

		errno = 0;
		entry = readdir(results->dir);
		if (entry == NULL)
			return -1;
		if (entry->d_name[0] == '.')
			continue;
		fd = heaplog_result_open_entry_(dirfd(results->dir), entry->d_name, line, sizeof(line));
		if (fd < 0)
			continue;
		if (heaplog_record_string(line, "task", task, size) > 0)
			return fd;
		close(fd);
	}
}

/* heaplog_result_open: the result of one task of a runner; of several runs of it, the one that started last.
 *
 * pid     process id of the runner
 * task    the task's name as in the record, "project:target[:configuration]", at most 1023 bytes
 * Returns a new file descriptor, read-only, close-on-exec, for you to close; or -1 with errno ENOENT (no such result,
 * or no such process) or what heaplog_results_open and heaplog_result_next give Threads safe Source  as
 * heaplog_result_next */
static inline int heaplog_result_open(pid_t pid, const char *task)
{
	struct heaplog_results results;
	char name[1024];
	char line[HEAPLOG_LINE_SIZE];
	char start[32], best_start[32] = "";
	int fd, best = -1, error;

	if (heaplog_results_open(&results, pid) != 0)
		return -1;
	while ((fd = heaplog_result_next(&results, name, sizeof(name))) >= 0) {
		int drop = fd;
		if (strcmp(name, task) == 0 && heaplog_result_read(fd, line, sizeof(line)) > 0) {
			heaplog_record_string(line, "start", start, sizeof(start)); /* "" where there is none */
			if (best < 0 || strcmp(start, best_start) >= 0) {
				drop = best;
				best = fd;
				strcpy(best_start, start);
			}
		}
		if (drop >= 0)
			close(drop);
	}
	error = errno;
	heaplog_results_close(&results);
	if (best < 0)
		errno = error != 0 ? error : ENOENT;
	return best;
}

#endif /* __linux__ */

#endif
