/* One finished task as a line of JSON, and its way into the results file.
 *
 * This runs inside other people's processes: no malloc (the allocator may be locked or replaced), no stdio (its buffers
 * are the host's), no locale (a comma for a decimal point), and system calls by number, because write, openat and close
 * may be wrapped by this very library or by another preloaded one. errno is the host's: it is preserved. */
#include "record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A bounded text. Once something did not fit, full stays set and nothing more is written. */
struct text {
	char *bytes;
	size_t size;
	size_t length;
	bool full;
};

static void put_bytes(struct text *text, const char *bytes, size_t count)
{
	if (text->full || count > text->size - text->length) {
		text->full = true;
		return;
	}
	memcpy(text->bytes + text->length, bytes, count);
	text->length += count;
}

static void put(struct text *text, const char *string)
{
	put_bytes(text, string, strlen(string));
}

/* value in decimal, with leading zeros up to width. */
static void put_number(struct text *text, uint64_t value, size_t width)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0 || (sizeof(digits) - at < width && at > 0));
	put_bytes(text, digits + at, sizeof(digits) - at);
}

static void put_signed(struct text *text, int64_t value)
{
	if (value < 0)
		put(text, "-");
	put_number(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 1);
}

/* The length of the well-formed UTF-8 sequence at bytes (Unicode, table 3-7: no overlong form, no surrogate), or 0. */
static size_t utf8_length(const unsigned char *bytes, size_t left)
{
	unsigned char lead = bytes[0];
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t length;

	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		length = 2;
	else if (lead >= 0xe0 && lead <= 0xef)
		length = 3;
	else if (lead >= 0xf0 && lead <= 0xf4)
		length = 4;
	else
		return 0;
	if (length > left)
		return 0;
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	if (bytes[1] < low || bytes[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (bytes[i] < 0x80 || bytes[i] > 0xbf)
			return 0;
	return length;
}

static void put_escape(struct text *text, unsigned value)
{
	static const char hex[] = "0123456789abcdef";
	char escape[6] = {'\\', 'u', '0', '0', hex[value >> 4 & 15], hex[value & 15]};
	put_bytes(text, escape, sizeof(escape));
}

/* A JSON string. Also escaped: DEL and the C1 controls (U+0080 to U+009F), valid in JSON but commands to a terminal on
 * which somebody looks at the file. A byte that is not UTF-8 becomes U+FFFD: JSON has no way to hold it. */
static void put_string(struct text *text, const char *string, size_t length)
{
	const unsigned char *at = (const unsigned char *)string;
	const unsigned char *end = at + length;

	put(text, "\"");
	while (at < end && !text->full) {
		size_t count = utf8_length(at, (size_t)(end - at));
		if (count == 0) {
			put(text, "\\ufffd");
			count = 1;
		} else if (*at == '"' || *at == '\\') {
			put(text, "\\");
			put_bytes(text, (const char *)at, 1);
		} else if (*at < 0x20 || *at == 0x7f) {
			put_escape(text, *at);
		} else if (count == 2 && at[0] == 0xc2 && at[1] < 0xa0) {
			put_escape(text, at[1]);
		} else {
			put_bytes(text, (const char *)at, count);
		}
		at += count;
	}
	put(text, "\"");
}

static void put_string_field(struct text *text, const char *key, const char *value)
{
	if (value == NULL)
		return;
	put(text, key);
	put_string(text, value, strlen(value));
}

static void put_number_field(struct text *text, const char *key, uint64_t value)
{
	put(text, key);
	put_number(text, value, 1);
}

/* RFC 3339 in UTC. Own arithmetic: gmtime_r reads TZ and takes a lock in glibc. Days to a civil date over eras of 400
 * years (146097 days) that begin on 1 March of year 0, so that the leap day is the last of its year. */
static void put_time(struct text *text, const struct timespec *time)
{
	const int64_t first = INT64_C(-62135596800); /* 0001-01-01 */
	const int64_t last = INT64_C(253402300799);  /* 9999-12-31T23:59:59: RFC 3339 has years of four digits */
	int64_t seconds = time->tv_sec < first ? first : time->tv_sec > last ? last : time->tv_sec;
	uint64_t since =
	    (uint64_t)(seconds + INT64_C(719468) * 86400); /* since 0000-03-01: never negative from year 1 */
	uint64_t second = since % 86400;
	uint64_t days = since / 86400;
	uint64_t era = days / 146097;
	uint64_t day_of_era = days % 146097;
	uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t march_month = (5 * day_of_year + 2) / 153; /* 0: March */
	uint64_t day = day_of_year - (153 * march_month + 2) / 5 + 1;
	uint64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
	uint64_t year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
	uint64_t ms = time->tv_nsec < 0 || time->tv_nsec > 999999999 ? 0 : (uint64_t)time->tv_nsec / 1000000;

	put_number(text, year, 4);
	put(text, "-");
	put_number(text, month, 2);
	put(text, "-");
	put_number(text, day, 2);
	put(text, "T");
	put_number(text, second / 3600, 2);
	put(text, ":");
	put_number(text, second / 60 % 60, 2);
	put(text, ":");
	put_number(text, second % 60, 2);
	put(text, ".");
	put_number(text, ms, 3);
	put(text, "Z");
}

static void put_exit(struct text *text, enum heaplog_exit kind, int value)
{
	switch (kind) {
	case HEAPLOG_EXIT_CODE:
		put(text, ",\"exit\":{\"code\":");
		put_signed(text, value);
		put(text, "}");
		break;
	case HEAPLOG_EXIT_SIGNAL: {
		const char *name = heaplog_signal_name(value);
		put(text, ",\"exit\":{\"signal\":\"");
		put(text, name != NULL ? name : "SIG");
		if (name == NULL)
			put_signed(text, value);
		put(text, "\"}");
		break;
	}
	case HEAPLOG_EXIT_UNKNOWN:
		break;
	}
}

static void put_top(struct text *text, const struct heaplog_summary *summary)
{
	put(text, ",\"top\":[");
	for (uint32_t i = 0; i < summary->top_count && i < HEAPLOG_TOP_MAX; i++) {
		const struct heaplog_top *top = &summary->top[i];
		put(text, i == 0 ? "{\"pid\":" : ",{\"pid\":");
		put_signed(text, top->pid);
		put(text, ",\"command\":");
		put_string(text, top->command, strnlen(top->command, sizeof(top->command)));
		put_number_field(text, ",\"bytes\":", top->bytes);
		put(text, "}");
	}
	put(text, "]");
}

static void put_series(struct text *text, const struct heaplog_summary *summary)
{
	put(text, ",\"series\":[");
	for (uint32_t i = 0; i < summary->series_count && i < HEAPLOG_SERIES_MAX; i++) {
		put_number_field(text, i == 0 ? "[" : ",[", summary->series[i].ms);
		put_number_field(text, ",", summary->series[i].bytes);
		put(text, "]");
	}
	put(text, "]");
}

/* Whether the truth lies within 1 % of the peak. An upper bound below the peak is no bound; nor is there one without a
 * look: what the wait reports is of the largest process alone. */
static bool is_exact(const struct heaplog_record *record)
{
	const struct heaplog_summary *summary = record->summary;

	return !record->partial && summary->samples > 0 && summary->peak_upper_bytes >= summary->peak_bytes &&
	       summary->peak_upper_bytes - summary->peak_bytes <= summary->peak_bytes / 100;
}

static void put_all_but_lists(struct text *text, const struct heaplog_record *record)
{
	const struct heaplog_summary *summary = record->summary;

	put(text, "{\"v\":1");
	put_string_field(text, ",\"run\":", record->run);
	put_string_field(text, ",\"task\":", record->task);
	put_string_field(text, ",\"project\":", record->project);
	put_string_field(text, ",\"target\":", record->target);
	put_string_field(text, ",\"configuration\":", record->configuration);
	put_string_field(text, ",\"hash\":", record->hash);
	put_string_field(text, ",\"runner\":", record->runner);
	put(text, ",\"pid\":");
	put_signed(text, record->pid);
	put(text, ",\"start\":\"");
	put_time(text, &record->start);
	put(text, "\"");
	put_number_field(text, ",\"duration_ms\":", record->duration_ms);
	put_exit(text, record->exit, record->exit_value);
	put(text, record->oom ? ",\"oom\":true" : ",\"oom\":false");
	put_string_field(text, ",\"metric\":", record->metric);
	put_number_field(text, ",\"peak_bytes\":", summary->peak_bytes);
	put_number_field(text, ",\"peak_upper_bytes\":", summary->peak_upper_bytes);
	put(text, is_exact(record) ? ",\"exact\":true" : ",\"exact\":false");
	put_number_field(text, ",\"peak_at_ms\":", summary->peak_at_ms);
	put_number_field(text, ",\"samples\":", summary->samples);
	put_number_field(text, ",\"interval_ms\":", record->interval_ms);
	put_number_field(text, ",\"processes_max\":", summary->processes_max);
}

size_t heaplog_record_format(const struct heaplog_record *record, char *text, size_t size)
{
	if (record->summary == NULL)
		return 0;
	/* What a reader can best do without goes first: the series, then the breakdown by process. */
	for (int lists = 2; lists >= 0; lists--) {
		struct text line = {.bytes = text, .size = size};
		put_all_but_lists(&line, record);
		if (lists >= 1)
			put_top(&line, record->summary);
		if (lists >= 2)
			put_series(&line, record->summary);
		put(&line, "}\n");
		if (!line.full) {
			if (line.length < size)
				text[line.length] = '\0'; /* a courtesy where there is room, not part of the line */
			return line.length;
		}
	}
	return 0;
}

/* A switch, not an array: the numbers differ between architectures, and glibc's sigabbrev_np needs 2.32. */
const char *heaplog_signal_name(int signal)
{
#define NAME(name) \
	case name: \
		return #name
	switch (signal) {
		NAME(SIGHUP);
		NAME(SIGINT);
		NAME(SIGQUIT);
		NAME(SIGILL);
		NAME(SIGTRAP);
		NAME(SIGABRT);
		NAME(SIGBUS);
		NAME(SIGFPE);
		NAME(SIGKILL);
		NAME(SIGUSR1);
		NAME(SIGSEGV);
		NAME(SIGUSR2);
		NAME(SIGPIPE);
		NAME(SIGALRM);
		NAME(SIGTERM);
		NAME(SIGCHLD);
		NAME(SIGCONT);
		NAME(SIGSTOP);
		NAME(SIGTSTP);
		NAME(SIGTTIN);
		NAME(SIGTTOU);
		NAME(SIGURG);
		NAME(SIGXCPU);
		NAME(SIGXFSZ);
		NAME(SIGVTALRM);
		NAME(SIGPROF);
		NAME(SIGWINCH);
		NAME(SIGSYS);
#ifdef SIGIO
		NAME(SIGIO);
#endif
#ifdef SIGPWR
		NAME(SIGPWR);
#endif
#ifdef SIGSTKFLT
		NAME(SIGSTKFLT);
#endif
	default:
		return NULL;
	}
#undef NAME
}

/* One write of the whole line, so that lines of concurrent runners stay whole. Beyond RLIMIT_FSIZE the kernel sends
 * SIGXFSZ to the calling thread, which would kill the host for our sake: it is held back and taken from the queue. */
static int write_whole(int fd, const char *line, size_t length)
{
	static const struct timespec now = {0, 0};
	sigset_t too_large;
	sigset_t before;
	sigset_t pending;
	int error = 0;

	sigemptyset(&too_large);
	sigaddset(&too_large, SIGXFSZ);
	sigemptyset(&pending);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &too_large, &before);
	long written;
	do
		written = syscall(SYS_write, fd, line, length);
	while (written < 0 && errno == EINTR);
	if (written < 0)
		error = errno;
	else if ((size_t)written != length)
		error = ENOSPC; /* what a short write to a regular file means */
	if (error == EFBIG && !sigismember(&pending, SIGXFSZ))
		sigtimedwait(&too_large, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static int append(const char *path, const char *line, size_t length)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_LARGEFILE;
	struct stat status;
	int error;
	long fd;

	do
		fd = syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return errno == ENXIO ? EINVAL : errno; /* ENXIO: a fifo without a reader, or a socket */
	if (fstat((int)fd, &status) != 0)
		error = errno;
	else if (!S_ISREG(status.st_mode))
		error = EINVAL;
	else
		error = write_whole((int)fd, line, length);
	syscall(SYS_close, fd);
	return error;
}

int heaplog_record_append(const char *path, const char *line, size_t length)
{
	int saved = errno;
	int error = append(path, line, length);
	errno = saved;
	return error;
}
