/* Strings to numbers: 0, 1, 2 ... in the order in which they were first seen. */
#ifndef HEAPLOG_CLI_INTERN_H
#define HEAPLOG_CLI_INTERN_H

#include <stddef.h>
#include <stdint.h>

struct intern {
	char *text; /* all strings, each with its NUL, one after the other */
	size_t used, size;
	size_t *starts;  /* of number n in text */
	uint32_t *slots; /* open addressing: number plus 1; 0 is free */
	uint32_t count, capacity;
	size_t slot_count;
};

/* The number of string, new or known. Ends the program when there is no memory, as all of this room does. */
uint32_t intern(struct intern *strings, const char *string);

const char *intern_text(const struct intern *strings, uint32_t number);

void intern_free(struct intern *strings);

/* malloc and realloc that end the program with exit status 2 and a message where there is no memory. */
void *must_realloc(void *old, size_t count, size_t size);
char *must_strdup(const char *text);
char *must_strndup(const char *text, size_t length);

#endif
