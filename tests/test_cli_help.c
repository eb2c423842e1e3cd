/* What --help says, the manual pages and the completions have as well; and it fits a screen. */
#include "torture.h"

#include <ctype.h>

#define W(text) (char *)(uintptr_t)(text)

static char *read_source(const char *name)
{
	static char text[1 << 17];
	char path[4300];
	FILE *file;

	snprintf(path, sizeof path, "%s/../../src/cli/%s", getenv("HEAPLOG_FIXTURES"), name);
	file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	return text;
}

static char *help_of(const char *subcommand)
{
	char *argv[] = {W(torture_path("heaplog")), W(subcommand), W("--help"), NULL};
	char *entries[] = {W("PATH=/usr/bin:/bin"), NULL};
	struct torture_result *result = torture_run(argv, entries);

	assert_int_equal(result->status, 0);
	assert_string_equal(result->errors, "");
	return result->output;
}

/* The long options that text begins a line with, one after the other: "  -f, --format FORMAT", "  --exact". */
static bool next_option(const char **text, char option[64])
{
	for (const char *at = *text; (at = strchr(at, '\n')) != NULL;) {
		const char *word = ++at;
		size_t length;

		word += strspn(word, " ");
		if (word == at)
			continue;
		if (word[0] == '-' && word[1] != '-' && word[2] == ',')
			word += 4;
		if (strncmp(word, "--", 2) != 0)
			continue;
		for (length = 2; isalpha((unsigned char)word[length]) || word[length] == '-'; length++)
			;
		snprintf(option, 64, "%.*s", (int)length, word);
		*text = at;
		return true;
	}
	return false;
}

static void test_everywhere(void **state)
{
	static const char *const subcommands[] = {"run", "report", "compare", "history", "plan", "top", "doctor"};
	static const char *const completions[] = {"completions/heaplog.bash", "completions/_heaplog",
						  "completions/heaplog.fish"};

	(void)state;
	for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++) {
		const char *help = help_of(subcommands[i]);
		char page[64], option[64], in_man[80];
		unsigned lines = 0;

		for (const char *at = help; *at; at++)
			lines += *at == '\n';
		assert_in_range(lines, 3, 24);
		assert_memory_equal(help, "usage: heaplog ", 15);
		snprintf(page, sizeof page, "man/heaplog-%s.1", subcommands[i]);
		while (next_option(&help, option)) {
			if (strcmp(option, "--help") == 0)
				continue;
			snprintf(in_man, sizeof in_man, " %s", option + 1); /* "Fl -format", "Fl f , -format" */
			if (!strstr(read_source(page), in_man))
				fail_msg("%s: no %s", page, option);
			for (size_t c = 0; c < 3; c++)
				if (!strstr(read_source(completions[c]), option + (c == 2 ? 2 : 0)))
					fail_msg("%s: no %s", completions[c], option);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_everywhere),
	};

	return cmocka_run_group_tests_name("cli_help", tests, NULL, NULL);
}
