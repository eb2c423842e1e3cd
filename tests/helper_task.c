/* What a task does in the tests:
 *   helper_task hold MB MS [FILE]   touch MB, make FILE, hold it for MS milliseconds
 *   helper_task headless MB MS end the first thread; another one does as `hold`
 *   helper_task heirs MB MS    the same, in a child by fork as well
 *   helper_task shared MB MS   hold, beside a process that shares this memory and has lost the parent that shared it too
 *   helper_task undumpable MB MS  hold, with a fork without exec, and may not be looked into from then on
 *   helper_task environment    its environment as the kernel has it, one entry a line
 *   helper_task look           descriptors above 2, threads, and whether the library is mapped
 *   helper_task limited RESOURCE VALUE PROGRAM [ARGUMENT...]  become PROGRAM under a resource limit
 *   helper_task restless MB MS FROM TO   hold, and meanwhile rewrite its name, its command line and its environment (a
 *                              variable's value FROM becomes TO and back) as fast as it can
 *   helper_task scribble MS    fill its runner's board with random bytes, again and again
 *   helper_task kill MB SIGNAL touch MB, then end itself by SIGNAL
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void hold(const char *megabytes)
{
	const size_t size = (size_t)atoi(megabytes) << 20;
	char *memory = malloc(size + 1);

	if (!memory)
		exit(1);
	memset(memory, 1, size);
	__asm__ volatile("" : : "r"(memory) : "memory");
}

static void rest(const char *milliseconds)
{
	const long ms = atol(milliseconds);

	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void *hold_in_thread(void *arguments)
{
	char **argv = arguments;

	hold(argv[2]);
	rest(argv[3]);
	_exit(0);
}

static int share_and_rest(void *milliseconds)
{
	rest(milliseconds);
	_exit(0);
}

static int share_and_end(void *milliseconds)
{
	static char stack[65536];

	_exit(clone(share_and_rest, stack + sizeof stack, CLONE_VM | SIGCHLD, milliseconds) < 0);
}

static int share(const char *megabytes, char *milliseconds)
{
	static char stack[65536];
	int status;

	hold(megabytes);
	if (waitpid(clone(share_and_end, stack + sizeof stack, CLONE_VM | SIGCHLD, milliseconds), &status, 0) < 0 ||
	    status)
		return 1;
	rest(milliseconds);
	return 0;
}

static int hide(const char *megabytes, const char *milliseconds)
{
	pid_t pid;
	int status;

	hold(megabytes);
	pid = fork();
	if (pid == 0) {
		rest(milliseconds);
		_exit(0);
	}
	return pid < 0 || prctl(PR_SET_DUMPABLE, 0) != 0 || waitpid(pid, &status, 0) != pid || status;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

extern char **environ;

/* What /proc shows of it is its own memory. */
static void restless(char **argv)
{
	static const char *const names[] = {"x) R 1 (", "\x1b]0;title\a", ") Z 1 1 1 (",
					    "\xc2\x9b"
					    "31m",
					    "a\nb\tc"};
	const int64_t end = now() + atol(argv[3]);
	long rounds = 0;

	while (now() < end) {
		const char *name = names[rounds++ % 5];

		prctl(PR_SET_NAME, name);
		memcpy(argv[1], name, strnlen(name, strlen("restless")));
		for (char **entry = environ; *entry; entry++) {
			char *value = strchr(*entry, '=');

			if (value && strcmp(value + 1, argv[rounds % 2 ? 4 : 5]) == 0)
				memcpy(value + 1, argv[rounds % 2 ? 5 : 4], strlen(argv[4]));
		}
	}
	printf("%ld rounds in a second\n", rounds * 1000 / (atol(argv[3]) + 1));
}

static int scribble(const char *ms)
{
	const int64_t end = now() + atol(ms);
	char path[4200];
	struct stat status;
	long rounds = 0;
	int fd;

	/* Made a moment after this process has started. */
	do {
		snprintf(path, sizeof path, "%s/heaplog/%d", getenv("XDG_RUNTIME_DIR"), getppid());
		fd = open(path, O_RDWR);
	} while (fd < 0 && now() < end);
	if (fd < 0 || fstat(fd, &status) != 0)
		return 1;
	uint32_t *words = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (words == MAP_FAILED)
		return 1;
	for (uint32_t value = 1; now() < end; rounds++)
		for (off_t i = rounds % 3; i < status.st_size / 4; i += 1 + rounds % 5) {
			value = value * 1664525 + 1013904223;
			words[i] = rounds % 4 ? value : value % 8;
		}
	printf("%ld rounds\n", rounds);
	return 0;
}

static int count(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	int found = 0;

	while (directory && (entry = readdir(directory)))
		found += entry->d_name[0] != '.' && !(strstr(path, "/fd") && atoi(entry->d_name) == dirfd(directory));
	closedir(directory);
	return found;
}

static void copy(const char *path, const char *only)
{
	char line[65536];
	FILE *file = fopen(path, "r");
	int lines = 0;

	if (!file)
		exit(1);
	if (only) {
		while (fgets(line, sizeof line, file))
			lines += strstr(line, only) != NULL;
		printf("%s %s\n", only, lines ? "mapped" : "not mapped");
	} else {
		const size_t got = fread(line, 1, sizeof line, file);

		for (size_t i = 0; i < got; i++)
			putchar(line[i] ? line[i] : '\n');
	}
	fclose(file);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "hold") == 0 && (argc == 4 || argc == 5)) {
		hold(argv[2]);
		if (argc == 5)
			close(open(argv[4], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		rest(argv[3]);
	} else if (strcmp(what, "shared") == 0 && argc == 4) {
		return share(argv[2], argv[3]);
	} else if (strcmp(what, "undumpable") == 0 && argc == 4) {
		return hide(argv[2], argv[3]);
	} else if ((strcmp(what, "headless") == 0 || strcmp(what, "heirs") == 0) && argc == 4) {
		pthread_t thread;

		if (strcmp(what, "heirs") == 0 && fork() < 0)
			return 1;

		if (pthread_create(&thread, NULL, hold_in_thread, argv) != 0)
			return 1;
		pthread_exit(NULL);
	} else if (strcmp(what, "restless") == 0 && argc == 6) {
		hold(argv[2]);
		restless(argv);
	} else if (strcmp(what, "scribble") == 0 && argc == 3) {
		return scribble(argv[2]);
	} else if (strcmp(what, "environment") == 0) {
		copy("/proc/self/environ", NULL);
	} else if (strcmp(what, "look") == 0) {
		printf("descriptors %d threads %d\n", count("/proc/self/fd"), count("/proc/self/task"));
		copy("/proc/self/maps", "libheaplog");
	} else if (strcmp(what, "kill") == 0 && argc == 4) {
		hold(argv[2]);
		kill(getpid(), atoi(argv[3]));
		pause();
	} else if (strcmp(what, "limited") == 0 && argc > 4) {
		const rlim_t value = strtoul(argv[3], NULL, 10);
		const struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

		if (setrlimit(atoi(argv[2]), &limit) == 0)
			execv(argv[4], argv + 4);
		return 3;
	} else {
		return 2;
	}
	return 0;
}
