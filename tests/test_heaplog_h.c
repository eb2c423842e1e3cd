/* The public header: result fds and the record's reader (include/heaplog.h). */
#include <heaplog.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

static int make(const char *name, const char *line, int seals)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	if (seals != 0)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void test_round_trip(void **state)
{
	const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	const char *line = "{\"v\":1,\"task\":\"@acme/a:build\",\"start\":\"2026-01-02\",\"peak_bytes\":5}\n";
	int fds[] = {
	    make("heaplog:@acme/a:build", line, seals),
	    make("heaplog:@acme/a:build", "{\"task\":\"@acme/a:build\",\"start\":\"2026-01-01\"}\n", seals),
	    make("heaplog:fake:build", "{\"task\":\"fake:build\"}\n", 0),
	    make("heaplog:grow:build", "{\"task\":\"grow:build\"}\n", F_SEAL_GROW),
	    make("other:x", "{\"task\":\"x:x\"}\n", seals),
	    make("heaplog:junk", "junk\n", seals),
	};
	struct heaplog_results results;
	char task[64];
	char text[HEAPLOG_LINE_SIZE];
	int fd, count = 0;
	(void)state;

	assert_int_equal(heaplog_results_open(&results, getpid()), 0);
	while (count < 9 && (fd = heaplog_result_next(&results, task, sizeof(task))) >= 0) {
		assert_string_equal(task, "@acme/a:build");
		close(fd);
		count++;
	}
	assert_int_equal(errno, 0);
	heaplog_results_close(&results);
	assert_true(count >= 2);

	fd = heaplog_result_open(getpid(), "@acme/a:build");
	assert_true(fd >= 0);
	assert_int_equal(heaplog_result_read(fd, text, sizeof(text)), strlen(line));
	assert_string_equal(text, line);
	assert_int_equal(heaplog_result_read(fd, text, strlen(line) + 1), strlen(line));
	assert_int_equal(heaplog_result_read(fd, text, strlen(line)), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(write(fd, "x", 1), -1);
	close(fd);
	assert_int_equal(heaplog_result_open(getpid(), "fake:build"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(heaplog_result_open(0, "a"), -1);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
}

static void test_values(void **state)
{
	const char *line =
	    " { \"n\" : {\"k\":1,\"s\":\"}\\\"]\"} , \"l\":[[1,2],{\"k\":3}],\"t\":true,\"k\": 18446744073709551615,"
	    "\"over\":18446744073709551616,\"neg\":-1,\"f\":1.5,\"z\":01,"
	    "\"\\u0065\":\"\\u00e9\\ud83d\\ude00\\ud800\\n\\/\",\"nul\":\"a\\u0000b\",\"exit\":{\"code\":3}}";
	uint64_t value = 7;
	char text[16];
	(void)state;

	assert_int_equal(heaplog_record_uint64(line, "k", &value), 0);
	assert_int_equal(value, UINT64_MAX);
	assert_int_equal(heaplog_record_uint64(heaplog_record_value(line, "exit"), "code", &value), 0);
	assert_int_equal(value, 3);
	assert_int_equal(heaplog_record_uint64(line, "code", &value), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(heaplog_record_uint64(line, "over", &value), -1);
	assert_int_equal(errno, ERANGE);
	static const char *const wrong[] = {"neg", "f", "z", "t", "n", "nul"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(heaplog_record_uint64(line, wrong[i], &value), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_int_equal(value, 3);
	assert_int_equal(heaplog_record_string(line, "e", text, sizeof(text)), 11);
	assert_string_equal(text, "\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd\n/");
	assert_int_equal(heaplog_record_string(line, "e", text, 11), -1);
	assert_int_equal(errno, ERANGE);
	assert_string_equal(text, "");
	assert_int_equal(heaplog_record_string(line, "nul", text, sizeof(text)), -1);
	assert_int_equal(errno, EILSEQ);
}

static void test_hostile(void **state)
{
	static const char *const bad[] = {"",
					  "{",
					  "{\"",
					  "{\"a",
					  "{\"a\"",
					  "{\"a\":",
					  "{\"a\":\"",
					  "{\"a\":\"\\",
					  "{\"a\":\"\\u12",
					  "{\"a\":[}",
					  "{\"a\":{]",
					  "{\"a\":1",
					  "{\"a\":1,",
					  "[]",
					  "{\"a\":\"\x01\"}",
					  "{\"a\":\"\\x\"}",
					  "{a:1}",
					  "{\"a\":\"\\ud800\\u",
					  "{\"a\":}"};
	static char deep[100000] = "{\"a\":";
	uint64_t value;
	char text[8];
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *copy = strdup(bad[i]); /* the sanitizer sees a read beyond the NUL */
		assert_int_equal(heaplog_record_uint64(copy, "k", &value), -1);
		assert_int_equal(errno, EBADMSG);
		assert_int_equal(heaplog_record_string(copy, "a", text, sizeof(text)), -1);
		free(copy);
	}
	memset(deep + 5, '[', sizeof(deep) - 6);
	assert_int_equal(heaplog_record_uint64(deep, "k", &value), -1);
	assert_int_equal(errno, EBADMSG);
	for (size_t depth = 64; depth <= 65; depth++) {
		memset(deep + 5, '[', depth);
		memset(deep + 5 + depth, ']', depth);
		strcpy(deep + 5 + 2 * depth, "}");
		assert_int_equal(heaplog_record_uint64(deep, "k", &value), -1);
		assert_int_equal(errno, depth == 64 ? ENOENT : EBADMSG);
	}
	assert_int_equal(heaplog_record_uint64(NULL, "k", &value), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
