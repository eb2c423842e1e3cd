/* The walk over /proc: against a made-up /proc, and over real processes. */
#include "torture.h"

#include "measure/process_tree.h"
#include "measure/procfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <elf.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* proc/PID with the given comm, flags, start time, memory and children. */
static void fake(int pid, const char *comm, unsigned flags, unsigned kb, const char *children)
{
	char path[128], text[512];

	mkdir("proc", 0755);
	snprintf(path, sizeof path, "proc/%d", pid);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "proc/%d/task", pid);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "proc/%d/task/%d", pid, pid);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "proc/%d/task/%d/children", pid, pid);
	put(path, children);
	snprintf(path, sizeof path, "proc/%d/stat", pid);
	snprintf(text, sizeof text, "%d (%s) S 1 %d %d 4 5 %u 7 8 9 10 11 12 13 14 15 16 17 18 %lld 23 24\n", pid, comm,
		 getpgrp(), getsid(0), flags, pid * 10LL);
	put(path, text);
	snprintf(path, sizeof path, "proc/%d/status", pid);
	snprintf(text, sizeof text, "Name:\t%s\nVmHWM:\t%u kB\nVmRSS:\t%u kB\nThreads:\t1\n", comm, kb * 2, kb);
	put(path, text);
}

static void put_in(int pid, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "proc/%d/%s", pid, file);
	put(path, text);
}

/* A process as status, statm and smaps_rollup tell it, that has exec'ed. */
static void fake_child(int pid, int parent, unsigned kb, unsigned mark_kb)
{
	char text[512];

	fake(pid, "x", 0, kb, "");
	snprintf(text, sizeof text, "Name:\tx\nTgid:\t%d\nPPid:\t%d\nVmHWM:\t%u kB\nVmRSS:\t%u kB\nThreads:\t1\n", pid,
		 parent, mark_kb, kb);
	put_in(pid, "status", text);
	snprintf(text, sizeof text, "9999 %ld 7 1 0 5 0\n", kb * 1024L / sysconf(_SC_PAGESIZE));
	put_in(pid, "statm", text);
	snprintf(text, sizeof text, "0-f ---p 0 0 0 [rollup]\nRss:\t%u kB\nPss:\t%u kB\n", kb, kb / 2);
	put_in(pid, "smaps_rollup", text);
}

static void last_pid(int pid)
{
	char text[64];

	snprintf(text, sizeof text, "0.1 0.2 0.3 1/2 %d\n", pid);
	put("proc/loadavg", text);
}

static struct heaplog_tree *create(const char *proc, unsigned budget)
{
	const struct heaplog_tree_options options = {.proc = proc, .fd_budget = budget};

	return heaplog_tree_create(&options);
}

static size_t tick(struct heaplog_tree *tree, struct heaplog_peak *peak)
{
	static uint64_t now = 1000000;
	bool moved;

	now += 30000000; /* long enough for a fork to count */
	return heaplog_tree_tick(tree, now, peak, &moved);
}

/* [req: H-64] */
static void test_fake_tree(void **state)
{
	static const unsigned budgets[] = {1000, 0};

	(void)state;
	/* 10 -> 11, 12; 12 -> 13 and, in a loop, 10. A name that looks like the fields behind it. */
	fake(10, "sh", 0, 100, "11 12 ");
	fake(11, ") R 1 (", 0, 200, "");
	fake(12, "node", 0, 400, "13 10 999");
	fake(13, "a b", 0, 800, "");
	for (size_t i = 0; i < 2; i++) {
		struct heaplog_tree *tree = create("proc", budgets[i]);
		struct heaplog_peak peak;

		heaplog_peak_init(&peak, 0, 500);
		assert_int_equal(heaplog_tree_add_root(tree, 10), 0);
		assert_int_equal(tick(tree, &peak), 4);
		assert_int_equal(peak.summary.current_bytes, 1500 * 1024);
		assert_int_equal(peak.summary.peak_bytes, 1600 * 1024); /* 13's high-water mark, alone */
		assert_int_equal(peak.summary.peak_upper_bytes, 3000 * 1024);
		heaplog_tree_destroy(tree);
	}
}

