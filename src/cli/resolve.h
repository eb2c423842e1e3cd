/* Scripts resolved to the programs that run them, before anything is run: what the kernel, env and pnpm's shims would
 * do on the way. For macOS, where System Integrity Protection takes DYLD_INSERT_LIBRARIES away at /usr/bin/env and
 * /bin/sh:
 * "#!/usr/bin/env node" must not pass through env. */
#ifndef HEAPLOG_CLI_RESOLVE_H
#define HEAPLOG_CLI_RESOLVE_H

/* The command line that argv comes to: {"nx", "build"} is {"/opt/homebrew/bin/node", "/w/node_modules/.bin/nx",
 * "build"} where nx is a script for "/usr/bin/env node". search_path: PATH. *node_path: the NODE_PATH that a shim would
 * set, for the caller to put into the environment (NULL: none). Returns an array for resolve_free, or NULL when argv[0]
 * is no script, is not found, or there is no memory: then argv is to be run as it is. Reads files, changes nothing. */
char **resolve_scripts(char *const argv[], const char *search_path, char **node_path);
void resolve_free(char **argv);

#endif
