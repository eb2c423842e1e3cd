/* What `heaplog top` does, as a task's program: looks at the board's file of its runner.
 *   helper_board look FILE    waits until a running task has figures, and prints them
 *   helper_board places FILE  the same, but prints how many places its table of processes has needed (HEAPLOG_EXACT)
 *   helper_board kill FILE    the same, then kills the runner (the parent) and ends
 */
#include "record/board_layout.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct heaplog_board_figures figures;
	const struct heaplog_board *board = MAP_FAILED;
	char path[4096];

	if (argc != 3)
		return 2;
	snprintf(path, sizeof path, "%s/%d", argv[2], (int)getppid());
	for (int i = 0; i < 5000; i++) {
		const int fd = board == MAP_FAILED ? open(path, O_RDONLY) : -1;

		if (fd >= 0) {
			board = mmap(NULL, sizeof *board, PROT_READ, MAP_SHARED, fd, 0);
			close(fd);
		}
		for (uint32_t at = 0;
		     board != MAP_FAILED && board->head.magic == HEAPLOG_BOARD_MAGIC && at < board->head.used; at++)
			if (heaplog_board_read(&board->task[at], &figures) && figures.state == HEAPLOG_BOARD_RUNNING &&
			    figures.current_bytes) {
				if (strcmp(argv[1], "places") == 0) {
					printf("places %u\n", board->head.processes_used);
					return 0;
				}
				printf("owner %d run %d version %u size %d\n", board->head.owner == getppid(),
				       board->head.run[0] != 0, board->head.version == HEAPLOG_BOARD_VERSION,
				       board->head.size == sizeof *board);
				printf("%s|%s|%s|%s|%s|%s\n", figures.name, figures.project, figures.target,
				       figures.configuration, figures.hash, figures.metric);
				printf("pid %d peak %d upper %d processes %u runner %s\n", figures.pid == getpid(),
				       figures.peak_bytes >= figures.current_bytes,
				       figures.upper_bytes >= figures.peak_bytes, figures.processes,
				       board->head.runner);
				fflush(stdout);
				if (argv[1][0] == 'k')
					kill(getppid(), SIGKILL);
				return 0;
			}
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return 1;
}