/* Between fork and exec: a root never counts, a descendant from its second look on. */
static void test_before_exec(void **state)
{
	struct heaplog_tree *tree = create("proc", 100);
	struct heaplog_peak peak;

	(void)state;
	fake(1999999991, "node", 0x40, 5000, "");
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 1999999991);
	assert_int_equal(tick(tree, &peak), 1);
	assert_int_equal(tick(tree, &peak), 1);
	assert_int_equal(peak.summary.samples, 0);
	fake(1999999991, "node", 0, 100, "1999999992");
	fake(1999999992, "node", 0x40, 70, "");
	heaplog_tree_destroy(tree);
	tree = create("proc", 100);
	heaplog_tree_add_root(tree, 1999999991);
	assert_int_equal(tick(tree, &peak), 2);
	assert_int_equal(peak.summary.current_bytes, 100 * 1024);
	assert_int_equal(tick(tree, &peak), 2);
	assert_int_equal(peak.summary.current_bytes, 170 * 1024);
	heaplog_tree_destroy(tree);
}

/* A child that the machine does not let run gets to its exec late, and is its parent's copy until then; one that has
 * worked, or that sleeps, does without an exec. */
static void test_waits_before_exec(void **state)
{
	static const struct {
		char state;
		const char *schedstat;
		unsigned kb;
	} looks[] = {{'R', "4999999 99 1\n", 100},
		     {'D', "10 99 1\n", 100},
		     {'R', "5000000 99 9\n", 170},
		     {'S', "10 99 1\n", 170}};

	(void)state;
	for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
		struct heaplog_tree *tree = create("proc", 100);
		struct heaplog_peak peak;
		char text[256];

		fake(1999999991, "perl", 0, 100, "1999999992");
		fake(1999999992, "perl", 0x40, 70, "");
		snprintf(text, sizeof text, "Name:\tperl\nState:\t%c (x)\nVmHWM:\t70 kB\nVmRSS:\t70 kB\nThreads:\t1\n",
			 looks[i].state);
		put_in(1999999992, "status", text);
		put_in(1999999992, "schedstat", looks[i].schedstat);
		heaplog_peak_init(&peak, 0, 500);
		heaplog_tree_add_root(tree, 1999999991);
		tick(tree, &peak);
		tick(tree, &peak);
		assert_int_equal(peak.summary.current_bytes, looks[i].kb * 1024);
		if (looks[i].kb == 100) { /* once it runs */
			put_in(1999999992, "schedstat", "6000000 99 9\n");
			tick(tree, &peak);
			assert_int_equal(peak.summary.current_bytes, 170 * 1024);
		}
		heaplog_tree_destroy(tree);
	}
}

/* Two workers among others, of which one has given its 200 MB back before the other takes them: never both. */
enum { OTHERS = 40, FIRST_WORKER = 1001, LAST_WORKER = FIRST_WORKER + OTHERS + 1 };

struct handover {
	_Atomic unsigned asked, done;
	_Atomic bool over;
};

static void worker_holds(int pid, unsigned kb)
{
	char path[64], text[128];
	const int length = snprintf(
	    text, sizeof text, "Name:\tx\nTgid:\t%06d\nVmHWM:\t%06u kB\nVmRSS:\t%06u kB\nThreads:\t1\n", pid, kb, kb);
	int fd;

	/* In place, for there are descriptors. */
	snprintf(path, sizeof path, "proc/%d/status", pid);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(pwrite(fd, text, (size_t)length, 0), length);
	close(fd);
}

/* Hands over once in each look, at some moment of it. */
static void *hand_over(void *argument)
{
	struct handover *handover = argument;
	unsigned seed = 7, at = 0;

	while (!atomic_load(&handover->over)) {
		const bool back = at % 2;

		if (atomic_load(&handover->asked) == at)
			continue;
		for (volatile int spin = rand_r(&seed) % 100000; spin > 0; spin--)
			;
		worker_holds(back ? LAST_WORKER : FIRST_WORKER, 1000);
		worker_holds(back ? FIRST_WORKER : LAST_WORKER, 200000);
		atomic_store(&handover->done, ++at);
	}
	return NULL;
}

