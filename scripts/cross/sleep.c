/* sleep(1) for the tests on musl, holding what one of glibc holds: busybox's holds 0.7 MB, and what holds less than 1 MB
 * and has a loader has no figure in its first second. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char held[1 << 20];

int main(int argc, char **argv)
{
	const double seconds = argc > 1 ? strtod(argv[1], NULL) : 0;
	struct timespec left = {.tv_sec = (time_t)seconds};

	left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
	memset(held, 1, sizeof held);
	__asm__ volatile("" : : "r"(held) : "memory"); /* it is written, though nobody reads it */
	while (nanosleep(&left, &left) != 0)
		;
	return 0;
}
