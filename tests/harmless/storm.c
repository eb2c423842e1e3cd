/* A storm of spawns: the same process starts and reaps so many children, while other threads hold the locks of malloc,
 * the loader, stdio and the environment as often as they can. Its memory, descriptors and threads are as at the
 * beginning.
 *
 *   storm SPAWNS [TASKS [DESCENDANTS]]
 *
 * SPAWNS through each of fork, vfork and posix_spawn, each exec'ing `true`; one in a hundred is a task. Then TASKS
 * tasks at once, a task of DESCENDANTS processes, tasks that never exec, and one that outlives this process. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char **plain, **task;
static _Atomic bool stop;
static int failures;

static void fail(const char *what, long value)
{
	printf("FAILED: %s (%ld)\n", what, value);
	failures++;
}

static void *hold_malloc(void *unused)
{
	for (unsigned i = 0; !atomic_load(&stop); i++) {
		free(malloc(64 + (size_t)(rand() % 4096)));
		if (i % 256 == 0)
			usleep(50); /* or the other threads are all that runs */
	}
	return unused;
}

static void *hold_loader(void *unused)
{
	/* ThreadSanitizer maps more with each library that comes and goes, until a fork has no memory. */
	while (!atomic_load(&stop) && !getenv("STORM_IN_A_TOOL")) {
		void *library = dlopen("libm.so.6", RTLD_NOW);

		if (library) {
			dlsym(library, "no_such_symbol");
			dlclose(library);
		}
		usleep(100);
	}
	return unused;
}

static void *hold_stdio(void *unused)
{
	FILE *file = fopen("/dev/null", "w");

	for (unsigned i = 0; !atomic_load(&stop) && file; i++) {
		fprintf(file, "%d\n", rand());
		if (i % 256 == 0)
			usleep(50);
	}
	if (file)
		fclose(file);
	return unused;
}

static void *hold_environment(void *unused)
{
	while (!atomic_load(&stop)) {
		setenv("STORM", "a", 1);
		setenv("STORM", "a longer value than before", 1);
		usleep(50);
	}
	return unused;
}

static pid_t start(int way, char **entries)
{
	static char name[] = "true";
	char *argv[] = {name, NULL};
	pid_t pid = -1;

	if (way == 2)
		return posix_spawn(&pid, "/bin/true", NULL, NULL, argv, entries) == 0 ? pid : -1;
	pid = way ? vfork() : fork();
	if (pid == 0) {
		execve("/bin/true", argv, entries);
		_exit(127);
	}
	return pid;
}

static long count(const char *path)
{
	DIR *directory = opendir(path);
	long found = 0;

	while (directory && readdir(directory))
		found++;
	if (directory)
		closedir(directory);
	return found;
}

struct size {
	long memory, resident, descriptors, threads;
};

static struct size measure(void)
{
	const long usual = getenv("STORM_IN_A_TOOL") ? 6 : 7; /* ".", "..", this thread and its holders of locks */
	struct size size = {0};
	FILE *file;

	/* The samplers of what has just ended go within two seconds. */
	for (int i = 0; i < 300 && (size.threads = count("/proc/self/task")) > usual; i++)
		usleep(10000);
	file = fopen("/proc/self/statm", "r");
	if (!file || fscanf(file, "%ld %ld", &size.memory, &size.resident) != 2)
		fail("statm", 0);
	if (file)
		fclose(file);
	/* The least of several: the thread that opens libraries has one for a moment. */
	size.descriptors = count("/proc/self/fd");
	for (int i = 0; i < 20; i++) {
		const long now = count("/proc/self/fd");

		size.descriptors = now < size.descriptors ? now : size.descriptors;
		usleep(300);
	}
	return size;
}

