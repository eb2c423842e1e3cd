#include "preload/exact_token.h"

#include "preload/exact.h"
#include "preload/runtime.h"
#include "preload/settings.h"

#include "measure/procfs.h"
#include "record/board_layout.h"
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

static bool is_true(const char *value)
{
	return value && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

bool exact_finds_board(char *const envp[])
{
	const bool on =
	    is_true(environment_get(envp, "NX_LOG_HEAP_USAGE")) || is_true(environment_get(envp, "HEAPLOG"));
	const char *token;
	size_t length;
	char usual[64] = "/run/user/";
	const char *directory = on ? environment_get(envp, "XDG_RUNTIME_DIR") : NULL;

	if (on ? !is_true(environment_get(envp, "HEAPLOG_EXACT"))
	       : !(length = token_in(envp, &token)) || !has_mark(token, length))
		return false;
	if (!directory || *directory != '/') {
		procfs_put_number(usual + strlen(usual), (uint64_t)syscall(SYS_geteuid));
		directory = usual;
		if (!heaplog_runtime.directory[0])
			return true;
	}
	length = strlen(directory);
	return strncmp(heaplog_runtime.directory, directory, length) == 0 &&
	       strcmp(heaplog_runtime.directory + length, "/" HEAPLOG_BOARD_SUBDIRECTORY) == 0;
}
