/* Durations, times and ends of tasks as text. Pure. */
#ifndef HEAPLOG_CLI_FORMAT_H
#define HEAPLOG_CLI_FORMAT_H

#include "cli/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FORMAT_TEXT = 40 };

/* "850ms", "12.3s", "2m05s", "1h02m"; "-" for LINE_UNKNOWN. Returns text. */
const char *format_duration(uint64_t ms, char text[static FORMAT_TEXT]);

/* "2026-11-23T21:00:00.123Z", or with short_form "2026-11-23 21:00"; "-" for INT64_MIN and years beyond 9999. */
const char *format_time(int64_t ms, bool short_form, char text[static FORMAT_TEXT]);

/* "0", "1", "SIGKILL", "OOM-killed"; "-" where it is not known. */
const char *format_exit(const struct table_record *record, char text[static FORMAT_TEXT]);

/* Whether it is known to have failed. */
bool format_failed(const struct table_record *record);

/* "512MB", "512MB pss" for another metric than rss; "-" where nothing was measured. */
const char *format_peak(uint64_t bytes, const char *metric, char text[static FORMAT_TEXT]);

/* "+12.5 %" of the change from before to after; "-" where before is 0. */
const char *format_change(uint64_t before, uint64_t after, char text[static FORMAT_TEXT]);

#endif
