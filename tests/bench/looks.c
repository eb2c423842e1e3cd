/* How many looks a runner's tasks have had so far, as its board says.   looks BOARD */
#include "record/board_layout.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
	const int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	struct heaplog_board_figures figures;
	const struct heaplog_board *board;
	unsigned long long looks = 0;
	struct stat status;

	if (fd < 0 || fstat(fd, &status) != 0 || status.st_size != (off_t)sizeof *board)
		return 1;
	board = mmap(NULL, sizeof *board, PROT_READ, MAP_SHARED, fd, 0);
	if (board == MAP_FAILED || board->head.magic != HEAPLOG_BOARD_MAGIC || board->head.version != HEAPLOG_BOARD_VERSION)
		return 1;
	for (uint32_t i = 0; i < board->head.used && i < HEAPLOG_BOARD_TASKS; i++)
		if (heaplog_board_read(&board->task[i], &figures))
			looks += figures.samples;
	printf("%llu\n", looks);
	return 0;
}
