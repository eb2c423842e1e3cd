/* The record: the reader of include/heaplog.h on any bytes, and writer and reader together on any names. */
#include "heaplog.h"

#include "fuzz.h"

#include "record/record.h"

static void read_anything(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {"task", "peak_bytes", "exit", "top", "series", ""};
	char *line = malloc(size + 1);
	char text[64];
	uint64_t number;

	HOLDS(line);
	memcpy(line, data, size);
	line[size] = '\0';
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const char *value = heaplog_record_value(line, keys[i]);

		HOLDS(!value || (value > line && value <= line + size));
		heaplog_record_uint64(line, keys[i], &number);
		if (heaplog_record_string(line, keys[i], text, sizeof text) >= 0)
			HOLDS(memchr(text, 0, sizeof text));
		if (value)
			heaplog_record_uint64(value, "code", &number);
	}
	free(line);
}

static void write_anything(const uint8_t *data, size_t size)
{
	static struct heaplog_summary summary = {
	    .peak_bytes = 4096, .peak_upper_bytes = 4097, .top_count = 1, .series_count = 2};
	char *names[5];
	const size_t count = cut(data, size, names, 4);
	static char text[HEAPLOG_RECORD_MAX], task[1 << 16];
	uint64_t number;

	if (count == 4) {
		const struct heaplog_record record = {
		    .run = names[0],
		    .task = names[1],
		    .project = names[2],
		    .hash = names[3],
		    .exit = (enum heaplog_exit)(size % 3),
		    .exit_value = (int)(size % 200),
		    .start = {.tv_sec = (time_t)(size * 7919), .tv_nsec = (long)size},
		    .metric = "rss",
		    .summary = &summary,
		};

		memset(summary.top[0].command, 0, sizeof summary.top[0].command);
		strncpy(summary.top[0].command, names[3], HEAPLOG_COMMAND_MAX - 1);
		const size_t length = heaplog_record_format(&record, text, sizeof text);

		if (length) {
			HOLDS(length <= sizeof text && text[length - 1] == '\n');
			/* Nothing in it can steer a terminal or break the line. */
			for (size_t i = 0; i + 1 < length; i++)
				HOLDS((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
			text[length - 1] = '\0';
			HOLDS(heaplog_record_uint64(text, "peak_bytes", &number) == 0 && number == 4096);
			HOLDS(heaplog_record_string(text, "task", task, sizeof task) >= (ssize_t)0);
		}
	}
	release(names, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_anything(data, size);
	write_anything(data, size);
	return 0;
}
