/* GitHub's Markdown. */
#ifndef HEAPLOG_CLI_MARKDOWN_H
#define HEAPLOG_CLI_MARKDOWN_H

#include <stdio.h>

/* Write text into a table's cell so that it stays text: no HTML, link, emphasis, mention or end of the cell; controls
 * are shown as escapes, and what goes beyond 200 characters is cut off. */
void markdown_cell(FILE *out, const char *text);

#endif
