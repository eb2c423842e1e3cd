/* The environment editor and the recognition of tasks: entries that end with a zero byte. */
#include "fuzz.h"

#include "task/command.h"
#include "task/environment.h"
#include "task/task.h"

enum { ENTRIES = 60, TEXT = 200 };

static bool is_preload(const char *entry)
{
	return strncmp(entry, "LD_PRELOAD=", 11) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *envp[ENTRIES + 1];
	const size_t count = cut(data, size, envp, ENTRIES);
	char **edited = malloc((count + 1) * sizeof *edited);
	char *text = malloc(TEXT);
	char line[128], name[64];
	size_t at = 0;

	HOLDS(edited && text);
	char *const *result = environment_without(envp, "libheaplog.so", edited, count + 1, text, TEXT);

	for (size_t i = 0; result != envp && i < count; i++) {
		/* Whatever is not ours is the same entry at the same place. */
		if (!is_preload(envp[i]) || !environment_has_token(envp[i] + 11, "libheaplog.so")) {
			HOLDS(result[at] == envp[i]);
			at++;
			continue;
		}
		if (result[at] && result[at] >= text && result[at] < text + TEXT) {
			HOLDS(is_preload(result[at]) && result[at][11]);
			HOLDS(!environment_has_token(result[at] + 11, "libheaplog.so"));
			at++;
		}
	}
	HOLDS(result == envp || !result[at]);

	for (int preset = 0; preset < 4; preset++) {
		static const char *const values[] = {"nx", "npm", "all", "{NX_TASK_TARGET_PROJECT}[:{B}]"};
		struct task_rule rule = {.preset = TASK_NX};
		struct task_name found;

		HOLDS(task_rule_read(&rule, values[preset]));
		task_rule_start(&rule, envp, "make");
		if (task_recognise(&rule, envp, envp, &found) == TASK_ROOT && found.text[0])
			HOLDS(strlen(found.text) < sizeof found.text);
	}
	command_text(envp, line, sizeof line);
	for (const char *byte = line; count && *byte; byte++)
		HOLDS((unsigned char)*byte >= ' ' && *byte != 0x7f);
	if (count && pattern_is_valid(envp[0])) {
		const size_t length = pattern_expand(envp[0], envp, name, sizeof name);

		HOLDS(length < sizeof name && (!length || strlen(name) == length));
	}
	if (count) {
		command_runs(envp[0], "nx");
		command_is_passage(envp[0]);
	}
	release(envp, count);
	free(edited);
	free(text);
	return 0;
}
