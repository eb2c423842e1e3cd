/* The record's line and the results file (src/record/record.c). */
#include "record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct heaplog_summary summary;

static struct heaplog_record sample(void)
{
	memset(&summary, 0, sizeof(summary));
	summary.peak_bytes = 1000;
	summary.peak_upper_bytes = 1010;
	summary.samples = 3;
	summary.top_count = 1;
	summary.top[0].pid = 42;
	summary.top[0].bytes = 900;
	strcpy(summary.top[0].command, "node \"b\"");
	summary.series_count = 2;
	summary.series[1].ms = 5;
	summary.series[1].bytes = 1000;
	return (struct heaplog_record){.run = "r",
				       .task = "a:b",
				       .runner = "nx",
				       .pid = 42,
				       .metric = "rss",
				       .start = {1795467600, 123999999},
				       .duration_ms = 7,
				       .exit = HEAPLOG_EXIT_CODE,
				       .interval_ms = 500,
				       .summary = &summary};
}

static int setup(void **state)
{
	static char path[4096];
	const char *parent = getenv("TMPDIR");
	snprintf(path, sizeof(path), "%s/heaplog-record-XXXXXX", parent != NULL ? parent : "/tmp");
	*state = mkdtemp(path);
	return *state == NULL || chdir(path) != 0 ? -1 : 0;
}

static int teardown(void **state)
{
	unlink("file");
	unlink("link");
	unlink("target"); /* where a link was followed after all */
	rmdir("dir");
	return chdir("/") != 0 || rmdir(*state) != 0 ? -1 : 0;
}

static void test_line(void **state)
{
	struct heaplog_record record = sample();
	char line[HEAPLOG_RECORD_MAX];
	(void)state;

	size_t length = heaplog_record_format(&record, line, sizeof(line));
	assert_int_equal(length, strlen(line));
	assert_string_equal(
	    line, "{\"v\":1,\"run\":\"r\",\"task\":\"a:b\",\"runner\":\"nx\",\"pid\":42,"
		  "\"start\":\"2026-11-23T21:00:00.123Z\",\"duration_ms\":7,\"exit\":{\"code\":0},\"oom\":false,"
		  "\"metric\":\"rss\",\"peak_bytes\":1000,\"peak_upper_bytes\":1010,\"exact\":true,"
		  "\"peak_at_ms\":0,\"samples\":3,\"interval_ms\":500,\"processes_max\":0,"
		  "\"top\":[{\"pid\":42,\"command\":\"node \\\"b\\\"\",\"bytes\":900}],"
		  "\"series\":[[0,0],[5,1000]]}\n");
	summary.samples = 0; /* the wait tells of the largest process alone */
	heaplog_record_format(&record, line, sizeof(line));
	assert_non_null(strstr(line, "\"exact\":false"));
	summary.samples = 3;
	record.partial = true;
	heaplog_record_format(&record, line, sizeof(line));
	assert_non_null(strstr(line, "\"exact\":false"));
	record.partial = false;
	summary.peak_upper_bytes = 1011;
	record.exit = HEAPLOG_EXIT_SIGNAL;
	record.exit_value = SIGKILL;
	heaplog_record_format(&record, line, sizeof(line));
	assert_non_null(strstr(line, "\"exact\":false"));
	assert_non_null(strstr(line, "\"exit\":{\"signal\":\"SIGKILL\"}"));
	record.exit_value = 34;
	heaplog_record_format(&record, line, sizeof(line));
	assert_non_null(strstr(line, "{\"signal\":\"SIG34\"}"));
	record.exit = HEAPLOG_EXIT_UNKNOWN;
	heaplog_record_format(&record, line, sizeof(line));
	assert_null(strstr(line, "exit"));
}

static void test_escapes(void **state)
{
	struct heaplog_record record = sample();
	char line[HEAPLOG_RECORD_MAX];
	(void)state;

	record.task =
	    "\"\\\n\x01\x7f\xc2\x9b|\xc3\xa9\xf0\x9f\x98\x80|\xff\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82";
	heaplog_record_format(&record, line, sizeof(line));
	assert_non_null(strstr(line, "\"\\\"\\\\\\u000a\\u0001\\u007f\\u009b|\xc3\xa9\xf0\x9f\x98\x80|"
				     "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd"
				     "\\ufffd\","));
}

static void test_every_byte_is_json(void **state)
{
	struct heaplog_record record = sample();
	char line[HEAPLOG_RECORD_MAX];
	char name[256];
	(void)state;

	for (int i = 0; i < 255; i++)
		name[i] = (char)(i + 1);
	name[255] = '\0';
	record.task = name;
	size_t length = heaplog_record_format(&record, line, sizeof(line));
	int fd = open("file", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, line, length), length);
	close(fd);
	assert_int_equal(system("python3 -m json.tool file >/dev/null"), 0);
}