static void test_handover(void **state)
{
	struct handover handover = {0};
	struct heaplog_tree *tree = create("proc", 100);
	struct heaplog_peak peak;
	char children[OTHERS * 8 + 32] = "";
	pthread_t thread;

	(void)state;
	for (int pid = FIRST_WORKER; pid <= LAST_WORKER; pid++) {
		fake(pid, "x", 0, 1000, "");
		put_in(pid, "status", "");
		worker_holds(pid, pid == FIRST_WORKER ? 200000 : 1000);
		snprintf(children + strlen(children), sizeof children - strlen(children), "%d ", pid);
	}
	fake(1000, "root", 0, 1000, children);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 1000);
	assert_int_equal(pthread_create(&thread, NULL, hand_over, &handover), 0);
	for (unsigned i = 1; i <= 1000; i++) {
		atomic_store(&handover.asked, i);
		assert_int_equal(tick(tree, &peak), OTHERS + 3);
		while (atomic_load(&handover.done) != i)
			sched_yield();
	}
	atomic_store(&handover.over, true);
	pthread_join(thread, NULL);
	assert_int_equal(peak.summary.peak_bytes, (200000 + (OTHERS + 2) * 1000) * 1024ULL);
	assert_true(peak.summary.peak_upper_bytes >= peak.summary.peak_bytes);
	heaplog_tree_destroy(tree);
}

/* A kernel without children files: found by their parents. */
static void test_without_children_files(void **state)
{
	struct heaplog_tree *tree = create("proc", 100);
	struct heaplog_peak peak;

	(void)state;
	fake(1, "sh", 0, 100, "");
	fake(20, "sh", 0, 100, "");
	assert_int_equal(unlink("proc/1/task/1/children"), 0);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 1);
	tick(tree, &peak);
	assert_int_equal(tick(tree, &peak), 2); /* stat of 20 names 1 as its parent */
	assert_int_equal(peak.summary.current_bytes, 200 * 1024);
	heaplog_tree_destroy(tree);
}

/* The kernel's last process id: while it stands nothing can be new, whatever the children files say. */
static void test_new_ids(void **state)
{
	struct heaplog_tree *tree;
	struct heaplog_peak peak;

	(void)state;
	fake_child(100, 1, 1000, 1000);
	last_pid(100);
	tree = create("proc", 100);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 100);
	assert_int_equal(tick(tree, &peak), 1);
	assert_int_equal(tick(tree, &peak), 1); /* the ids of the last moment are looked at twice */
	fake_child(102, 100, 500, 500);
	fake_child(103, 102, 250, 250);
	fake_child(104, 1, 4000, 4000); /* a stranger */
	put_in(100, "task/100/children", "102 ");
	put_in(102, "task/102/children", "103 ");
	assert_int_equal(tick(tree, &peak), 1); /* not yet given away */
	last_pid(104);
	assert_int_equal(tick(tree, &peak), 3);
	assert_int_equal(peak.summary.current_bytes, 1750 * 1024);
	/* It can be seen only a moment after its id was given away. */
	last_pid(105);
	assert_int_equal(tick(tree, &peak), 3);
	fake_child(105, 103, 10, 10);
	put_in(103, "task/103/children", "105 ");
	assert_int_equal(tick(tree, &peak), 4);
	/* From the beginning again. */
	fake_child(9, 100, 20, 20);
	put_in(100, "task/100/children", "102 9 ");
	last_pid(9);
	assert_int_equal(tick(tree, &peak), 5);
	heaplog_tree_destroy(tree);
}

static bool has_variable(void *context, const char *environment, size_t length)
{
	return length > strlen(context) && strcmp(environment, context) == 0;
}

static unsigned rival_count;
static pid_t rival_owner;

static unsigned rivals(void *context, pid_t *owners, unsigned max)
{
	(void)context;
	assert_true(max > 0);
	owners[0] = rival_owner;
	return rival_count;
}

static const struct heaplog_tree_options orphan_options = {.proc = "proc",
							   .fd_budget = 100,
							   .belongs = has_variable,
							   .rivals = rivals,
							   .context = (void *)(uintptr_t) "TASK=a"};

