/* The `heaplog` command's front door: help, version, wrong usage. */
#include "torture.h"

#include <sys/wait.h>

#include "heaplog.h"

static struct torture_result *heaplog_2(const char *first, const char *second)
{
	char *argv[] = {(char *)(uintptr_t)torture_path("heaplog"), (char *)(uintptr_t)first, (char *)(uintptr_t)second,
			NULL};
	char *none[] = {NULL};
	struct torture_result *result = torture_run(argv, none);

	assert_true(WIFEXITED(result->status));
	return result;
}

static struct torture_result *heaplog(const char *first)
{
	return heaplog_2(first, NULL);
}

static unsigned lines(const char *text)
{
	unsigned count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static void help_fits_a_screen(void **state)
{
	static const char *const words[] = {"--help", "-h", "help"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct torture_result *result = heaplog(words[i]);

		assert_int_equal(WEXITSTATUS(result->status), 0);
		assert_int_equal(result->errors_length, 0);
		assert_true(lines(result->output) <= 24);
		for (const char *at = result->output; *at;) {
			const size_t length = strcspn(at, "\n");

			assert_true(length <= 120);
			at += length + (at[length] != '\0');
		}
	}
}

static void version(void **state)
{
	(void)state;
	assert_string_equal(heaplog("--version")->output, "heaplog " HEAPLOG_VERSION "\n");
	assert_int_equal(WEXITSTATUS(heaplog("-V")->status), 0);
}

static void subcommands_say_their_version_and_help(void **state)
{
	static const char *const names[] = {"run", "report", "compare", "history", "plan", "top", "doctor"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct torture_result *result = heaplog_2(names[i], "--version");

		assert_string_equal(result->output, "heaplog " HEAPLOG_VERSION "\n");
		assert_int_equal(WEXITSTATUS(result->status), 0);
		assert_non_null(strstr(heaplog_2(names[i], "-h")->output, "usage: heaplog"));
		assert_non_null(strstr(heaplog_2(names[i], "--help")->output, "usage: heaplog"));
	}
}

static void without_words_help_on_stderr_and_2(void **state)
{
	struct torture_result *result = heaplog(NULL);

	(void)state;
	assert_int_equal(WEXITSTATUS(result->status), 2);
	assert_int_equal(result->output_length, 0);
	assert_non_null(strstr(result->errors, "usage: heaplog"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(help_fits_a_screen),
	    TORTURE(version),
	    TORTURE(subcommands_say_their_version_and_help),
	    TORTURE(without_words_help_on_stderr_and_2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
