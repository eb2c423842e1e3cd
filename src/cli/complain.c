#include "cli/complain.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void complain(const char *format, ...)
{
	char line[8192];
	const int used = snprintf(line, sizeof line, "heaplog: ");
	va_list values;
	int length;

	va_start(values, format);
	length = vsnprintf(line + used, sizeof line - (size_t)used, format, values);
	va_end(values);
	if (length < 0)
		return;
	length = used + length < (int)sizeof line - 1 ? used + length : (int)sizeof line - 1;
	for (int i = 0; i < length; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[length] = '\n';
	(void)!write(STDERR_FILENO, line, (size_t)length + 1);
}