/* With a parent, a group, a session and the task's variables. */
static void fake_orphan(int pid, int parent, int group, int session, long long started, const char *variable)
{
	char text[512];
	FILE *file;

	fake_child(pid, parent, 100, 100);
	snprintf(text, sizeof text, "%d (x) S %d %d %d 4 5 0 7 8 9 10 11 12 13 14 15 16 17 18 %lld 23 24\n", pid,
		 parent, group, session, started);
	put_in(pid, "stat", text);
	snprintf(text, sizeof text, "proc/%d/environ", pid);
	file = fopen(text, "w");
	assert_non_null(file);
	fprintf(file, "%s%cX=1", variable, 0);
	fclose(file);
}

/* A tree with root 100, which has been looked at. */
static struct heaplog_tree *orphans_tree(struct heaplog_peak *peak)
{
	struct heaplog_tree *tree;

	rival_count = 0;
	fake(1, "init", 0, 10, "");
	fake_orphan(100, getpid(), getpgrp(), getsid(0), 1000, "TASK=a");
	last_pid(100);
	tree = heaplog_tree_create(&orphan_options);
	heaplog_peak_init(peak, 0, 500);
	heaplog_tree_add_root(tree, 100);
	assert_int_equal(tick(tree, peak), 1);
	return tree;
}

/* What can be ours, and what cannot: by age, session and group. Numbers are given away in turn, and from the start again
 * at the end. */
/* [req: H-63] */
static void test_whose_orphan(void **state)
{
	const pid_t group = getpgrp(), session = getsid(0);
	const struct {
		int group, session;
		long long started;
		size_t members;
		int last;
	} rows[] = {
	    {group, session, 1000, 2, 500}, {group, session, 999, 1, 500}, /* older than the task */
	    {200, 200, 1000, 2, 500},                                      /* a session of its own, made since */
	    {200, session, 1000, 2, 500},   {group, 99, 1000, 1, 500},     /* another terminal's */
	    {99, session, 1000, 1, 500},                                   /* another job of the shell's */
	    {600, 600, 1000, 1, 500},                              /* a number from before the kernel began anew */
	    {600, 600, 1000, 2, 50},                               /* it has begun anew since */
	    {40, 40, 1000, 2, 50},          {60, 60, 1000, 1, 50}, /* not yet given away again */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct heaplog_peak peak;
		struct heaplog_tree *tree = orphans_tree(&peak);
		char children[16];
		int pid = 300;

		if (rows[i].last < 100) {
			last_pid(rows[i].last);
			tick(tree, &peak); /* sees that it has begun anew */
			pid = rows[i].last + 1;
		}
		snprintf(children, sizeof children, "%d ", pid);
		put("proc/1/task/1/children", children);
		fake_orphan(pid, 1, rows[i].group, rows[i].session, rows[i].started, "TASK=a");
		last_pid(pid < 100 ? pid : rows[i].last);
		tick(tree, &peak);
		if (tick(tree, &peak) != rows[i].members)
			fail_msg("row %zu", i);
		heaplog_tree_destroy(tree);
	}
}

/* Another run of the same task: while its processes live, while its runner has it on its board, and where it has left an
 * orphan behind. Then nothing counts that might be its orphan. */
