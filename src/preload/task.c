#include "preload/task.h"

#include "preload/environment.h"

#include <string.h>

bool task_recognise(char *const envp[], struct task_name *name)
{
	name->project = environment_get(envp, "NX_TASK_TARGET_PROJECT");
	name->target = environment_get(envp, "NX_TASK_TARGET_TARGET");
	if (!name->project || !name->target || !*name->project || !*name->target)
		return false;
	name->configuration = environment_get(envp, "NX_TASK_TARGET_CONFIGURATION");
	if (name->configuration && !*name->configuration)
		name->configuration = NULL;
	name->hash = environment_get(envp, "NX_TASK_HASH");
	return true;
}

bool task_is_daemon(char *const argv[])
{
	static const char script[] = "daemon/server/start.js";

	for (size_t i = 0; argv && argv[i]; i++) {
		const size_t length = strlen(argv[i]);

		if (length >= sizeof script - 1 && strcmp(argv[i] + length - (sizeof script - 1), script) == 0)
			return true;
	}
	return false;
}
