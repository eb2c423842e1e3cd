/* The walk over /proc: against a made-up /proc, and over real processes. */
#include "torture.h"

#include "measure/process_tree.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
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
	snprintf(text, sizeof text, "%d (%s) S 1 2 3 4 5 %u 7 8 9 10 11 12 13 14 15 16 17 18 19 %lld 23 24\n", pid,
		 comm, flags, pid * 10LL);
	put(path, text);
	snprintf(path, sizeof path, "proc/%d/status", pid);
	snprintf(text, sizeof text, "Name:\t%s\nVmHWM:\t%u kB\nVmRSS:\t%u kB\nThreads:\t1\n", comm, kb * 2, kb);
	put(path, text);
}

static size_t tick(struct heaplog_tree *tree, struct heaplog_peak *peak)
{
	bool changed;

	return heaplog_tree_tick(tree, 1000000, peak, &changed);
}

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
		struct heaplog_tree *tree = heaplog_tree_create("proc", budgets[i]);
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
	struct heaplog_tree *tree = heaplog_tree_create("proc", 100);
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
	tree = heaplog_tree_create("proc", 100);
	heaplog_tree_add_root(tree, 1999999991);
	assert_int_equal(tick(tree, &peak), 2);
	assert_int_equal(peak.summary.current_bytes, 100 * 1024);
	assert_int_equal(tick(tree, &peak), 2);
	assert_int_equal(peak.summary.current_bytes, 170 * 1024);
	heaplog_tree_destroy(tree);
}

/* A kernel without children files: found by their parents. */
static void test_without_children_files(void **state)
{
	struct heaplog_tree *tree = heaplog_tree_create("proc", 100);
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
	struct heaplog_tree *tree = heaplog_tree_create("/proc", 100);
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
	struct heaplog_tree *tree = heaplog_tree_create("/proc", 100);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_fake_tree),
	    TORTURE(test_before_exec),
	    TORTURE(test_without_children_files),
	    TORTURE(test_orphan_stays),
	    TORTURE(test_forked_root_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
