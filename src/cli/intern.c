#include "cli/intern.h"

#include "cli/cli.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *must_realloc(void *old, size_t count, size_t size)
{
	const size_t wanted = count ? count : 1;
	/* By hand: reallocarray came with glibc 2.26, and macOS has none. */
	void *new = wanted <= SIZE_MAX / size ? realloc(old, wanted * size) : NULL;

	if (!new) {
		fputs("heaplog: out of memory\n", stderr);
		exit(CLI_USAGE);
	}
	return new;
}

char *must_strdup(const char *text)
{
	return must_strndup(text, strlen(text));
}

char *must_strndup(const char *text, size_t length)
{
	char *copy = must_realloc(NULL, length + 1, 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

/* FNV-1a, then Murmur3's finalizer: names that differ in their last digits must not lie side by side, or probing takes
 * for ever. Names that collide on purpose cost time, never a wrong answer. */
static uint32_t hash(const char *string)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *string; string++)
		h = (h ^ (unsigned char)*string) * UINT64_C(0x100000001b3);
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (uint32_t)(h ^ h >> 33);
}

static void rehash(struct intern *strings)
{
	const size_t slot_count = strings->slot_count ? strings->slot_count * 2 : 64;

	free(strings->slots);
	strings->slots = must_realloc(NULL, slot_count, sizeof *strings->slots);
	memset(strings->slots, 0, slot_count * sizeof *strings->slots);
	strings->slot_count = slot_count;
	for (uint32_t i = 0; i < strings->count; i++) {
		size_t at = hash(intern_text(strings, i)) & (slot_count - 1);

		while (strings->slots[at])
			at = (at + 1) & (slot_count - 1);
		strings->slots[at] = i + 1;
	}
}

uint32_t intern(struct intern *strings, const char *string)
{
	const size_t size = strlen(string) + 1;
	size_t at;

	if (strings->count >= strings->slot_count / 2)
		rehash(strings);
	at = hash(string) & (strings->slot_count - 1);
	/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Branch): it thinks that twice as many can be none */
	for (; strings->slots[at]; at = (at + 1) & (strings->slot_count - 1))
		if (strcmp(intern_text(strings, strings->slots[at] - 1), string) == 0)
			return strings->slots[at] - 1;
	if (strings->count == strings->capacity) {
		strings->capacity = strings->capacity ? strings->capacity * 2 : 64;
		strings->starts = must_realloc(strings->starts, strings->capacity, sizeof *strings->starts);
	}
	if (strings->size - strings->used < size) {
		strings->size = strings->size * 2 + size;
		strings->text = must_realloc(strings->text, strings->size, 1);
	}
	strings->slots[at] = strings->count + 1;
	strings->starts[strings->count] = strings->used;
	memcpy(strings->text + strings->used, string, size);
	strings->used += size;
	return strings->count++;
}

const char *intern_text(const struct intern *strings, uint32_t number)
{
	return strings->text + strings->starts[number];
}

void intern_free(struct intern *strings)
{
	free(strings->text);
	free(strings->starts);
	free(strings->slots);
	*strings = (struct intern){0};
}
