/* fork, exec, spawn, system and popen against their libc prototypes: return values, error numbers, what the child sees.
 *   helper_exact_exec [runner]     the cases
 *   helper_exact_exec child ...    says what it was given */
#pragma GCC diagnostic ignored "-Wnonnull" /* NULL where the prototype forbids it is among the cases */
#include "exact.h"

#include <dlfcn.h>
#include <pty.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <wordexp.h>

static char *self;
static char word[] = "child";

static int child(int argc, char **argv)
{
	size_t entries = 0, bytes = 0;

	for (char **each = environ; each && *each; each++) {
		if (strncmp(*each, "LD_PRELOAD=", 11) == 0)
			continue; /* the one that may differ */
		entries++;
		bytes += strlen(*each) + 1;
	}
	say("child: %d arguments, last \"%.20s\", %zu entries, %zu bytes", argc, argc ? argv[argc - 1] : "none",
	    entries, bytes);
	return argc && strcmp(argv[argc - 1], "the end") == 0 ? 0 : 42;
}

/* In a forked child: errors are printed by it, success by the program that it becomes. */
#define IN_CHILD(name, call)                                                         \
	do {                                                                         \
		int status_ = -1;                                                    \
		fflush(stdout);                                                      \
		const pid_t pid_ = fork();                                           \
		if (pid_ == 0) {                                                     \
			errno = UNTOUCHED;                                           \
			const int returned_ = (call);                                \
			say("%s: %d, errno %s", name, returned_, errno_name(errno)); \
			_exit(7);                                                    \
		}                                                                    \
		waitpid(pid_, &status_, 0);                                          \
		say("%s: status %x", name, (unsigned)status_);                       \
	} while (0)

#define S(text) ((char *)(uintptr_t)(text))
#define ARGV(last) ((char *[]){self, word, S(last), NULL})

static void errors(void)
{
	static const char *const paths[] = {"/nonexistent", "/etc/passwd/x", "/tmp", "noexec", "text",
					    "loop",         "busy",          "",     "./text", "truncated"};
	char *argv[] = {S("x"), NULL};
	static char huge[1 << 18];
	char *huge_argv[] = {S("x"), huge, NULL};
	char name[64];
	int fd;

	close(open("noexec", O_CREAT | O_WRONLY, 0600));
	fd = open("text", O_CREAT | O_WRONLY, 0700);
	if (write(fd, "exit 5\n", 7) != 7)
		say("no file");
	close(fd);
	fd = open("truncated", O_CREAT | O_WRONLY, 0700);
	if (write(fd, "\177ELF", 4) != 4)
		say("no file");
	close(fd);
	fd = open("busy", O_CREAT | O_WRONLY, 0700);
	if (symlink("loop", "loop") != 0 && errno != EEXIST)
		say("no link");
	memset(huge, 'x', sizeof huge - 1);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		snprintf(name, sizeof name, "execve %s", paths[i]);
		IN_CHILD(name, execve(paths[i], argv, environ));
		IN_CHILD("execv", execv(paths[i], argv));
		IN_CHILD("execvp", execvp(paths[i], argv));
		IN_CHILD("execvpe", execvpe(paths[i], argv, environ));
		IN_CHILD("execl", execl(paths[i], "x", (char *)NULL));
		IN_CHILD("execlp", execlp(paths[i], "x", (char *)NULL));
		IN_CHILD("execle", execle(paths[i], "x", (char *)NULL, environ));
		IN_CHILD("execveat", execveat(AT_FDCWD, paths[i], argv, environ, 0));
		SPAWN("posix_spawn", posix_spawn(NULL, paths[i], NULL, NULL, argv, environ));
		SPAWN("posix_spawnp", posix_spawnp(NULL, paths[i], NULL, NULL, argv, environ));
	}
	close(fd);
	IN_CHILD("execve too big", execve(self, huge_argv, environ));
	IN_CHILD("execve bad path", execve(BAD, argv, environ));
	IN_CHILD("fexecve bad fd", fexecve(-1, argv, environ));
	IN_CHILD("fexecve NULL", fexecve(0, NULL, environ));
	IN_CHILD("execveat bad flags", execveat(AT_FDCWD, self, argv, environ, 0x40000000));
	CASE("in this process", execve("/nonexistent", argv, environ));
	CASE("and again", execvp("nonexistent", argv));
}

