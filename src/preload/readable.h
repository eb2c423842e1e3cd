/* Can memory be read that the program gives to a system call? The kernel answers EFAULT where it cannot, and the library,
 * which looks first, would crash instead. */
#ifndef HEAPLOG_PRELOAD_READABLE_H
#define HEAPLOG_PRELOAD_READABLE_H

#include <stdbool.h>

/* Are all strings of a list (argv, envp) readable, and the list itself? NULL: yes. One cheap system call for each page, and
 * mostly all are on a few. Async-signal-safe, keeps errno; safe between fork or vfork and exec. */
bool readable_strings(char *const *list);

/* The same for one string. */
bool readable_string(const char *text);

#endif
