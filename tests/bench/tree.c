/* A tree of sleeping processes, ten children to each at most. All end with the root.   tree SIZE */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int left = (argc > 1 ? atoi(argv[1]) : 1) - 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int branches = 10; branches > 0 && left > 0; branches--) {
		const int part = (left + branches - 1) / branches;
		char size[16];

		snprintf(size, sizeof size, "%d", part);
		if (fork() == 0) {
			execl("/proc/self/exe", "tree", size, (char *)NULL);
			_exit(127);
		}
		left -= part;
	}
	for (;;)
		pause();
}