/* Pointers that the kernel refuses: whoever looks at what they point to before it does must not fall over them. */
static void unreadable(void)
{
	char *const map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char **const edge = (char **)(map + 4096 - 2 * sizeof(char *)); /* two entries, and no end that could be read */
	char *good[] = {S("x"), NULL}, *bad[] = {S("x"), BAD, NULL}, *open_end[] = {S("A=1"), map + 4090, NULL};

	memset(map + 4090, 'B', 6);
	mprotect(map + 4096, 4096, PROT_NONE);
	char **const lists[] = {BAD, bad, open_end, edge, (char **)(map + 4093), (char **)(map + 4096)};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		edge[0] = edge[1] = S("C=2");
		if (lists[i] == open_end)
			memset(map + 4090, 'B', 6);
		IN_CHILD("execve bad argv", execve(self, lists[i], environ));
		IN_CHILD("execve bad envp", execve(self, good, lists[i]));
		IN_CHILD("execv bad argv", execv(self, lists[i]));
		IN_CHILD("execveat bad both", execveat(AT_FDCWD, self, lists[i], lists[i], 0));
		IN_CHILD("execle bad envp", execle(self, "x", (char *)NULL, lists[i]));
		IN_CHILD("posix_spawn bad argv", posix_spawn(NULL, self, NULL, NULL, lists[i], environ));
		IN_CHILD("posix_spawn bad envp", posix_spawn(NULL, self, NULL, NULL, good, lists[i]));
	}
	IN_CHILD("execl bad argument", execl(self, self, BAD, (char *)NULL));
	IN_CHILD("posix_spawn bad path", posix_spawn(NULL, BAD, NULL, NULL, good, environ));
	munmap(map, 8192);
}

static int raw_status(char **argv, char **entries)
{
	int status = -1;
	const pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) {
		syscall(SYS_execve, "/bin/true", argv, entries);
		_exit(errno == E2BIG ? 1 : 2);
	}
	waitpid(pid, &status, 0);
	return status;
}

/* The largest environment that the kernel takes, and one byte more. */
static void at_the_limit(void)
{
	static char filler[1 << 17];
	char *argv[] = {S("true"), NULL}, *entries[] = {filler, NULL};
	size_t low = 2, high = sizeof filler - 1;
	struct rlimit limit, less;

	getrlimit(RLIMIT_STACK, &limit);
	less = limit;
	less.rlim_cur = 512 << 10; /* a quarter of it is for arguments and environment */
	setrlimit(RLIMIT_STACK, &less);
	while (low < high) {
		const size_t middle = (low + high + 1) / 2;

		memset(filler, 'F', middle);
		filler[1] = '=';
		filler[middle] = '\0';
		if (raw_status(argv, entries) == 0)
			low = middle;
		else
			high = middle - 1;
	}
	for (int more = 0; more < 2; more++) {
		memset(filler, 'F', sizeof filler);
		filler[1] = '=';
		filler[low + (size_t)more] = '\0';
		IN_CHILD("execve at the limit", execve("/bin/true", argv, entries));
		IN_CHILD("execle at the limit", execle("/bin/true", "true", (char *)NULL, entries));
		IN_CHILD("execvpe at the limit", execvpe("/bin/true", argv, entries));
		IN_CHILD("execveat at the limit", execveat(AT_FDCWD, "/bin/true", argv, entries, 0));
		IN_CHILD("execv at the limit", (environ = entries, execv("/bin/true", argv)));
		IN_CHILD("execvp at the limit", (environ = entries, execvp("/bin/true", argv)));
		SPAWN("posix_spawn at the limit", posix_spawn(NULL, "/bin/true", NULL, NULL, argv, entries));
	}
	setrlimit(RLIMIT_STACK, &limit);
}

