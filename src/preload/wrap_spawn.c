/* posix_spawn[p] in both symbol versions, system and popen. The real function does the work. */
#include "preload/exact.h"
#include "preload/launch.h"
#include "preload/real.h"
#include "preload/runtime.h"

#include <alloca.h>
#include <errno.h>
#include <stdlib.h>

typedef int (*spawn_function)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
			      char *const[], char *const[]);

static int spawn(spawn_function function, bool search, pid_t *pid, const char *path,
		 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, char *const argv[],
		 char *const envp[])
{
	struct launch launch;
	pid_t child = 0;
	int error;

	launch_spawn(&launch, launch_needs_room() ? alloca(sizeof(struct exact_edit)) : NULL, path, search, argv, envp);
	const int saved = errno;

	error = function(&child, path, actions, attributes, argv, launch.envp);
	if (error == E2BIG && launch.envp != envp) { /* no room for our token, which was put back */
		errno = saved;
		error = function(&child, path, actions, attributes, argv, envp);
	}
	launch_spawned(&launch, error ? 0 : child);
	if (!error && pid)
		*pid = child;
	return error; /* the error number itself; errno is nobody's business here */
}

#define SPAWN_PARAMETERS                                                                                              \
	pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, \
	    char *const argv[], char *const envp[]
#define SPAWN_ARGUMENTS pid, path, actions, attributes, argv, envp

/* Before their names mean ours. */
static spawn_function real_spawn(void)
{
	return real()->posix_spawn;
}

static spawn_function real_spawnp(void)
{
	return real()->posix_spawnp;
}

#if defined(__x86_64__) && defined(__GLIBC__)
/* The older version runs a script without #! through the shell; a program that asked for it must get it. */
HEAPLOG_EXPORT int heaplog_posix_spawn(SPAWN_PARAMETERS);
HEAPLOG_EXPORT int heaplog_posix_spawnp(SPAWN_PARAMETERS);
HEAPLOG_EXPORT int heaplog_posix_spawn_2_2_5(SPAWN_PARAMETERS);
HEAPLOG_EXPORT int heaplog_posix_spawnp_2_2_5(SPAWN_PARAMETERS);
__asm__(".symver heaplog_posix_spawn,posix_spawn@@GLIBC_2.15,remove");
__asm__(".symver heaplog_posix_spawnp,posix_spawnp@@GLIBC_2.15,remove");
__asm__(".symver heaplog_posix_spawn_2_2_5,posix_spawn@GLIBC_2.2.5,remove");
__asm__(".symver heaplog_posix_spawnp_2_2_5,posix_spawnp@GLIBC_2.2.5,remove");

int heaplog_posix_spawn_2_2_5(SPAWN_PARAMETERS)
{
	return spawn(real()->posix_spawn_2_2_5, false, SPAWN_ARGUMENTS);
}

int heaplog_posix_spawnp_2_2_5(SPAWN_PARAMETERS)
{
	return spawn(real()->posix_spawnp_2_2_5, true, SPAWN_ARGUMENTS);
}
#define posix_spawn heaplog_posix_spawn
#define posix_spawnp heaplog_posix_spawnp
#endif

HEAPLOG_EXPORT int posix_spawn(SPAWN_PARAMETERS)
{
	return spawn(real_spawn(), false, SPAWN_ARGUMENTS);
}

HEAPLOG_EXPORT int posix_spawnp(SPAWN_PARAMETERS)
{
	return spawn(real_spawnp(), true, SPAWN_ARGUMENTS);
}

/* int system(const char *command); libc starts the shell by an internal clone that no symbol of ours sees. With Nx its
 * child is never a task: it has the runner's own environment. In a task's process the shell is one of the task's. */
HEAPLOG_EXPORT int system(const char *command)
{
	exact_shell();
	return real()->system(command);
}

/* FILE *popen(const char *command, const char *type); as system. */
HEAPLOG_EXPORT FILE *popen(const char *command, const char *type)
{
	exact_shell();
	return real()->popen(command, type);
}

HEAPLOG_ALIAS(_IO_popen, popen);

/* int pclose(FILE *stream); */
HEAPLOG_EXPORT int pclose(FILE *stream)
{
	return real()->pclose(stream);
}
