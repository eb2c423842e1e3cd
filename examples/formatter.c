/* formatter PID: a table of the tasks that the runner PID has finished so far, largest first.
 *
 *	cc -I../include -o formatter formatter.c
 *	NX_LOG_HEAP_USAGE=true LD_PRELOAD=/usr/local/lib/libheaplog.so nx run-many -t build &
 *	./formatter $!
 *
 * $! must be the process that runs the tasks: with `npx nx` it is a child of npx. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <heaplog.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct row {
	char task[256];
	char exit[32];
	uint64_t peak_bytes;
	uint64_t duration_ms;
};

/* As heaplog prints sizes: 820KB, 512MB, 1.2GB; the rounded value decides the unit. */
static void format_size(uint64_t bytes, char *text, size_t size)
{
	uint64_t kilobytes = (bytes >> 10) + (bytes >> 9 & 1);
	uint64_t megabytes = (bytes >> 20) + (bytes >> 19 & 1);

	if (bytes == 0)
		snprintf(text, size, "-"); /* nothing was measured, which is not 0 */
	else if (kilobytes < 1024)
		snprintf(text, size, "%" PRIu64 "KB", kilobytes);
	else if (megabytes < 1024)
		snprintf(text, size, "%" PRIu64 "MB", megabytes);
	else
		snprintf(text, size, "%.1fGB", (double)bytes / (1 << 30));
}

/* A name may hold anything, and this goes to a terminal. */
static void disarm(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static void read_row(const char *line, struct row *row)
{
	const char *how = heaplog_record_value(line, "exit");
	uint64_t code;

	row->peak_bytes = 0;
	row->duration_ms = 0;
	heaplog_record_uint64(line, "peak_bytes", &row->peak_bytes);
	heaplog_record_uint64(line, "duration_ms", &row->duration_ms);
	if (heaplog_record_uint64(how, "code", &code) == 0)
		snprintf(row->exit, sizeof(row->exit), "%" PRIu64, code);
	else if (heaplog_record_string(how, "signal", row->exit, sizeof(row->exit)) < 0)
		snprintf(row->exit, sizeof(row->exit), "-");
	disarm(row->task);
	disarm(row->exit);
}

static int larger_first(const void *a, const void *b)
{
	uint64_t left = ((const struct row *)a)->peak_bytes;
	uint64_t right = ((const struct row *)b)->peak_bytes;
	return (left < right) - (left > right);
}

int main(int argc, char **argv)
{
	struct heaplog_results results;
	struct row *rows = NULL;
	size_t count = 0;
	struct row row;
	int fd;

	char *end = NULL;
	long pid = argc == 2 ? strtol(argv[1], &end, 10) : 0;
	if (pid <= 0 || *end != '\0') {
		fprintf(stderr, "usage: formatter PID\n");
		return 2;
	}
	if (heaplog_results_open(&results, (pid_t)pid) != 0) {
		perror("formatter");
		return 1;
	}
	while ((fd = heaplog_result_next(&results, row.task, sizeof(row.task))) >= 0) {
		char line[HEAPLOG_LINE_SIZE];
		struct row *grown = realloc(rows, (count + 1) * sizeof(*rows));
		if (grown == NULL) {
			perror("formatter");
			return 1;
		}
		rows = grown;
		if (heaplog_result_read(fd, line, sizeof(line)) > 0) {
			read_row(line, &row);
			rows[count++] = row;
		}
		close(fd);
	}
	heaplog_results_close(&results);

	if (count > 0)
		qsort(rows, count, sizeof(*rows), larger_first);
	printf("%-40s %8s %10s  %s\n", "TASK", "PEAK", "DURATION", "EXIT");
	for (size_t i = 0; i < count; i++) {
		char size[32];
		format_size(rows[i].peak_bytes, size, sizeof(size));
		printf("%-40s %8s %9.1fs  %s\n", rows[i].task, size, (double)rows[i].duration_ms / 1000, rows[i].exit);
	}
	free(rows);
	return 0;
}
