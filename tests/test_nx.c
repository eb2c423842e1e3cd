/* The matcher on lines written out by hand, byte for byte as Nx prints them. */
#include "preload/nx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define HEADER "\x1b[2m> \x1b[22m\x1b[2mnx run\x1b[22m "
#define OK "\x1b[32m\xe2\x9c\x94\x1b[39m  \x1b[2mnx run\x1b[22m "

/* Parse a copy of exactly this length: a sanitizer sees the first byte read beyond it. */
static bool parse_bytes(const char *bytes, size_t length, struct nx_line *line)
{
	char *copy = malloc(length ? length : 1);
	bool found;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	found = nx_parse(copy, length, line);
	free(copy);
	return found;
}

static bool parse(const char *text, struct nx_line *line)
{
	return parse_bytes(text, strlen(text), line);
}

static bool line_is(const char *text, const char *project, const char *target, const char *configuration)
{
	struct nx_line line;
	size_t length = strlen(text);
	char *copy = malloc(length);
	bool same;

	assert_non_null(copy);
	memcpy(copy, text, length);
	assert_true(nx_parse(copy, length, &line));
	same = nx_line_is(copy, length, &line, project, target, configuration);
	free(copy);
	return same;
}

static void test_result_lines(void **state)
{
	static const struct {
		const char *text;
		const char *name; /* what stands at id_at */
		enum nx_form form;
		bool cached;
		bool coloured;
	} cases[] = {
	    {"> nx run a:b", "a:b", NX_STATIC, false, false},
	    {"> nx run @acme/a:build", "@acme/a:", NX_STATIC, false, false},
	    {HEADER "@acme/a:build", "@acme/a:", NX_STATIC, false, true},
	    {"> nx run @acme/a:build  [local cache]", "@acme/a:", NX_STATIC, true, false},
	    {HEADER "@acme/a:build  \x1b[2m[local cache]\x1b[22m", "@acme/a:", NX_STATIC, true, true},
	    {HEADER "@acme/a:build  \x1b[2m[remote cache]\x1b[22m", "@acme/a:", NX_STATIC, true, true},
	    {"> nx run a:b  [existing outputs match the cache, left as is]", "a:b", NX_STATIC, true, false},
	    {"> nx run @acme/c:\"col:on\" --foo=a b", "@acme/c:", NX_STATIC, false, false},
	    {"> nx run a:b --foo  [local cache]", "a:b", NX_STATIC, true, false},
	    {"> nx run a:b --x=[local cache]", "a:b", NX_STATIC, false, false},
	    {"> nx run a:b  [local cache] --x", "a:b", NX_STATIC, false, false},
	    {"> nx run my app:build", "my app:", NX_STATIC, false, false},
	    {"> nx run \xc3\xa9t\xc3\xa9:b", "\xc3\xa9t\xc3\xa9:b", NX_STATIC, false, false},
	    {"::group::\xe2\x9c\x85 > nx run a:b", "a:b", NX_STATIC, false, false},
	    {"::group::\xe2\x9d\x8c " HEADER "a:b", "a:b", NX_STATIC, false, true},
	    {"::group::\xe2\x8f\xa9 > nx run a:b  [local cache]", "a:b", NX_STATIC, true, false},
	    {"::group::\xf0\x9f\x94\x81 > nx run a:b  [local cache]", "a:b", NX_STATIC, true, false},
	    {"::group::\xe2\x8f\xb9\xef\xb8\x8f > nx run a:b", "a:b", NX_STATIC, false, false},
	    {"::group::\xe2\x8f\xb9 > nx run a:b", "a:b", NX_STATIC, false, false},
	    {"\xe2\x9c\x94  nx run a:b\n", "a:b", NX_COLLAPSED, false, false},
	    {"\xe2\x9c\x96  nx run a:b\n", "a:b", NX_COLLAPSED, false, false},
	    {"\xe2\x97\xbc  nx run a:b\n", "a:b", NX_COLLAPSED, false, false},
	    {OK "@acme/a:build\n", "@acme/a:", NX_COLLAPSED, false, true},
	    {OK "@acme/a:build  \x1b[2m[local cache]\x1b[22m\n", "@acme/a:", NX_COLLAPSED, true, true},
	    {"> nx run \x1b[31ma:b\x1b[39m", "a:b", NX_STATIC, false, true},
	    {"\x1b]0;title\x07> nx run a:b", "a:b", NX_STATIC, false, false},
	    {"\x1b]0;title\x1b\\> nx run a:b", "a:b", NX_STATIC, false, false},
	    {"\x1b[1G> nx run a:b", "a:b", NX_STATIC, false, false},
	    /* Lerna's */
	    {"> @acme/a:build", "@acme/a:", NX_STATIC, false, false},
	    {"> a:b  [local cache]", "a:b", NX_STATIC, true, false},
	    {"\x1b[32m\xe2\x9c\x94\x1b[39m  @acme/a:build\n", "@acme/a:", NX_COLLAPSED, false, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *text = cases[i].text;
		size_t length = strlen(text);
		struct nx_line line;

		if (!parse(text, &line))
			fail_msg("not recognised: %s", text);
		assert_int_equal(line.form, cases[i].form);
		if (line.cached != cases[i].cached || line.coloured != cases[i].coloured)
			fail_msg("cached %d coloured %d: %s", line.cached, line.coloured, text);
		assert_int_equal(line.insert_at, cases[i].form == NX_COLLAPSED ? length - 1 : length);
		assert_memory_equal(text + line.id_at, cases[i].name, strlen(cases[i].name));
	}
}

/* [req: H-71] */
static void test_other_chunks(void **state)
{
	static const char *const texts[] = {
	    "",
	    "\n",
	    "> nx run ",
	    "> nx run a",
	    /* Lerna's are names alone */
	    "> @acme/a@0.0.1 build",
	    "> node work.js a:b",
	    "> a:b\n",
	    "> a:b\n\n",
	    "> a: b",
	    "   \xe2\x9c\x94  2/2 dependent project tasks succeeded: a",
	    "> nx run :build",
	    "> nx run a: --foo",
	    "> nx run a:b\n",
	    "> nx run a:b\n\nsome output",
	    "> nx run a:b\r",
	    "\n> nx run a:b",
	    " > nx run a:b",
	    "> npx nx run a:b",
	    "> nx  run a:b",
	    "> NX run a:b",
	    "\n" HEADER "@acme/a:build\n\n",
	    /* an unfinished or unknown escape sequence */
	    "> nx run a:b\x1b",
	    "> nx run a:b\x1b[",
	    "> nx run a:b\x1b[2",
	    "> nx run a:b\x1b]0;title",
	    "> nx run a:b\x1b(B",
	    "\x1b[2m> \x1b[22m\x1b[2",
	    /* groups */
	    "::group::> nx run a:b",
	    "::group::x > nx run a:b",
	    "::group::\xe2\x9c\x85> nx run a:b",
	    "::group::\xe2\x9c\x85 \xe2\x9c\x94  nx run a:b\n",
	    "::endgroup::",
	    /* collapsed: the newline is part of the chunk, two spaces */
	    "\xe2\x9c\x94  nx run a:b",
	    "\xe2\x9c\x94 nx run a:b\n",
	    "\xe2\x9c\x96 nx run a:b",
	    "\xe2\x9c\x94  nx run a:b\n\n",
	    "\xe2\x9c\x94  nx run a:b\nx\n",
	    "\xe2\x9c\x94  nx run a\n",
	    "\xe2\x9c\x95  nx run a:b\n",
	    /* a spinner's row, a list of failures */
	    "   \x1b[2m\x1b[36m\xe2\xa0\x99\x1b[39m\x1b[22m  \x1b[2mnx run\x1b[22m a:b",
	    "      \x1b[31m-\x1b[39m \x1b[2mnx run\x1b[22m a:b\n",
	    "- a:b\n",
	    "  \xe2\x9c\x94  nx run a:b\n",
	    "    \xe2\x9c\x94  nx run a:b\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct nx_line line;

		if (parse(texts[i], &line))
			fail_msg("recognised: %s", texts[i]);
	}
}

static void test_line_untouched_without_match(void **state)
{
	struct nx_line line = {.form = NX_COLLAPSED, .insert_at = 7, .id_at = 3, .cached = true};

	(void)state;
	assert_false(parse("> nx run a:b\n", &line));
	assert_int_equal(line.form, NX_COLLAPSED);
	assert_int_equal(line.insert_at, 7);
	assert_int_equal(line.id_at, 3);
	assert_true(line.cached);
}

static void test_length_bounds(void **state)
{
	static char text[5000];
	struct nx_line line;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "> nx run a:b", 12);
	assert_true(parse_bytes(text, 4096, &line));
	assert_int_equal(line.insert_at, 4096);
	assert_false(parse_bytes(text, 4097, &line));
	/* Every shorter length is a chunk of its own: none reads beyond it, and only whole names match. */
	for (size_t length = 0; length <= 12; length++)
		assert_int_equal(parse_bytes(text, length, &line), length >= 12);
	for (size_t length = 0; length < strlen(HEADER "a:b"); length++)
		assert_false(parse_bytes(HEADER "a:b", length, &line));
	for (size_t length = 0; length < strlen(OK "a:b\n"); length++)
		assert_false(parse_bytes(OK "a:b\n", length, &line));
}

