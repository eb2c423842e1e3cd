/* Ways to start a task, in hostile circumstances. helper_start MODE [PROGRAM]: prints what came of it; without the
 * library the same but for the suffixes. */
#include "runner.h"

#include "musl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <ucontext.h>

static char *program; /* tests/helper_task */

/* 0 to 8: the exec family. */
static void exec_by(int way, char **entries)
{
	char *argv[] = {program, S("look"), NULL};

	environ = entries;
	switch (way) {
	case 0:
		execve(program, argv, entries);
		break;
	case 1:
		execv(program, argv);
		break;
	case 2:
		execvp(program, argv);
		break;
	case 3:
		execvpe(program, argv, entries);
		break;
	case 4:
		execl(program, program, "look", (char *)NULL);
		break;
	case 5:
		execlp(program, program, "look", (char *)NULL);
		break;
	case 6:
		execle(program, program, "look", (char *)NULL, entries);
		break;
	case 7:
		fexecve(open(program, O_RDONLY | O_CLOEXEC), argv, entries);
		break;
	default:
		execveat(AT_FDCWD, program, argv, entries, 0);
		break;
	}
	_exit(127);
}

typedef int (*spawn_function)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
			      char *const[], char *const[]);

/* Every interposed way: the task runs without the library, with the descriptors and threads that it has without us. */
static void starts(void)
{
	char *argv[] = {program, S("look"), NULL};
	char name[16];
	char **kept = environ;
	pid_t pid;

	for (volatile int way = 0; way < 9; way++) {
		snprintf(name, sizeof name, "f%d", way);
		char **entries = task_entries(name, 0);

		pid = fork();
		if (pid == 0)
			exec_by(way, entries);
		wait_for(pid);
		result_line(STDOUT_FILENO, name);
		name[0] = 'v';
		pid = vfork();
		if (pid == 0)
			exec_by(way, entries);
		environ = kept; /* the child's, in our memory */
		wait_for(pid);
	}
	for (int version = 0; version < 4; version++) {
		static const char *const names[] = {"posix_spawn", "posix_spawnp"};
		void *symbol = dlvsym(RTLD_DEFAULT, names[version % 2], version < 2 ? "GLIBC_2.2.5" : "GLIBC_2.15");
		spawn_function function;

		if (!symbol) /* other architectures have one version */
			symbol = dlsym(RTLD_DEFAULT, names[version % 2]);
		memcpy(&function, &symbol, sizeof symbol);
		snprintf(name, sizeof name, "s%d", version);
		const int error = function(&pid, program, NULL, NULL, argv, task_entries(name, 0));

		wait_for(pid);
		say("spawn %d", error);
	}
}

/* What the caller gives is not written, not even where it could be. */
static void readonly(void)
{
	enum { SIZE = 1 << 16 };
	char **entries = task_entries("readonly", 0);
	char *const page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char **array = (char **)(void *)page;
	char *text = page + SIZE / 2;
	char **const pointer = environ;
	char *const first = environ[0];
	pid_t pid;

	for (size_t i = 0; entries[i]; i++) {
		array[i] = strcpy(text, entries[i]);
		text += strlen(text) + 1;
	}
	if (mprotect(page, SIZE, PROT_READ) != 0)
		say("mprotect failed");
	for (volatile int way = 0; way < 3; way++) {
		char *argv[] = {S("/bin/sleep"), S("0.5"), NULL};

		pid = 0;
		if (way == 2)
			say("spawn %d", posix_spawn(&pid, argv[0], NULL, NULL, argv, array));
		else
			pid = way ? vfork() : fork();
		if (pid == 0) {
			execve(argv[0], argv, array);
			_exit(127);
		}
		wait_for(pid);
		result_line(STDOUT_FILENO, "readonly");
	}
	say("environ untouched: %d", environ == pointer && environ[0] == first);
}

static int on_small_stack(void *entries)
{
	execve("/bin/sleep", (char *[]){S("sleep"), S("0.5"), NULL}, entries);
	_exit(127);
}

