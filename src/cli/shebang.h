/* "#!" lines: which program a script is run by. Pure: text in, text out.
 *
 * macOS drops DYLD_INSERT_LIBRARIES at every program that System Integrity Protection covers, /usr/bin/env and /bin/sh
 * among them, so that a script's line "#!/usr/bin/env node" loses the library on its way. There `heaplog run` starts
 * node itself. Everywhere else the kernel does it, and this only tells which program it will be. */
#ifndef HEAPLOG_CLI_SHEBANG_H
#define HEAPLOG_CLI_SHEBANG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { SHEBANG_WORDS = 16, SHEBANG_TEXT = 512 };

/* The words that come before the script's path when it is run. */
struct shebang {
	size_t count;
	char *words[SHEBANG_WORDS]; /* pointers into text */
	char text[SHEBANG_TEXT];
	bool by_env; /* "env NAME" was resolved: words[0] is a name to be searched for in PATH */
};

/* Parse the head of a file, of length bytes. As the kernel does: "#!", blanks, the interpreter, and all that follows up
 * to the end of the line, without surrounding blanks, as one argument. Returns false when it is no script with a "#!"
 * line (or one without an interpreter, or longer than the kernel's 255 bytes without a blank).
 * through_env: "#!/usr/bin/env [-S] NAME [ARGUMENT...]" becomes NAME and its arguments; an env line that does more
 * (options, NAME=VALUE) stays as it is. */
bool shebang_parse(const char *head, size_t length, bool through_env, struct shebang *shebang);

/* The shell shims that pnpm writes into node_modules/.bin end with
 *	exec node  "$basedir/../nx/bin/nx.js" "$@"
 * Sets *script to the path behind $basedir/ (a pointer into text, *length bytes), and *node_path, *node_path_length to
 * the value of the first "export NODE_PATH=" (NULL: none). Returns false for any other text. text: NUL-terminated. */
bool shebang_shim(const char *text, const char **script, size_t *length, const char **node_path,
		  size_t *node_path_length);

#endif
