/* Was a signal meant for us alone, or for our whole process group? Nothing in siginfo tells kill(pid) from
 * kill(-group). The witness is a child in our group that does nothing but receive signals: what reached it too was sent
 * to all, the command included, and passing it on would deliver it twice. */
#ifndef HEAPLOG_CLI_WITNESS_H
#define HEAPLOG_CLI_WITNESS_H

#include <stdbool.h>
#include <sys/types.h>

enum { WITNESS_REPORTS = 32 };

struct witness_report {
	int number;
	pid_t sender;
	long long at_ms;
};

struct witness {
	pid_t pid;   /* -1: there is none */
	int reports; /* a pipe's reading end; -1 likewise */
	struct witness_report seen[WITNESS_REPORTS];
	unsigned count;
};

/* Start it. All signals must be blocked. Without processes to spare there is none, and nothing counts as sent to the
 * group. It ends with this process. */
void witness_start(struct witness *witness);
void witness_stop(struct witness *witness);

/* Take what it has reported, so that its pipe does not fill. Returns false when it has ended. */
bool witness_listen(struct witness *witness);

/* Did signal number from the process sender reach the witness as well? Waits for it where it is about to say so. */
bool witness_saw(struct witness *witness, int number, pid_t sender);

#endif
