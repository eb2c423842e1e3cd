/* A task runner in a few lines, for helpers: tasks by any way of starting them, and their result lines. */
#ifndef HEAPLOG_TESTS_RUNNER_H
#define HEAPLOG_TESTS_RUNNER_H

#include "exact.h"

#define S(text) ((char *)(uintptr_t)(text))

enum { RUNNER_ENTRIES = 4200 };

/* The environment of task PROJECT:build; extra: so many more entries. Not freed: exec or exit ends it. */
static inline char **task_entries(const char *project, size_t extra)
{
	static char target[] = "NX_TASK_TARGET_TARGET=build";
	char **entries = calloc(RUNNER_ENTRIES, sizeof *entries);
	size_t count = 0;

	if (!entries)
		_exit(120);
	for (; environ[count] && count < 100; count++)
		entries[count] = environ[count];
	if (asprintf(&entries[count++], "NX_TASK_TARGET_PROJECT=%s", project) < 0)
		_exit(120);
	entries[count++] = target;
	for (size_t i = 0; i < extra; i++)
		if (asprintf(&entries[count++], "EXTRA_%zu=%zu", i, i) < 0)
			_exit(120);
	return entries;
}

/* Start PROJECT:build by fork and execve. */
static inline pid_t start_task(const char *project, char *const argv[])
{
	char **entries = task_entries(project, 0);
	const pid_t pid = fork();

	if (pid == 0) {
		execve(argv[0], argv, entries);
		_exit(127);
	}
	return pid;
}

/* The result line, as Nx writes it: one chunk. */
static inline void result_line(int fd, const char *project)
{
	char line[300];
	const int length = snprintf(line, sizeof line, "> nx run %s:build", project);

	if (write(fd, line, (size_t)length) != length || write(fd, "\n", 1) != 1)
		say("write failed");
}

static inline void wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status != 0)
		say("status %x", (unsigned)status);
}

/* A task that runs for a moment, from its start to its line. */
static inline void run_task(const char *project)
{
	wait_for(start_task(project, (char *[]){S("/bin/sleep"), S("0.05"), NULL}));
	result_line(STDOUT_FILENO, project);
}

#endif
