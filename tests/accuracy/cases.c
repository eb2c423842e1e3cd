/* The cases: programs that hold so much, for so long. Each step waits for the one before, not for a time, so that what
 * is held at once is known however loaded the machine is; while all stand still the largest sum is read and stated.
 *
 *   cases CASE            with ACCURACY_STAGE=FILE, ACCURACY_DELAY_MS=N (so that no sampler's ticks are in step)
 *   cases child N MB MS   one of its processes: holds MB until it is released, or for MS where that is not 0
 *   cases worker N MB FD  one of the two that hand a block over: it has the block, which is FD, in its turns only */
#include "stage.h"

#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static struct stage *stage;

static void *hold(size_t megabytes)
{
	const size_t bytes = megabytes << 20;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		exit(91);
	memset(memory, 1, bytes);
	return memory;
}

static uint64_t resident(pid_t pid)
{
	char path[64];
	uint64_t bytes;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/statm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	bytes = fd < 0 ? 0 : stage_resident(fd);
	close(fd);
	return bytes;
}

static uint64_t proportional(pid_t pid)
{
	char path[64], line[256];
	unsigned long long kilobytes = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file) && sscanf(line, "Pss: %llu", &kilobytes) != 1)
		continue;
	if (file)
		fclose(file);
	return kilobytes << 10;
}

static void state(uint64_t truth)
{
	if (truth > atomic_load(&stage->truth))
		atomic_store(&stage->truth, truth);
}

static void join(void)
{
	const uint64_t at = atomic_fetch_add(&stage->count, 1);

	if (at >= STAGE_PROCESSES)
		exit(92);
	atomic_store(&stage->pids[at], getpid());
}

static void await(_Atomic uint32_t *flag)
{
	while (!atomic_load(flag))
		stage_sleep(0.5);
}

struct words {
	char text[3][16];
	char *argv[6];
};

static void put_words(struct words *words, const char *role, int child, int megabytes, int last)
{
	const int values[] = {child, megabytes, last};

	words->argv[0] = (char *)(uintptr_t) "cases";
	words->argv[1] = (char *)(uintptr_t)role;
	for (int i = 0; i < 3; i++) {
		snprintf(words->text[i], sizeof words->text[i], "%d", values[i]);
		words->argv[2 + i] = words->text[i];
	}
	words->argv[5] = NULL;
}

static pid_t start(const char *role, int child, int megabytes, int last)
{
	struct words words;
	pid_t pid;

	put_words(&words, role, child, megabytes, last);
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, words.argv, environ) != 0)
		exit(93);
	return pid;
}

static void release(int child, pid_t pid)
{
	atomic_store(&stage->releases[child], 1);
	waitpid(pid, NULL, 0);
}

/* Children of 100 MB that come one after another. all: until four are there at once, for 400 ms. Otherwise three, for
 * 200 ms, and the fourth when two of them have gone: never more than three, though the marks of four would add up. */
static void four(bool all)
{
	const int together = all ? 4 : 3;
	uint64_t sum = resident(getpid());
	pid_t pids[4];

	for (int i = 0; i < together; i++) {
		pids[i] = start("child", i, 100, 0);
		await(&stage->holds[i]);
		if (i + 1 < together)
			stage_sleep(200);
	}
	for (int i = 0; i < together; i++)
		sum += resident(pids[i]);
	state(sum);
	stage_sleep(all ? 400 : 200);
	if (!all) {
		release(0, pids[0]);
		release(1, pids[1]);
		pids[3] = start("child", 3, 100, 0);
		await(&stage->holds[3]);
		stage_sleep(200);
	}
	for (int i = all ? 0 : 2; i < 4; i++) {
		release(i, pids[i]);
		stage_sleep(100);
	}
}

static void one_after_another(void)
{
	for (int i = 0; i < 200; i++) {
		const pid_t pid = start("child", i, 30, 0);

		await(&stage->holds[i]);
		state(resident(getpid()) + resident(pid));
		stage_sleep(20);
		release(i, pid);
	}
}

/* At the end of a quiet task, which nobody looks at often any more: its compilers, say. */
static void workers(void)
{
	uint64_t sum;
	pid_t pids[3];

	hold(150);
	stage_sleep(2000);
	for (int i = 0; i < 3; i++)
		pids[i] = start("child", i, 40, 0);
	sum = resident(getpid());
	for (int i = 0; i < 3; i++) {
		await(&stage->holds[i]);
		sum += resident(pids[i]);
	}
	state(sum);
	for (int i = 0; i < 3; i++)
		release(i, pids[i]);
}

/* What the children hold until their exec is a copy of what the parent had. The most is there when it has all of it again,
 * beside the child's own program. */
static void forks(void)
{
	void *memory = hold(100);

	hold(100);
	for (int i = 0; i < 50; i++) {
		struct words words;
		pid_t pid;

		put_words(&words, "child", i, 0, 0);
		pid = fork();
		if (pid == 0) {
			stage_sleep(5);
			execv("/proc/self/exe", words.argv);
			_exit(95);
		}
		munmap(memory, (size_t)100 << 20);
		await(&stage->holds[i]);
		memory = hold(100);
		state(resident(getpid()) + resident(pid));
		release(i, pid);
	}
}

/* Beside idle processes two workers have one block in turn. It is mapped in one piece, as it is there already: between
 * a look at the first worker and one at the last it can have gone from one to the other, and would count twice. */
