#include "preload/plain.h"

#include <string.h>

/* The length of the control character at text, of which left bytes are there; 0: it is none. */
static size_t control(const unsigned char *text, size_t left)
{
	if (text[0] < ' ' || text[0] == 0x7f)
		return 1;
	if (left >= 2 && text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f)
		return 2;
	/* U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069. */
	if (left >= 3 && text[0] == 0xe2 && text[1] == 0x80 &&
	    (text[2] == 0x8e || text[2] == 0x8f || (text[2] >= 0xaa && text[2] <= 0xae)))
		return 3;
	return left >= 3 && text[0] == 0xe2 && text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9 ? 3 : 0;
}

void plain(char *text, size_t length)
{
	for (size_t at = 0; at < length;) {
		const size_t found = control((const unsigned char *)text + at, length - at);

		memset(text + at, '?', found);
		at += found ? found : 1;
	}
}
