#include "cli/markdown.h"

#include "cli/utf8.h"

#include <string.h>

enum { NAME_MOST = 200 }; /* characters */

void markdown_cell(FILE *out, const char *text)
{
	size_t count = 0;

	for (; *text && count < NAME_MOST; count++) {
		uint32_t code;
		const size_t length = utf8_decode(text, &code);

		if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029)
			fprintf(out, "\\\\x%02x", code);
		else if (code < 0x80 && strchr("\\`*_[]#!|~$:<>&@\"'", (int)code))
			/* A number, not a backslash: GitHub's tables split at a pipe before they look at backslashes in
			 * code, and "@name" or "#1" must not become a mention. */
			fprintf(out, "&#%u;", code);
		else
			fwrite(text, 1, length, out);
		text += length;
	}
	if (*text)
		fputs("…", out);
}
