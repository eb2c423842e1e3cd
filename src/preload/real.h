/* The libc functions behind ours. */
#ifndef HEAPLOG_PRELOAD_REAL_H
#define HEAPLOG_PRELOAD_REAL_H

#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>

struct real {
#define SYMBOL(name, type, parameters) type(*name) parameters;
#define ALIAS(alias, name)
#define VERSIONED(name, version)
#include "preload/symbols.def"
#undef SYMBOL
#undef ALIAS
#undef VERSIONED
	int (*posix_spawn_2_2_5)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
				 char *const[], char *const[]);
	int (*posix_spawnp_2_2_5)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
				  char *const[], char *const[]);
};

extern struct real heaplog_real;

/* Has this libc the function, or does it answer ENOSYS? function: a member of heaplog_real. */
bool real_has(const void *function);

/* Resolve all of them, once. Called by the constructor, or by a wrapper that another library's constructor reached
 * before ours ran; later calls return at once. Keeps errno and leaves dlerror() empty. Calls dlsym: not for use between
 * fork and exec. */
void real_resolve(void);

/* Is another copy of this library behind us in the search order? Then that one does the work and this one is silent. */
bool real_is_another_heaplog(void);

/* The table, resolved in any case. */
static inline const struct real *real(void)
{
	if (__builtin_expect(!heaplog_real.write, 0))
		real_resolve();
	return &heaplog_real;
}

#define HEAPLOG_EXPORT __attribute__((visibility("default")))

/* A second name for a wrapper, with the attributes that libc's header gave the first: gcc warns where they differ,
 * clang neither knows "copy" nor asks for it. */
#if defined(__APPLE__) /* such names are Linux's */
#define HEAPLOG_ALIAS(alias_name, name) extern struct real heaplog_real
#elif defined(__GNUC__) && !defined(__clang__)
#define HEAPLOG_ALIAS(alias_name, name) \
	HEAPLOG_EXPORT extern __typeof__(name) alias_name __attribute__((alias(#name), copy(name)))
#else
#define HEAPLOG_ALIAS(alias_name, name) HEAPLOG_EXPORT extern __typeof__(name) alias_name __attribute__((alias(#name)))
#endif

#endif
