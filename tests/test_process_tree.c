/* The walk over /proc: against a made-up /proc, and over real processes. */
#include "fake_proc.h"
#include "torture.h"

#include "measure/procfs.h"

#include <linux/kcmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* [req: H-64] */
static void test_fake_tree(void **state)
{
	static const unsigned budgets[] = {1000, 0};

	(void)state;
	/* 10 -> 11, 12; 12 -> 13 and, in a loop, 10. A name that looks like the fields behind it. */
	fake_process(10, "sh", 0, 100, "11 12 ");
	fake_process(11, ") R 1 (", 0, 200, "");
	fake_process(12, "node", 0, 400, "13 10 999");
	fake_process(13, "a b", 0, 800, "");
	for (size_t i = 0; i < 2; i++) {
		struct heaplog_tree *tree = fake_tree_create("proc", budgets[i]);
		struct heaplog_peak peak;

		heaplog_peak_init(&peak, 0, 500);
		assert_int_equal(heaplog_tree_add_root(tree, 10), 0);
		assert_int_equal(fake_tick(tree, &peak), 4);
		assert_int_equal(peak.summary.current_bytes, 1500 * 1024);
		assert_int_equal(peak.summary.peak_bytes, 1600 * 1024); /* 13's high-water mark, alone */
		assert_int_equal(peak.summary.peak_upper_bytes, 3000 * 1024);
		heaplog_tree_destroy(tree);
	}
}

/* A kernel without children files: found by their parents. */
static void test_without_children_files(void **state)
{
	struct heaplog_tree *tree = fake_tree_create("proc", 100);
	struct heaplog_peak peak;

	(void)state;
	fake_process(1, "sh", 0, 100, "");
	fake_process(20, "sh", 0, 100, "");
	assert_int_equal(unlink("proc/1/task/1/children"), 0);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 1);
	fake_tick(tree, &peak);
	assert_int_equal(fake_tick(tree, &peak), 2); /* stat of 20 names 1 as its parent */
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
	fake_last_pid(100);
	tree = fake_tree_create("proc", 100);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 100);
	assert_int_equal(fake_tick(tree, &peak), 1);
	assert_int_equal(fake_tick(tree, &peak), 1); /* the ids of the last moment are looked at twice */
	fake_child(102, 100, 500, 500);
	fake_child(103, 102, 250, 250);
	fake_child(104, 1, 4000, 4000); /* a stranger */
	fake_put(100, "task/100/children", "102 ");
	fake_put(102, "task/102/children", "103 ");
	assert_int_equal(fake_tick(tree, &peak), 1); /* not yet given away */
	fake_last_pid(104);
	assert_int_equal(fake_tick(tree, &peak), 3);
	assert_int_equal(peak.summary.current_bytes, 1750 * 1024);
	/* It can be seen only a moment after its id was given away. */
	fake_last_pid(105);
	assert_int_equal(fake_tick(tree, &peak), 3);
	fake_child(105, 103, 10, 10);
	fake_put(103, "task/103/children", "105 ");
	assert_int_equal(fake_tick(tree, &peak), 4);
	/* From the beginning again. */
	fake_child(9, 100, 20, 20);
	fake_put(100, "task/100/children", "102 9 ");
	fake_last_pid(9);
	assert_int_equal(fake_tick(tree, &peak), 5);
	heaplog_tree_destroy(tree);
}

/* What a thread starts that came since status was read; and one that came in the place of another, so that there are no
 * more than before. The ids are too many to be looked at one by one. */
