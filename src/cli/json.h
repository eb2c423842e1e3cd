/* JSON, as much of it as a record needs: strict (RFC 8259), in one pass over the text, without memory of its own.
 *
 * Ours because of speed alone: a million records are read in a second or two, which the parsers in Debian 12 that build
 * a tree of each line do not reach; tests/test_cli_json.c compares ours with jansson, text by text.
 *
 * Every text ends with a NUL. All functions return the place behind what they read, or NULL: not JSON. Pure. */
#ifndef HEAPLOG_CLI_JSON_H
#define HEAPLOG_CLI_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Behind any white space. */
const char *json_scan_space(const char *at);

/* The string whose opening quote is at `at`, decoded in place (it only gets shorter) and NUL-terminated: *value and
 * *length. NULL also for what is not UTF-8 and for \u0000, which C could not tell from the end. */
char *json_scan_string(char *at, const char **value, size_t *length);

/* An integer from 0 to 2^64 - 1; NULL also for any other number. */
const char *json_scan_uint64(const char *at, uint64_t *value);

/* Any value, at most 64 deep. */
const char *json_scan_value(const char *at);

/* Write text (NUL-terminated UTF-8) as a JSON string that is also safe inside an HTML script element and JavaScript: <,
 * >,
 * &, U+2028 and U+2029 are escaped, and so are all control characters, C1 among them. NULL is written as null. */
void json_print(FILE *out, const char *text);

#endif
