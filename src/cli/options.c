#include "cli/options.h"
#include "measure/summary.h"

#include "cli/find.h"
#include "record/size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fail(struct run_options *options, const char *option, const char *value, const char *why)
{
	snprintf(options->error, sizeof options->error, "%s%s%s: %s", option, value ? " " : "", value ? value : "",
		 why);
	return false;
}

/* on, off, or neither: value of a switch. */
static enum usage_flag switch_value(const char *value)
{
	if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		return FLAG_ON;
	return strcmp(value, "false") == 0 || strcmp(value, "0") == 0 ? FLAG_OFF : FLAG_UNSET;
}

size_t options_take_flag(size_t count, char **words, enum usage_flag *flag, const char **bad)
{
	static const char name[] = "--log-heap-usage";
	static const char *const launchers[] = {"npm", "pnpm", "yarn", "bun"};
	size_t kept = 0;
	unsigned ends = 1;

	*bad = NULL;
	for (size_t i = 0; count && i < sizeof launchers / sizeof *launchers; i++)
		if (strcmp(find_basename(words[0]), launchers[i]) == 0)
			ends = 2;
	for (size_t i = 0; i < count; i++) {
		const size_t length = sizeof name - 1;
		const char *word = words[i];

		if (ends && strcmp(word, "--") == 0)
			ends--;
		words[kept++] = words[i];
		if (!ends || i == 0)
			continue;
		if (strcmp(word, name) == 0) {
			*flag = FLAG_ON;
			kept--;
		} else if (strcmp(word, "--no-log-heap-usage") == 0) {
			*flag = FLAG_OFF;
			kept--;
		} else if (strncmp(word, name, length) == 0 && word[length] == '=') {
			*flag = switch_value(word + length + 1);
			if (*flag == FLAG_UNSET)
				*bad = word;
			kept--;
		}
	}
	words[kept] = NULL;
	return kept;
}

/* "500", "500ms", "2s". 0: not an interval that the library would take. */
static unsigned parse_interval(const char *text)
{
	char *end;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return 0;
	value = strtoul(text, &end, 10);
	if (strcmp(end, "s") == 0 && value <= OPTIONS_INTERVAL_MAX_MS)
		value *= 1000;
	else if (*end && strcmp(end, "ms") != 0)
		return 0;
	return value >= OPTIONS_INTERVAL_MIN_MS && value <= OPTIONS_INTERVAL_MAX_MS ? (unsigned)value : 0;
}

/* One option that takes a value. */
static bool set(struct run_options *options, const char *name, const char *value)
{
	uint64_t bytes;

	if (strcmp(name, "--results") == 0) {
		options->results = value;
		return *value || fail(options, name, NULL, "needs a file");
	}
	if (strcmp(name, "--summary") == 0) {
		options->summary = strcmp(value, "always") == 0  ? SUMMARY_ALWAYS
				   : strcmp(value, "never") == 0 ? SUMMARY_NEVER
								 : SUMMARY_AUTO;
		return options->summary != SUMMARY_AUTO || strcmp(value, "auto") == 0 ||
		       fail(options, name, value, "it is auto, always or never");
	}
	if (strcmp(name, "--metric") == 0) {
		options->metric = value;
		return strcmp(value, "rss") == 0 || strcmp(value, HEAPLOG_OTHER_METRIC) == 0 ||
		       fail(options, name, value, "it is rss or " HEAPLOG_OTHER_METRIC);
	}
	if (strcmp(name, "--warn") == 0) {
		options->warn = value;
		return (heaplog_size_parse(value, &bytes) == 0 && bytes > 0) ||
		       fail(options, name, value, "not a size such as 800MB or 1.5GB");
	}
	if (strcmp(name, "--interval") == 0) {
		options->interval_ms = parse_interval(value);
		return options->interval_ms ||
		       fail(options, name, value, "not a time from 10ms to 60s, such as 500ms or 2s");
	}
	options->runner = value; /* --runner */
	return *value || fail(options, name, NULL, "needs nx, npm, turbo, all or a pattern");
}

static bool takes_value(const char *word, size_t length)
{
	static const char *const names[] = {"--results", "--summary", "--metric", "--warn", "--interval", "--runner"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i]) == length && memcmp(names[i], word, length) == 0)
			return true;
	return false;
}

bool options_parse(int argc, char **argv, struct run_options *options)
{
	const char *bad = NULL;
	int at = 1;

	memset(options, 0, sizeof *options);
	for (; at < argc && argv[at][0] == '-' && argv[at][1]; at++) {
		char *word = argv[at], name[32];
		const size_t length = strcspn(word, "=");

		if (strcmp(word, "--") == 0) {
			at++;
			break;
		}
		if (strcmp(word, "--log-heap-usage") == 0 || strcmp(word, "--logHeapUsage") == 0) {
			options->log_heap_usage = FLAG_ON;
		} else if (strcmp(word, "--no-log-heap-usage") == 0) {
			options->log_heap_usage = FLAG_OFF;
		} else if (strncmp(word, "--log-heap-usage=", 17) == 0) {
			options->log_heap_usage = switch_value(word + 17);
			if (options->log_heap_usage == FLAG_UNSET)
				return fail(options, word, NULL, "it is true or false");
		} else if (strcmp(word, "--exact") == 0) {
			options->exact = true;
		} else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			options->help = true;
		} else if (strcmp(word, "--version") == 0) {
			options->version = true;
		} else if (takes_value(word, length)) {
			snprintf(name, sizeof name, "%.*s", (int)length, word);
			if (!word[length] && at + 1 >= argc)
				return fail(options, word, NULL, "needs a value");
			if (!set(options, name, word[length] ? word + length + 1 : argv[++at]))
				return false;
		} else {
			return fail(options, word, NULL, "unknown option");
		}
	}
	options->command = argv + at;
	options->count = options_take_flag((size_t)(argc - at), argv + at, &options->log_heap_usage, &bad);
	return !bad || fail(options, bad, NULL, "it is true or false");
}
