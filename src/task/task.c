#include "task/task.h"

#include "task/command.h"
#include "task/environment.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char npm_pattern[] = "{npm_package_name}:{npm_lifecycle_event}";

bool task_rule_read(struct task_rule *rule, const char *value)
{
	rule->preset = TASK_NX;
	if (!value || !*value || strcmp(value, "nx") == 0)
		return true;
	if (strcmp(value, "all") == 0) {
		rule->preset = TASK_ALL;
		return true;
	}
	if (strcmp(value, "npm") != 0 && !pattern_is_valid(value))
		return false;
	rule->preset = strcmp(value, "npm") == 0 ? TASK_NPM : TASK_PATTERN;
	strcpy(rule->pattern, rule->preset == TASK_NPM ? npm_pattern : value);
	return true;
}

/* What a variable holds, "" where it is unset; never more than fits. */
static void copy_value(char *text, size_t size, char *const envp[], const char *variable)
{
	const char *value = environment_get(envp, variable);
	const size_t length = value ? strnlen(value, size - 1) : 0;

	if (length)
		memcpy(text, value, length);
	text[length] = '\0';
}

/* make and GNU parallel run commands for their own use as well ($(shell …), forty probes of the shell at the start). In
 * the environment of a job, and only there, such a variable has another value than in their own. */
static const char *mark_of(const char *program)
{
	if (strcmp(program, "make") == 0 || strcmp(program, "gmake") == 0)
		return "MAKELEVEL";
	return strcmp(program, "parallel") == 0 ? "PARALLEL_SEQ" : NULL;
}

static bool runs_wireit(char *const envp[])
{
	const char *script = environment_get(envp, "npm_lifecycle_script");

	return script && command_runs(script, "wireit");
}

void task_rule_start(struct task_rule *rule, char *const envp[], const char *program)
{
	const char *const runner = rule->preset == TASK_NX ? "nx" : rule->preset == TASK_NPM ? "npm" : program;

	strncpy(rule->runner, runner, sizeof rule->runner - 1);
	rule->mark = rule->preset == TASK_ALL ? mark_of(program) : NULL;
	if (rule->mark)
		copy_value(rule->own_mark, sizeof rule->own_mark, envp, rule->mark);
	if (rule->preset == TASK_NPM || rule->preset == TASK_PATTERN)
		pattern_expand(rule->pattern, envp, rule->own, sizeof rule->own);
	rule->wireit = rule->preset == TASK_NPM && runs_wireit(envp);
}

static bool ends_with(const char *text, const char *end)
{
	const size_t length = strlen(text);

	return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static bool has_argument(char *const argv[], const char *end)
{
	for (size_t i = 0; argv && argv[i]; i++)
		if (ends_with(argv[i], end))
			return true;
	return false;
}

static enum task_what recognise_nx(char *const argv[], char *const envp[], struct task_name *name)
{
	name->project = environment_get(envp, "NX_TASK_TARGET_PROJECT");
	name->target = environment_get(envp, "NX_TASK_TARGET_TARGET");
	if (name->project && name->target && *name->project && *name->target) {
		name->configuration = environment_get(envp, "NX_TASK_TARGET_CONFIGURATION");
		if (name->configuration && !*name->configuration)
			name->configuration = NULL;
		name->hash = environment_get(envp, "NX_TASK_HASH");
		return TASK_ROOT;
	}
	return has_argument(argv, "/batch/run-batch.js") ? TASK_BATCH : TASK_NOTHING;
}

/* wireit gives all its scripts the environment of the one that started it. What tells them apart is the directory of
 * their package and their command: "a: tsc -b". */
static enum task_what recognise_wireit(char *const argv[], struct task_name *name)
{
	char directory[TASK_NAME_MAX];
	const char *base;
	size_t used;

	if (!command_text(argv, name->text, sizeof name->text) || command_runs(name->text, "wireit"))
		return TASK_NOTHING;
	/* By number: libc's getcwd may allocate. */
	if (syscall(SYS_getcwd, directory, sizeof directory) < 0)
		return TASK_ROOT;
	base = strrchr(directory, '/');
	base = base ? base + 1 : directory;
	used = strlen(base);
	if (!used || used + 2 >= sizeof name->text / 2)
		return TASK_ROOT;
	memcpy(name->text, base, used);
	memcpy(name->text + used, ": ", 2);
	command_text(argv, name->text + used + 2, sizeof name->text - used - 2);
	return TASK_ROOT;
}

static enum task_what recognise_npm(const struct task_rule *rule, char *const argv[], char *const envp[],
				    struct task_name *name)
{
	char command[TASK_NAME_MAX];

	if (!pattern_expand(rule->pattern, envp, name->text, sizeof name->text))
		return TASK_NOTHING;
	name->project = environment_get(envp, "npm_package_name");
	name->target = environment_get(envp, "npm_lifecycle_event");
	/* npx and npm exec run what they are asked to under this name: no script. */
	if (strcmp(name->target, "npx") == 0)
		return TASK_NOTHING;
	if (strcmp(name->text, rule->own) == 0) {
		name->project = name->target = NULL;
		return rule->wireit ? recognise_wireit(argv, name) : TASK_NOTHING;
	}
	return command_text(argv, command, sizeof command) && command_is_passage(command) ? TASK_NOTHING : TASK_ROOT;
}

static enum task_what recognise_all(const struct task_rule *rule, char *const argv[], char *const envp[],
				    struct task_name *name)
{
	char value[TASK_VALUE_MAX];

	if (rule->mark) {
		copy_value(value, sizeof value, envp, rule->mark);
		if (strcmp(value, rule->own_mark) == 0)
			return TASK_NOTHING;
	}
	return command_text(argv, name->text, sizeof name->text) ? TASK_ROOT : TASK_NOTHING;
}

/* Two checkouts of a repository have tasks of the same names. */
static uint32_t origin_of(const struct task_rule *rule, char *const envp[])
{
	const char *const variable = rule->preset == TASK_NPM ? "npm_package_json" : "NX_WORKSPACE_ROOT";
	const char *value = environment_get(envp, variable);
	uint32_t hash = 0x811c9dc5U; /* FNV-1a */

	if (!value || !*value)
		return 0;
	for (; *value; value++)
		hash = (hash ^ (unsigned char)*value) * 0x01000193U;
	return hash;
}

enum task_what task_recognise(const struct task_rule *rule, char *const argv[], char *const envp[],
			      struct task_name *name)
{
	enum task_what what = TASK_NOTHING;

	name->project = name->target = name->configuration = name->hash = NULL;
	name->text[0] = '\0';
	name->origin = 0;
	switch (rule->preset) {
	case TASK_NX:
		what = recognise_nx(argv, envp, name);
		break;
	case TASK_NPM:
		what = recognise_npm(rule, argv, envp, name);
		break;
	case TASK_ALL:
		what = recognise_all(rule, argv, envp, name);
		break;
	case TASK_PATTERN:
		if (pattern_expand(rule->pattern, envp, name->text, sizeof name->text) &&
		    strcmp(name->text, rule->own) != 0)
			what = TASK_ROOT;
		break;
	}
	if (what == TASK_ROOT)
		name->origin = origin_of(rule, envp);
	return what == TASK_NOTHING && has_argument(argv, "daemon/server/start.js") ? TASK_DAEMON : what;
}
