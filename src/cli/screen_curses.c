/* The screen by ncurses. */
#include "cli/screen.h"

#include <curses.h>
#include <term.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static SCREEN *screen;

bool screen_open(void)
{
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return false;
	set_term(screen);
	/* ncurses takes a terminal that cannot place its cursor (dumb), and draws rows that scroll away. */
	const char *place = tigetstr("cup");

	if (!place || place == (const char *)-1) {
		screen_close();
		return false;
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	return true;
}

void screen_close(void)
{
	endwin();
	delscreen(screen);
}

int screen_rows(void)
{
	return LINES;
}

int screen_columns(void)
{
	return COLS;
}

void screen_clear(void)
{
	erase();
}

void screen_row(int row, enum screen_look look, const char *text)
{
	(void)attrset((int)(look == SCREEN_REVERSE ? A_REVERSE : look == SCREEN_DIM ? A_DIM : A_NORMAL));
	move(row, 0);
	clrtoeol();
	addstr(text);
}

void screen_show(void)
{
	(void)attrset(A_NORMAL);
	refresh();
}

int screen_key(int timeout_ms)
{
	struct pollfd terminal = {.fd = STDIN_FILENO, .events = POLLIN};
	int key;

	timeout(timeout_ms);
	key = getch();
	switch (key) {
	case ERR:
		/* getch says no more of a terminal that is gone than of one where nobody types. */
		return poll(&terminal, 1, 0) == 1 && (terminal.revents & (POLLHUP | POLLERR)) ? SCREEN_GONE
											      : SCREEN_NONE;
	case KEY_UP:
		return SCREEN_UP;
	case KEY_DOWN:
		return SCREEN_DOWN;
	case KEY_PPAGE:
		return SCREEN_PAGE_UP;
	case KEY_NPAGE:
		return SCREEN_PAGE_DOWN;
	default: /* KEY_RESIZE among others: drawn anew, as after every key */
		return key >= 0 && key < 0x80 ? key : SCREEN_NONE;
	}
}