/* [req: H-63] */
static void test_rivals(void **state)
{
	static const char *const files[] = {"stat", "environ", "status", "statm"};
	const pid_t group = getpgrp(), session = getsid(0);
	/* Of the rival: its parent, group and age; who owns its board. Of orphans here and in a new session: do they count? */
	const struct {
		int parent, group;
		long long started;
		bool listed;
		pid_t owner;
		size_t near, apart;
	} rows[] = {
	    {0, 0, 0, false, 0, 2, 2},          /* none */
	    {77, 0, 2000, false, 0, 1, 1},      /* a task of runner 77's, in our group */
	    {77, 70, 2000, false, 0, 2, 1},     /* of another job: what is in our group is ours */
	    {100, 0, 2000, false, 0, 3, 3},     /* a child of ours that was not seen yet */
	    {1, 0, 900, true, 0, 1, 1},         /* left by a run that was killed */
	    {1, 70, 900, true, 0, 2, 1},        /* in another terminal */
	    {0, 0, 0, false, 77, 1, 1},         /* runner 77 says it has the task */
	    {0, 0, 0, false, 1999999991, 1, 1}, /* a runner that has gone says so */
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		const size_t row = i / 2;
		const bool apart = i % 2;
		struct heaplog_peak peak;
		struct heaplog_tree *tree = orphans_tree(&peak);
		size_t members;
		char path[64];

		fake_orphan(77, 50, group, session, 10, "NO=1");
		if (rows[row].parent)
			fake_orphan(200, rows[row].parent, rows[row].group ? rows[row].group : group, session,
				    rows[row].started, "TASK=a");
		put("proc/1/task/1/children", rows[row].listed ? "200 300 " : "300 ");
		put("proc/100/task/100/children", rows[row].parent == 100 ? "200 " : "");
		rival_count = rows[row].owner != 0;
		rival_owner = rows[row].owner;
		fake_orphan(300, 1, apart ? 250 : group, apart ? 250 : session, 3000, "TASK=a");
		last_pid(300);
		tick(tree, &peak);
		members = tick(tree, &peak);
		if (members != (apart ? rows[row].apart : rows[row].near))
			fail_msg("row %zu%s: %zu members", row, apart ? ", apart" : "", members);
		/* What is in doubt once is not asked for again. */
		fake_orphan(301, 1, apart ? 250 : group, apart ? 250 : session, 3000, "TASK=a");
		put("proc/1/task/1/children", "301 ");
		last_pid(301);
		tick(tree, &peak);
		assert_int_equal(tick(tree, &peak), members + ((apart ? rows[row].apart : rows[row].near) > 1));
		heaplog_tree_destroy(tree);
		for (size_t f = 0; f < sizeof files / sizeof *files; f++)
			for (int pid = 200; pid <= 301; pid++) {
				snprintf(path, sizeof path, "proc/%d/%s", pid, files[f]);
				unlink(path);
			}
	}
}

/* A killed run's orphan makes one of its own, and ends: that is newer than the task, and has all that one of ours has. */
/* [req: H-63] */
static void test_elders(void **state)
{
	const pid_t group = getpgrp(), session = getsid(0);
	struct heaplog_peak peak;
	struct heaplog_tree *tree;

	(void)state;
	fake(1, "init", 0, 10, "90 ");
	fake_orphan(90, 1, group, session, 900, "TASK=a");
	fake_orphan(100, getpid(), group, session, 1000, "TASK=a");
	last_pid(100);
	tree = heaplog_tree_create(&orphan_options);
	rival_count = 0;
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 100);
	tick(tree, &peak);
	tick(tree, &peak); /* a moment after its start */
	unlink("proc/90/stat");
	unlink("proc/90/environ");
	fake_orphan(300, 1, group, session, 3000, "TASK=a");
	put("proc/1/task/1/children", "300 ");
	last_pid(300);
	tick(tree, &peak);
	assert_int_equal(tick(tree, &peak), 1);
	/* What says itself that it is the task's, in the exact mode, is asked the same. */
	assert_false(heaplog_tree_takes(tree, 300, 5000000000));
	heaplog_tree_destroy(tree);
	tree = orphans_tree(&peak);
	assert_true(heaplog_tree_takes(tree, 300, 5000000000));
	rival_count = 1;
	assert_false(heaplog_tree_takes(tree, 300, 6000000000));
	heaplog_tree_destroy(tree);
}

/* Never seen under their parent: by their environment, and only where init or an ancestor of the runner has taken them
 * in; the same variables under another parent are another runner's task. */
