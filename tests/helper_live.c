/* A runner while its tasks live. helper_live MODE [PROGRAM]: prints what came of it; without the library the same but
 * for the suffixes. */
#include "runner.h"

#include "musl.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static char *program; /* tests/helper_task */

#define HOLD(megabytes, ms) ((char *[]){program, S("hold"), S(megabytes), S(ms), NULL})

static int entries_of(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	int found = 0;

	while (directory && (entry = readdir(directory)))
		found += entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(directory);
	closedir(directory);
	return found;
}

static void nap(long ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&left, &left) != 0)
		;
}

/* A child that does not exec: descriptors, threads, and whether it can start tasks of its own. */
static void forked(void)
{
	run_task("before");
	for (int way = 0; way < 2; way++) {
		fflush(stdout);
		const pid_t pid = way ? _Fork() : fork();

		if (pid == 0) {
			if (!way)
				say("descriptors %d", entries_of("/proc/self/fd"));
			say("threads %d", entries_of("/proc/self/task"));
			wait_for(start_task("inner", (char *[]){S("/bin/sleep"), S("0.05"), NULL}));
			_exit(0);
		}
		wait_for(pid);
	}
}

/* The lowest free number is the program's, however often a sampler opens files. */
static void lowest(void)
{
	const pid_t pid = start_task("lowest", HOLD("10", "700"));
	long wrong = 0;

	for (int i = 0; i < 50000; i++) {
		close(0);
		wrong += open("/dev/null", O_RDONLY) != 0;
	}
	say("wrong %ld", wrong);
	wait_for(pid);
	result_line(STDOUT_FILENO, "lowest");
}

enum { NUMBERS = 1100 };

static int open_numbers(void)
{
	int found = 0;

	for (int fd = 3; fd < NUMBERS; fd++)
		found += fcntl(fd, F_GETFD) >= 0;
	return found;
}

/* The number that the result fd had is the program's own now, here and in its children: nothing of ours closes it. */
static void closing(void)
{
	for (int i = 0; i < 3; i++) {
		wait_for(start_task("closing", HOLD("5", "50")));
		syscall(SYS_close_range, 3U, ~0U, 0U);
		close(0);
		for (int fd = 3; fd < NUMBERS; fd++)
			dup2(1, fd);
		fflush(stdout);
		const pid_t pid = fork();

		if (pid == 0) {
			say("the child has %d", open_numbers());
			_exit(0);
		}
		wait_for(pid);
		/* The task's next command: it lets go of the result that it had. */
		wait_for(start_task("closing", HOLD("5", "50")));
		say("the runner has %d", open_numbers());
		result_line(STDOUT_FILENO, "closing");
		closefrom(3);
	}
}

/* What a thread named heaplog may differ in: nothing but its name and its signal mask. Prints what is wrong. */
static void threads(void)
{
	const pid_t pid = start_task("threads", HOLD("10", "400"));
	DIR *directory;
	struct dirent *entry;
	cpu_set_t mine, other;

	nap(150);
	directory = opendir("/proc/self/task");
	sched_getaffinity(0, sizeof mine, &mine);
	while (directory && (entry = readdir(directory))) {
		char path[300], line[256];
		const pid_t tid = atoi(entry->d_name);
		FILE *file;

		snprintf(path, sizeof path, "/proc/self/task/%.20s/status", entry->d_name);
		if (tid <= 0 || tid == getpid() || !(file = fopen(path, "r")))
			continue;
		while (fgets(line, sizeof line, file)) {
			unsigned long long mask;

			if (strncmp(line, "Name:", 5) == 0 && strcmp(line, "Name:\theaplog\n") != 0)
				say("a thread named %s", line);
			/* All but KILL, STOP and what the C library has for itself: two, and in musl three (SIGSYNCCALL). */
			if (sscanf(line, "SigBlk: %llx", &mask) == 1 && (mask | 0x380040100ULL) != ~0ULL)
				say("signals not blocked: %llx", mask);
		}
		fclose(file);
		sched_getaffinity(tid, sizeof other, &other);
		if (!CPU_EQUAL(&mine, &other) || getpriority(PRIO_PROCESS, (id_t)tid) != getpriority(PRIO_PROCESS, 0))
			say("affinity or niceness differs");
	}
	closedir(directory);
	wait_for(pid);
	result_line(STDOUT_FILENO, "threads");
}

