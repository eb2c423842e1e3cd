/* The reference sampler: it is told every process of the case by the case itself, so that it misses none, and reads all
 * of them a thousand times a second. It checks that the truth that a case states is the truth.   reference STAGE PARENT */
#include "stage.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

int main(int argc, char **argv)
{
	static int statm[STAGE_PROCESSES];
	struct stage *stage = argc > 1 ? stage_map(argv[1]) : NULL;
	uint64_t known = 0, first = 0;

	/* It would stay for ever where accuracy.py is killed; which may have been before this, and then no signal comes. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc < 3 || getppid() != atoi(argv[2]))
		return 3;
	while (stage && !atomic_load(&stage->done)) {
		uint64_t sum = 0;

		for (const uint64_t count = atomic_load(&stage->count); known < count && known < STAGE_PROCESSES;) {
			const int pid = atomic_load(&stage->pids[known]);
			char path[64];

			if (!pid)
				break; /* counted, but not yet written */
			snprintf(path, sizeof path, "/proc/%d/statm", pid);
			statm[known++] = open(path, O_RDONLY | O_CLOEXEC);
		}
		for (uint64_t i = first; i < known; i++) {
			/* A descriptor of /proc that was opened for one process never reads another. */
			const uint64_t resident = statm[i] < 0 ? 0 : stage_resident(statm[i]);

			sum += resident;
			if (!resident && statm[i] >= 0) {
				close(statm[i]);
				statm[i] = -1;
			}
			if (i == first && statm[i] < 0)
				first++;
		}
		if (sum > atomic_load(&stage->reference))
			atomic_store(&stage->reference, sum);
		atomic_fetch_add(&stage->looks, 1);
		stage_sleep(1);
	}
	return stage ? 0 : 2;
}
