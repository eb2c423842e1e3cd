#include "cli/resolve.h"

#include "cli/find.h"
#include "cli/shebang.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHAIN_MAX = 5, HEAD_SIZE = 8192 }; /* the kernel gives up after five interpreters, too */

void resolve_free(char **argv)
{
	for (size_t i = 0; argv && argv[i]; i++)
		free(argv[i]);
	free(argv);
}

/* front, then script, then what follows the first word of argv: all copied. */
static char **join(char *const front[], size_t count, const char *script, char *const argv[])
{
	size_t rest = 0, used = 0;
	char **joined;

	while (argv[rest])
		rest++;
	joined = calloc(count + rest + 2, sizeof *joined);
	if (!joined)
		return NULL;
	for (size_t i = 0; i < count; i++)
		joined[used++] = strdup(front[i]);
	joined[used++] = strdup(script);
	for (size_t i = 1; i < rest; i++)
		joined[used++] = strdup(argv[i]);
	for (size_t i = 0; i < used; i++)
		if (!joined[i]) { /* a NULL in the middle would hide the rest from resolve_free */
			for (size_t j = 0; j < used; j++)
				free(joined[j]);
			free(joined);
			return NULL;
		}
	return joined;
}

/* One step: argv[0], at path, is a script? Returns the longer command line, whose first word is a path. */
static char **step(char *const argv[], const char *path, const char *search_path, char **node_path)
{
	static char node[] = "node";
	char head[HEAD_SIZE], target[PATH_MAX], program[PATH_MAX];
	const long length = find_read(path, head, sizeof head);
	const char *script, *modules;
	size_t script_length, modules_length;
	struct shebang shebang;
	char *words[SHEBANG_WORDS] = {node};
	size_t count = 1;

	if (length < 0 || !shebang_parse(head, (size_t)length, true, &shebang))
		return NULL;
	if (shebang_shim(head, &script, &script_length, &modules, &modules_length)) {
		if ((size_t)snprintf(target, sizeof target, "%.*s%.*s", (int)(find_basename(path) - path), path,
				     (int)script_length, script) >= sizeof target)
			return NULL;
		if (modules && !*node_path)
			*node_path = strndup(modules, modules_length);
	} else {
		snprintf(target, sizeof target, "%s", path);
		count = shebang.count;
		memcpy(words, shebang.words, count * sizeof *words);
	}
	if (find_command(words[0], search_path, program) != 0)
		return NULL;
	words[0] = program;
	return join(words, count, target, argv);
}

char **resolve_scripts(char *const argv[], const char *search_path, char **node_path)
{
	char path[PATH_MAX];
	char **resolved = NULL;

	*node_path = NULL;
	if (find_command(argv[0], search_path, path) != 0)
		return NULL;
	for (int i = 0; i < CHAIN_MAX; i++) {
		char *const *current = resolved ? resolved : argv;
		char **next = step(current, resolved ? resolved[0] : path, search_path, node_path);

		if (!next)
			break;
		resolve_free(resolved);
		resolved = next;
	}
	return resolved;
}
