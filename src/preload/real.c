#include "preload/real.h"

#include "preload/symbols.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <string.h>

struct real heaplog_real;

/* A missing function (an older libc) answers ENOSYS: never a jump to NULL, never abort(). Called through the pointer
 * types of symbols.def; with the C calling conventions of the supported machines extra arguments are ignored and -1 is
 * read back as int, pid_t or ssize_t alike. */
static long missing(void)
{
	errno = ENOSYS;
	return -1;
}

bool real_has(const void *function)
{
	long (*const answer)(void) = missing;

	real();
	return memcmp(function, &answer, sizeof answer) != 0;
}

#if !defined(__GLIBC__) /* musl: one version of everything */
#define dlvsym(handle, name, version) dlsym(handle, name)
#endif

/* One row per function: where its address goes. */
struct row {
	size_t offset; /* in struct real */
	const char *name;
	const char *version;
};

static const struct row rows[] = {
#define SYMBOL(name, type, parameters) {offsetof(struct real, name), #name, NULL},
#define ALIAS(alias, name)
#define VERSIONED(name, version)
#include "preload/symbols.def"
#undef SYMBOL
#undef ALIAS
#undef VERSIONED
#if defined(__x86_64__) && defined(__GLIBC__)
    /* 2.2.5 runs a script without #! through sh, 2.15 returns ENOEXEC: a wrapper must call the one it stands for. */
    {offsetof(struct real, posix_spawn_2_2_5), "posix_spawn", "GLIBC_2.2.5"},
    {offsetof(struct real, posix_spawnp_2_2_5), "posix_spawnp", "GLIBC_2.2.5"},
    {offsetof(struct real, posix_spawn), "posix_spawn", "GLIBC_2.15"},
    {offsetof(struct real, posix_spawnp), "posix_spawnp", "GLIBC_2.15"},
#endif
};

enum { ROWS = sizeof rows / sizeof *rows };

static void *by_dlsym(const char *name, const char *version)
{
	void *symbol = version ? dlvsym(RTLD_NEXT, name, version) : dlsym(RTLD_NEXT, name);

	(void)dlerror(); /* a miss leaves a message that the program would read as its own */
	return symbol;
}

void real_resolve(void)
{
	struct symbol symbols[ROWS];
	void *write = NULL;
	long (*function)(void) = missing;
	void *fallback;

	if (heaplog_real.write)
		return;
	memcpy(&fallback, &function, sizeof fallback); /* ISO C has no cast from function to object pointer */
	for (size_t i = 0; i < ROWS; i++)
		symbols[i] = (struct symbol){.name = rows[i].name, .version = rows[i].version};
	const bool found = symbols_find(symbols, ROWS);
	for (size_t i = 0; i < ROWS; i++) {
		void **const place = (void **)(void *)((char *)&heaplog_real + rows[i].offset);
		void *address = symbols[i].address;

		/* Not where there is none: a search for nothing goes through all objects. */
		if (!found || (symbols[i].indirect && !address))
			address = by_dlsym(rows[i].name, rows[i].version);
		if (rows[i].offset == offsetof(struct real, write))
			write = address ? address : fallback;
		else if (address || !*place)
			*place = address ? address : fallback;
	}
	*(void **)(void *)&heaplog_real.write = write; /* last: a set write says that the table is complete */
}

struct search {
	uintptr_t address; /* of a function */
	bool found;        /* the object that holds it has our soname */
};

/* Does the object's soname say that it is one of us, and does it hold the function? */
static int visit_object(struct dl_phdr_info *object, size_t size, void *data)
{
	struct search *search = data;
	const ElfW(Dyn) *dynamic = NULL;
	ElfW(Addr) strings = 0;
	size_t soname = 0;
	bool holds = false;

	(void)size;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		const ElfW(Addr) start = object->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_LOAD && search->address - start < segment->p_memsz)
			holds = true;
		if (segment->p_type == PT_DYNAMIC)
			dynamic = (const ElfW(Dyn) *)start;
	}
	for (; holds && dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		if (dynamic->d_tag == DT_STRTAB)
			strings = dynamic->d_un.d_ptr;
		else if (dynamic->d_tag == DT_SONAME)
			soname = dynamic->d_un.d_val;
	}
	/* glibc has put the address in place of the offset, musl leaves the file's. */
	if (strings && strings < object->dlpi_addr)
		strings += object->dlpi_addr;
	search->found = strings && soname && strcmp((const char *)strings + soname, "libheaplog.so") == 0;
	return holds;
}

bool real_is_another_heaplog(void)
{
	struct search search = {.found = false};

	memcpy(&search.address, &heaplog_real.write, sizeof search.address);
	dl_iterate_phdr(visit_object, &search);
	return search.found;
}
