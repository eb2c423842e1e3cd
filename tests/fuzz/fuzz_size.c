/* Sizes: what is parsed is shown, and what is shown is parsed to within its rounding. Any pattern. */
#include "fuzz.h"

#include "task/pattern.h"
#include "record/size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	char shown[HEAPLOG_SIZE_TEXT];
	uint64_t bytes = 4711, again = 0;

	HOLDS(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (heaplog_size_parse(text, &bytes) == 0) {
		HOLDS(heaplog_size_format(bytes, shown) < sizeof shown);
		/* Rounding never shows 1024 of a unit that has a next one. */
		HOLDS(strncmp(shown, "1024", 4) != 0 || strstr(shown, "TB"));
		HOLDS(strlen(shown) >= 3);
		if (bytes < UINT64_MAX / 2) {
			HOLDS(heaplog_size_parse(shown, &again) == 0);
			/* Half of a unit, or of its tenth from a gigabyte on: never more than 5 in 100, or half a
			 * kilobyte. */
			const uint64_t apart = again > bytes ? again - bytes : bytes - again;

			HOLDS(apart <= bytes / 2 + 512);
			HOLDS(bytes < 1 << 20 || apart <= bytes / 20 || bytes < 20ULL << 20);
		}
	} else {
		HOLDS(bytes == 4711);
	}
	if (size >= 8) {
		memcpy(&bytes, data, 8);
		HOLDS(heaplog_size_format(bytes, shown) < sizeof shown && heaplog_size_parse(shown, &again) <= 0);
	}
	if (pattern_is_valid(text)) {
		char *envp[] = {(char *)(uintptr_t) "A=1", (char *)(uintptr_t) "B=", (char *)(uintptr_t) "C=\xff", text,
				NULL};
		char name[32];

		HOLDS(pattern_expand(text, envp, name, sizeof name) < sizeof name);
	}
	free(text);
	return 0;
}