static void handover(int megabytes)
{
	const int last = 21, block = memfd_create("block", 0);
	pid_t pids[22];

	if (block < 0 || ftruncate(block, (off_t)megabytes << 20) || fallocate(block, 0, 0, (off_t)megabytes << 20))
		exit(94);
	for (int i = 0; i <= last; i++) {
		const bool worker = i == 0 || i == last;

		pids[i] = start(worker ? "worker" : "child", i, worker ? megabytes : 0, worker ? block : 0);
		await(&stage->holds[i]);
	}
	atomic_store(&stage->turn, 1);
	stage_sleep(2000);
	for (int i = 0; i <= last; i++)
		release(i, pids[i]);
}

/* Who has the block states the sum of all, in its first turns: nobody else has it, and all others stand still. */
static int worker(int number, size_t bytes, int block)
{
	const uint32_t mine = number == 0 ? 1 : 2;

	atomic_store(&stage->holds[number], 1);
	for (int turns = 0; !atomic_load(&stage->releases[number]); turns++) {
		uint64_t sum = 0;

		while (atomic_load(&stage->turn) != mine) {
			if (atomic_load(&stage->releases[number]))
				return 0;
			stage_sleep(0.01);
		}
		void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, block, 0);

		if (memory == MAP_FAILED)
			exit(91);
		for (uint64_t i = 0; turns < 50 && i < atomic_load(&stage->count); i++)
			sum += resident(atomic_load(&stage->pids[i]));
		state(sum);
		stage_sleep(0.1);
		munmap(memory, bytes);
		atomic_store(&stage->turn, 3 - mine);
	}
	return 0;
}

/* The process in the middle is gone before the orphan has anything. */
static void orphan(int megabytes, int ms, bool session)
{
	const pid_t middle = fork();
	int status;

	if (middle == 0) {
		if (session)
			setsid();
		start("child", 0, megabytes, ms);
		_exit(0);
	}
	waitpid(middle, &status, 0);
	await(&stage->holds[0]);
	atomic_store(&stage->releases[0], 1);
	await(&stage->holds[1]);
	stage_sleep(100);
}

static void sharing(void)
{
	uint64_t sum = 0, shared = 0;
	pid_t pids[5] = {getpid()};

	hold(200);
	for (int i = 1; i < 5; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			join();
			atomic_store(&stage->holds[i], 1);
			await(&stage->releases[i]);
			exit(0);
		}
		await(&stage->holds[i]);
	}
	for (int i = 0; i < 5; i++) {
		sum += resident(pids[i]);
		shared += proportional(pids[i]);
	}
	state(sum);
	atomic_store(&stage->truth_pss, shared);
	stage_sleep(1000);
	for (int i = 1; i < 5; i++)
		release(i, pids[i]);
}

static int child(int number, int megabytes, int ms)
{
	if (megabytes)
		hold((size_t)megabytes);
	if (ms) { /* an orphan: it states the sum itself, with the root's, and says when it ends */
		state(resident((pid_t)atomic_load(&stage->root)) + resident(getpid()));
		atomic_store(&stage->holds[number], 1);
		stage_sleep(ms);
		atomic_store(&stage->holds[number + 1], 1);
	} else {
		atomic_store(&stage->holds[number], 1);
		await(&stage->releases[number]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *file = getenv("ACCURACY_STAGE"), *delay = getenv("ACCURACY_DELAY_MS");
	const char *name = argc > 1 ? argv[1] : "";

	if (!file)
		return 2;
	stage = stage_map(file);
	join();
	if (argc == 5 && strcmp(name, "child") == 0)
		return child(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
	if (argc == 5 && strcmp(name, "worker") == 0)
		return worker(atoi(argv[2]), (size_t)atoi(argv[3]) << 20, atoi(argv[4]));
	atomic_store(&stage->root, (uint64_t)getpid());
	alarm(60); /* accuracy.py may have been killed: nobody will ever say it */
	while (!atomic_load(&stage->go))
		stage_sleep(0.5);
	alarm(0);
	stage_sleep(delay ? atof(delay) : 0);
	if (strcmp(name, "hold") == 0 || strcmp(name, "hold-short") == 0) {
		hold(200);
		state(resident(getpid()));
		stage_sleep(strcmp(name, "hold") == 0 ? 2000 : 200);
	} else if (strcmp(name, "spike") == 0) {
		stage_sleep(1000);
		void *memory = hold(300);

		state(resident(getpid()));
		stage_sleep(50);
		munmap(memory, (size_t)300 << 20);
		stage_sleep(1700);
	} else if (strcmp(name, "four") == 0 || strcmp(name, "three") == 0) {
		four(*name == 'f');
	} else if (strcmp(name, "churn") == 0) {
		one_after_another();
	} else if (strcmp(name, "forks") == 0) {
		forks();
	} else if (strcmp(name, "workers") == 0) {
		workers();
	} else if (strcmp(name, "handover") == 0) {
		handover(4);
	} else if (strcmp(name, "orphan") == 0 || strcmp(name, "orphan-setsid") == 0) {
		orphan(200, 2000, strcmp(name, "orphan") != 0);
	} else if (strcmp(name, "orphan-short") == 0) {
		orphan(50, 45, false); /* 60 ms with its exec and the 10 ms that 50 MB take */
	} else if (strcmp(name, "shared") == 0 || strcmp(name, "shared-pss") == 0) {
		sharing();
	} else {
		fprintf(stderr, "cases: no case '%s'\n", name);
		return 2;
	}
	return 0;
}