static void test_threads(void **state)
{
	static const unsigned budgets[] = {100, 0};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct heaplog_tree *tree;
		struct heaplog_peak peak;

		fake_child(100, 1, 1000, 1000);
		fake_last_pid(100);
		tree = fake_tree_create("proc", budgets[i]);
		heaplog_peak_init(&peak, 0, 500);
		heaplog_tree_add_root(tree, 100);
		assert_int_equal(fake_tick(tree, &peak), 1);
		fake_last_pid(200);
		assert_int_equal(fake_tick(tree, &peak), 1);
		fake_child(302, 100, 500, 500);
		mkdir("proc/100/task/301", 0755);
		fake_put(100, "task/301/children", "302 ");
		fake_last_pid(400);
		assert_int_equal(fake_tick(tree, &peak), 2);
		fake_put(100, "status", "Tgid:\t100\nPPid:\t1\nVmHWM:\t1000 kB\nVmRSS:\t1000 kB\nThreads:\t2\n");
		fake_last_pid(500);
		assert_int_equal(fake_tick(tree, &peak), 2);
		assert_int_equal(fake_tick(tree, &peak), 2);
		fake_put(100, "task/301/children", ""); /* as a file that is kept says it */
		assert_int_equal(unlink("proc/100/task/301/children"), 0);
		assert_int_equal(rmdir("proc/100/task/301"), 0);
		fake_child(602, 100, 250, 250);
		mkdir("proc/100/task/601", 0755);
		fake_put(100, "task/601/children", "602 ");
		fake_put(100, "task/100/children", "302 ");
		fake_last_pid(700);
		assert_int_equal(fake_tick(tree, &peak), 3);
		assert_int_equal(peak.summary.current_bytes, 1750 * 1024);
		heaplog_tree_destroy(tree);
		assert_int_equal(unlink("proc/100/task/601/children"), 0);
		assert_int_equal(rmdir("proc/100/task/601"), 0);
	}
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
		fake_file("proc/1000/task/1000/children", children);
		fake_last_pid(1000 + MANY);
		tree = fake_tree_create("proc", budgets[b]);
		heaplog_peak_init(&peak, 0, 500);
		heaplog_tree_add_root(tree, 1000);
		for (int i = 0; i < 400 / 48 + 17; i++)
			fake_tick(tree, &peak);
		assert_int_equal(fake_tick(tree, &peak), MANY);
		assert_int_equal(peak.summary.current_bytes, MANY * 100 * 1024);
		/* One process's spike, alone above all sums. */
		assert_int_equal(peak.summary.peak_bytes, 50000 * 1024);
		assert_int_equal(peak.summary.peak_upper_bytes, (MANY * 100 - 100 + 50000) * 1024);
		/* Of many the files are not read for a few new ones: these say whose children they are. */
		fake_child(1001 + MANY, 1000, 100, 100);
		fake_child(1002 + MANY, 1, 100, 100);
		fake_last_pid(1002 + MANY);
		assert_int_equal(fake_tick(tree, &peak), budgets[b] ? MANY + 1 : MANY);
		heaplog_tree_destroy(tree);
		unlink("proc/1401/status");
		unlink("proc/1401/stat");
	}
}

/* Neither small nor large: the mark of one that holds what it held may be a look old, and then what has gone before it was
 * read counts beside it. What moves is read at once. Whichever look the change falls into. */
static void test_marks_wait(void **state)
{
	enum { COUNT = 40 };
	char children[COUNT * 5 + 1] = "";

	(void)state;
	for (int i = 1; i < COUNT; i++)
		sprintf(children + strlen(children), "%d ", 1000 + i);
	for (int parity = 0; parity < 2; parity++) {
		struct heaplog_tree *tree;
		struct heaplog_peak peak;

		for (int i = 0; i < COUNT; i++)
			fake_child(1000 + i, 1000, 100, 100);
		fake_put(1000, "task/1000/children", children);
		fake_last_pid(1000 + COUNT);
		tree = fake_tree_create("proc", 1000);
		heaplog_peak_init(&peak, 0, 500);
		heaplog_tree_add_root(tree, 1000);
		for (int i = 0; i < 6 + parity; i++)
			assert_int_equal(fake_tick(tree, &peak), COUNT);
		fake_child(1007, 1000, 300, 300);
		fake_tick(tree, &peak);
		assert_int_equal(peak.summary.current_bytes, (COUNT * 100 + 200) * 1024);
		fake_child(1007, 1000, 100, 100);
		for (int i = 0; i < 3; i++)
			fake_tick(tree, &peak);
		fake_child(1030, 1000, 100, 9000);
		fake_put(1020, "status", "");
		fake_put(1020, "statm", "");
		fake_tick(tree, &peak);
		assert_int_equal(fake_tick(tree, &peak), COUNT - 1);
		assert_int_equal(peak.summary.peak_bytes, 9000 * 1024);
		assert_int_equal(peak.summary.peak_upper_bytes, (COUNT * 100 - 100 + 9000) * 1024);
		heaplog_tree_destroy(tree);
	}
}