/* A stack of 16 KiB that ends at a hole, and 4000 entries. */
static void smallstack(void)
{
	const size_t size = 16 << 10, hole = 64 << 10;
	char *stack = mmap(NULL, size + hole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(stack, hole, PROT_NONE);
	become_runner();
	const pid_t pid =
	    clone(on_small_stack, stack + hole + size, CLONE_VM | CLONE_VFORK | SIGCHLD, task_entries("small", 4000));

	wait_for(pid);
	result_line(STDOUT_FILENO, "small");
}

static int be_true(void *entries)
{
	execve("/bin/true", (char *[]){S("true"), NULL}, entries);
	_exit(127);
}

static char **small_entries;

static void by_fork(void)
{
	const pid_t pid = fork();

	if (pid == 0)
		be_true(small_entries);
	wait_for(pid);
}

static void by_vfork(void)
{
	const pid_t pid = vfork();

	if (pid == 0)
		be_true(small_entries);
	wait_for(pid);
}

static void by_spawn(void)
{
	pid_t pid;

	if (posix_spawn(&pid, "/bin/true", NULL, NULL, (char *[]){S("true"), NULL}, small_entries) != 0)
		_exit(126);
	wait_for(pid);
}

/* musl has no coroutines. */
static void on_coroutine(void (*body)(void), char *stack, size_t size)
{
#ifdef __GLIBC__
	static ucontext_t own, other;

	getcontext(&other);
	other.uc_stack.ss_sp = stack;
	other.uc_stack.ss_size = size;
	other.uc_link = &own;
	makecontext(&other, body, 0);
	swapcontext(&own, &other);
#else
	(void)stack;
	(void)size;
	body();
#endif
}

/* coroutine-WAY-SIZE: the first task of all is started on a stack of so many KiB above a hole, which is no signal's: a
 * coroutine's or, by clone, one that clone is given. */
static void coroutine(const char *way)
{
	static const struct {
		const char *name;
		void (*body)(void);
	} bodies[] = {{"fork", by_fork}, {"vfork", by_vfork}, {"spawn", by_spawn}};
	const char *const number = strrchr(way, '-') + 1;
	const size_t hole = 64 << 10, size = (size_t)atoi(number) << 10;
	char *stack = mmap(NULL, hole + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(stack, hole, PROT_NONE);
	small_entries = task_entries("coroutine", 0);
	if (strncmp(way, "clone", 5) == 0)
		wait_for(clone(be_true, stack + hole + size, CLONE_VM | CLONE_VFORK | SIGCHLD, small_entries));
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		if (strncmp(way, bodies[i].name, (size_t)(number - 1 - way)) == 0)
			on_coroutine(bodies[i].body, stack + hole, size);
	say("%s ended", way);
}

static void expect_five(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 5)
		say("handler: wrong child");
}

static volatile int forked_inside;

/* Each time a little later: a fork that a signal interrupts begins anew, and where it takes longer than the signals are apart
 * (an emulator) it would never end. */
static void interrupt_soon(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {.tv_usec = 1000 + 5 * forked_inside}}, NULL);
}

static void forking_handler(int number)
{
	const int saved = errno;
	pid_t pid;

	(void)number;
	pid = fork();
	if (pid == 0)
		_exit(5);
	expect_five(pid);
	forked_inside++;
	interrupt_soon();
	errno = saved;
}

/* A handler that forks in the middle of a fork, in a program without threads: libc takes no locks there, nor may it once
 * samplers have come and gone. */
static void nested(void)
{
	const struct sigaction action = {.sa_handler = forking_handler, .sa_flags = SA_RESTART};
	char **entries = task_entries("nested", 0);

	sigaction(SIGALRM, &action, NULL);
	interrupt_soon();
	for (int i = 0; i < 1000 || forked_inside < 100; i++) {
		const pid_t pid = fork();

		if (pid == 0)
			be_true(entries);
		wait_for(pid);
	}
	signal(SIGALRM, SIG_IGN);
	say("handlers forked");
}

static volatile int handled;

static void handler(int number)
{
	const int saved = errno;
	pid_t pid;

	(void)number;
	pid = _Fork();
	if (pid == 0)
		_exit(5);
	expect_five(pid);
	if (write(STDOUT_FILENO, "", 0) != 0)
		say("handler: wrong write");
	handled++;
	errno = saved;
}

/* Handlers on an alternate stack hardly larger than the kernel's frame, which fork, wait and write in the middle of
 * ours. */
static void signals(void)
{
	const size_t size = getauxval(AT_MINSIGSTKSZ) + 8192, hole = 64 << 10;
	char *memory = mmap(NULL, size + hole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const stack_t stack = {.ss_sp = memory + hole, .ss_size = size};
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESTART};
	const struct itimerspec often = {.it_interval = {.tv_nsec = 1000000}, .it_value = {.tv_nsec = 1000000}};
	timer_t timer;
	char name[16];

	mprotect(memory, hole, PROT_NONE);
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR2, &action, NULL);
	timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2}, &timer);
	timer_settime(timer, 0, &often, NULL);
	for (int i = 0; handled < 100 || i < 5; i++) {
		snprintf(name, sizeof name, "signals%d", i % 5);
		const pid_t pid = start_task(name, (char *[]){S("/bin/sleep"), S("0.02"), NULL});

		wait_for(pid);
		if (write(STDOUT_FILENO, "", 0) != 0)
			say("write failed");
	}
	timer_delete(timer);
	say("handlers ran");
}

static int prepared;

static void prepare_fork(void)
{
	prepared++;
}

/* vfork calls no handler of fork's, and fork calls them once. */
static void atfork(void)
{
	pid_t pid;

	pthread_atfork(prepare_fork, NULL, NULL);
	pid = vfork();
	if (pid == 0)
		_exit(0);
	wait_for(pid);
	say("after vfork %d", prepared);
	pid = fork();
	if (pid == 0)
		_exit(0);
	wait_for(pid);
	say("after fork %d", prepared);
}

