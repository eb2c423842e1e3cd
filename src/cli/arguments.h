/* What the reading subcommands' command lines share. */
#ifndef HEAPLOG_CLI_ARGUMENTS_H
#define HEAPLOG_CLI_ARGUMENTS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The next option, as getopt_long; name ("heaplog report") is what its messages begin with. -1: no more, '?': wrong
 * usage, which a message named. */
int arguments_next(const char *name, int argc, char **argv, const char *letters, const struct option *options);

/* The value of an option, or a message on stderr and false. */
bool arguments_size(const char *name, const char *option, const char *text, uint64_t *bytes);
bool arguments_count(const char *name, const char *option, const char *text, size_t least, size_t *count);

/* The index of text in words, or a message that lists them and -1. */
int arguments_word(const char *name, const char *option, const char *text, const char *const *words);

/* A message "NAME: WHAT; NAME --help tells the options" on stderr. Returns CLI_USAGE. */
int arguments_wrong(const char *name, const char *what);

/* Print help, and return what the program ends with: CLI_OK, or CLI_USAGE where it could not be written. */
int arguments_help(const char *help);

/* Whether all of stdout could be written; a message otherwise. A reader that has gone (EPIPE) is none. */
bool arguments_flush(const char *name);

#endif
