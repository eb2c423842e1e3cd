/* Symbols of the loaded objects, looked up in their hash tables as the loader does it, without its locks, messages and
 * allocations: thirty dlsym took 1.5 % of a process's start. */
#ifndef HEAPLOG_PRELOAD_SYMBOLS_H
#define HEAPLOG_PRELOAD_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>

/* One function that is looked for. */
struct symbol {
	const char *name;
	const char *version; /* NULL: the default */
	void *address;       /* NULL: not found (yet) */
	bool indirect;       /* STT_GNU_IFUNC: where address is NULL, dlsym has to say where it is */
	unsigned hash;       /* of the name; symbols_find fills it */
};

/* Find them in the objects after this library in the order of search, as RTLD_NEXT means them. Returns false where the
 * list of objects cannot be had, and dlsym has to do. Only while no other thread loads or unloads: in the constructor.
 */
bool symbols_find(struct symbol *symbols, size_t count);

/* The path from which this library was loaded, as the loader has it; NULL: not known. */
const char *symbols_own_path(void);

/* Bind all functions that this library imports, now: it is linked lazily, so that a process does not pay for what it does
 * not call; but nothing must be resolved between fork and exec. After symbols_find, at any time: it looks into no object
 * that was loaded later, and could be unloaded meanwhile. */
void symbols_bind_own(void);

#endif
