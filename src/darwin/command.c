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
