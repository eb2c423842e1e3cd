/* The table that stands at the end for runners whose lines heaplog does not know. */
#include "torture.h"

#include "preload/table.h"

#include <signal.h>

#define MB ((uint64_t)1 << 20)

static struct table table;
static char text[TABLE_TEXT];

static void insert(const char *name, uint64_t peak, uint64_t ms)
{
	table_insert(&table, name, ms, &(struct figure){.peak = peak});
}

static void check(unsigned columns, bool coloured, const char *expected)
{
	const size_t length = table_format(&table, columns, coloured, text, sizeof text - 1);

	text[length] = '\0';
	assert_string_equal(text, expected);
}

static int begin(void **state)
{
	(void)state;
	memset(&table, 0, sizeof table);
	return 0;
}

static void test_empty(void **state)
{
	(void)state;
	check(0, false, "");
	insert("too short to be measured", 0, 1);
	check(0, false, "");
}

static void test_one(void **state)
{
	const struct figure figure = {.peak = 512 * MB, .warn = 100 * MB, .signal = SIGKILL};

	(void)state;
	table_insert(&table, "a:build", 1200, &figure);
	check(0, false, "heaplog: a:build (peak: 512MB, over 100MB, SIGKILL)\n");
	check(0, true, "heaplog: a:build\x1b[33m (peak: 512MB, over 100MB, SIGKILL)\x1b[39m\n");
}

static void test_rows(void **state)
{
	const struct figure killed = {.peak = 300 * MB, .signal = SIGKILL, .oom = true, .warn = 1000 * MB};
	const struct figure over = {.peak = 1843 * MB, .warn = 1000 * MB};
	const struct figure server = {.peak = 72 * MB, .running = true, .warn = 1000 * MB};

	(void)state;
	insert("a:build", 500 * MB, 0);
	table_insert(&table, "b:build", 12340, &over);
	table_insert(&table, "c:test", 61499, &killed);
	table_insert(&table, "d:serve", 3600000, &server);
	insert("e:e2e", 900 * 1024, 59949);
	insert("f:e2e", 1023 * MB, 59950);
	check(0, false,
	      "heaplog: peak memory of 6 tasks, the largest first\n"
	      "   1.8GB  12.3s  b:build (over 1000MB)\n"
	      "  1023MB  1m00s  f:e2e\n"
	      "   500MB   0.0s  a:build\n"
	      "   300MB  1m01s  c:test (OOM-killed)\n"
	      "    72MB  1h00m  d:serve (still running)\n"
	      "   900KB  59.9s  e:e2e\n");
	check(0, true,
	      "heaplog: peak memory of 6 tasks, the largest first\n"
	      "\x1b[33m   1.8GB\x1b[39m  12.3s  b:build\x1b[33m (over 1000MB)\x1b[39m\n"
	      "  1023MB  1m00s  f:e2e\n"
	      "   500MB   0.0s  a:build\n"
	      "   300MB  1m01s  c:test\x1b[33m (OOM-killed)\x1b[39m\n"
	      "    72MB  1h00m  d:serve\x1b[33m (still running)\x1b[39m\n"
	      "   900KB  59.9s  e:e2e\n");
}

/* Equal peaks stay in their order. */
static void test_more_than_fits(void **state)
{
	char expected[TABLE_TEXT] = "heaplog: peak memory of 57 tasks, the largest first\n";

	(void)state;
	for (unsigned i = 0; i < 57; i++) {
		char name[8];

		snprintf(name, sizeof name, "t%u", i);
		insert(name, (1 + i * 23 % 57) * MB, 100);
	}
	for (unsigned peak = 57; peak > 57 - TABLE_ROWS; peak--)
		for (unsigned i = 0; i < 57; i++)
			if (1 + i * 23 % 57 == peak)
				snprintf(expected + strlen(expected), sizeof expected - strlen(expected),
					 "%6uMB   0.1s  t%u\n", peak, i);
	strcat(expected, "  and 37 more, none above 37MB\n");
	check(0, false, expected);
}

/* [req: H-80] */
static void test_names(void **state)
{
	char name[TABLE_NAME + 50];

	(void)state;
	insert("cc -O2 -c source/with/a/long/path/file.c", 20 * MB, 100);
	insert("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
	       10 * MB, 100);
	insert("ends with \x1b[31mred", 5 * MB, 100);
	check(30, false,
	      "heaplog: peak memory of 3 tasks, the largest first\n"
	      "    20MB   0.1s  cc -O2 -c so\xe2\x80\xa6\n"
	      "    10MB   0.1s  "
	      "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\n"
	      "     5MB   0.1s  ends with ?[\xe2\x80\xa6\n");
	begin(NULL);
	/* C1 and what turns the direction are control characters as well; letters are not, nor half of one. */
	insert("a\xc2\x9b"
	       "31m\xe2\x80\xae\xe2\x81\xa6\x7f\xc2\xa0\xc3\x9b\xe2\x80\xa6\xc2",
	       MB, 100);
	check(0, false, "heaplog: a??31m???????\xc2\xa0\xc3\x9b\xe2\x80\xa6\xc2 (peak: 1MB)\n");
	/* What was kept of a long name ends between two characters. */
	begin(NULL);
	memset(name, 'x', sizeof name);
	for (size_t i = 101; i + 1 < sizeof name; i += 2)
		memcpy(name + i, "\xc3\xa9", 2);
	name[sizeof name - 1] = '\0';
	insert(name, MB, 0);
	assert_int_equal(table_format(&table, 0, false, text, sizeof text - 1),
			 strlen("heaplog: ") + 155 + 3 + strlen(" (peak: 1MB)\n"));
}

/* Full of the longest rows it still fits, and into less it is cut, not overrun. */
static void test_size(void **state)
{
	const struct figure figure = {.peak = UINT64_MAX, .warn = UINT64_MAX - 1, .signal = INT32_MAX};
	char name[TABLE_NAME];
	size_t length;

	(void)state;
	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = '\0';
	for (unsigned i = 0; i < 30; i++)
		table_insert(&table, name, UINT64_MAX / 2, &figure);
	length = table_format(&table, 0, true, text, sizeof text);
	assert_in_range(length, TABLE_ROWS * sizeof name, sizeof text - 1);
	assert_int_equal(text[length - 1], '\n');
	for (size_t size = 0; size < 600; size++) {
		memset(text, '#', sizeof text);
		assert_in_range(table_format(&table, 0, true, text, size), 0, size);
		assert_int_equal(text[size], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_empty, begin), cmocka_unit_test_setup(test_one, begin),
	    cmocka_unit_test_setup(test_rows, begin),  cmocka_unit_test_setup(test_more_than_fits, begin),
	    cmocka_unit_test_setup(test_names, begin), cmocka_unit_test_setup(test_size, begin),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
