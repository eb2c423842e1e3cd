#include "cli/format.h"

#include "record/size.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *format_duration(uint64_t ms, char text[static FORMAT_TEXT])
{
	const unsigned long long tenths = ms / 100 + (ms % 100 >= 50), seconds = ms / 1000 + (ms % 1000 >= 500);

	if (ms == LINE_UNKNOWN)
		snprintf(text, FORMAT_TEXT, "-");
	else if (ms < 1000)
		snprintf(text, FORMAT_TEXT, "%llums", (unsigned long long)ms);
	else if (tenths < 600)
		snprintf(text, FORMAT_TEXT, "%llu.%llus", tenths / 10, tenths % 10);
	else if (seconds < 3600)
		snprintf(text, FORMAT_TEXT, "%llum%02llus", seconds / 60, seconds % 60);
	else
		snprintf(text, FORMAT_TEXT, "%lluh%02llum", seconds / 3600, seconds / 60 % 60);
	return text;
}

const char *format_time(int64_t ms, bool short_form, char text[static FORMAT_TEXT])
{
	const time_t seconds = ms / 1000 - (ms % 1000 < 0);
	const int rest = (int)(ms - (int64_t)seconds * 1000);
	struct tm tm;
	size_t length;

	if (ms == INT64_MIN || !gmtime_r(&seconds, &tm) || tm.tm_year > 9999 - 1900) {
		snprintf(text, FORMAT_TEXT, "-");
		return text;
	}
	length = strftime(text, FORMAT_TEXT, short_form ? "%Y-%m-%d %H:%M" : "%Y-%m-%dT%H:%M:%S", &tm);
	if (!short_form)
		snprintf(text + length, FORMAT_TEXT - length, ".%03dZ", rest);
	return text;
}

const char *format_exit(const struct table_record *record, char text[static FORMAT_TEXT])
{
	if (record->oom)
		snprintf(text, FORMAT_TEXT, "OOM-killed");
	else if (record->signal[0])
		snprintf(text, FORMAT_TEXT, "%s", record->signal);
	else if (record->exit_code != LINE_UNKNOWN)
		snprintf(text, FORMAT_TEXT, "%llu", (unsigned long long)record->exit_code);
	else
		snprintf(text, FORMAT_TEXT, "-");
	return text;
}

bool format_failed(const struct table_record *record)
{
	return record->oom || record->signal[0] || (record->exit_code != 0 && record->exit_code != LINE_UNKNOWN);
}

const char *format_peak(uint64_t bytes, const char *metric, char text[static FORMAT_TEXT])
{
	char size[HEAPLOG_SIZE_TEXT];

	if (bytes == 0) {
		snprintf(text, FORMAT_TEXT, "-");
		return text;
	}
	heaplog_size_format(bytes, size);
	if (strcmp(metric, "rss") == 0)
		snprintf(text, FORMAT_TEXT, "%s", size);
	else
		snprintf(text, FORMAT_TEXT, "%s %.16s", size, metric);
	return text;
}

const char *format_change(uint64_t before, uint64_t after, char text[static FORMAT_TEXT])
{
	if (before == 0)
		snprintf(text, FORMAT_TEXT, "-");
	else
		snprintf(text, FORMAT_TEXT, "%+.1f %%", 100.0 * ((double)after - (double)before) / (double)before);
	return text;
}
