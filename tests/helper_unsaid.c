/* A task, of about MB + 102 in all, one process of which is so short that no look need see it, and comes in a way in which
 * it might not be able to say what it held. helper_unsaid WAY MB:
 *   exec      it becomes another program             raw       the same, by a system call that nobody interposes
 *   fork      by fork, and works without an exec     _Fork, clone, likewise (clone: by a raw system call)
 *   small     it ends on a small signal stack, and is smaller than who has started it
 *   stopped   a fork, half of it in all, that is stopped for 100 ms: the other half is what it shares with the first
 *   namespace it is the first of a pid namespace: status 3 where none may be made
 *   handler   it is started by posix_spawn in a handler on a signal stack of 8192 bytes, without our variables
 *   handler-exec it becomes another program in such a handler
 *   unset     it is started without our variables    directory, with another XDG_RUNTIME_DIR
 *   shell     by system, without our library in the environment
 *   user      by a process that has become another user: status 3 where it may not
 *   files     with one descriptor left               blind, with none left, half of it in all, smaller than the first
 * A quiet process holds 100 MB of it from the start, and becomes another program at the end; the first has waited for 300 ms
 * before. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char *const nothing[] = {(char *)"/bin/true", NULL};

static void fill(size_t megabytes)
{
	const size_t size = (megabytes << 20) + 1;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		exit(4);
}

/* Of a processor, its own. */
static void work(long microseconds)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while (now.tv_sec * 1000000 + now.tv_nsec / 1000 < microseconds);
}

static void end_here(int signal)
{
	_exit(signal == SIGUSR1 ? 0 : 5);
}

static void (*in_handler)(void);

static void handler(int signal)
{
	(void)signal;
	in_handler();
}

/* Of 8192 bytes, or more where the kernel takes too much of them for libc's own functions. */
static void handle_on_small_stack(void (*function)(void))
{
	static char memory[65536] __attribute__((aligned(16)));
	const size_t least = getauxval(AT_MINSIGSTKSZ) + 4608;
	const stack_t stack = {.ss_sp = memory, .ss_size = least > 8192 ? least : 8192};
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

	in_handler = function;
	if (sigaltstack(&stack, NULL) != 0 || sigaction(SIGUSR2, &action, NULL) != 0)
		_exit(6);
	raise(SIGUSR2);
}

static void become_nothing(void)
{
	execv(nothing[0], nothing);
}

/* What start_without_us is given, and gives. */
static struct {
	char **argv;
	pid_t pid;
} handled;

static void end_on_small_stack(void)
{
	/* As much as runs there in the default mode, and the kernel takes half of it where registers are wide. */
	static char memory[6144] __attribute__((aligned(16)));
	const stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
	struct sigaction action = {.sa_handler = end_here, .sa_flags = SA_ONSTACK};

	if (sigaltstack(&stack, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0)
		_exit(6);
	raise(SIGUSR1);
}

static int leave_descriptors(rlim_t count)
{
	const struct rlimit limit = {.rlim_cur = count, .rlim_max = count};

	return setrlimit(RLIMIT_NOFILE, &limit);
}

static _Noreturn void child(const char *way, size_t megabytes)
{
	if (strcmp(way, "blind") == 0 && leave_descriptors(0) == 0)
		fill(megabytes / 2 - 2);
	else
		fill(strcmp(way, "small") == 0 || strcmp(way, "stopped") == 0 ? 0 : megabytes);
	if (strcmp(way, "exec") == 0)
		execv(nothing[0], nothing);
	else if (strcmp(way, "raw") == 0)
		syscall(SYS_execve, nothing[0], nothing, environ);
	else if (strcmp(way, "small") == 0)
		end_on_small_stack();
	else if (strcmp(way, "handler-exec") == 0)
		handle_on_small_stack(become_nothing);
	else if (strcmp(way, "stopped") == 0)
		raise(SIGSTOP);
	else if (strcmp(way, "blind") != 0)
		work(5000);
	_exit(0);
}

/* Start this program again, as its own child. */
static pid_t again(char **argv, const char *way, char **environment)
{
	char *arguments[] = {argv[0], (char *)(uintptr_t)way, argv[2], (char *)"child", NULL};
	pid_t pid = -1;

	const int error = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environment);

	/* musl's takes a pipe, for which `files` has no descriptors. */
	if (error == EMFILE && (pid = vfork()) == 0) {
		execve("/proc/self/exe", arguments, environment);
		_exit(127);
	}
	return error == 0 || error == EMFILE ? pid : -1;
}

