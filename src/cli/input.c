#include "cli/input.h"

#include "cli/terminal.h"
#include "cli/utf8.h"
#include "record/size.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A buffer holds one line at least: sixteen times what a record may have. Reads of this size are as fast as larger
 * ones. */
enum { BUFFER = 1 << 18, BAD_SHOWN = 10 };

struct progress {
	struct timespec begin;
	uint64_t total; /* bytes of the regular files; 0: not known */
	bool on, shown;
};

/* One file on its way through the buffer. */
struct source {
	struct input *input;
	struct progress *progress;
	const char *name;
	uint64_t number; /* of the line, from 1 */
	uint64_t good, bad;
	bool cut;      /* the last of the bad ones may yet become a record */
	size_t length; /* bytes in the buffer */
	bool skipping; /* inside a line that does not fit */
	char buffer[BUFFER + 1];
};

static void print_name(const char *name)
{
	utf8_print(stderr, name, SIZE_MAX, 1);
}

static void clear_progress(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}

static void show_progress(const struct input *input, struct progress *progress)
{
	char done[HEAPLOG_SIZE_TEXT], total[HEAPLOG_SIZE_TEXT];
	struct timespec now;

	if (!progress->on)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	const long ms =
	    (now.tv_sec - progress->begin.tv_sec) * 1000 + (now.tv_nsec - progress->begin.tv_nsec) / 1000000;
	if (ms < 500)
		return;
	/* The next one in a tenth of a second. */
	progress->begin.tv_nsec += 100000000;
	if (progress->begin.tv_nsec >= 1000000000) {
		progress->begin.tv_nsec -= 1000000000;
		progress->begin.tv_sec++;
	}
	heaplog_size_format(input->bytes, done);
	heaplog_size_format(progress->total, total);
	if (progress->total >= input->bytes)
		fprintf(stderr, "\rheaplog: %3.0f %% of %s, %llu records\033[K",
			100.0 * (double)input->bytes / (double)progress->total, total,
			(unsigned long long)input->records);
	else
		fprintf(stderr, "\rheaplog: %s, %llu records\033[K", done, (unsigned long long)input->records);
	progress->shown = true;
}

static void complain(struct source *source, const char *wrong)
{
	source->input->bad++;
	if (++source->bad > BAD_SHOWN)
		return;
	clear_progress(source->progress);
	fprintf(stderr, "heaplog %s: ", source->input->command);
	print_name(source->name);
	fprintf(stderr, ":%llu: %s; skipped\n", (unsigned long long)source->number, wrong);
}

/* One line, NUL-terminated in place of its newline. */
static void take_line(struct source *source, char *text, size_t length, bool whole)
{
	struct line line;
	const char *wrong;

	source->number++;
	if (length > 0 && text[length - 1] == '\r')
		text[--length] = '\0'; /* a file that went through Windows */
	if (length == 0 || text[strspn(text, " \t")] == '\0')
		return;
	wrong = strlen(text) == length ? line_parse(text, &line) : "a NUL byte in it";
	if (wrong) {
		source->cut = !whole;
		complain(source, whole ? wrong : "the last line is cut off, or still being written");
		return;
	}
	source->good++;
	source->input->records++;
	source->input->visit(source->input->context, &line);
}

/* All whole lines of the buffer; what is left moves to its front. */
static void take_lines(struct source *source)
{
	char *at = source->buffer;
	char *const end = source->buffer + source->length;
	char *newline;

	while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		*newline = '\0';
		if (source->skipping)
			source->skipping = false;
		else
			take_line(source, at, (size_t)(newline - at), true);
		at = newline + 1;
	}
	source->length = (size_t)(end - at);
	if (source->length == BUFFER) {
		source->number++;
		complain(source, "longer than any record");
		source->skipping = true;
	}
	if (source->skipping)
		source->length = 0;
	memmove(source->buffer, at, source->length);
}

/* At the end of a file with an unfinished line: whether to look again. One write of a writer that is at work shows page
 * by page (the kernel moves the file's size along as it copies), so the rest of a line may be a moment away. */