static void every_exec(void)
{
	char *nothing[] = {NULL};
	char **const kept = environ;
	int fd = open(self, O_RDONLY | O_CLOEXEC);

	IN_CHILD("execve", execve(self, ARGV("a"), environ));
	IN_CHILD("execv", execv(self, ARGV("a")));
	IN_CHILD("execvp", execvp(self, ARGV("a")));
	IN_CHILD("execvpe", execvpe(self, ARGV("a"), environ));
	IN_CHILD("execl", execl(self, self, "child", "a", (char *)NULL));
	IN_CHILD("execlp", execlp(self, self, "child", "a", (char *)NULL));
	IN_CHILD("execle", execle(self, self, "child", "a", (char *)NULL, environ));
	IN_CHILD("fexecve", fexecve(fd, ARGV("a"), environ));
	IN_CHILD("execveat", execveat(fd, "", ARGV("a"), environ, AT_EMPTY_PATH));
	IN_CHILD("execve no argv", execve("/bin/true", NULL, environ));
	IN_CHILD("execv no argv", execv("/bin/true", NULL));
	IN_CHILD("execvp no argv", execvp("true", NULL));
	IN_CHILD("execvpe no argv", execvpe("true", NULL, environ));
	IN_CHILD("execveat no argv", execveat(AT_FDCWD, "/bin/true", NULL, environ, 0));
	IN_CHILD("execve empty argv", execve("/bin/true", nothing, environ));
	IN_CHILD("execve no envp", execve(self, ARGV("a"), NULL));
	IN_CHILD("execve empty envp", execve(self, ARGV("a"), nothing));
	environ = NULL;
	IN_CHILD("execv without environ", execv(self, ARGV("a")));
	IN_CHILD("execl without environ", execl(self, self, "child", "a", (char *)NULL));
	IN_CHILD("execvp without environ", execvp(self, ARGV("a")));
	CASE("system without environ", system("exit 3"));
	environ = kept;
	close(fd);
}

static void spawns(void)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid = -1;

	SPAWN("posix_spawn", posix_spawn(&pid, self, NULL, NULL, ARGV("a"), environ));
	say("pid %d", pid > 0);
	SPAWN("posix_spawn NULL", posix_spawn(NULL, self, NULL, NULL, ARGV("a"), environ));
	SPAWN("posix_spawn no envp", posix_spawn(NULL, self, NULL, NULL, ARGV("a"), NULL));
	pid = -5;
	CASE("posix_spawn fails", posix_spawn(&pid, "/nonexistent", NULL, NULL, ARGV("a"), environ));
	say("pid %d", (int)pid);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addclose(&actions, 1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	CASE("posix_spawn attributes",
	     posix_spawn(&pid, "/bin/sleep", &actions, &attributes, (char *[]){S("sleep"), S("60"), NULL}, environ));
	say("own session %d", getsid(pid) == pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	posix_spawn_file_actions_addopen(&actions, 0, "/nonexistent", O_RDONLY, 0);
	CASE("posix_spawn bad action", posix_spawn(&pid, "/bin/true", &actions, NULL, ARGV("a"), environ));
#if defined(__x86_64__)
	{ /* the version of old programs runs a script without #! by the shell */
		int (*old)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
			   char *const[], char *const[]);
		void *symbol = dlvsym(RTLD_DEFAULT, "posix_spawn", "GLIBC_2.2.5");

		memcpy(&old, &symbol, sizeof old);
		SPAWN("posix_spawn@GLIBC_2.2.5", old(&pid, "./text", NULL, NULL, ARGV("a"), environ));
	}
#endif
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
}

static int shared;