/* [req: H-63] */
static void test_orphans(void **state)
{
	const struct heaplog_tree_options options = {
	    .proc = "proc", .fd_budget = 100, .belongs = has_variable, .context = (void *)(uintptr_t) "TASK=a"};
	struct heaplog_tree *tree;
	struct heaplog_peak peak;

	(void)state;
	fake(1, "init", 0, 10, "100 101 102 ");
	fake_child(100, 1, 1000, 1000);
	last_pid(100);
	tree = heaplog_tree_create(&options);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 100);
	tick(tree, &peak);
	fake_child(101, 1, 100, 100);
	put_in(101, "environ", "TASK=a");
	fake_child(102, 1, 200, 200);
	put_in(102, "environ", "TASK=b");
	fake_child(103, 77, 400, 400);
	last_pid(103);
	assert_int_equal(tick(tree, &peak), 1); /* fputs leaves the last NUL out: "TASK=a" is not a whole entry */
	for (int pid = 101; pid <= 102; pid++) {
		char path[64];
		FILE *file;

		snprintf(path, sizeof path, "proc/%d/environ", pid);
		file = fopen(path, "w");
		fwrite(pid == 102 ? "TASK=b\0X=1" : "TASK=a\0X=1", 1, 11, file);
		fclose(file);
	}
	assert_int_equal(tick(tree, &peak), 2);
	assert_int_equal(peak.summary.current_bytes, 1100 * 1024);
	heaplog_tree_destroy(tree);
}

/* A large tree: statm at each look, marks in turn; all of them known after a round. */
static void test_many(void **state)
{
	enum { MANY = 400 };
	static const unsigned budgets[] = {2000, 100, 0};
	struct heaplog_tree *tree;

	(void)state;
	fake_child(1000, 1, 100, 100);
	for (int i = 1; i < MANY; i++)
		fake_child(1000 + i, 1000, 100, 100);
	for (size_t b = 0; b < 3; b++) {
		struct heaplog_peak peak;
		char children[MANY * 5 + 1] = "";

		for (int i = 1; i < MANY; i++)
			fake_child(1000 + i, 1000, 100, i == 300 ? 50000 : 100);
		for (int i = 1; i < MANY; i++)
			sprintf(children + strlen(children), "%d ", 1000 + i);
		put("proc/1000/task/1000/children", children);
		last_pid(1000 + MANY);
		tree = create("proc", budgets[b]);
		heaplog_peak_init(&peak, 0, 500);
		heaplog_tree_add_root(tree, 1000);
		for (int i = 0; i < 400 / 48 + 17; i++)
			tick(tree, &peak);
		assert_int_equal(tick(tree, &peak), MANY);
		assert_int_equal(peak.summary.current_bytes, MANY * 100 * 1024);
		/* One process's spike, alone above all sums. */
		assert_int_equal(peak.summary.peak_bytes, 50000 * 1024);
		assert_int_equal(peak.summary.peak_upper_bytes, (MANY * 100 - 100 + 50000) * 1024);
		/* Of many the files are not read for a few new ones: these say whose children they are. */
		fake_child(1001 + MANY, 1000, 100, 100);
		fake_child(1002 + MANY, 1, 100, 100);
		last_pid(1002 + MANY);
		assert_int_equal(tick(tree, &peak), budgets[b] ? MANY + 1 : MANY);
		heaplog_tree_destroy(tree);
		unlink("proc/1401/status");
		unlink("proc/1401/stat");
	}
}

/* A new program begins with a mark of its own; what the old one held may have been beside what came since. */
static void test_exec_lowers_the_mark(void **state)
{
	struct heaplog_tree *tree;
	struct heaplog_peak peak;

	(void)state;
	fake_child(50, 1, 900, 1000);
	tree = create("proc", 100);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 50);
	tick(tree, &peak);
	assert_int_equal(peak.summary.peak_upper_bytes, 1000 * 1024);
	fake_child(50, 1, 100, 120);
	tick(tree, &peak);
	assert_int_equal(peak.summary.peak_upper_bytes, 1000 * 1024);
	assert_int_equal(peak.summary.peak_bytes, 1000 * 1024);
	assert_int_equal(peak.summary.current_bytes, 100 * 1024);
	heaplog_tree_destroy(tree);
}

