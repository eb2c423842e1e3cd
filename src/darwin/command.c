/* The command on macOS: what it leaves out there, and says so. `heaplog run` becomes its command with the library in
 * it; nothing is watched from outside, and no table is made by a waiting parent. */
#include "cli/cli.h"
#include "cli/complain.h"
#include "cli/elf.h"
#include "cli/find.h"
#include "cli/library.h"
#include "cli/outside.h"
#include "cli/proc.h"
#include "cli/resolve.h"
#include "cli/runner.h"
#include "cli/summary.h"
#include "cli/supervise.h"

int elf_read(const char *path, struct elf *elf)
{
	(void)path;
	(void)elf;
	return -1; /* so that every runner counts as one that the library reaches */
}

void runner_inspect(size_t argc, char *const argv[], const char *search_path, const char *directory,
		    const struct elf *own, struct runner *runner)
{
	(void)argc;
	(void)argv;
	(void)search_path;
	(void)directory;
	(void)own;
	*runner = (struct runner){.reach = ELF_REACHED};
}

int proc_stat(pid_t pid, struct proc_stat *stat)
{
	(void)pid;
	(void)stat;
	return -1;
}

struct outside *outside_create(const struct outside_settings *settings, struct companion *companion)
{
	(void)settings;
	(void)companion;
	return NULL;
}

void outside_destroy(struct outside *outside, unsigned *tasks, int *results_error)
{
	(void)outside;
	*tasks = 0;
	*results_error = 0;
}

int summary_records(void)
{
	return -1;
}

struct summary_source *summary_open(struct companion *companion)
{
	(void)companion;
	errno = ENOTSUP;
	return NULL;
}

int summary_close(struct summary_source *source)
{
	(void)source;
	return -1;
}

void summary_print(int records, bool largest)
{
	(void)records;
	(void)largest;
}

struct outcome supervise(char *const argv[], char *const envp[], const struct companion *companion)
{
	(void)argv;
	(void)envp;
	(void)companion;
	return (struct outcome){.error = ENOTSUP};
}

_Noreturn void supervise_end(int status)
{
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int cmd_top(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	complain(
	    "top: there is none on macOS; heaplog run --results FILE keeps the figures, heaplog report shows them");
	return CLI_USAGE;
}

/* System Integrity Protection covers these; what it covers runs without inserted libraries. */
static bool is_protected(const char *path)
{
	static const char *const places[] = {"/bin/", "/sbin/", "/usr/", "/System/"};

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			return strncmp(path, "/usr/local/", 11) != 0;
	return false;
}

/* They start their command by /bin/sh. */
static bool goes_through_shell(const char *command)
{
	static const char *const names[] = {"npx", "npm", "pnpm", "yarn", "pnpx", "bunx"};
	const char *name = find_basename(command);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

int cmd_doctor(int argc, char **argv)
{
	char self[PATH_MAX], library[PATH_MAX], path[PATH_MAX];
	char *modules = NULL, **resolved = NULL;
	int status = CLI_OK;

	if (library_self(self) != 0) {
		printf("FAIL   library       cannot tell where heaplog itself is\n");
		status = 1;
	} else if (library_find(self, library) != 0) {
		printf("FAIL   library       %s is not there\n", library);
		status = 1;
	} else {
		printf("ok     library       %s\n", library);
	}
	if (argc < 2) {
		puts("note   command       none given: heaplog doctor COMMAND... looks at that as well");
		return status;
	}
	resolved = resolve_scripts(argv + 1, getenv("PATH"), &modules);
	if (resolved)
		snprintf(path, sizeof path, "%s", resolved[0]);
	else if (find_command(argv[1], getenv("PATH"), path) != 0) {
		printf("FAIL   command       %s: not found\n", argv[1]);
		return 1;
	}
	if (goes_through_shell(argv[1])) {
		printf("FAIL   command       %s starts its command by /bin/sh, and macOS starts that without inserted "
		       "libraries (System Integrity Protection); put heaplog behind it, as in: npx heaplog nx ...\n",
		       argv[1]);
		status = 1;
	} else if (is_protected(path)) {
		printf("FAIL   command       %s: macOS starts it without inserted libraries (System Integrity "
		       "Protection); "
		       "start the runner itself, as in: npx heaplog nx ...\n",
		       path);
		status = 1;
	} else {
		printf("ok     command       %s\n", path);
	}
	resolve_free(resolved);
	free(modules);
	return status;
}
