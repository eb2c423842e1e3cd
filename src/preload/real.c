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
#if defined(__x86_64__)
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

bool real_is_another_heaplog(void)
{
	const struct link_map *map = NULL;
	const ElfW(Dyn) * entry;
	const char *strings = NULL;
	const char *soname = NULL;
	Dl_info info;
	void *address;

	memcpy(&address, &heaplog_real.write, sizeof address);
	if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
		return false;
	for (entry = map->l_ld; entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_STRTAB)
			strings = (const char *)entry->d_un.d_ptr;
	for (entry = map->l_ld; strings && entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_SONAME)
			soname = strings + entry->d_un.d_val;
	return soname && strcmp(soname, "libheaplog.so") == 0;
}
