/* A whole terminal to draw rows of text upon, for `heaplog top`. Two makings of it, of which a build has one (make
 * SCREEN=): by ncurses, which knows every terminal, and by ANSI sequences alone, for programs that must not need a
 * library and its terminal descriptions on somebody else's machine. */
#ifndef HEAPLOG_CLI_SCREEN_H
#define HEAPLOG_CLI_SCREEN_H

#include <stdbool.h>

enum screen_look { SCREEN_NORMAL, SCREEN_REVERSE, SCREEN_DIM };

/* What screen_key returns besides characters. */
enum screen_key {
	SCREEN_NONE = -1, /* the time is over, the size has changed, or a signal has come */
	SCREEN_GONE = -2, /* there is no terminal any more */
	SCREEN_UP = 0x100,
	SCREEN_DOWN,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
};

/* Take the terminal at stdin and stdout: no echo, keys at once, no cursor. Returns false where it cannot be drawn upon.
 * Only one at a time; not thread-safe. */
bool screen_open(void);

/* Give it back as it was. */
void screen_close(void);

/* Its size now. */
int screen_rows(void);
int screen_columns(void);

/* One picture: clear, rows from 0 on (cut at the right edge; text without control characters), show. */
void screen_clear(void);
void screen_row(int row, enum screen_look look, const char *text);
void screen_show(void);

/* The next key, within timeout_ms: a character, or one of enum screen_key. */
int screen_key(int timeout_ms);

#endif
