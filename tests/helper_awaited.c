/* What a runner writes while the line of a finished task is awaited, where not every chunk is looked at with all care:
 * by its children, through descriptors that lead elsewhere by now, from memory that cannot be read.
 *   helper_awaited CASE [SECONDS]     SECONDS: how long a task lasts; 0.05
 *                           reused, turned: the file "elsewhere" takes what does not go to stdout; sink: stdout is to be
 *                           /dev/null, and what is said goes to descriptor 9 */
#include "runner.h"

#include <sys/syscall.h>
#include <sys/uio.h>

static const char text[] = "compiled in 12 ms\n";

static void write_text(int fd)
{
	if (write(fd, text, sizeof text - 1) != (ssize_t)sizeof text - 1)
		say("write failed");
}

static char *seconds = S("0.05");

static void run(const char *project)
{
	wait_for(start_task(project, (char *[]){S("/bin/sleep"), seconds, NULL}));
}

static void run_awaited(void)
{
	run("a");
	write_text(STDOUT_FILENO);
}

/* A child has its parent's memory, and in it the task that has ended; the line that is awaited is its parent's. */
static void child(pid_t (*start)(void))
{
	pid_t pid;

	run_awaited();
	pid = start();
	if (pid == 0) {
		write_text(STDOUT_FILENO);
		result_line(STDOUT_FILENO, "a");
		_exit(0);
	}
	wait_for(pid);
	result_line(STDOUT_FILENO, "a");
}

/* In the frame of who calls: nothing that a vfork child does may outlive it. */
static void child_by_vfork(void)
{
	pid_t pid;

	run_awaited();
	pid = vfork();
	if (pid == 0) {
		(void)!write(STDOUT_FILENO, text, sizeof text - 1);
		(void)!write(STDOUT_FILENO, "> nx run a:build", 16);
		(void)!write(STDOUT_FILENO, "\n", 1);
		_exit(0);
	}
	wait_for(pid);
	result_line(STDOUT_FILENO, "a");
}

/* Not by dup2, which a library could see. */
static void lead(int fd, int elsewhere)
{
	if (syscall(SYS_dup3, elsewhere, fd, 0) != fd)
		say("dup3 failed");
}

/* A descriptor that was stdout is a file. */
static void reused(void)
{
	const int file = open("elsewhere", O_CREAT | O_WRONLY | O_TRUNC, 0600);
	const int fd = dup(STDOUT_FILENO);

	run_awaited();
	write_text(fd);
	lead(fd, file);
	write_text(fd);
	result_line(fd, "a");
	result_line(STDOUT_FILENO, "a");
}

/* A file's descriptor becomes stdout: that is seen before long, and at once where a task has ended meanwhile. */
static void turned(void)
{
	const int first = open("elsewhere", O_CREAT | O_WRONLY | O_TRUNC, 0600);
	const int second = dup(first);

	run_awaited();
	write_text(first);
	lead(first, STDOUT_FILENO);
	for (int i = 0; i < 64; i++)
		write_text(first);
	result_line(first, "a");
	run_awaited();
	write_text(second);
	lead(second, STDOUT_FILENO);
	run("b");
	result_line(second, "b");
	result_line(second, "a");
}

/* The kernel says that it cannot read it, whatever begins there. */
static void unreadable(void)
{
	static const char *const starts[] = {"text", "> nx run a:build", " NX ", "a: ", "> a:b  [local cache]"};
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *half = mmap(NULL, page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (half == MAP_FAILED || munmap(half + page, page) != 0)
		return;
	CASE("nothing there", write(STDOUT_FILENO, BAD, 20));
	CASE("nothing there, long", write(STDOUT_FILENO, BAD, 100000));
	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
		for (size_t there = 1; there <= strlen(starts[i]); there++) {
			char *at = half + page - there;

			memcpy(at, starts[i], there);
			CASE("into a hole", write(STDOUT_FILENO, at, there + 2));
			CASE("far into a hole", write(STDOUT_FILENO, at, there + 5000));
		}
	munmap(half, page);
}

/* /dev/null takes what cannot be read, at every length that is looked at. */
static void sink(void)
{
	static const size_t lengths[] = {1, 2, 4, 8, 20, 100, 4096, 5000};

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		const struct iovec one = {.iov_base = (void *)(uintptr_t)BAD, .iov_len = lengths[i]};
		const ssize_t taken[] = {write(STDOUT_FILENO, BAD, lengths[i]), writev(STDOUT_FILENO, &one, 1)};

		dprintf(9, "%zu: %zd %zd\n", lengths[i], taken[0], taken[1]);
	}
}

int main(int argc, char **argv)
{
	const char *which = argc > 1 ? argv[1] : "";

	if (argc > 2)
		seconds = argv[2];
	if (strcmp(which, "fork") == 0) {
		child(fork);
	} else if (strcmp(which, "vfork") == 0) {
		child_by_vfork();
	} else if (strcmp(which, "reused") == 0) {
		reused();
	} else if (strcmp(which, "turned") == 0) {
		turned();
	} else if (strcmp(which, "unreadable") == 0) {
		run_awaited();
		unreadable();
		result_line(STDOUT_FILENO, "a");
	} else if (strcmp(which, "sink") == 0) {
		sink();
		run("a");
		sink();
	} else if (strcmp(which, "alone") == 0) {
		unreadable();
	} else { /* the task's header came first, so that its own line may be due before any text */
		result_line(STDOUT_FILENO, "a");
		run("a");
		unreadable();
		write_text(STDOUT_FILENO);
		if (write(STDOUT_FILENO, "\n", 1) != 1)
			say("write failed");
	}
	return 0;
}
