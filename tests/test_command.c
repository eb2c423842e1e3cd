/* Command lines as names, and the scripts that are only a way to other scripts. */
#include "torture.h"

#include "task/command.h"

static void check_text(const char *const argv[], const char *expected)
{
	char text[24];
	const size_t length = command_text((char *const *)(uintptr_t)argv, text, sizeof text);

	assert_string_equal(length ? text : "", expected);
	assert_int_equal(length, strlen(expected));
}

#define CHECK_TEXT(expected, ...) check_text((const char *const[]){__VA_ARGS__, NULL}, expected)

static void test_text(void **state)
{
	(void)state;
	CHECK_TEXT("cc -c a.c", "cc", "-c", "a.c");
	CHECK_TEXT("cc -c a.c && x", "/bin/sh", "-c", "cc -c a.c && x");
	CHECK_TEXT("cc a.c", "bash", "-ec", "cc a.c", "argument", "of the script");
	CHECK_TEXT("sh script -c x", "sh", "script", "-c", "x");
	CHECK_TEXT("sh -c", "sh", "-c");
	CHECK_TEXT("bash -x -c", "bash", "-x", "-c");
	CHECK_TEXT("notsh -c x", "notsh", "-c", "x");
	CHECK_TEXT("a  b", "a", "", "b");
	CHECK_TEXT("two lines", "sh", "-c", "two\nlines\n");
	CHECK_TEXT("a  [31m", "a", "\x1b[31m");
	CHECK_TEXT("", "");
	check_text((const char *const[]){NULL}, "");
	check_text(NULL, "");
	/* 24 bytes, the NUL included. */
	CHECK_TEXT("12345678901234567890123", "12345678901234567890123");
	CHECK_TEXT("12345678901234567890\xe2\x80\xa6", "123456789012345678901234");
	CHECK_TEXT("1234567890123456789\xe2\x80\xa6", "1234567890123456789\xc3\xa9\xc3\xa9\xc3\xa9");
	CHECK_TEXT("12345678901234567890\xe2\x80\xa6", "12345678901234567890123", "");
}

static void test_runs(void **state)
{
	(void)state;
	assert_true(command_runs("wireit", "wireit"));
	assert_true(command_runs("/x/.bin/wireit", "wireit"));
	assert_true(command_runs("node /x/.bin/wireit", "wireit"));
	assert_true(command_runs("NODE_ENV=test A=/b/c wireit", "wireit"));
	assert_true(command_runs("cross-env A=b npx wireit --x", "wireit"));
	assert_false(command_runs("wireit && true", "wireit"));
	assert_false(command_runs("echo wireit", "wireit"));
	assert_false(command_runs("mywireit", "wireit"));
	assert_false(command_runs("", "wireit"));
	assert_false(command_runs("A=b", "wireit"));
}

static void test_passage(void **state)
{
	static const char *const yes[] = {
	    "npm run build -ws",
	    "npm run build --workspaces",
	    "npm run build --workspace=a",
	    "npm -w packages/a run build",
	    "CI=1 npm run build --ws --if-present",
	    "pnpm -r build",
	    "pnpm --recursive run build",
	    "pnpm --filter ./a run build",
	    "pnpm --filter=a build",
	    "pnpm recursive run build",
	    "pnpm run -r build",
	    "npx pnpm -r build",
	    "yarn workspaces run build",
	    "yarn workspaces foreach -A run build",
	    "yarn workspace a build",
	    "wireit",
	};
	static const char *const no[] = {
	    "",
	    "tsc -b",
	    "npm run clean",
	    "npm run clean && npm run build -ws", /* tsc might stand here as well */
	    "npm run build -ws | tee log",
	    "npm run x -- -ws",
	    "pnpm build",
	    "pnpm run x -- -r",
	    "yarn build",
	    "yarn",
	    "echo pnpm -r build",
	    "$(which pnpm) -r build",
	    "node build.js -r",
	};

	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		if (!command_is_passage(yes[i]))
			fail_msg("a passage: %s", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (command_is_passage(no[i]))
			fail_msg("no passage: %s", no[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TORTURE(test_text), TORTURE(test_runs), TORTURE(test_passage)};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