static void start_without_us(void)
{
	static char *environment[] = {NULL};

	handled.pid = again(handled.argv, "handler", environment);
}

int main(int argc, char **argv)
{
	const char *way = argc > 2 ? argv[1] : "";
	const size_t megabytes = argc > 2 ? (size_t)atoi(argv[2]) : 0;
	int ready[2], over[2], status = 0, ended = 0;
	pid_t pid, holder;
	char byte;

	if (argc == 4 && strcmp(way, "holder") == 0) {
		fill(100);
		if (write(STDOUT_FILENO, "\n", 1) == 1 && read(STDIN_FILENO, &byte, 1) == 0)
			execv(nothing[0], nothing);
		return 1;
	}
	if (argc == 4)
		child(way, megabytes);
	if (argc != 3 || pipe2(ready, O_CLOEXEC) != 0 || pipe2(over, O_CLOEXEC) != 0)
		return 2;
	/* Its output tells that it is ready, the end of its input that all is over. */
	const int output = dup(STDOUT_FILENO);

	dup2(ready[1], STDOUT_FILENO);
	dup2(over[0], STDIN_FILENO);
	holder = again(argv, "holder", environ);
	dup2(output, STDOUT_FILENO);
	close(output);
	if (holder < 0 || read(ready[0], &byte, 1) != 1)
		return 2;
	nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
	if (strcmp(way, "small") == 0)
		fill(megabytes);
	else if (strcmp(way, "stopped") == 0)
		fill(megabytes / 2);
	else if (strcmp(way, "blind") == 0)
		fill(megabytes / 2 + 2);
	if (strcmp(way, "unset") == 0)
		unsetenv("NX_LOG_HEAP_USAGE");
	else if (strcmp(way, "directory") == 0)
		setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	if (strcmp(way, "files") == 0 && leave_descriptors(4) != 0)
		return 9;
	if (strcmp(way, "user") == 0 && setuid(65534) != 0)
		status = 3;
	if (strcmp(way, "namespace") == 0 && unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
		status = 3;
	if (strcmp(way, "shell") == 0) {
		char command[4096];

		unsetenv("LD_PRELOAD");
		snprintf(command, sizeof command, "exec %s %s %zu child", argv[0], way, megabytes);
		if (system(command) != 0)
			return 10;
		close(over[1]);
		return waitpid(holder, &ended, 0) == holder && ended == 0 ? 0 : 8;
	}
	if (strcmp(way, "fork") == 0 || strcmp(way, "namespace") == 0 || strcmp(way, "stopped") == 0) {
		pid = fork();
	} else if (strcmp(way, "_Fork") == 0) {
		pid = _Fork();
	} else if (strcmp(way, "clone") == 0) {
		pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	} else if (strcmp(way, "handler") == 0) {
		handled.argv = argv;
		handle_on_small_stack(start_without_us);
		pid = handled.pid;
	} else {
		pid = again(argv, way, environ);
	}
	if (pid == 0)
		child(way, megabytes);
	if (strcmp(way, "stopped") == 0) {
		if (waitpid(pid, &ended, WUNTRACED) != pid || !WIFSTOPPED(ended))
			return 7;
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
		kill(pid, SIGCONT);
	}
	if (pid < 0 || waitpid(pid, &ended, 0) != pid || ended != 0)
		return 7;
	close(over[1]);
	return waitpid(holder, &ended, 0) == holder && ended == 0 ? status : 8;
}
