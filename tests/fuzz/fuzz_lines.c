/* The line matcher and the suffix: PROJECT\0TARGET\0CONFIGURATION\0CHUNK. */
#include "fuzz.h"

#include "preload/annotate.h"
#include "preload/nx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *names[4];
	const size_t count = cut(data, size, names, 3);
	size_t skip = 0;

	for (size_t i = 0; i < count; i++)
		skip += strlen(names[i]) + 1;
	if (count == 3 && skip < size) {
		const size_t length = size - skip;
		char *chunk = exact_copy(data + skip, length);
		struct nx_line line = {.insert_at = SIZE_MAX};

		if (nx_parse(chunk, length, &line)) {
			char suffix[ANNOTATE_SUFFIX_MAX + 1];
			const struct figure figure = {
			    .peak = length << (skip % 40), .warn = skip, .signal = (int)(skip % 70)};
			const size_t added = annotate_suffix(&figure, line.coloured, suffix);

			HOLDS(line.form != NX_NONE);
			HOLDS(line.insert_at <= length && line.id_at <= line.insert_at);
			HOLDS(added <= ANNOTATE_SUFFIX_MAX);
			/* A newline in the middle would split the suffix from its line. */
			HOLDS(!memchr(chunk, '\n', line.insert_at));
			nx_line_is(chunk, length, &line, names[0], names[1], names[2]);
		}
		free(chunk);
	}
	release(names, count);
	return 0;
}
