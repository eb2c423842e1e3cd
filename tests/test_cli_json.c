/* The command's JSON reader: what it takes and refuses is what jansson takes and refuses, and what it decodes is the
 * same. */
#include "torture.h"

#include "cli/json.h"

#include <jansson.h>

static const char *const seeds[] = {
    "{\"v\":1,\"run\":\"x-1\",\"task\":\"@acme/"
    "a:build\",\"exit\":{\"code\":0},\"oom\":false,\"top\":[{\"pid\":12,\"command\":"
    "\"node a\\n\\\"b\\\"\",\"bytes\":1024}],\"series\":[[0,1],[500,2048]]}",
    "[0,-0,1.5e+10,2E-3,true,false,null,\"\\u00e9\\ud83d\\ude00\",\"\xc3\xa9\xf0\x9f\x98\x80\",{},[],{\"\":[{}]}]",
    "\"\\b\\f\\n\\r\\t\\/\\\\ plain\"",
    " { \"a\" : [ 1 , 2 ] , \"b\" : { \"c\" : \"d\" } } ",
    "-12.75",
};

static bool ours(const char *text)
{
	const char *end = json_scan_value(text);

	return end && *json_scan_space(end) == '\0';
}

/* Whether jansson takes it; 2: refused for a reason that is not JSON's (a number that its types cannot hold). */
static int theirs(const char *text)
{
	json_error_t error;
	json_t *root = json_loads(text, JSON_DECODE_ANY, &error);
	const int good = root ? 1 : json_error_code(&error) == json_error_numeric_overflow ? 2 : 0;

	json_decref(root);
	return good;
}

static void agree(const char *text)
{
	const int reference = theirs(text);

	/* Half a surrogate pair: jansson refuses it; to us it is U+FFFD, as a name with it is better than none. */
	if (reference == 2 || strstr(text, "\\ud") || strstr(text, "\\uD"))
		return;
	if (ours(text) != (reference == 1))
		fail_msg("%s: ours %d, jansson %d", text, ours(text), reference);
}

static void takes_what_jansson_takes(void **state)
{
	static const char *const texts[] = {
	    "",
	    "{",
	    "}",
	    "[1,]",
	    "{\"a\":1,}",
	    "[1 2]",
	    "01",
	    "1.",
	    ".5",
	    "+1",
	    "1e",
	    "tru",
	    "nul",
	    "truex",
	    "\"a",
	    "\"\\x\"",
	    "\"\\u12\"",
	    "\"\t\"",
	    "[}",
	    "{]",
	    "{\"a\"}",
	    "{a:1}",
	    "{1:1}",
	    "[,1]",
	    "\"\xff\"",
	    "\"\xc0\x80\"",
	    "\"\xed\xa0\x80\"",
	    "-",
	    "--1",
	    "\"\\u0000\"",
	    "[1]x",
	    "1 1",
	    "[[[]]]",
	    "{\"a\":{\"b\":[]}}",
	    "\"\xf4\x90\x80\x80\"",
	    "\xef\xbb\xbf{}",
	    "'a'",
	    "NaN",
	    "Infinity",
	    "// c\n1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		agree(texts[i]);
	for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
		assert_true(ours(seeds[i]));
		agree(seeds[i]);
	}
}

/* Every seed with one to three bytes replaced, dropped or doubled, and every beginning of it. */
static void damaged_texts(void **state)
{
	static const char bytes[] = "{}[]\",:0123456789eE+-.\\utfnrabl \t\n\x01\x1f\x7f\x80\xc3\xa9\xff";

	(void)state;
	srand(7);
	for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
		const size_t length = strlen(seeds[i]);
		char text[1024];

		for (size_t cut = 0; cut < length; cut++) {
			memcpy(text, seeds[i], cut);
			text[cut] = '\0';
			agree(text);
		}
		for (int round = 0; round < 20000; round++) {
			memcpy(text, seeds[i], length + 1);
			for (int changes = rand() % 3; changes >= 0; changes--) {
				const size_t now = strlen(text), at = now ? (size_t)rand() % now : 0;

				if (now < 2)
					break;
				switch (rand() % 3) {
				case 0:
					text[at] = bytes[(size_t)rand() % (sizeof bytes - 1)];
					break;
				case 1:
					memmove(text + at, text + at + 1, now - at);
					break;
				default:
					memmove(text + at + 1, text + at, now - at + 1);
				}
			}
			agree(text);
		}
	}
}

static void decodes_as_jansson(void **state)
{
	static const char *const texts[] = {
	    "\"\"",
	    "\"plain\"",
	    "\"a\\nb\\tc\\\"d\\\\e\\/f\"",
	    "\"\\u00e9\\u4e2d\\ud83d\\ude00!\"",
	    "\"\xc3\xa9\\u0001\\u2028\xe4\xb8\xad\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		json_t *reference = json_loads(texts[i], JSON_DECODE_ANY, NULL);
		char text[128];
		const char *value;
		size_t length;

		strcpy(text, texts[i]);
		assert_non_null(reference);
		assert_string_equal(json_scan_string(text, &value, &length), "");
		assert_int_equal(length, json_string_length(reference));
		assert_string_equal(value, json_string_value(reference));
		json_decref(reference);
	}
	char lone[] = "\"\\ud800x\"", nul[] = "\"a\\u0000b\"";
	const char *value;
	size_t length;
	assert_non_null(json_scan_string(lone, &value, &length));
	assert_string_equal(value, "\xef\xbf\xbdx");
	assert_null(json_scan_string(nul, &value, &length));
}

static void numbers(void **state)
{
	uint64_t value = 5;

	(void)state;
	assert_string_equal(json_scan_uint64("18446744073709551615,", &value), ",");
	assert_true(value == UINT64_MAX);
	assert_string_equal(json_scan_uint64("0}", &value), "}");
	assert_true(value == 0);
	value = 5;
	static const char *const bad[] = {"18446744073709551616", "-1", "1.5", "1e3", "01", "", "x", "\"1\""};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_null(json_scan_uint64(bad[i], &value));
	assert_true(value == 5);
}

static void depth_is_bounded(void **state)
{
	static char deep[200001];

	(void)state;
	memset(deep, '[', 100000);
	memset(deep + 100000, ']', 100000);
	assert_null(json_scan_value(deep));
	memset(deep, '[', 64);
	memset(deep + 64, ']', 64);
	deep[128] = '\0';
	assert_non_null(json_scan_value(deep));
}

/* What is written comes back the same, and holds nothing that ends a script element. */
static void written_text_is_safe_and_the_same(void **state)
{
	static const char hostile[] =
	    "</script><!--\xe2\x80\xa8\xe2\x80\xa9\"\\&'\n\x1b[31m\x7f\xc2\x9b\xf0\x9f\x98\x80";
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	json_print(out, hostile);
	fclose(out);
	for (const char *at = text; *at; at++)
		assert_true(*at != '<' && *at != '>' && *at != '&' && (unsigned char)*at >= 0x20 && *at != 0x7f);
	assert_null(strstr(text, "\xe2\x80\xa8"));
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	assert_non_null(value);
	assert_string_equal(json_string_value(value), hostile);
	json_decref(value);
	free(text);
	out = open_memstream(&text, &size);
	json_print(out, "a\xff"
			"b");
	fclose(out);
	assert_string_equal(text, "\"a\\ufffdb\"");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(takes_what_jansson_takes), TORTURE(damaged_texts),
	    TORTURE(decodes_as_jansson),       TORTURE(numbers),
	    TORTURE(depth_is_bounded),         TORTURE(written_text_is_safe_and_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
