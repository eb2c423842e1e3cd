#include "preload/annotate.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define MB ((uint64_t)1 << 20)

/* Bytes behind the buffer's end and behind the suffix must stay as they were. */
static void check_figure(const struct figure *figure, bool coloured, const char *expected)
{
	char text[ANNOTATE_SUFFIX_MAX + 16];
	size_t length;

	memset(text, '#', sizeof(text));
	length = annotate_suffix(figure, coloured, text);
	assert_int_equal(length, strlen(expected));
	assert_memory_equal(text, expected, length);
	for (size_t i = ANNOTATE_SUFFIX_MAX; i < sizeof(text); i++)
		assert_int_equal(text[i], '#');
}

static void check(uint64_t peak, int signal, bool coloured, const char *expected)
{
	check_figure(&(struct figure){.peak = peak, .signal = signal}, coloured, expected);
}

static void test_sizes(void **state)
{
	(void)state;
	check(512 * MB, 0, false, " (peak: 512MB)");
	check(1, 0, false, " (peak: 0KB)");
	check(820 * 1024, 0, false, " (peak: 820KB)");
	check(2150 * MB, 0, false, " (peak: 2.1GB)");
	check(1536 * 1024 * MB, 0, false, " (peak: 1.5TB)");
}

static void test_nothing_measured(void **state)
{
	(void)state;
	check(0, 0, false, "");
	check(0, 0, true, "");
	check(0, SIGKILL, false, "");
}

static void test_signals(void **state)
{
	(void)state;
	check(2150 * MB, SIGKILL, false, " (peak: 2.1GB, SIGKILL)");
	check(512 * MB, SIGTERM, false, " (peak: 512MB, SIGTERM)");
	check(512 * MB, 40, false, " (peak: 512MB, SIG40)");
	check(512 * MB, 120, false, " (peak: 512MB, SIG120)");
	check(512 * MB, INT32_MAX, false, " (peak: 512MB, SIG2147483647)");
	check(512 * MB, -1, false, " (peak: 512MB)");
}

static void test_colour(void **state)
{
	(void)state;
	check(512 * MB, 0, true, "\x1b[2m (peak: 512MB)\x1b[22m");
	check(512 * MB, SIGKILL, true, "\x1b[2m (peak: 512MB, SIGKILL)\x1b[22m");
}

static void test_causes(void **state)
{
	const struct figure oom = {.peak = 3891 * MB, .signal = SIGKILL, .oom = true};
	const struct figure over = {.peak = 1843 * MB, .warn = 1536 * MB};
	const struct figure under = {.peak = 1536 * MB, .warn = 1536 * MB};
	const struct figure both = {.peak = 3891 * MB, .warn = 1536 * MB, .signal = SIGKILL, .oom = true};
	const struct figure last = {.peak = 512 * MB, .last = true};

	(void)state;
	check_figure(&oom, false, " (peak: 3.8GB, OOM-killed)");
	check_figure(&over, false, " (peak: 1.8GB, over 1.5GB)");
	check_figure(&over, true, "\x1b[33m (peak: 1.8GB, over 1.5GB)\x1b[39m");
	check_figure(&under, true, "\x1b[2m (peak: 1.5GB)\x1b[22m");
	check_figure(&both, false, " (peak: 3.8GB, over 1.5GB, OOM-killed)");
	check_figure(&last, true, "\x1b[2m (last peak: 512MB)\x1b[22m");
}

static void test_always_fits(void **state)
{
	(void)state;
	for (int signal = 0; signal < 200; signal++) {
		char text[ANNOTATE_SUFFIX_MAX];
		const struct figure figure = {
		    .peak = UINT64_MAX, .warn = UINT64_MAX - 1, .signal = signal, .last = true};
		size_t length = annotate_suffix(&figure, true, text);

		assert_in_range(length, 20, ANNOTATE_SUFFIX_MAX);
		/* Whole: a cut one would leave the terminal dim. */
		assert_memory_equal(text + length - 6, ")\x1b[39m", 6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),  cmocka_unit_test(test_nothing_measured), cmocka_unit_test(test_signals),
	    cmocka_unit_test(test_colour), cmocka_unit_test(test_always_fits),      cmocka_unit_test(test_causes),
	};

	return cmocka_run_group_tests_name("annotate", tests, NULL, NULL);
}