static void test_pss(void **state)
{
	const struct heaplog_tree_options options = {.proc = "proc", .fd_budget = 9, .metric = HEAPLOG_METRIC_PSS};
	struct heaplog_tree *tree;
	struct heaplog_peak peak;

	(void)state;
	fake_child(50, 1, 1000, 1000);
	put("proc/50/task/50/children", "51");
	fake_child(51, 50, 2000, 2000);
	tree = heaplog_tree_create(&options);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 50);
	tick(tree, &peak);
	assert_int_equal(peak.summary.peak_bytes, 1500 * 1024);
	assert_int_equal(peak.summary.peak_upper_bytes, 3000 * 1024);
	/* Where it may not be read, as of a set-user-ID program, the lower bound does without. */
	unlink("proc/51/smaps_rollup");
	tick(tree, &peak);
	assert_int_equal(peak.summary.current_bytes, 500 * 1024);
	heaplog_tree_destroy(tree);
}

/* Between two looks: nothing to see, memory that moves, a process that comes. */
static void test_glance(void **state)
{
	struct heaplog_tree *tree;
	struct heaplog_peak peak;

	(void)state;
	fake_child(50, 1, 10000, 10000);
	last_pid(50);
	tree = create("proc", 100);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 50);
	assert_true(heaplog_tree_glance(tree, 1));
	tick(tree, &peak);
	tick(tree, &peak);
	assert_false(heaplog_tree_glance(tree, 1000000000));
	put_in(50, "statm", "9999 2600 1 1 0 5 0\n");
	assert_true(heaplog_tree_glance(tree, 1000000000));
	fake_child(50, 1, 10000, 10000);
	assert_false(heaplog_tree_glance(tree, 1000000000));
	fake_child(51, 50, 10000, 10000);
	put_in(50, "task/50/children", "51 ");
	last_pid(51);
	assert_true(heaplog_tree_glance(tree, 1000000000));
	heaplog_tree_destroy(tree);
}

/* What a process says as it leaves, and one that says that it belongs. */
static void test_left(void **state)
{
	struct heaplog_tree *tree;
	struct heaplog_peak peak;

	(void)state;
	fake_child(50, 1, 100, 100);
	fake_child(60, 1, 100, 100);
	tree = create("proc", 100);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 50);
	heaplog_tree_add(tree, 60, 1);
	assert_int_equal(tick(tree, &peak), 2);
	heaplog_tree_left(tree, &peak, 60, 500 * 1024, 500 * 1024, 1);
	heaplog_tree_left(tree, &peak, 70, 300 * 1024, 300 * 1024, 1); /* that nobody had seen */
	assert_int_equal(peak.summary.peak_bytes, 500 * 1024);
	tick(tree, &peak);
	assert_int_equal(peak.summary.peak_upper_bytes, 900 * 1024);
	heaplog_tree_destroy(tree);
}

/* A procfs of another pid namespace has other processes under these numbers. */
static void test_foreign_proc(void **state)
{
	(void)state;
	assert_true(procfs_is_ours("/proc"));
	assert_false(procfs_is_ours("proc"));
	mkdir("proc", 0755);
	assert_int_equal(symlink("1", "proc/self"), 0);
	assert_false(procfs_is_ours("proc"));
}

/* A process that holds mb until control is closed; with orphan it is its child that does, and it waits to be killed. */
static pid_t start_holder(int *control, int *ready, size_t mb, bool orphan)
{
	int in[2], out[2];
	pid_t pid;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		char byte;

		close(in[1]);
		if (orphan && fork() != 0)
			for (;;)
				pause();
		char *memory = mmap(NULL, mb << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(memory, 1, mb << 20);
		if (write(out[1], "r", 1) != 1)
			_exit(1);
		close(out[1]);
		while (read(in[0], &byte, 1) > 0)
			;
		_exit(0);
	}
	close(in[0]);
	close(out[1]);
	*control = in[1];
	*ready = out[0];
	return pid;
}

