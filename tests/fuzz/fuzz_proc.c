/* The /proc parsers: the input is cut at zero bytes into the status, stat, children and cmdline of process 100, and the
 * status of its child 200, in a directory that is taken for /proc. */
#include "fuzz.h"

#include "measure/process_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

static void make(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	HOLDS(mkdir(path, 0700) == 0);
}

static void set_up(void)
{
	snprintf(directory, sizeof directory, "%s/heaplog-fuzz.XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	HOLDS(mkdtemp(directory));
	make("100");
	make("100/task");
	make("100/task/100");
	make("200");
	make("200/task");
	make("200/task/200");
}

static void clear(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf '%s'", directory);
	if (system(command) != 0)
		fprintf(stderr, "%s is left\n", directory);
}

static void put(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	HOLDS(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static bool belongs(void *context, const char *environment, size_t length)
{
	(void)context;
	return memchr(environment, 'T', length) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const files[] = {"100/status", "100/stat",   "100/task/100/children", "100/cmdline",
					    "200/status", "200/stat",   "200/task/200/children", "loadavg",
					    "100/statm",  "200/environ"};
	enum { FILES = sizeof files / sizeof *files };
	char *texts[FILES + 1];
	const size_t count = cut(data, size, texts, FILES);
	struct heaplog_peak peak;
	bool changed;

	if (!directory[0]) {
		set_up();
		atexit(clear);
	}
	for (size_t i = 0; i < FILES; i++)
		put(files[i], i < count ? texts[i] : "");
	for (unsigned budget = 0; budget < 20; budget += 10) {
		const struct heaplog_tree_options options = {
		    .proc = directory, .fd_budget = budget, .belongs = belongs};
		struct heaplog_tree *tree = heaplog_tree_create(&options);

		HOLDS(tree);
		heaplog_peak_init(&peak, 0, 500);
		heaplog_tree_add_root(tree, 100);
		for (uint64_t tick = 1; tick < 4; tick++) {
			/* 100, 200, and numbers which have no directory. */
			HOLDS(heaplog_tree_tick(tree, tick * 1000000, &peak, &changed) <= 2);
			heaplog_tree_glance(tree, tick * 1000000 + 1);
		}
		HOLDS(peak.summary.top_count <= HEAPLOG_TOP_MAX && peak.summary.series_count <= HEAPLOG_SERIES_MAX);
		for (uint32_t i = 0; i < peak.summary.top_count; i++)
			HOLDS(memchr(peak.summary.top[i].command, 0, HEAPLOG_COMMAND_MAX));
		heaplog_tree_destroy(tree);
	}
	heaplog_process_has_execed(directory, 100);
	release(texts, count);
	return 0;
}
