/* Messages on stderr. */
#ifndef HEAPLOG_CLI_COMPLAIN_H
#define HEAPLOG_CLI_COMPLAIN_H

/* "heaplog: " and the formatted text and a newline, in one write, so that it does not mix with what the runner and its
 * tasks print. Control characters (of a file's name, of a variable's value) are shown as '?'. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
