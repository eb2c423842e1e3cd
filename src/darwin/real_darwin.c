/* The functions behind ours, and the table by which dyld puts ours before them (symbols.def, interpose.h). dyld leaves
 * the calls of the library that holds the table alone, so that the real functions are simply called by their names. */
#include "preload/real.h"

#include "darwin/interpose.h"
#include "preload/runtime.h"
#include "preload/symbols.h"

#include <dlfcn.h>
#include <mach-o/dyld.h>
#include <string.h>

#define SYMBOL(name, type, parameters)                                             \
	__attribute__((used, section("__DATA,__interpose"))) static const struct { \
		type(*ours) parameters;                                            \
		type(*theirs) parameters;                                          \
	} row_##name = {heaplog_##name, name};
#define LINUX_SYMBOL(name, type, parameters)
#define ALIAS(alias, name)
#define VERSIONED(name, version)
#include "preload/symbols.def"
#undef SYMBOL
#undef ALIAS
#undef VERSIONED

struct real heaplog_real;

/* What fork wipes on Linux (runtime.h) is wiped here: no other function of macOS comes back to us in a child. */
static pid_t fork_and_wipe(void)
{
	const pid_t pid = fork();

	if (pid == 0)
		memset(heaplog_process, 0, sizeof *heaplog_process);
	return pid;
}

void real_resolve(void)
{
	struct real real = {.write = NULL};

	if (heaplog_real.write)
		return;
#define SYMBOL(name, type, parameters) real.name = name;
#define LINUX_SYMBOL(name, type, parameters)
#define ALIAS(alias, name)
#define VERSIONED(name, version)
#include "preload/symbols.def"
#undef SYMBOL
#undef ALIAS
#undef VERSIONED
	real.execvpe = darwin_execvpe;
	real.fork = fork_and_wipe;
	heaplog_real = real;
}

/* Another copy would be an image of the same name, loaded before us. */
bool real_is_another_heaplog(void)
{
	const char *own = symbols_own_path();
	const char *slash = own ? strrchr(own, '/') : NULL;

	for (uint32_t i = 0; slash && i < _dyld_image_count(); i++) {
		const char *other = _dyld_get_image_name(i);
		const char *name = other ? strrchr(other, '/') : NULL;

		if (name && strcmp(other, own) == 0)
			return false;
		if (name && strcmp(name, "/libheaplog.dylib") == 0)
			return true;
	}
	return false;
}

const char *symbols_own_path(void)
{
	Dl_info info;

	return dladdr(&heaplog_real, &info) ? info.dli_fname : NULL;
}

/* dyld has bound everything. */
void symbols_bind_own(void)
{
}

/* The file behind a result fd: made, and unlinked at once. */
long darwin_SYS_memfd_create(const char *name, int flags)
{
	const char *directory = secure_getenv("TMPDIR");
	char path[PATH_MAX];
	int fd;

	(void)name;
	(void)flags;
	if ((size_t)snprintf(path, sizeof path, "%s/heaplog.XXXXXXXX", directory && *directory ? directory : "/tmp") >=
	    sizeof path)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* NULL: macOS has none. */
bool real_has(const void *function)
{
	void *address;

	memcpy(&address, function, sizeof address);
	return address != NULL;
}
