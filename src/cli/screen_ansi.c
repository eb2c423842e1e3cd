/* The screen by the sequences that every terminal of today obeys (ECMA-48, and xterm's private modes). One picture is
 * one write, so that nothing flickers. */
#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* The alternate screen; no cursor; what is too long is cut, not wrapped. */
static const char enter_text[] = "\033[?1049h\033[?25l\033[?7l";
static const char leave_text[] = "\033[0m\033[?7h\033[?25h\033[?1049l";

static struct termios before;
static volatile sig_atomic_t stopped; /* SIGTSTP came */

static void on_stop(int number)
{
	stopped = number;
}

/* Interrupts the poll: the next picture has the new size. */
static void on_size(int number)
{
	(void)number;
}

static bool enter(void)
{
	const struct sigaction stop = {.sa_handler = on_stop}, size = {.sa_handler = on_size};
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &before) != 0)
		return false;
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0)
		return false;
	sigaction(SIGTSTP, &stop, NULL);
	sigaction(SIGWINCH, &size, NULL);
	fputs(enter_text, stdout);
	fflush(stdout);
	return true;
}

static void leave(void)
{
	fputs(leave_text, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	signal(SIGTSTP, SIG_DFL);
	signal(SIGWINCH, SIG_DFL);
}

bool screen_open(void)
{
	return enter();
}

void screen_close(void)
{
	leave();
}

static struct winsize window(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_row || !size.ws_col)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	return size;
}

int screen_rows(void)
{
	return window().ws_row;
}

int screen_columns(void)
{
	return window().ws_col;
}

void screen_clear(void)
{
	fputs("\033[H\033[J", stdout);
}

void screen_row(int row, enum screen_look look, const char *text)
{
	static const char *const looks[] = {"", "\033[7m", "\033[2m"};

	printf("\033[%d;1H%s%s\033[0m", row + 1, looks[look], text);
}

void screen_show(void)
{
	fflush(stdout);
}

/* ESC [ A and so on, also as ESC O A, which keypads in application mode send. */
static int escape(void)
{
	struct pollfd terminal = {.fd = STDIN_FILENO, .events = POLLIN};
	char rest[8];
	ssize_t length;

	/* A sequence comes in one piece; ESC alone is a key of its own. */
	if (poll(&terminal, 1, 20) != 1)
		return '\033';
	length = read(STDIN_FILENO, rest, sizeof rest - 1);
	if (length < 2 || (rest[0] != '[' && rest[0] != 'O'))
		return SCREEN_NONE;
	switch (rest[1]) {
	case 'A':
		return SCREEN_UP;
	case 'B':
		return SCREEN_DOWN;
	case '5':
		return SCREEN_PAGE_UP;
	case '6':
		return SCREEN_PAGE_DOWN;
	default:
		return SCREEN_NONE;
	}
}

int screen_key(int timeout_ms)
{
	struct pollfd terminal = {.fd = STDIN_FILENO, .events = POLLIN};
	const int ready = poll(&terminal, 1, timeout_ms);
	unsigned char key;

	if (stopped) {
		stopped = 0;
		leave();
		raise(SIGTSTP); /* the default again: we stand still here until SIGCONT */
		return enter() ? SCREEN_NONE : SCREEN_GONE;
	}
	if (ready <= 0)
		return SCREEN_NONE;
	if (read(STDIN_FILENO, &key, 1) != 1)
		return errno == EINTR ? SCREEN_NONE : SCREEN_GONE;
	return key == '\033' ? escape() : key;
}
