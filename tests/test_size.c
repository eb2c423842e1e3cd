/* Sizes as text and back (src/record/size.c). */
#include "record/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define KB (UINT64_C(1) << 10)
#define MB (UINT64_C(1) << 20)
#define GB (UINT64_C(1) << 30)
#define TB (UINT64_C(1) << 40)

static void test_format(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
	    {0, "0KB"},
	    {511, "0KB"},
	    {512, "1KB"},
	    {1023, "1KB"},
	    {KB, "1KB"},
	    {820 * KB, "820KB"},
	    {MB - 513, "1023KB"},
	    {MB - 410, "1MB"}, /* 1023.6 KB */
	    {MB, "1MB"},
	    {512 * MB, "512MB"},
	    {GB - MB / 2 - 1, "1023MB"},
	    {GB - MB / 2, "1.0GB"}, /* 1023.5 MB */
	    {GB, "1.0GB"},
	    {GB + GB / 5, "1.2GB"},
	    {TB - GB / 10, "1023.9GB"},
	    {TB - GB / 25, "1.0TB"},
	    {TB + TB / 2, "1.5TB"},
	    {UINT64_MAX, "16777216.0TB"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[HEAPLOG_SIZE_TEXT];
		assert_int_equal(heaplog_size_format(cases[i].bytes, text), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
}

static void test_never_1024(void **state)
{
	(void)state;
	for (uint64_t bytes = 0; bytes < 3 * TB; bytes += bytes / 3000 + 1) {
		char text[HEAPLOG_SIZE_TEXT];
		heaplog_size_format(bytes, text);
		assert_int_not_equal(strncmp(text, "1024", 4), 0);
	}
}

static void test_parse_good(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
	    {"0", 0},
	    {"1073741824", GB},
	    {"12B", 12},
	    {"800 k", 800 * KB},
	    {"800KiB", 800 * KB},
	    {"512MB", 512 * MB},
	    {"512mb", 512 * MB},
	    {"1.5GB", GB + GB / 2},
	    {"1.5gib", GB + GB / 2},
	    {"2T", 2 * TB},
	    {"0.5000000000000k", 512},
	    {"18446744073709551615", UINT64_MAX},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 7;
		assert_int_equal(heaplog_size_parse(cases[i].text, &bytes), 0);
		assert_int_equal(bytes, cases[i].bytes);
	}
}

static void test_parse_bad(void **state)
{
	static const char *const cases[] = {
	    "",          " ",
	    " 1",        "1 ",
	    "-1",        "+1",
	    "MB",        ".5GB",
	    "1.GB",      "1.5",
	    "1.5B",      "1MBx",
	    "1Ki",       "1iB",
	    "1 M B",     "1  M",
	    "0x10",      "1e3",
	    "1,5G",      "1.5.5G",
	    "nan",       "18446744073709551616",
	    "16777216T", "99999999999999999999999",
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 7;
		assert_int_equal(heaplog_size_parse(cases[i], &bytes), -1);
		assert_int_equal(bytes, 7);
	}
	uint64_t bytes = 7;
	assert_int_equal(heaplog_size_parse(NULL, &bytes), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_never_1024),
	    cmocka_unit_test(test_parse_good),
	    cmocka_unit_test(test_parse_bad),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
