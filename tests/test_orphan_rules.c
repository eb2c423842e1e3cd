/* Which orphans belong to a task: by age, session, group and variables, in a made-up /proc. */
#include "fake_proc.h"
#include "torture.h"

#include <sys/wait.h>

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
	fake_put(pid, "stat", text);
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
	fake_process(1, "init", 0, 10, "");
	fake_orphan(100, getpid(), getpgrp(), getsid(0), 1000, "TASK=a");
	fake_last_pid(100);
	tree = heaplog_tree_create(&orphan_options);
	heaplog_peak_init(peak, 0, 500);
	heaplog_tree_add_root(tree, 100);
	assert_int_equal(fake_tick(tree, peak), 1);
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
			fake_last_pid(rows[i].last);
			fake_tick(tree, &peak); /* sees that it has begun anew */
			pid = rows[i].last + 1;
		}
		snprintf(children, sizeof children, "%d ", pid);
		fake_file("proc/1/task/1/children", children);
		fake_orphan(pid, 1, rows[i].group, rows[i].session, rows[i].started, "TASK=a");
		fake_last_pid(pid < 100 ? pid : rows[i].last);
		fake_tick(tree, &peak);
		if (fake_tick(tree, &peak) != rows[i].members)
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
		fake_file("proc/1/task/1/children", rows[row].listed ? "200 300 " : "300 ");
		fake_file("proc/100/task/100/children", rows[row].parent == 100 ? "200 " : "");
		rival_count = rows[row].owner != 0;
		rival_owner = rows[row].owner;
		fake_orphan(300, 1, apart ? 250 : group, apart ? 250 : session, 3000, "TASK=a");
		fake_last_pid(300);
		fake_tick(tree, &peak);
		members = fake_tick(tree, &peak);
		if (members != (apart ? rows[row].apart : rows[row].near))
			fail_msg("row %zu%s: %zu members", row, apart ? ", apart" : "", members);
		/* What is in doubt once is not asked for again. */
		fake_orphan(301, 1, apart ? 250 : group, apart ? 250 : session, 3000, "TASK=a");
		fake_file("proc/1/task/1/children", "301 ");
		fake_last_pid(301);
		fake_tick(tree, &peak);
		assert_int_equal(fake_tick(tree, &peak), members + ((apart ? rows[row].apart : rows[row].near) > 1));
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
	fake_process(1, "init", 0, 10, "90 ");
	fake_orphan(90, 1, group, session, 900, "TASK=a");
	fake_orphan(100, getpid(), group, session, 1000, "TASK=a");
	fake_last_pid(100);
	tree = heaplog_tree_create(&orphan_options);
	rival_count = 0;
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 100);
	fake_tick(tree, &peak);
	fake_tick(tree, &peak); /* a moment after its start */
	unlink("proc/90/stat");
	unlink("proc/90/environ");
	fake_orphan(300, 1, group, session, 3000, "TASK=a");
	fake_file("proc/1/task/1/children", "300 ");
	fake_last_pid(300);
	fake_tick(tree, &peak);
	assert_int_equal(fake_tick(tree, &peak), 1);
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
	fake_process(1, "init", 0, 10, "100 101 102 ");
	fake_child(100, 1, 1000, 1000);
	fake_last_pid(100);
	tree = heaplog_tree_create(&options);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 100);
	fake_tick(tree, &peak);
	fake_child(101, 1, 100, 100);
	fake_put(101, "environ", "TASK=a");
	fake_child(102, 1, 200, 200);
	fake_put(102, "environ", "TASK=b");
	fake_child(103, 77, 400, 400);
	fake_last_pid(103);
	assert_int_equal(fake_tick(tree, &peak), 1); /* fputs leaves the last NUL out: "TASK=a" is not a whole entry */
	for (int pid = 101; pid <= 102; pid++) {
		char path[64];
		FILE *file;

		snprintf(path, sizeof path, "proc/%d/environ", pid);
		file = fopen(path, "w");
		fwrite(pid == 102 ? "TASK=b\0X=1" : "TASK=a\0X=1", 1, 11, file);
		fclose(file);
	}
	assert_int_equal(fake_tick(tree, &peak), 2);
	assert_int_equal(peak.summary.current_bytes, 1100 * 1024);
	heaplog_tree_destroy(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_whose_orphan),
	    TORTURE(test_rivals),
	    TORTURE(test_elders),
	    TORTURE(test_orphans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
