#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool terminal_is(FILE *stream)
{
	const char *term = getenv("TERM");

	return term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(stream));
}

bool terminal_colour(FILE *stream)
{
	const char *no = getenv("NO_COLOR");

	return !(no && *no) && terminal_is(stream);
}

size_t terminal_width(FILE *stream)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long width = 100;

	if (columns && atol(columns) > 0)
		width = atol(columns);
	else if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		width = size.ws_col;
	return width < 40 ? 40 : width > 400 ? 400 : (size_t)width;
}

bool terminal_unicode(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return true;
}

void terminal_bar(FILE *out, double value, double most, size_t width, bool unicode)
{
	static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	size_t units = most > 0 ? (size_t)(value / most * (double)width * 8 + 0.5) : 0;
	size_t used = 0;

	if (units == 0 && value > 0)
		units = 1; /* what is there is seen */
	if (units > width * 8)
		units = width * 8;
	if (!unicode)
		units = (units + 4) / 8 * 8;
	for (; used < units / 8; used++)
		fputs(unicode ? "█" : "#", out);
	if (units % 8) {
		fputs(eighths[units % 8], out);
		used++;
	}
	for (; used < width; used++)
		putc(' ', out);
}

const char *terminal_spark(double value, double least, double most, bool unicode)
{
	static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const plain[] = {"_", ".", "-", "=", "+", "*", "%", "#"};
	int level = most > least ? (int)((value - least) / (most - least) * 7 + 0.5) : 3;

	level = level < 0 ? 0 : level > 7 ? 7 : level;
	return unicode ? blocks[level] : plain[level];
}