static bool look_again(const struct source *source, int fd, int *looks)
{
	static const struct timespec moment = {.tv_nsec = 1000000};
	struct stat status;

	if (source->length == 0 || *looks == 20 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return false;
	(*looks)++;
	nanosleep(&moment, NULL);
	return true;
}

static bool read_fd(struct source *source, int fd)
{
	int looks = 0;

	for (;;) {
		const ssize_t got = read(fd, source->buffer + source->length, BUFFER - source->length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0 && look_again(source, fd, &looks))
			continue;
		if (got == 0)
			break;
		looks = 0;
		source->length += (size_t)got;
		source->input->bytes += (size_t)got;
		take_lines(source);
		show_progress(source->input, source->progress);
	}
	if (source->length > 0) {
		source->buffer[source->length] = '\0';
		take_line(source, source->buffer, source->length, false);
	}
	if (source->bad > BAD_SHOWN) {
		clear_progress(source->progress);
		fprintf(stderr, "heaplog %s: ", source->input->command);
		print_name(source->name);
		fprintf(stderr, ": %llu more lines that are no records; skipped\n",
			(unsigned long long)(source->bad - BAD_SHOWN));
	}
	return true;
}

static void cannot_read(struct input *input, struct progress *progress, const char *name, const char *why)
{
	clear_progress(progress);
	fprintf(stderr, "heaplog %s: ", input->command);
	print_name(name);
	fprintf(stderr, ": %s\n", why);
	input->failed = true;
}

static void read_file(struct input *input, struct progress *progress, const char *path, const char *name)
{
	struct source *source = malloc(sizeof *source);
	const bool standard = strcmp(path, "-") == 0;
	int fd;

	if (!source) {
		cannot_read(input, progress, name, strerror(ENOMEM));
		return;
	}
	memset(source, 0, offsetof(struct source, buffer));
	source->input = input;
	source->progress = progress;
	source->name = standard ? "standard input" : name;
	fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || !read_fd(source, fd))
		cannot_read(input, progress, source->name, strerror(errno));
	else if (source->bad > source->cut && !source->good)
		cannot_read(input, progress, source->name, "no line is a record: is this a results file?");
	else
		input->files++;
	if (fd >= 0 && !standard)
		close(fd);
	free(source);
}

static bool is_results(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && (strcmp(dot, ".jsonl") == 0 || strcmp(dot, ".ndjson") == 0);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static size_t walk(struct input *input, struct progress *progress, const char *path, bool read);

/* One entry of a directory. Symbolic links are not followed: they may lead back to where we are. */
static size_t visit(struct input *input, struct progress *progress, const char *path, const char *name, bool read)
{
	char whole[PATH_MAX];
	struct stat status;

	int error = 0;

	if ((size_t)snprintf(whole, sizeof whole, "%s/%s", path, name) >= sizeof whole)
		error = ENAMETOOLONG;
	else if (lstat(whole, &status) != 0)
		error = errno;
	if (error) {
		if (read)
			cannot_read(input, progress, whole, strerror(error));
		return 0;
	}
	if (S_ISDIR(status.st_mode))
		return walk(input, progress, whole, read);
	if (!S_ISREG(status.st_mode) || !is_results(name))
		return 0;
	if (read)
		read_file(input, progress, whole, whole);
	else
		progress->total += (uint64_t)status.st_size;
	return 1;
}

/* Every results file below path, by name; first (read false) to add up their sizes. Returns how many there are. */
static size_t walk(struct input *input, struct progress *progress, const char *path, bool read)
{
	struct dirent **entries;
	const int all = scandir(path, &entries, NULL, by_name);
	size_t count = 0;

	if (all < 0) {
		if (read)
			cannot_read(input, progress, path, strerror(errno));
		return 0;
	}
	for (int i = 0; i < all; i++) {
		if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0)
			count += visit(input, progress, path, entries[i]->d_name, read);
		free(entries[i]);
	}
	free(entries);
	return count;
}

bool input_read(struct input *input, char *const *paths)
{
	struct progress progress = {.on = terminal_is(stderr)};
	struct stat status;

	clock_gettime(CLOCK_MONOTONIC, &progress.begin);
	for (char *const *path = paths; *path && progress.on; path++) {
		if (stat(*path, &status) != 0)
			continue;
		if (S_ISDIR(status.st_mode))
			walk(input, &progress, *path, false);
		else if (S_ISREG(status.st_mode))
			progress.total += (uint64_t)status.st_size;
	}
	for (char *const *path = paths; *path; path++) {
		if (strcmp(*path, "-") == 0 || stat(*path, &status) != 0 || !S_ISDIR(status.st_mode))
			read_file(input, &progress, *path, *path);
		else if (walk(input, &progress, *path, true) == 0)
			cannot_read(input, &progress, *path, "no *.jsonl or *.ndjson file in this directory");
	}
	clear_progress(&progress);
	return !input->failed;
}
