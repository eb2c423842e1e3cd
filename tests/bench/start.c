/* What it costs to start a process: each of some libraries in turn, again and again, one line of CPU times in ns for
 * each round.   start ROUNDS PROGRAM VARIABLES...
 * VARIABLES are joined by commas: "LD_PRELOAD=/x.so,HEAPLOG=1". "-": our own environment. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { KINDS = 8, ENTRIES = 16 };

static char *entries[KINDS][ENTRIES];

static long long once(char *program, char **environment)
{
	char *argv[] = {program, NULL};
	struct rusage usage;
	pid_t pid;
	int status;

	if (posix_spawn(&pid, program, NULL, NULL, argv, environment) != 0 || wait4(pid, &status, 0, &usage) != pid ||
	    status != 0) {
		fprintf(stderr, "start: %s could not be run\n", program);
		exit(1);
	}
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000LL +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
}

int main(int argc, char **argv)
{
	const int kinds = argc - 3;

	if (kinds < 1 || kinds > KINDS)
		return 2;
	for (int kind = 0; kind < kinds; kind++) {
		char *rest = argv[3 + kind];

		for (int i = 0; i < ENTRIES - 1 && (entries[kind][i] = strtok(i ? NULL : rest, ",")); i++)
			continue;
	}
	for (int round = -5; round < atoi(argv[1]); round++) /* the first few only warm the caches */
		for (int kind = 0; kind < kinds; kind++) {
			/* Another one begins each round: whatever comes first pays for what was before. */
			const int turn = (kind + round + 5) % kinds;
			const int own = strcmp(entries[turn][0], "-") == 0;
			const long long ns = once(argv[2], own ? environ : entries[turn]);

			if (round >= 0)
				printf("%d %lld\n", turn, ns);
		}
	return 0;
}