static void test_task_of_line(void **state)
{
	static const struct {
		const char *text;
		const char *project;
		const char *target;
		const char *configuration;
		bool same;
	} cases[] = {
	    {"> nx run @acme/a:build", "@acme/a", "build", NULL, true},
	    {"> nx run @acme/a:build", "@acme/a", "build", "", true},
	    {"> nx run @acme/a:build", "@acme/a", "build", "production", false},
	    {"> nx run @acme/a:build:production", "@acme/a", "build", "production", true},
	    {"> nx run @acme/a:build:production", "@acme/a", "build", NULL, false},
	    {"> nx run @acme/a:build:production2", "@acme/a", "build", "production", false},
	    {"> nx run @acme/a:build-all", "@acme/a", "build", NULL, false},
	    {"> nx run @acme/a:build", "@acme/a", "build-all", NULL, false},
	    {"> nx run @acme/a:build", "@acme/ab", "build", NULL, false},
	    {"> nx run @acme/ab:build", "@acme/a", "build", NULL, false},
	    {"> nx run @acme/a:build", "acme/a", "build", NULL, false},
	    {"> nx run @acme/a:build", "", "build", NULL, false},
	    {"> nx run @acme/a:build", "@acme/a", "", NULL, false},
	    {"> nx run @acme/a:build", NULL, "build", NULL, false},
	    {"> nx run @acme/a:build", "@acme/a", NULL, NULL, false},
	    {"> nx run @acme/a:build --foo=bar", "@acme/a", "build", NULL, true},
	    {"> nx run @acme/a:build  [local cache]", "@acme/a", "build", NULL, true},
	    {"> nx run @acme/c:\"col:on\" --foo=a b", "@acme/c", "col:on", NULL, true},
	    {"> nx run @acme/c:\"col:on\":prod", "@acme/c", "col:on", "prod", true},
	    {"> nx run @acme/c:col:on", "@acme/c", "col:on", NULL, true},
	    {"> nx run @acme/c:col:on", "@acme/c", "col", "on", true}, /* the same spelling: the environment decides */
	    {"> nx run @acme/c:\"col:on\"", "@acme/c", "col", "on", false},
	    {"> nx run @acme/c:\"col:on", "@acme/c", "col:on", NULL, false},
	    {"> nx run @acme/c:\"build\"", "@acme/c", "build", NULL, false},
	    {"> nx run my app:build it", "my app", "build it", NULL, true},
	    {"> nx run my app:build", "app", "build", NULL, false},
	    {"> nx run my app:build", "my", "build", NULL, false},
	    {HEADER "@acme/a:build", "@acme/a", "build", NULL, true},
	    {"> nx run \x1b[31m@acme/a\x1b[39m:build\x1b[22m", "@acme/a", "build", NULL, true},
	    {"> nx run @acme/a:build\x1b[22m:prod", "@acme/a", "build", NULL, false},
	    {"> nx run @acme/a:build\x1b[22m --x", "@acme/a", "build", NULL, true},
	    {OK "@acme/a:build\n", "@acme/a", "build", NULL, true},
	    {OK "@acme/a:build\n", "@acme/a", "build", "production", false},
	    {OK "@acme/a:build2\n", "@acme/a", "build", NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (line_is(cases[i].text, cases[i].project, cases[i].target, cases[i].configuration) != cases[i].same)
			fail_msg("case %zu: %s", i, cases[i].text);
}

static void test_no_line_is_no_task(void **state)
{
	static const char text[] = "> nx run a:b";
	struct nx_line line;

	(void)state;
	assert_true(nx_parse(text, strlen(text), &line));
	line.form = NX_NONE;
	assert_false(nx_line_is(text, strlen(text), &line, "a", "b", NULL));
	line.form = NX_STATIC;
	line.id_at = 100;
	assert_false(nx_line_is(text, strlen(text), &line, "a", "b", NULL));
}

/* Bytes that resemble result lines: nothing to expect of the answer but that it stays within the chunk. */
static void test_random_chunks(void **state)
{
	static const char *const parts[] = {
	    "> ",           "nx run",       " ",
	    "a:b",          "\n",           "\x1b",
	    "\x1b[2m",      "\x1b[",        "\x1b]0;",
	    "\x07",         "\x1b\\",       "::group::",
	    "\xe2\x9c\x94", "\xe2\x9c\x85", "  [local cache]",
	    "  nx run ",    "> nx run ",    "a",
	    "\"",           "\r",           "\x1b]",
	};
	uint32_t random = 1;
	unsigned matches = 0;

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		char text[256];
		size_t length = 0;
		struct nx_line line;

		random = random * 1664525 + 1013904223;
		for (unsigned i = 0; i < random >> 29; i++) {
			const char *part;

			random = random * 1664525 + 1013904223;
			part = parts[(random >> 8) % COUNT(parts)];
			memcpy(text + length, part, strlen(part));
			length += strlen(part);
		}
		if (length >= 3 && nx_is_text(text)) {
			assert_false(parse_bytes(text, length, &line));
			assert_int_equal(nx_place_of(text, length), NX_TEXT);
		}
		if (!parse_bytes(text, length, &line))
			continue;
		matches++;
		assert_in_range(line.form, NX_STATIC, NX_COLLAPSED);
		assert_true(line.id_at < line.insert_at && line.insert_at <= length);
		assert_null(memchr(text, '\n', line.insert_at));
		nx_line_is(text, length, &line, "a", "b", NULL);
	}
	assert_true(matches > 100);
}

/* The first three bytes may say that it is ordinary text only where it is, with colours before any of them as well. */
static void test_first_bytes(void **state)
{
	static const char *const others[] = {
	    "> nx run a:b",
	    "> a:b",
	    "::group::\xe2\x9c\x85 > nx run a:b",
	    "\xe2\x9c\x94  nx run a:b\n",
	    "   \xe2\x9c\x94  nx run a:b",
	    "\xe2\x9c\x96 nx run a:b\n",
	    " NX   Successfully ran target b for project a",
	    " Lerna (powered by Nx)   Ran target b",
	    " NX   6 tasks: 5 succeeded",
	    "\r\n",
	};
	static const char *const texts[] = {"src/a.ts", "  src/a.ts",       " src", ">>>", ": a",
					    "[1/2]",    "    at f (a.js:1)"};

	(void)state;
	assert_false(nx_is_text("\n\x1b[0m"));
	for (size_t i = 0; i < COUNT(others); i++)
		for (size_t at = 0; at < 3; at++) {
			char text[128];
			struct nx_line line;
			const int length =
			    snprintf(text, sizeof text, "%.*s\x1b[32m%s", (int)at, others[i], others[i] + at);

			assert_false(nx_is_text(others[i]));
			/* An escape sequence does not stand inside a character. */
			if (others[i][at] & 0x80 && at > 0)
				continue;
			assert_true(nx_parse(text, (size_t)length, &line) ||
				    nx_place_of(text, (size_t)length) != NX_TEXT);
			assert_false(nx_is_text(text));
		}
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_int_equal(nx_is_text(texts[i]), strncmp(texts[i], "   ", 3) != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_result_lines),
	    cmocka_unit_test(test_other_chunks),
	    cmocka_unit_test(test_line_untouched_without_match),
	    cmocka_unit_test(test_length_bounds),
	    cmocka_unit_test(test_task_of_line),
	    cmocka_unit_test(test_no_line_is_no_task),
	    cmocka_unit_test(test_random_chunks),
	    cmocka_unit_test(test_first_bytes),
	};

	return cmocka_run_group_tests_name("nx", tests, NULL, NULL);
}
