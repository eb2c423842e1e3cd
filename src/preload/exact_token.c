#include "preload/exact_token.h"

#include "preload/exact.h"
#include "preload/runtime.h"
#include "preload/settings.h"

#include "task/environment.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Our token as it stands in LD_PRELOAD; its length, 0: not there, or no absolute path. */
static size_t token_in(char *const envp[], const char **token)
{
	const char *value = environment_get(envp, "LD_PRELOAD");

	while (value && *value) {
		const size_t length = strcspn(value, ": ");
		char one[RUNTIME_NAME_MAX];

		if (length < sizeof one && *value == '/') {
			memcpy(one, value, length);
			one[length] = '\0';
			*token = value;
			if (environment_has_token(one, heaplog_runtime.library))
				return length;
		}
		value += length + (value[length] != '\0');
	}
	return 0;
}

/* Is the last slash a double one? */
static bool has_mark(const char *token, size_t length)
{
	const size_t name = strlen(heaplog_runtime.library);

	return length > name + 2 && token[length - name - 1] == '/' && token[length - name - 2] == '/';
}

bool exact_is_marked(void)
{
	const char *token;
	const size_t length = settings_value("LD_PRELOAD") ? token_in(environ, &token) : 0;

	return length && has_mark(token, length);
}

void exact_note_token(char noted[RUNTIME_NAME_MAX])
{
	const char *token;
	const size_t length = token_in(environ, &token);
	const size_t name = strlen(heaplog_runtime.library);

	if (!length || length + 2 > RUNTIME_NAME_MAX)
		return;
	memcpy(noted, token, length - name);
	if (!has_mark(token, length))
		strcat(noted, "/");
	strcat(noted, heaplog_runtime.library);
}
