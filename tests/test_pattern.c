/* HEAPLOG_TASK: what is a pattern, and what it makes of an environment. */
#include "torture.h"

#include "task/pattern.h"

#define ENTRY(text) (char *)(uintptr_t)(text)

static char *envp[] = {ENTRY("P=lib"), ENTRY("T=build"),   ENTRY("C=ci"),    ENTRY("EMPTY="),
		       ENTRY("X1=y"),  ENTRY("PP=longer"), ENTRY("NOVALUE"), NULL};

static void check(const char *pattern, const char *expected)
{
	char name[64] = "untouched";
	const size_t length = pattern_expand(pattern, envp, name, sizeof name);

	if (!pattern_is_valid(pattern))
		fail_msg("\"%s\" is a pattern", pattern);
	if (length != strlen(expected) || (length && strcmp(name, expected) != 0))
		fail_msg("\"%s\" makes \"%s\" (%zu), expected \"%s\"", pattern, name, length, expected);
}

static void test_expand(void **state)
{
	(void)state;
	check("{P}", "lib");
	check("{P}:{T}[:{C}]", "lib:build:ci");
	check("{P}:{T}[:{D}]", "lib:build");
	check("{P}:{T}[:{EMPTY}]", "lib:build");
	check("{P}[-{D}][+{C}]", "lib+ci");
	check("{P}[ {C}/{X1}]", "lib ci/y");
	check("{P}[ {C}/{D}]", "lib");
	check("[{C}]{P}", "cilib");
	check("\xe2\x86\x92 {X1} (50%)", "\xe2\x86\x92 y (50%)");
	check("{PP}{P}", "longerlib");
	/* A variable outside of brackets that is not there: no task. */
	check("{D}", "");
	check("{P}:{EMPTY}", "");
	check("{P}:{NOVALUE}", "");
}

static void test_no_room(void **state)
{
	char name[8];

	(void)state;
	memset(name, '#', sizeof name);
	assert_int_equal(pattern_expand("{P}{C}12", envp, name, sizeof name), 7);
	assert_string_equal(name, "libci12");
	memset(name, '#', sizeof name);
	assert_int_equal(pattern_expand("{P}{C}123", envp, name, sizeof name), 0);
	assert_int_equal(pattern_expand("{PP}{PP}", envp, name, 7), 0);
	assert_int_equal(name[7], '#');
	assert_int_equal(pattern_expand("{P}", envp, name, 1), 0);
}

static void test_malformed(void **state)
{
	static const char *const rows[] = {
	    "",       "plain",   "{",     "}",     "{}",        "{P",      "P}",       "{P}{",    "{P}}",
	    "{1P}",   "{P-Q}",   "{P Q}", "{P}[",  "{P}]",      "{P}[]",   "{P}[x]",   "[{P}]",   "{P}[[{C}]]",
	    "{P}[{C", "{P}[{C]", "{{P}}", "{P}\n", "{P}\x1b[m", "{P}[{C}", "{P}]{C}[", "\x7f{P}", "{\xc3\xa9}",
	};
	char text[PATTERN_MAX + 8] = "{P}";

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (pattern_is_valid(rows[i]))
			fail_msg("\"%s\" is no pattern", rows[i]);
	memset(text + 3, 'x', PATTERN_MAX - 4);
	text[PATTERN_MAX - 1] = '\0';
	assert_true(pattern_is_valid(text));
	text[PATTERN_MAX - 1] = 'x';
	assert_false(pattern_is_valid(text));
}

/* Nothing that passes the test leads the expansion astray: all texts of six characters out of nine. */
static void test_all_short_texts(void **state)
{
	static const char letters[] = "{}[]PC:1 ";
	enum { LETTERS = sizeof letters - 1, LENGTH = 6 };
	size_t valid = 0;
	size_t count = 1;

	(void)state;
	for (int i = 0; i < LENGTH; i++)
		count *= LETTERS;
	for (size_t number = 0; number < count; number++) {
		char text[LENGTH + 1] = "", name[32];
		size_t rest = number;

		for (int i = 0; i < LENGTH; i++, rest /= LETTERS)
			text[i] = letters[rest % LETTERS];
		if (!pattern_is_valid(text))
			continue;
		valid++;
		memset(name, '#', sizeof name);
		const size_t length = pattern_expand(text, envp, name, 8);

		if (length)
			assert_int_equal(strnlen(name, 8), length);
		for (size_t i = 8; i < sizeof name; i++)
			assert_int_equal(name[i], '#');
	}
	assert_in_range(valid, 1000, count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_expand),
	    TORTURE(test_no_room),
	    TORTURE(test_malformed),
	    TORTURE(test_all_short_texts),
	};

	return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