static void spawn_all(int way, long spawns)
{
	static const char *const names[] = {"fork", "vfork", "posix_spawn"};
	const long tenth = spawns / 10 ? spawns / 10 : 1;
	struct size first = {0}, last;

	for (long i = 0; i < spawns; i++) {
		int status = -1;
		const pid_t pid = start(way, i % 100 == 50 ? task : plain);

		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			fail(names[way], -errno);
		else if (status != 0)
			fail(names[way], status);
		if (i == tenth)
			first = measure();
	}
	last = measure();
	printf("%s: %ld spawns; pages %ld -> %ld, resident %ld -> %ld, descriptors %ld -> %ld, threads %ld -> %ld\n",
	       names[way], spawns, first.memory, last.memory, first.resident, last.resident, first.descriptors,
	       last.descriptors, first.threads, last.threads);
	/* A task leaves one descriptor; this one is always the same task, so that it is one. Memory: an arena of a
	 * thread that did not run before, not a page for each spawn. */
	if (last.descriptors > first.descriptors + 1 || last.threads > first.threads)
		fail("descriptors or threads grow", last.descriptors - first.descriptors);
	if (!getenv("STORM_IN_A_TOOL") && last.resident > first.resident + 512) /* whose own memory grows */
		fail("memory grows, pages", last.resident - first.resident);
}

static void tasks_at_once(int tasks)
{
	pid_t *pids = calloc((size_t)tasks, sizeof *pids);
	char *argv[] = {(char *)(size_t) "sleep", (char *)(size_t) "2", NULL};
	char *entries[512];
	size_t at = 0;
	long threads;

	while (task[at] && at < 500) {
		entries[at] = task[at];
		at++;
	}
	entries[at + 1] = NULL;
	for (int i = 0; i < tasks; i++) {
		char hash[64];

		snprintf(hash, sizeof hash, "NX_TASK_HASH=%d", i);
		entries[at] = hash;
		if (posix_spawn(&pids[i], "/bin/sleep", NULL, NULL, argv, entries) != 0)
			fail("spawn", i);
	}
	threads = count("/proc/self/task") - 2;
	for (int i = 0; i < tasks; i++) {
		int status = -1;

		if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
			fail("task", status);
	}
	printf("%d tasks at once: %ld threads\n", tasks, threads);
	if (threads > 140)
		fail("threads", threads);
	free(pids);
}

static void descendants(int processes)
{
	char script[256];
	char *argv[] = {(char *)(size_t) "sh", (char *)(size_t) "-c", script, NULL};
	pid_t pid;
	int status = -1;

	/* In bunches, lest the machine run out of process ids. */
	snprintf(script, sizeof script,
		 "i=0; while [ $i -lt %d ]; do for k in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2 & done; i=$((i+10)); [ $((i "
		 "%% 500)) -ne 0 ] || wait; done; wait",
		 processes);
	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, task) != 0 || waitpid(pid, &status, 0) != pid || status != 0)
		fail("descendants", status);
	printf("%d descendants\n", processes);
}

/* Forks that carry a task's variables and never exec. */
static void without_exec(void)
{
	char **kept = environ;

	environ = task;
	for (int i = 0; i < 100; i++) {
		int status = -1;
		const pid_t pid = fork();

		if (pid == 0)
			_exit(count("/proc/self/task") == 3 || getenv("STORM_IN_A_TOOL") ? 0
											 : 1); /* ., .. and itself */
		if (waitpid(pid, &status, 0) != pid || status != 0)
			fail("fork without exec", status);
	}
	environ = kept;
	printf("100 forks without exec\n");
}

int main(int argc, char **argv)
{
	static void *(*const holders[])(void *) = {hold_malloc, hold_loader, hold_stdio, hold_environment};
	const long spawns = argc > 1 ? atol(argv[1]) : 1000;
	const int tasks = argc > 2 ? atoi(argv[2]) : 100;
	const int processes = argc > 3 ? atoi(argv[3]) : 500;
	pthread_t threads[4];
	size_t entries = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (environ[entries])
		entries++;
	plain = calloc(entries + 4, sizeof *plain);
	task = calloc(entries + 4, sizeof *task);
	memcpy(plain, environ, entries * sizeof *plain);
	memcpy(task, environ, entries * sizeof *task);
	task[entries] = (char *)(size_t) "NX_TASK_TARGET_PROJECT=storm";
	task[entries + 1] = (char *)(size_t) "NX_TASK_TARGET_TARGET=build";
	for (size_t i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, holders[i], NULL) != 0)
			fail("thread", (long)i);
	for (int way = 0; way < 3; way++)
		spawn_all(way, spawns);
	atomic_store(&stop, true);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	without_exec();
	tasks_at_once(tasks);
	descendants(processes);
	if (start(0, task) < 0) /* and one that nobody waits for */
		fail("the last", 0);
	printf("storm: %d failures\n", failures);
	return failures != 0;
}
