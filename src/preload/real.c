#include "preload/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
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

#if !defined(__GLIBC__) /* musl: one version of everything */
#define dlvsym(handle, name, version) dlsym(handle, name)
#endif

static void *next(const char *name, const char *version)
{
	void *symbol = version ? dlvsym(RTLD_NEXT, name, version) : dlsym(RTLD_NEXT, name);
	void *fallback;
	long (*function)(void) = missing;

	memcpy(&fallback, &function, sizeof fallback); /* ISO C has no cast from function to object pointer */
	return symbol ? symbol : fallback;
}

void real_resolve(void)
{
	const int saved = errno;
	void *symbol;

	if (heaplog_real.write)
		return;
#define SYMBOL(name, type, parameters)                              \
	if (strcmp(#name, "write") != 0) {                          \
		symbol = next(#name, NULL);                         \
		memcpy(&heaplog_real.name, &symbol, sizeof symbol); \
	}
#define ALIAS(alias, name)
#define VERSIONED(name, version)
#include "preload/symbols.def"
#undef SYMBOL
#undef ALIAS
#undef VERSIONED
#if defined(__x86_64__) && defined(__GLIBC__)
	/* 2.2.5 runs a script without #! through sh, 2.15 returns ENOEXEC: a wrapper must call the one it stands for.
	 */
	symbol = next("posix_spawn", "GLIBC_2.2.5");
	memcpy(&heaplog_real.posix_spawn_2_2_5, &symbol, sizeof symbol);
	symbol = next("posix_spawnp", "GLIBC_2.2.5");
	memcpy(&heaplog_real.posix_spawnp_2_2_5, &symbol, sizeof symbol);
	symbol = dlvsym(RTLD_NEXT, "posix_spawn", "GLIBC_2.15");
	if (symbol)
		memcpy(&heaplog_real.posix_spawn, &symbol, sizeof symbol);
	symbol = dlvsym(RTLD_NEXT, "posix_spawnp", "GLIBC_2.15");
	if (symbol)
		memcpy(&heaplog_real.posix_spawnp, &symbol, sizeof symbol);
#endif
	(void)dlerror();              /* a miss leaves a message that the program would read as its own */
	symbol = next("write", NULL); /* last: a set write says that the table is complete */
	memcpy(&heaplog_real.write, &symbol, sizeof symbol);
	errno = saved;
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