/* An allocator that ends the program where nothing may be allocated: in every library's eyes. */
#pragma GCC visibility push(default)
static int forbidden;

void *malloc(size_t size)
{
	static char arena[1 << 25];
	static size_t used;
	const size_t at = __atomic_fetch_add(&used, (size + 31) & ~(size_t)15, __ATOMIC_RELAXED);

	if (forbidden || at + size + 16 > sizeof arena)
		_exit(99);
	memcpy(arena + at, &size, sizeof size);
	return arena + at + 16;
}

void *calloc(size_t count, size_t size)
{
	return malloc(count * size); /* fresh from .bss */
}

void *realloc(void *old, size_t size)
{
	void *fresh = malloc(size);
	size_t length = 0;

	if (old)
		memcpy(&length, (char *)old - 16, sizeof length);
	if (fresh && old)
		memcpy(fresh, old, length < size ? length : size);
	return fresh;
}

void free(void *memory)
{
	if (forbidden && memory)
		_exit(98);
}
#pragma GCC visibility pop

/* No exec wrapper allocates between fork and exec: another thread may hold the allocator's lock for ever. */
static void nomalloc(void)
{
	become_runner();
	for (volatile int way = 0; way < 9; way++)
		for (volatile int shared = 0; shared < 2; shared++) {
			char **kept = environ;
			char **entries = task_entries("n", 0);
			const pid_t pid = shared ? vfork() : fork();

			if (pid == 0) {
				forbidden = 1;
				exec_by(way, entries);
			}
			forbidden = 0;
			environ = kept;
			wait_for(pid);
		}
}

static void forbidding_handler(int number)
{
	const int saved = errno;
	int status;

	(void)number;
	forbidden = 1;
	if (write(STDOUT_FILENO, "", 0) != 0 || waitpid(-1, &status, WNOHANG) != 0)
		say("handler: wrong answer");
	forbidden = 0;
	handled++;
	errno = saved;
}

/* A handler may have interrupted the allocator: nothing is allocated in one, whatever the mask says, and the task gets
 * its sampler afterwards. */
static void handlerfree(void)
{
	static const int flags[] = {0, SA_NODEFER, (int)SA_RESETHAND | SA_NODEFER};
	char name[16];

	for (volatile size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		struct sigaction action = {.sa_handler = forbidding_handler, .sa_flags = flags[i]};

		snprintf(name, sizeof name, "handler%zu", i);
		char **entries = task_entries(name, 0);
		char **kept = environ;

		const pid_t pid = vfork();

		if (pid == 0) {
			environ = entries;
			execl("/bin/sleep", "sleep", "0.5", (char *)NULL);
			_exit(127);
		}
		environ = kept;
		sigaction(SIGUSR1, &action, NULL);
		raise(SIGUSR1);
		wait_for(pid);
		result_line(STDOUT_FILENO, name);
	}
	say("handled %d", handled);
}

static void *grow(void *unused)
{
	enum { MOST = 900, MB = 1 << 20 };
	char *memory = mmap(NULL, (size_t)MOST * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	for (size_t at = 0; memory != MAP_FAILED && at < (size_t)MOST * MB; at += 4096)
		memory[at] = 1;
	return NULL;
}

/* Another thread fills the memory that a child by vfork shares until its exec, which a long search by PATH puts off: the
 * runner grows by tens of megabytes between the wrapper and the exec, every time. */
static void growing(void)
{
	static char path[2000 * 4 + 8];
	char name[16];
	pthread_t thread;

	for (size_t at = 0; at < sizeof path - 8; at += 4)
		memcpy(path + at, "/n/:", 4);
	strcat(path, "/bin");
	setenv("PATH", path, 1);
	pthread_create(&thread, NULL, grow, NULL);
	for (volatile int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "grows%d", i);
		char **entries = task_entries(name, 0);
		const pid_t pid = vfork();

		if (pid == 0) {
			execvpe("true", (char *[]){S("true"), NULL}, entries);
			_exit(127);
		}
		wait_for(pid);
		result_line(STDOUT_FILENO, name);
	}
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*function)(void);
	} modes[] = {
	    {"starts", starts},     {"readonly", readonly}, {"smallstack", smallstack},
	    {"nested", nested},     {"signals", signals},   {"atfork", atfork},
	    {"nomalloc", nomalloc}, {"growing", growing},   {"handlerfree", handlerfree},
	};

	program = argc > 2 ? argv[2] : NULL;
	if (argc > 1 && strncmp(argv[1], "coroutine-", 10) == 0) {
		coroutine(argv[1] + 10);
		return 0;
	}
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (argc > 1 && strcmp(argv[1], modes[i].name) == 0) {
			modes[i].function();
			return 0;
		}
	return 2;
}