/* Between two looks: nothing to see, memory that moves, a process that comes. */
static void test_glance(void **state)
{
	struct heaplog_tree *tree;
	struct heaplog_peak peak;

	(void)state;
	fake_child(50, 1, 10000, 10000);
	fake_last_pid(50);
	tree = fake_tree_create("proc", 100);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 50);
	assert_true(heaplog_tree_glance(tree, 1));
	fake_tick(tree, &peak);
	fake_tick(tree, &peak);
	assert_false(heaplog_tree_glance(tree, 1000000000));
	fake_put(50, "statm", "9999 2600 1 1 0 5 0\n");
	assert_true(heaplog_tree_glance(tree, 1000000000));
	fake_child(50, 1, 10000, 10000);
	assert_false(heaplog_tree_glance(tree, 1000000000));
	fake_child(51, 50, 10000, 10000);
	fake_put(50, "task/50/children", "51 ");
	fake_last_pid(51);
	assert_true(heaplog_tree_glance(tree, 1000000000));
	heaplog_tree_destroy(tree);
}

/* In pss by the resident set, whatever the share is; of a process whose first thread has ended by another one's. */
static void test_glance_of_others(void **state)
{
	static const enum heaplog_metric metrics[] = {HEAPLOG_METRIC_PSS, HEAPLOG_METRIC_RSS};
	const char *const gone = "Name:\tx\nTgid:\t50\nPPid:\t1\nThreads:\t2\n";
	const char *const there = "Name:\tx\nVmHWM:\t10240 kB\nVmRSS:\t10240 kB\nThreads:\t2\n";
	const long pages = 10240 * 1024 / sysconf(_SC_PAGESIZE);
	char text[128];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		const struct heaplog_tree_options options = {
		    .proc = "proc", .fd_budget = 100, .metric = metrics[i % 2]};
		const char *const statm = i < 2 ? "statm" : "task/52/statm";
		struct heaplog_tree *tree;
		struct heaplog_peak peak;
		bool moved;

		fake_child(50, 1, 10240, 10240);
		fake_last_pid(50);
		mkdir("proc/50/task/52", 0755);
		if (i >= 2) {
			fake_put(50, "status", gone);
			fake_put(50, "statm", "0 0 0 0 0 0 0\n");
			fake_put(50, "task/52/status", there);
			fake_put(50, "task/52/smaps_rollup", "Rss:\t10240 kB\nPss:\t100 kB\n");
			snprintf(text, sizeof text, "9999 %ld 7 1 0 5 0\n", pages);
			fake_put(50, statm, text);
		}
		tree = heaplog_tree_create(&options);
		heaplog_peak_init(&peak, 0, 500);
		heaplog_tree_add_root(tree, 50);
		for (uint64_t ms = 1; ms <= 501; ms += 500)
			assert_int_equal(heaplog_tree_tick(tree, ms * 1000000, &peak, &moved), 1);
		assert_true(peak.summary.current_bytes > 0);
		assert_false(heaplog_tree_glance(tree, 5000000000));
		snprintf(text, sizeof text, "9999 %ld 7 1 0 5 0\n", pages + pages / 40);
		fake_put(50, statm, text);
		assert_true(heaplog_tree_glance(tree, 5000000000));
		/* Right after a look at shares none comes that is not paid for; at resident sets it does. */
		assert_int_equal(heaplog_tree_glance(tree, 501000001), metrics[i % 2] == HEAPLOG_METRIC_RSS);
		heaplog_tree_destroy(tree);
	}
}

