#include "cli/runner_program.h"

#include "cli/find.h"
#include "cli/shebang.h"
#include "heaplog.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCRIPTS_MAX = 4, MANIFEST_MAX = 1 << 20 };

void runner_note(struct search *search, const char *step)
{
	char *chain = search->runner->chain;
	const size_t used = strlen(chain);

	snprintf(chain + used, RUNNER_CHAIN_MAX - used, "%s%s", used ? " > " : "", step);
}

static void name_runner(struct search *search, const char *path)
{
	snprintf(search->runner->name, RUNNER_NAME_MAX, "%s", find_basename(path));
}

/* A binary at path: true when the library cannot be loaded into it, which settles the matter. */
static bool inspect_binary(struct search *search, const char *path)
{
	struct elf elf;

	if (elf_read(path, &elf) != 0)
		return false;
	snprintf(search->runner->program, PATH_MAX, "%s", path);
	search->runner->reach = elf_reach(&elf, search->own);
	return search->runner->reach != ELF_REACHED;
}

/* The native programs in a bin directory. */
static bool inspect_programs(struct search *search, const char *directory)
{
	DIR *entries = opendir(directory);
	const struct dirent *entry;
	bool found = false;

	while (entries && !found && (entry = readdir(entries))) {
		char path[PATH_MAX];
		struct elf elf;

		if (entry->d_name[0] == '.' ||
		    (size_t)snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) >= sizeof path)
			continue;
		if (elf_read(path, &elf) == 0 && elf.is_elf && inspect_binary(search, path)) {
			runner_note(search, path);
			name_runner(search, path);
			found = true;
		}
	}
	if (entries)
		closedir(entries);
	return found;
}

/* Does a package name belong to the native half of package? "turbo": "turbo-linux-64", "@turbo/linux-64";
 * "@moonrepo/cli":
 * "@moonrepo/core-linux-x64-musl". Any other native dependency (esbuild's) says nothing about the package itself. */
static bool is_native_half(const char *dependency, const char *package)
{
	const char *slash = strchr(package, '/');
	const size_t length = slash ? (size_t)(slash - package + 1) : strlen(package);

	if (!strstr(dependency, "linux"))
		return false;
	if (!slash && dependency[0] == '@')
		dependency++;
	return strlen(dependency) >= length && memcmp(dependency, package, length) == 0;
}

/* The keys of the object at, one after the other; NULL at its end. */
static const char *next_key(const char *at, char *name, size_t size)
{
	size_t length;
	int nul;

	at += strspn(at, "{, \t\r\n");
	at = heaplog_json_string_(at, name, size, &length, &nul);
	if (!at || length >= size)
		return NULL;
	at += strspn(at, ": \t\r\n");
	return heaplog_json_skip_(at);
}

bool runner_inspect_package(struct search *search, const char *script)
{
	char manifest[PATH_MAX], directory[PATH_MAX], package[256], name[256];
	char *text;
	const char *at;
	bool found = false;

	snprintf(directory, sizeof directory, "%.*s", (int)(find_basename(script) - script - 1), script);
	if (!strstr(directory, "/node_modules/") || find_upwards(directory, "package.json", manifest) != 0 ||
	    !(text = malloc(MANIFEST_MAX)))
		return false;
	if (find_read(manifest, text, MANIFEST_MAX) > 0 &&
	    heaplog_record_string(text, "name", package, sizeof package) > 0)
		for (at = heaplog_record_value(text, "optionalDependencies"); at && !found;) {
			char relative[300], path[PATH_MAX];

			at = next_key(at, name, sizeof name);
			if (!at || !is_native_half(name, package))
				continue;
			snprintf(relative, sizeof relative, "node_modules/%s/bin", name);
			found = find_upwards(directory, relative, path) == 0 && inspect_programs(search, path);
		}
	free(text);
	return found;
}

bool runner_is_javascript(const char *interpreter)
{
	const char *name = find_basename(interpreter);

	return strcmp(name, "node") == 0 || strcmp(name, "nodejs") == 0 || strcmp(name, "bun") == 0;
}

bool runner_inspect_file(struct search *search, const char *found)
{
	char head[4096], path[PATH_MAX], next[PATH_MAX];

	if (!realpath(found, path))
		return false;
	for (int scripts = 0; scripts < SCRIPTS_MAX; scripts++) {
		const long length = find_read(path, head, sizeof head);
		const char *script, *node_path;
		size_t script_length, node_path_length;
		struct shebang shebang;

		if (length < 0)
			return false;
		if (!shebang_parse(head, (size_t)length, true, &shebang))
			return inspect_binary(search, path);
		if (shebang_shim(head, &script, &script_length, &node_path, &node_path_length)) {
			if ((size_t)snprintf(next, sizeof next, "%.*s/%.*s", (int)(find_basename(path) - path - 1),
					     path, (int)script_length, script) >= sizeof next)
				return false;
		} else {
			snprintf(search->runner->script, PATH_MAX, "%s", path);
			if (runner_is_javascript(shebang.words[0]) && runner_inspect_package(search, path))
				return true;
			if (find_command(shebang.words[0], search->path, next) != 0)
				return false;
		}
		if (!realpath(next, path))
			return false;
	}
	return false;
}

bool runner_inspect_program(struct search *search, const char *name, bool local)
{
	char path[PATH_MAX], relative[RUNNER_NAME_MAX + 32], bare[RUNNER_NAME_MAX];
	const char *version = strchr(name[0] == '@' ? name + 1 : name, '@');

	/* "turbo@2" of npx */
	snprintf(bare, sizeof bare, "%.*s", version && local ? (int)(version - name) : (int)strlen(name), name);
	snprintf(relative, sizeof relative, "node_modules/.bin/%s", bare);
	if (!local || strchr(bare, '/') || find_upwards(search->directory, relative, path) != 0) {
		if (find_command(name, search->path, path) != 0 && find_command(bare, search->path, path) != 0) {
			/* Not installed yet: npx will fetch it. */
			if (!local || strcmp(bare, "turbo") != 0)
				return false;
			name_runner(search, bare);
			runner_note(search, bare);
			search->runner->reach = ELF_STATIC;
			return true;
		}
	}
	name_runner(search, path);
	runner_note(search, path);
	return runner_inspect_file(search, path);
}