/* stdout under another number is stdout; another file under number 1 is not. */
static void moved(void)
{
	static char text[256];
	const int high = fcntl(1, F_DUPFD, 50);
	ssize_t length;
	int file;

	wait_for(start_task("moved", HOLD("10", "60")));
	wait_for(start_task("second", HOLD("10", "60")));
	close(1);
	file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	result_line(file, "second");
	result_line(high, "moved");
	length = pread(file, text, sizeof text - 1, 0);
	dup2(high, 1);
	say("%d %.*s", file, (int)length, text);
}

/* Lines that are not the runner's own write, or not a line alone. */
static void others(void)
{
	static char line[8192] = "> nx run others:build ";
	int pair[2];

	wait_for(
	    start_task("others", (char *[]){S("/bin/sh"), S("-c"),
					    S("printf '> nx run others:build'; echo; sleep 0.05; dd if=/proc/version "
					      "of=/dev/null 2>/dev/null; printf '> nx run others:build\\n'"),
					    NULL}));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
		struct msghdr message = {.msg_iov = &(struct iovec){.iov_base = line, .iov_len = 21}, .msg_iovlen = 1};
		char got[64] = "";

		say("sendmsg %zd", sendmsg(pair[0], &message, 0));
		say("write to a socket %zd", write(pair[0], line, 21));
		nap(10);
		say("got %zd %.21s", recv(pair[1], got, sizeof got, 0), got);
	}
	printf("> nx run others:build\n"); /* stdio writes inside libc */
	fflush(stdout);
	/* A line that would not fit a pipe's atomic write with its suffix. */
	memset(line + 22, 'x', 4096 - 22 - 4);
	say("long %zd", write(1, line, 4096 - 4));
	const ssize_t placed = pwrite(1, line, 21, 0); /* a pipe has no places */

	say("pwrite %zd %d", placed, placed < 0 ? errno : 0);
}

static sigjmp_buf escape;

static void jump(int number)
{
	(void)number;
	siglongjmp(escape, 1);
}

/* A handler that leaves a wait by a jump, many times; then everything works as before. */
static void jumps(void)
{
	const pid_t pid = start_task("jumps", HOLD("10", "300"));
	const struct itimerspec soon = {.it_value = {.tv_nsec = 500000}};
	timer_t timer;

	signal(SIGUSR2, jump);
	timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2}, &timer);
	for (volatile int i = 0; i < 100; i++)
		if (sigsetjmp(escape, 1) == 0) {
			timer_settime(timer, 0, &soon, NULL);
			siginfo_t info;

			for (;;)
				waitid(P_PID, (id_t)pid, &info, WSTOPPED);
		}
	timer_delete(timer);
	wait_for(pid);
	result_line(STDOUT_FILENO, "jumps");
}