static void forks(void)
{
	volatile int seen;
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		shared = 17;
		_exit(9);
	}
	say("vfork shares memory: %d", shared);
	waitpid(pid, &status, 0);
	say("status %x", (unsigned)status);
	errno = UNTOUCHED;
	seen = 5;
	pid = vfork();
	if (pid == 0) {
		execle(self, self, "child", "by vfork", (char *)NULL, environ);
		_exit(127);
	}
	const int error = errno;
	waitpid(pid, &status, 0);
	say("after vfork: %d, errno %s, status %x", seen, errno_name(error), (unsigned)status);
	pid = vfork();
	if (pid == 0) {
		execl("/nonexistent", "x", (char *)NULL);
		execl(self, self, "child", "second attempt", (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	say("status %x", (unsigned)status);
	CASE("fork", (pid = fork()) ? pid > 0 : (_exit(3), 0));
	waitpid(pid, &status, 0);
	CASE("_Fork", (pid = _Fork()) ? pid > 0 : (_exit(3), 0));
	waitpid(pid, &status, 0);
	say("status %x", (unsigned)status);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		execv(self, ARGV("by raw fork"));
		_exit(127);
	}
	waitpid(pid, &status, 0);
	say("status %x", (unsigned)status);
}

/* vfork returns twice through one frame, which the optimiser lays out. Values that live across it, in registers of the
 * caller's or on the stack, are as they were in the parent. */
#define VFORKS(level, attribute)                                                                                    \
	attribute static void vforks_##level(int argc, char **argv)                                                 \
	{                                                                                                           \
		char *arguments[] = {self, word, S("vfork at " #level), NULL};                                      \
		long a = argc, b = a * 3, c = b ^ 5, d = c + (long)argv[0][0];                                      \
		const double e = (double)d / 3;                                                                     \
		int status = -1, last = -1;                                                                         \
		const pid_t first = vfork();                                                                        \
		if (first == 0)                                                                                     \
			_exit(5);                                                                                   \
		const pid_t second = vfork();                                                                       \
		if (second == 0) {                                                                                  \
			execve(self, arguments, environ);                                                           \
			_exit(127);                                                                                 \
		}                                                                                                   \
		waitpid(first, &status, 0);                                                                         \
		waitpid(second, &last, 0);                                                                          \
		say("vfork at " #level ": %ld %ld %ld %ld %.6f, status %x and %x", a, b, c, d, e, (unsigned)status, \
		    (unsigned)last);                                                                                \
	}
#ifdef __clang__
VFORKS(O0, __attribute__((optnone, noinline)))
VFORKS(O2, __attribute__((noinline)))
#define VFORKS_ALL(argc, argv) (vforks_O0(argc, argv), vforks_O2(argc, argv))
#else
VFORKS(O0, __attribute__((optimize("O0"), noinline)))
VFORKS(O1, __attribute__((optimize("O1"), noinline)))
VFORKS(O2, __attribute__((optimize("O2"), noinline)))
VFORKS(O3, __attribute__((optimize("O3"), noinline)))
#define VFORKS_ALL(argc, argv) \
	(vforks_O0(argc, argv), vforks_O1(argc, argv), vforks_O2(argc, argv), vforks_O3(argc, argv))
#endif

/* The rest of libc that starts processes by itself. */
static void others(void)
{
	char byte = '?';
	wordexp_t words;
	int master = -1, status = -1, pipes[2];
	pid_t pid;

	CASE("wordexp", wordexp("a $(echo b c) \"$HEAPLOG_NO_SUCH_VARIABLE\"", &words, 0));
	for (size_t i = 0; i < words.we_wordc; i++)
		say("word %s", words.we_wordv[i]);
	wordfree(&words);
	CASE("wordexp with an error", wordexp("$(exit", &words, 0));
	fflush(stdout);
	pid = forkpty(&master, NULL, NULL, NULL);
	if (pid == 0) {
		execl(self, self, "child", "in a pty", (char *)NULL);
		_exit(127);
	}
	for (ssize_t got = 0; pid > 0 && (got = read(master, &byte, 1)) > 0;)
		putchar(byte == '\r' ? '!' : byte);
	waitpid(pid, &status, 0);
	close(master);
	say("forkpty: %d, status %x", pid > 0, (unsigned)status);
	if (pipe(pipes) != 0)
		say("no pipe");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		const int returned = daemon(1, 1);

		byte = returned == 0 && getppid() != pid ? 'd' : 'x';
		_exit(write(pipes[1], &byte, 1) != 1);
	}
	close(pipes[1]);
	waitpid(pid, &status, 0);
	if (read(pipes[0], &byte, 1) != 1)
		byte = '-';
	close(pipes[0]);
	say("daemon: status %x, %c", (unsigned)status, byte);
}

static void shells(void)
{
	char line[64] = "";
	FILE *stream;

	CASE("system", system("exit 3"));
	CASE("system NULL", system(NULL));
	CASE("system killed", system("kill -9 $$"));
	stream = popen("echo popen; exit 4", "r");
	if (!stream || !fgets(line, sizeof line, stream))
		say("popen failed");
	say("popen read %s", line);
	CASE("pclose", pclose(stream));
	CASE("popen bad type", popen("true", "q") == NULL);
	signal(SIGCHLD, SIG_IGN);
	CASE("system without children", system("exit 3"));
	signal(SIGCHLD, SIG_DFL);
}

/* More arguments than a small array holds: a va_list that is walked wrongly shows here. */
static void many_arguments(void)
{
#define TEN "1", "2", "3", "4", "5", "6", "7", "8", "9", "0"
#define HUNDRED TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN
#define THOUSAND HUNDRED, HUNDRED, HUNDRED, HUNDRED, HUNDRED, HUNDRED, HUNDRED, HUNDRED, HUNDRED, HUNDRED
	IN_CHILD("execl of thousands", execl(self, self, "child", THOUSAND, THOUSAND, THOUSAND, "last", (char *)NULL));
	IN_CHILD("execle of thousands",
		 execle(self, self, "child", THOUSAND, THOUSAND, THOUSAND, "last", (char *)NULL, environ));
	IN_CHILD("execl of none", execl("/bin/true", (char *)NULL, (char *)NULL));
}

/* In handlers on a small stack. Nothing is printed there, which takes more of it than is left. */
static long returned;
static int error, small_status;

static void wait_small(pid_t pid)
{
	waitpid(pid, &small_status, 0);
}

static void exec_small(void)
{
	execl(self, self, "child", "small stack", (char *)NULL);
}

static void exec_at_end_small(void)
{
	execl(self, self, "child", "the end", (char *)NULL);
}

static void exec_on_path_small(void)
{
	execlp("true", "true", "small stack", (char *)NULL);
}

static void exec_task_small(void)
{
	execve(self, ARGV("task, small stack"), as_task());
}

static void exec_fails_small(void)
{
	errno = UNTOUCHED;
	returned = execl("/nonexistent", "x", (char *)NULL);
	error = errno;
}

static void fork_small(void)
{
	const pid_t pid = fork();

	if (pid == 0)
		exec_small();
	wait_small(pid);
}

static void vfork_small(void)
{
	const pid_t pid = vfork();

	if (pid == 0)
		execl(self, self, "child", "vfork, small stack", (char *)NULL);
	wait_small(pid);
}

static void task_small(void)
{
	char *argv[] = {self, word, S("task, vfork, small stack"), NULL};
	char **const entries = as_task();
	const pid_t pid = vfork();

	if (pid == 0)
		execve(self, argv, entries);
	wait_small(pid);
}

static void spawn_small(void)
{
	pid_t pid = -1;

	errno = UNTOUCHED;
	returned = posix_spawn(&pid, self, NULL, NULL, ARGV("spawn, small stack"), environ);
	error = errno;
	wait_small(pid);
}

static void spawn_task_small(void)
{
	pid_t pid = -1;

	errno = UNTOUCHED;
	returned = posix_spawn(&pid, self, NULL, NULL, ARGV("task, spawn, small stack"), as_task());
	error = errno;
	wait_small(pid);
}

static void spawn_fails_small(void)
{
	pid_t pid = -1;

	errno = UNTOUCHED;
	returned = posix_spawnp(&pid, "/nonexistent", NULL, NULL, ARGV("a"), environ);
	error = errno;
}

static void system_small(void)
{
	small_status = system("exit 3");
}

static void exit_small(void)
{
	_exit(11);
}

static const struct {
	const char *name;
	void (*body)(void);
} small_rows[] = {
    {"fork, execl", fork_small},
    {"vfork, execl", vfork_small},
    {"a task by vfork", task_small},
    {"posix_spawn", spawn_small},
    {"a task by spawn", spawn_task_small},
    {"execl fails", exec_fails_small},
    {"posix_spawnp fails", spawn_fails_small},
    {"system", system_small},
    {"execl", exec_small}, /* these do not return */
    {"execlp", exec_on_path_small},
    {"a task", exec_task_small},
    {"_exit", exit_small},
};

static int small_stack(size_t row)
{
	returned = error = small_status = 0;
	on_signal_stack(small_rows[row].body);
	say("%s on a small stack: %ld, errno %s, status %x", small_rows[row].name, returned, errno_name(error),
	    (unsigned)small_status);
	return 0;
}

enum { SMALL_RETURN = 8 };

/* Each in a child as well, and as the first that a program does. */
static void small_stacks(void)
{
	for (size_t i = 0; i < sizeof small_rows / sizeof *small_rows; i++) {
		char number[3 * sizeof i + 1];
		char *argv[] = {self, S("first"), number, NULL};

		if (i < SMALL_RETURN)
			small_stack(i);
		IN_CHILD("in a child", small_stack(i));
		snprintf(number, sizeof number, "%zu", i);
		SPAWN("first of all", posix_spawn(NULL, self, NULL, NULL, argv, environ));
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "child") == 0)
		return child(argc, argv);
	self = argv[0];
	if (argc > 2 && strcmp(argv[1], "first") == 0)
		return small_stack((size_t)atoi(argv[2]));
	say("dlerror at main: %s", dlerror() ? "set" : "NULL");
	prepare(argc, argv);
	errors();
	unreadable();
	at_the_limit();
	every_exec();
	spawns();
	forks();
	VFORKS_ALL(argc, argv);
	others();
	shells();
	many_arguments();
	small_stacks();
	on_signal_stack(exec_at_end_small); /* also of a runner */
	return 1;
}