/* A descendant without an exec of its own counts; as an orphan it stays a member. */
static void test_orphan_stays(void **state)
{
	struct heaplog_tree *tree = create("/proc", 100);
	struct heaplog_peak peak;
	int control, ready, status;
	char byte;
	/* Ourselves as the root: this process has exec'ed. */
	const pid_t pid = start_holder(&control, &ready, 50, true);

	(void)state;
	assert_int_equal(read(ready, &byte, 1), 1);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, getpid());
	assert_int_equal(tick(tree, &peak), 3);
	assert_int_equal(tick(tree, &peak), 3);
	assert_true(peak.summary.current_bytes >= 50 << 20);
	assert_int_equal(kill(pid, SIGKILL), 0); /* the grandchild is an orphan now */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(tick(tree, &peak), 2);
	assert_true(peak.summary.current_bytes >= 50 << 20);
	close(control);
	/* The orphan's end of the pipe closes with it; then its kept status says ESRCH once init has reaped it. */
	assert_int_equal(read(ready, &byte, 1), 0);
	close(ready);
	heaplog_tree_destroy(tree);
}

/* A root that has not exec'ed is the runner's copy. */
static void test_forked_root_does_not_count(void **state)
{
	struct heaplog_tree *tree = create("/proc", 100);
	struct heaplog_peak peak;
	int control, ready, status;
	char byte;
	const pid_t pid = start_holder(&control, &ready, 30, false);

	(void)state;
	assert_int_equal(read(ready, &byte, 1), 1);
	assert_int_equal(heaplog_process_has_execed("/proc", pid), 0);
	assert_int_equal(heaplog_process_has_execed("/proc", getpid()), 1);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, pid);
	assert_int_equal(tick(tree, &peak), 1);
	assert_int_equal(tick(tree, &peak), 1);
	assert_int_equal(peak.summary.peak_bytes, 0);
	close(control);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(ready);
	assert_int_equal(tick(tree, &peak), 0);
	assert_int_equal(heaplog_process_has_execed("/proc", pid), -1);
	heaplog_tree_destroy(tree);
}

/* One page, in the midst of an exec, is no figure of a program that has libraries. */
static void test_loading(void **state)
{
	static const uint64_t nothing[2] = {0}, dynamic[4] = {AT_BASE, 4096}, complete[4] = {AT_BASE, 0, AT_ENTRY, 1};
	static const struct {
		const uint64_t *vector;
		size_t size;
		unsigned kb, samples;
	} rows[] = {
	    {nothing, sizeof nothing, 4, 0},
	    {dynamic, sizeof dynamic, 4, 0},
	    {dynamic, sizeof dynamic, 2048, 1},
	    {complete, sizeof complete, 200, 1},
	};

	(void)state;
	for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
		struct heaplog_tree *tree = create("proc", row % 2 ? 100 : 0);
		struct heaplog_peak peak;
		FILE *file;

		fake_child(50, 1, rows[row].kb, rows[row].kb);
		file = fopen("proc/50/auxv", "w");
		assert_non_null(file);
		assert_int_equal(fwrite(rows[row].vector, rows[row].size, 1, file), 1);
		fclose(file);
		heaplog_peak_init(&peak, 0, 500);
		heaplog_tree_add_root(tree, 50);
		assert_int_equal(tick(tree, &peak), 1);
		assert_int_equal(peak.summary.samples, rows[row].samples);
		assert_int_equal(peak.summary.peak_bytes, rows[row].samples * rows[row].kb * 1024);
		/* Of another libc, as time tells. */
		for (int i = 0; i < 40; i++)
			tick(tree, &peak);
		assert_int_equal(peak.summary.peak_bytes, rows[row].kb * 1024);
		heaplog_tree_destroy(tree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_loading),
	    TORTURE(test_fake_tree),
	    TORTURE(test_before_exec),
	    TORTURE(test_waits_before_exec),
	    TORTURE(test_handover),
	    TORTURE(test_without_children_files),
	    TORTURE(test_new_ids),
	    TORTURE(test_orphans),
	    TORTURE(test_whose_orphan),
	    TORTURE(test_rivals),
	    TORTURE(test_elders),
	    TORTURE(test_many),
	    TORTURE(test_exec_lowers_the_mark),
	    TORTURE(test_pss),
	    TORTURE(test_glance),
	    TORTURE(test_left),
	    TORTURE(test_foreign_proc),
	    TORTURE(test_orphan_stays),
	    TORTURE(test_forked_root_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
