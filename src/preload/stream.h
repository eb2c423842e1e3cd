/* The runner's stdout and stderr: which descriptors lead there, and how what passed last has left them. */
#ifndef HEAPLOG_PRELOAD_STREAM_H
#define HEAPLOG_PRELOAD_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Where an output stands: a line of our own may begin only where one ended. */
enum edge { EDGE_UNKNOWN, EDGE_LINE_END, EDGE_IN_LINE };

struct stream {
	_Atomic enum edge edge;
	_Atomic bool coloured;
	_Atomic bool redrawn; /* rows of the terminal are drawn again and again (the dynamic display) */
};

/* stdout and stderr; [0] alone where they are the same. */
extern struct stream streams[2];

/* The TUI has the terminal (\e[?1049h): nothing of ours may appear before it has given it back. */
extern _Atomic bool stream_alternate_screen;

/* The descriptor on which the kernel took a part of a chunk: what comes there next is the rest, which may look like a
 * result line of its own. -1: none. */
extern _Atomic int stream_broken_off;

/* Which of the streams is fd? 0, 1, or -1: neither. By identity, since libuv opens a terminal anew under another number,
 * and a program may have a file of its own at number 1. Keeps errno. */
int stream_of(int fd);

/* The same as it was when it was asked last, up to so many times since a task ended: for what changes nothing where the
 * answer is wrong, since the number leads elsewhere by now. Keeps errno. */
int stream_lately(int fd);

/* Does fd lead to /dev/null or the like, as it was asked lately? They take what cannot be read (20 bytes at address 8 are
 * 20 bytes written), so that it is not to be looked at afterwards. Keeps errno. */
bool stream_is_sink(int fd);

/* A task has ended: what passed before was perhaps not seen, and the next line may be its own. */
void stream_awaits(bool seen);

/* Escape sequences alone, which passed on a stream. */
void stream_escape(const char *chunk, size_t length, int stream);

/* A runner that begins anew, in the child of a fork. */
void stream_forget(void);

#endif