/* What a process says as it leaves, and one that says that it belongs. */
static void test_left(void **state)
{
	struct heaplog_tree *tree;
	struct heaplog_peak peak;

	(void)state;
	fake_child(50, 1, 100, 100);
	fake_child(60, 1, 100, 100);
	tree = fake_tree_create("proc", 100);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 50);
	heaplog_tree_add(tree, 60, 1);
	assert_int_equal(fake_tick(tree, &peak), 2);
	heaplog_tree_left(tree, &peak, 60, 500 * 1024, 500 * 1024, true, 1);
	heaplog_tree_left(tree, &peak, 70, 300 * 1024, 300 * 1024, true, 1); /* that nobody had seen */
	assert_int_equal(peak.summary.peak_bytes, 500 * 1024);
	fake_tick(tree, &peak);
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
	struct heaplog_tree *tree = fake_tree_create("/proc", 100);
	struct heaplog_peak peak;
	int control, ready, status;
	char byte;
	/* Ourselves as the root: this process has exec'ed. */
	const pid_t pid = start_holder(&control, &ready, 50, true);

	(void)state;
	assert_int_equal(read(ready, &byte, 1), 1);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, getpid());
	assert_int_equal(fake_tick(tree, &peak), 3);
	assert_int_equal(fake_tick(tree, &peak), 3);
	assert_true(peak.summary.current_bytes >= 50 << 20);
	assert_int_equal(kill(pid, SIGKILL), 0); /* the grandchild is an orphan now */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(fake_tick(tree, &peak), 2);
	assert_true(peak.summary.current_bytes >= 50 << 20);
	close(control);
	/* The orphan's end of the pipe closes with it; then its kept status says ESRCH once init has reaped it. */
	assert_int_equal(read(ready, &byte, 1), 0);
	close(ready);
	heaplog_tree_destroy(tree);
}

/* A forked worker that fills memory, less than its parent held once, counts at once: between fork and exec nothing grows. */
static void test_worker(void **state)
{
	struct heaplog_tree *tree = fake_tree_create("/proc", 100);
	const size_t size = 12 << 20;
	struct heaplog_peak peak;
	int grow[2], ready[2];
	uint64_t before;
	bool moved;
	char byte;
	pid_t pid;

	(void)state;
	if (syscall(SYS_kcmp, getpid(), getppid(), KCMP_VM, 0UL, 0UL) < 0)
		skip(); /* then nothing tells it from a vfork child */
	free(memset(malloc(64 << 20), 1, 64 << 20));
	assert_int_equal(pipe(grow), 0);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test fail */
		if (read(grow[0], &byte, 1) != 1)
			_exit(1);
		memset(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, size);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		pause();
	}
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, getpid());
	assert_int_equal(heaplog_tree_tick(tree, 1000000, &peak, &moved), 2);
	before = peak.summary.current_bytes;
	assert_int_equal(write(grow[1], "g", 1), 1);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(heaplog_tree_tick(tree, 2000000, &peak, &moved), 2);
	assert_true(peak.summary.current_bytes >= before + size);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (size_t i = 0; i < 2; i++) {
		close(grow[i]);
		close(ready[i]);
	}
	heaplog_tree_destroy(tree);
}

/* A root that has not exec'ed is the runner's copy. */
static void test_forked_root_does_not_count(void **state)
{
	struct heaplog_tree *tree = fake_tree_create("/proc", 100);
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
	assert_int_equal(fake_tick(tree, &peak), 1);
	assert_int_equal(fake_tick(tree, &peak), 1);
	assert_int_equal(peak.summary.peak_bytes, 0);
	close(control);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(ready);
	assert_int_equal(fake_tick(tree, &peak), 0);
	assert_int_equal(heaplog_process_has_execed("/proc", pid), -1);
	heaplog_tree_destroy(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_fake_tree),
	    TORTURE(test_without_children_files),
	    TORTURE(test_new_ids),
	    TORTURE(test_threads),
	    TORTURE(test_many),
	    TORTURE(test_marks_wait),
	    TORTURE(test_glance),
	    TORTURE(test_glance_of_others),
	    TORTURE(test_left),
	    TORTURE(test_foreign_proc),
	    TORTURE(test_orphan_stays),
	    TORTURE(test_worker),
	    TORTURE(test_forked_root_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
