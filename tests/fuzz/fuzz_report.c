/* What `heaplog report` reads: any line. A line that is taken is JSON; what of it is printed cannot command a terminal,
 * and comes back the same through JSON. */
#include "fuzz.h"

#include "cli/json.h"
#include "cli/line.h"
#include "cli/utf8.h"

static void printed(const char *text)
{
	char *shown = NULL, *again;
	const char *value;
	size_t size = 0, length;
	FILE *out = open_memstream(&shown, &size);

	HOLDS(out);
	const size_t columns = utf8_print(out, text, 20, 1);
	fclose(out);
	HOLDS(columns <= 20);
	for (size_t i = 0; i < size; i++)
		HOLDS((unsigned char)shown[i] >= 0x20 && shown[i] != 0x7f);
	free(shown);
	out = open_memstream(&shown, &size);
	HOLDS(out);
	json_print(out, text);
	fclose(out);
	HOLDS(!strpbrk(shown, "<>&"));
	again = json_scan_string(shown, &value, &length);
	HOLDS(again && *again == '\0' && strcmp(value, text) == 0);
	free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *whole = malloc(size + 1);
	struct line line;
	struct line_top top;
	uint64_t ms, bytes;

	HOLDS(text && whole);
	memcpy(text, data, size);
	text[size] = '\0';
	strcpy(whole, text);
	const char *wrong = line_parse(text, &line);
	if (!wrong) {
		const char *end = json_scan_value(whole);

		HOLDS(end && *json_scan_space(end) == '\0');
		HOLDS(line.run && line.task && *line.task && line.metric);
		HOLDS(line.peak_upper >= line.peak);
		printed(line.task);
		printed(line.run);
		for (char *at = text + (line.top.text ? line.top.text - text : 0);
		     line.top.text && line_next_top(&at, &top);)
			printed(top.command);
		for (const char *at = line.series.text; line_next_sample(&at, &ms, &bytes);)
			HOLDS(at > line.series.text && at <= line.series.text + line.series.length);
	} else {
		HOLDS(*wrong);
	}
	free(text);
	free(whole);
	return 0;
}