/* A task that is stopped, continued and polled is not over; ways of reaping that nobody sees end it as well. */
static void reaps(void)
{
	/* Most of its memory comes after it was stopped, and so late that its usage alone has it for certain. */
	pid_t pid =
	    start_task("reaps", (char *[]){S("/bin/sh"), S("-c"),
					   S("kill -STOP $$; \"$0\" hold 10 100; \"$0\" hold 60 0"), program, NULL});
	siginfo_t info;
	int status;

	say("stopped %d", waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	say("polled %d", (int)waitpid(pid, &status, WNOHANG));
	kill(pid, SIGCONT);
	say("continued %d", waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	say("seen %d", waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	wait_for(pid);
	result_line(STDOUT_FILENO, "reaps");
	pid = start_task("raw", HOLD("10", "60"));
	say("raw %d", (int)syscall(SYS_wait4, pid, NULL, 0, NULL) == pid);
	signal(SIGCHLD, SIG_IGN);
	start_task("ignored", HOLD("10", "60"));
	say("ignored %d", (int)wait(NULL));
	signal(SIGCHLD, SIG_DFL);
	run_task("after");
}

/* A child that takes its time between fork and exec, in a runner of 200 MB. */
static void slow(void)
{
	char **entries = task_entries("slow", 0);
	char *ballast = malloc(200 << 20);
	pid_t pid;

	if (ballast)
		memset(ballast, 1, 200 << 20);
	__asm__ volatile("" : : "r"(ballast) : "memory");
	pid = fork();
	if (pid == 0) {
		nap(300);
		execve("/bin/sleep", (char *[]){S("sleep"), S("0.05"), NULL}, entries);
		_exit(127);
	}
	wait_for(pid);
	result_line(STDOUT_FILENO, "slow");
}

/* A task ends unseen, and its number goes to a child that holds 100 MB and is no task. In a pid namespace of its own.
 */
static void reused(void)
{
	const pid_t pid = start_task("reused", HOLD("10", "60"));
	char number[16];
	pid_t other;
	int fd;

	syscall(SYS_wait4, pid, NULL, 0, NULL);
	fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	snprintf(number, sizeof number, "%d", pid - 1);
	/* By number: this is not a program's output. */
	if (fd < 0 || syscall(SYS_write, fd, number, strlen(number)) < 0)
		say("cannot choose process ids");
	other = fork();
	if (other == 0) {
		execv(program, HOLD("100", "100"));
		_exit(127);
	}
	say("same number %d", other == pid);
	wait_for(other);
	run_task("other");
	nap(1500); /* the sampler notices that nobody told it */
	result_line(STDOUT_FILENO, "reused");
}

/* The runner's end, in every way, while a task runs. */
static void ends(const char *how)
{
	waitpid(start_task("ends", (char *[]){S("/bin/sleep"), S("0.4"), NULL}), NULL,
		WNOHANG); /* now there is a sampler */
	nap(30);
	if (strcmp(how, "exit") == 0)
		exit(3);
	if (strcmp(how, "_exit") == 0)
		_exit(4);
	if (strcmp(how, "quick_exit") == 0)
		quick_exit(5);
	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "kill") == 0)
		kill(getpid(), SIGTERM);
	if (strcmp(how, "exec") == 0)
		execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
	if (strcmp(how, "thread") == 0)
		pthread_exit(NULL);
}

static volatile int forks;

static void forking_handler(int number)
{
	const int saved = errno;

	(void)number;
	errno = 77;

	const pid_t pid = fork();

	if (pid > 0 && errno != 77)
		_exit(121);
	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	forks++;
	errno = saved;
}

/* A program without threads forks in a handler that interrupts the allocator: allowed, as long as it has none. */
static void handlerforks(void)
{
	const struct sigaction action = {.sa_handler = forking_handler, .sa_flags = SA_RESTART};
	const struct itimerval often = {.it_interval = {.tv_usec = 8000}, .it_value = {.tv_usec = 8000}};
	const struct itimerval never = {.it_value = {.tv_usec = 0}};
	const pid_t pid = start_task("long", (char *[]){S("/bin/sleep"), S("2"), NULL});

	waitpid(pid, NULL, WNOHANG); /* now there is a sampler */
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (forks < 60) {
		void *volatile blocks[64];

		for (size_t i = 0; i < 64; i++)
			blocks[i] = malloc(2000 + i * 100);
		for (size_t i = 0; i < 64; i++)
			free(blocks[i]);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	say("forked %d", forks >= 60);
}

static void at_exit(void)
{
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	printf("at exit: %d descriptors, SIGTERM blocked %d\n", entries_of("/proc/self/fd"),
	       sigismember(&mask, SIGTERM));
}

static void *works_on(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2; i++) {
		/* Without a result line its sampler waits for one, and is there at the end. */
		wait_for(start_task(i ? "second" : "first", (char *[]){S("/bin/sleep"), S("0.1"), NULL}));
		printf("buffered %d\n", i);
	}
	return NULL;
}

/* The first thread goes, another works on and returns: libc calls exit() in whichever thread is the last. */
static void lastthread(void)
{
	static char buffer[4096];
	pthread_t thread;

	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	atexit(at_exit);
	pthread_create(&thread, NULL, works_on, NULL);
	printf("the first thread goes\n");
	pthread_exit(NULL);
}

/* The library opened and closed by hand. */
static void opened(void)
{
	for (int i = 0; i < 3; i++) {
		void *handle = dlopen(program, RTLD_NOW);

		say("dlclose %d", handle ? dlclose(handle) : -1);
	}
	run_task("opened");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*function)(void);
	} modes[] = {
	    {"forked", forked},
	    {"lowest", lowest},
	    {"closing", closing},
	    {"threads", threads},
	    {"moved", moved},
	    {"others", others},
	    {"jumps", jumps},
	    {"reaps", reaps},
	    {"slow", slow},
	    {"reused", reused},
	    {"opened", opened},
	    {"lastthread", lastthread},
	    {"handlerforks", handlerforks},
	};

	program = argc > 2 ? argv[2] : NULL;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (argc > 1 && strcmp(argv[1], modes[i].name) == 0) {
			modes[i].function();
			return 0;
		}
	if (argc > 1)
		ends(argv[1]);
	return 2;
}
