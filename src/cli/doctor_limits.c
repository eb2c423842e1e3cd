/* Limits that programs inherit: descriptors, processes, address space. */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* What this command's own looking needs, and up to where it counts: Node.js opens 17 before it runs anything, and has ten
 * threads. */
enum { DESCRIPTORS_MIN = 3, DESCRIPTORS_ENOUGH = 32, PROCESSES_ENOUGH = 24 };

/* 64 times the library's board: has_room() in preload/board.c. */
static const uint64_t address_space_min = UINT64_C(2440) << 20;

static char shortage[160];

const char *doctor_shortage(void)
{
	return shortage;
}

static unsigned count_descriptors(void)
{
	int opened[DESCRIPTORS_ENOUGH];
	unsigned count = 0;

	while (count < DESCRIPTORS_ENOUGH && (opened[count] = open("/", O_PATH | O_CLOEXEC)) >= 0)
		count++;
	for (unsigned i = 0; i < count; i++)
		close(opened[i]);
	return count;
}

/* Children that are there at once. *error: why there were no more. */
static unsigned count_processes(int *error)
{
	pid_t children[PROCESSES_ENOUGH];
	unsigned count = 0;
	char nothing;
	int hold[2];

	if (pipe(hold) != 0)
		return PROCESSES_ENOUGH; /* a matter of descriptors */
	for (; count < PROCESSES_ENOUGH; count++) {
		children[count] = fork();
		*error = errno;
		if (children[count] < 0)
			break;
		if (children[count] == 0) {
			close(hold[1]);
			_exit((int)read(hold[0], &nothing, 1)); /* until all have been counted */
		}
	}
	close(hold[0]);
	close(hold[1]);
	for (unsigned i = 0; i < count; i++)
		while (waitpid(children[i], NULL, 0) < 0 && errno == EINTR)
			;
	return count;
}

bool doctor_check_limits(void)
{
	const unsigned descriptors = count_descriptors();
	struct rlimit limit;
	unsigned processes;
	int error = 0;

	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur < address_space_min)
		doctor_say(DOCTOR_WRONG, "limit",
			   "the address space is limited to %ju MB (ulimit -v): below %ju MB nothing is measured",
			   (uintmax_t)(limit.rlim_cur >> 20), (uintmax_t)(address_space_min >> 20));
	if (descriptors < DESCRIPTORS_ENOUGH)
		snprintf(shortage, sizeof shortage,
			 ": %u is the number of files that can be opened (ulimit -n); raise it", descriptors);
	if (descriptors < DESCRIPTORS_MIN) {
		doctor_say(DOCTOR_WRONG, "limit", "%u is the number of files that can be opened (ulimit -n); raise it",
			   descriptors);
		return false;
	}
	processes = count_processes(&error);
	if (processes < PROCESSES_ENOUGH)
		snprintf(shortage, sizeof shortage,
			 ": %u is the number of processes and threads that can be made (ulimit -u, or the pids of the "
			 "control group); raise it",
			 processes);
	if (!processes)
		doctor_say(DOCTOR_WRONG, "limit",
			   "no process can be made: %s; raise the number (ulimit -u, or the pids of the control group)",
			   strerror(error));
	return processes != 0;
}
