/* Run a command and wait for it, where something has to happen afterwards, so that nobody notices the difference: the
 * same process group, terminal, descriptors, signal mask and dispositions for the command, its signals, its status. */
#ifndef HEAPLOG_CLI_SUPERVISE_H
#define HEAPLOG_CLI_SUPERVISE_H

#include <poll.h>
#include <stddef.h>
#include <sys/types.h>

enum { SUPERVISE_FDS = 1024 };

/* What the waiting parent does meanwhile; all may be NULL. One thread, no signal handlers. */
struct companion {
	void *self;
	void (*started)(void *self, pid_t pid);
	/* Fill fds with what to wait for, at most max, lower *timeout_ms (-1: none) where something is due earlier.
	 * Returns how many. */
	size_t (*prepare)(void *self, struct pollfd *fds, size_t max, int *timeout_ms);
	/* After every wait: fds as prepare gave them. */
	void (*work)(void *self, const struct pollfd *fds, size_t count);
};

struct outcome {
	int error;    /* errno of exec; 0: it ran */
	int no_child; /* errno where no process or descriptor was to be had: nothing has happened, error is 0 */
	int status;   /* as of waitpid */
};

/* fork, execvpe(argv[0], argv, envp), and wait for the end. Signals that reach this process alone are passed on to the
 * command; those that the terminal or kill(-group) sent to both are not, since it has them already. When this process
 * is killed the command is too. All signals are blocked until supervise_end. */
struct outcome supervise(char *const argv[], char *const envp[], const struct companion *companion);

/* End this process as the command ended: by exit with its status, or by the same signal, without a second core file.
 * Does not return. */
_Noreturn void supervise_end(int status);

#endif
