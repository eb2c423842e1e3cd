#include "cli/arguments.h"

#include "cli/cli.h"
#include "cli/utf8.h"
#include "record/size.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int arguments_next(const char *name, int argc, char **argv, const char *letters, const struct option *options)
{
	int option;

	argv[0] = (char *)(uintptr_t)name; /* for getopt's own messages */
	option = getopt_long(argc, argv, letters, options, NULL);
	if (option == '?')
		fprintf(stderr, "%s --help tells the options\n", name);
	return option;
}

static void bad_value(const char *name, const char *option, const char *text, const char *why)
{
	fprintf(stderr, "%s: %s ", name, option);
	utf8_print(stderr, text, SIZE_MAX, 1);
	fprintf(stderr, ": %s\n", why);
}

bool arguments_size(const char *name, const char *option, const char *text, uint64_t *bytes)
{
	/* "--memory 8" is hardly meant as 8 bytes, nor "--fail-over 10" as 10. The variable is the library's to read. */
	const bool has_unit =
	    *text == '\0' || text[strspn(text, "0123456789")] != '\0' || strncmp(option, "HEAPLOG_", 8) == 0;

	if (has_unit && heaplog_size_parse(text, bytes) == 0 && *bytes > 0)
		return true;
	bad_value(name, option, text,
		  has_unit ? "not a size (\"800MB\", \"1.5GB\")" : "a size without its unit (\"800MB\", \"1.5GB\")");
	return false;
}

bool arguments_count(const char *name, const char *option, const char *text, size_t least, size_t *count)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && value >= least && value <= SIZE_MAX / 2) {
		*count = (size_t)value;
		return true;
	}
	bad_value(name, option, text, least ? "not a number from 1" : "not a number");
	return false;
}

int arguments_word(const char *name, const char *option, const char *text, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	bad_value(name, option, text, "not one of:");
	for (int i = 0; words[i]; i++)
		fprintf(stderr, "  %s\n", words[i]);
	return -1;
}

int arguments_wrong(const char *name, const char *what)
{
	fprintf(stderr, "%s: %s; %s --help tells the options\n", name, what, name);
	return CLI_USAGE;
}

int arguments_help(const char *help)
{
	fputs(help, stdout);
	return fflush(stdout) == 0 ? CLI_OK : CLI_USAGE;
}

bool arguments_flush(const char *name)
{
	if (!ferror(stdout) && fflush(stdout) == 0)
		return true;
	if (errno == EPIPE)
		return true;
	fprintf(stderr, "%s: standard output: %s\n", name, strerror(errno));
	return false;
}
