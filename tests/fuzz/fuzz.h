/* What the fuzz targets share. An invariant that does not hold ends the target, and libFuzzer keeps the input. */
#ifndef HEAPLOG_TESTS_FUZZ_H
#define HEAPLOG_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

/* A copy that ends where the input ends, so that AddressSanitizer sees a read of one byte more. */
static inline char *exact_copy(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);

	HOLDS(copy);
	if (size)
		memcpy(copy, data, size);
	return copy;
}

/* Cut the input at its zero bytes into strings of their own, a NULL behind the last; at most max of them. */
static inline size_t cut(const uint8_t *data, size_t size, char **strings, size_t max)
{
	size_t count = 0;

	while (size && count < max) {
		const uint8_t *zero = memchr(data, 0, size);
		const size_t length = zero ? (size_t)(zero - data) : size;

		strings[count] = exact_copy(data, length + 1 <= size ? length + 1 : length);
		strings[count] = realloc(strings[count], length + 1);
		HOLDS(strings[count]);
		strings[count++][length] = '\0';
		data += zero ? length + 1 : length;
		size -= zero ? length + 1 : length;
	}
	strings[count] = NULL;
	return count;
}

static inline void release(char **strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(strings[i]);
}

#endif