static void test_dates(void **state)
{
	struct heaplog_record record = sample();
	char line[HEAPLOG_RECORD_MAX];
	(void)state;

	srandom(1);
	for (int i = 0; i < 100000; i++) {
		struct tm tm;
		char expected[64];
		time_t seconds = (time_t)(((uint64_t)random() << 31 | (uint64_t)random()) % UINT64_C(315537897600));
		seconds -= INT64_C(62135596800); /* years 1 to 9999 */
		record.start.tv_sec = seconds;
		assert_non_null(gmtime_r(&seconds, &tm));
		snprintf(expected, sizeof(expected), "\"%04d-%02d-%02dT%02d:%02d:%02d.123Z\"", tm.tm_year + 1900,
			 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		assert_true(heaplog_record_format(&record, line, sizeof(line)) > 0);
		assert_non_null(strstr(line, expected));
	}
}

static void test_drops(void **state)
{
	struct heaplog_record record = sample();
	char line[HEAPLOG_RECORD_MAX];
	(void)state;

	size_t full = heaplog_record_format(&record, line, sizeof(line));
	size_t seen[3] = {0, 0, 0};
	for (size_t size = 0; size <= full; size++) {
		char *exact = malloc(size + 1); /* the sanitizer sees a byte too many */
		assert_non_null(exact);
		if (exact == NULL)
			return; /* gcc does not know that the assertion does not return */
		memset(exact, '#', size + 1);
		size_t length = heaplog_record_format(&record, exact, size);
		assert_true(length <= size);
		assert_int_equal(exact[size], '#');
		if (length > 0) {
			assert_memory_equal(exact + length - 2, "}\n", 2);
			int top = memmem(exact, length, "\"top\"", 5) != NULL;
			int series = memmem(exact, length, "\"series\"", 8) != NULL;
			assert_true(top >= series);
			seen[top + series]++;
		}
		free(exact);
	}
	assert_true(seen[0] > 0 && seen[1] > 0);
	assert_int_equal(seen[2], 1);
	record.summary = NULL;
	assert_int_equal(heaplog_record_format(&record, line, sizeof(line)), 0);
}

static void test_append(void **state)
{
	struct stat status;
	(void)state;

	errno = 77;
	assert_int_equal(heaplog_record_append("file", "one\n", 4), 0);
	assert_int_equal(heaplog_record_append("file", "two\n", 4), 0);
	assert_int_equal(stat("file", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_size, 8);
	assert_int_equal(heaplog_record_append("no/file", "x\n", 2), ENOENT);
	assert_int_equal(errno, 77);
}

static void test_append_refuses(void **state)
{
	(void)state;
	assert_int_equal(symlink("target", "link"), 0);
	assert_int_equal(heaplog_record_append("link", "x\n", 2), ELOOP);
	assert_int_equal(access("target", F_OK), -1);
	assert_int_equal(mkdir("dir", 0700), 0);
	assert_int_equal(heaplog_record_append("dir", "x\n", 2), EISDIR);
	assert_int_equal(heaplog_record_append("/dev/null", "x\n", 2), EINVAL);
	assert_int_equal(mkfifo("file", 0600), 0);
	alarm(5);
	assert_int_equal(heaplog_record_append("file", "x\n", 2), EINVAL);
	int reader = open("file", O_RDONLY | O_NONBLOCK);
	assert_int_equal(heaplog_record_append("file", "x\n", 2), EINVAL);
	char byte;
	assert_int_equal(read(reader, &byte, 1), 0);
	close(reader);
	alarm(0);
}

static void test_append_beyond_limit(void **state)
{
	int status;
	(void)state;

	pid_t child = fork();
	if (child == 0) {
		struct rlimit none = {0, 0};
		setrlimit(RLIMIT_FSIZE, &none);
		_exit(heaplog_record_append("file", "x\n", 2) == EFBIG ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0); /* and not SIGXFSZ */
}

static void test_append_concurrently(void **state)
{
	enum { WRITERS = 8, LINES = 200, LENGTH = 4000 };
	static char line[LENGTH + 1];
	(void)state;

	for (int i = 0; i < WRITERS; i++) {
		if (fork() == 0) {
			memset(line, 'a' + i, LENGTH - 1);
			line[LENGTH - 1] = '\n';
			for (int n = 0; n < LINES; n++)
				if (heaplog_record_append("file", line, LENGTH) != 0)
					_exit(1);
			_exit(0);
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	FILE *file = fopen("file", "r");
	int count = 0;
	while (fread(line, 1, LENGTH, file) == LENGTH) {
		for (int i = 1; i < LENGTH - 1; i++)
			if (line[i] != line[0])
				fail();
		assert_int_equal(line[LENGTH - 1], '\n');
		count++;
	}
	fclose(file);
	assert_int_equal(count, WRITERS * LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_line),
	    cmocka_unit_test(test_escapes),
	    cmocka_unit_test_setup_teardown(test_every_byte_is_json, setup, teardown),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_drops),
	    cmocka_unit_test_setup_teardown(test_append, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_append_refuses, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_append_beyond_limit, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_append_concurrently, setup, teardown),
	};
	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
