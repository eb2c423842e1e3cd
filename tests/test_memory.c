/* What a process holds, and when it counts: in a made-up /proc. */
#include "fake_proc.h"
#include "torture.h"

#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* One page, in the midst of an exec, is no figure of a program that has libraries. */
static void test_loading(void **state)
{
	static const uint64_t nothing[2] = {0}, dynamic[4] = {AT_BASE, 4096}, complete[4] = {AT_BASE, 0, AT_ENTRY, 1};
	static const struct {
		const uint64_t *vector;
		size_t size;
		unsigned kb, samples;
		const char *state;
	} rows[] = {
	    {nothing, sizeof nothing, 4, 0, "S"},    {dynamic, sizeof dynamic, 4, 0, "S"},
	    {dynamic, sizeof dynamic, 2048, 1, "S"}, {complete, sizeof complete, 200, 1, "S"},
	    {complete, sizeof complete, 8, 0, "R"}, /* it has not had its turn yet */
	};

	(void)state;
	for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
		struct heaplog_tree *tree = fake_tree_create("proc", row % 2 ? 100 : 0);
		struct heaplog_peak peak;
		char text[256];
		FILE *file;

		fake_child(50, 1, rows[row].kb, rows[row].kb);
		snprintf(text, sizeof text,
			 "Name:\tx\nState:\t%s (x)\nTgid:\t50\nPPid:\t1\nVmHWM:\t%u kB\nVmRSS:\t%u kB\nThreads:\t1\n",
			 rows[row].state, rows[row].kb, rows[row].kb);
		fake_put(50, "status", text);
		fake_put(50, "schedstat", "10 99 1\n");
		file = fopen("proc/50/auxv", "w");
		assert_non_null(file);
		assert_int_equal(fwrite(rows[row].vector, rows[row].size, 1, file), 1);
		fclose(file);
		heaplog_peak_init(&peak, 0, 500);
		heaplog_tree_add_root(tree, 50);
		assert_int_equal(fake_tick(tree, &peak), 1);
		assert_int_equal(peak.summary.samples, rows[row].samples);
		assert_int_equal(peak.summary.peak_bytes, rows[row].samples * rows[row].kb * 1024);
		/* Of another libc, as time tells. */
		for (int i = 0; i < 40; i++)
			fake_tick(tree, &peak);
		assert_int_equal(peak.summary.peak_bytes, rows[row].kb * 1024);
		heaplog_tree_destroy(tree);
	}
}

/* Between fork and exec: a root never counts, a descendant from its second look on. */
static void test_before_exec(void **state)
{
	struct heaplog_tree *tree = fake_tree_create("proc", 100);
	struct heaplog_peak peak;

	(void)state;
	fake_process(1999999991, "node", 0x40, 5000, "");
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 1999999991);
	assert_int_equal(fake_tick(tree, &peak), 1);
	assert_int_equal(fake_tick(tree, &peak), 1);
	assert_int_equal(peak.summary.samples, 0);
	fake_process(1999999991, "node", 0, 100, "1999999992");
	fake_process(1999999992, "node", 0x40, 70, "");
	heaplog_tree_destroy(tree);
	tree = fake_tree_create("proc", 100);
	heaplog_tree_add_root(tree, 1999999991);
	assert_int_equal(fake_tick(tree, &peak), 2);
	assert_int_equal(peak.summary.current_bytes, 100 * 1024);
	assert_int_equal(fake_tick(tree, &peak), 2);
	assert_int_equal(peak.summary.current_bytes, 170 * 1024);
	heaplog_tree_destroy(tree);
}

/* A copy is no larger than its parent has ever been, though the parent may have given back what it still has; what is more
 * is its own at once. */
static void test_shrinking_parent(void **state)
{
	static const struct {
		unsigned kb, sum;
	} rows[] = {{190000, 100000}, {210000, 310000}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct heaplog_tree *tree = fake_tree_create("proc", 100);
		struct heaplog_peak peak;

		fake_process(1999999991, "perl", 0, 100000, "1999999992"); /* its mark is twice that */
		fake_process(1999999992, "perl", 0x40, rows[i].kb, "");
		heaplog_peak_init(&peak, 0, 500);
		heaplog_tree_add_root(tree, 1999999991);
		assert_int_equal(fake_tick(tree, &peak), 2);
		assert_int_equal(peak.summary.current_bytes, rows[i].sum * 1024);
		heaplog_tree_destroy(tree);
	}
}

/* A child that the machine does not let run gets to its exec late, and is its parent's copy until then; one that has
 * worked, or that sleeps, does without an exec. */
static void test_waits_before_exec(void **state)
{
	static const struct {
		char state;
		const char *schedstat;
		unsigned kb;
	} looks[] = {{'R', "2999999 99 1\n", 100},
		     {'D', "10 99 1\n", 100},
		     {'T', "10 99 1\n", 100},
		     {'R', "3000000 99 9\n", 170},
		     {'S', "10 99 1\n", 170}};

	(void)state;
	for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
		struct heaplog_tree *tree = fake_tree_create("proc", 100);
		struct heaplog_peak peak;
		char text[256];

		fake_process(1999999991, "perl", 0, 100, "1999999992");
		fake_process(1999999992, "perl", 0x40, 70, "");
		snprintf(text, sizeof text, "Name:\tperl\nState:\t%c (x)\nVmHWM:\t70 kB\nVmRSS:\t70 kB\nThreads:\t1\n",
			 looks[i].state);
		fake_put(1999999992, "status", text);
		fake_put(1999999992, "schedstat", looks[i].schedstat);
		heaplog_peak_init(&peak, 0, 500);
		heaplog_tree_add_root(tree, 1999999991);
		fake_tick(tree, &peak);
		fake_tick(tree, &peak);
		assert_int_equal(peak.summary.current_bytes, looks[i].kb * 1024);
		if (looks[i].kb == 100) { /* once it runs */
			fake_put(1999999992, "schedstat", "6000000 99 9\n");
			fake_tick(tree, &peak);
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
	struct heaplog_tree *tree = fake_tree_create("proc", 100);
	struct heaplog_peak peak;
	char children[OTHERS * 8 + 32] = "";
	pthread_t thread;

	(void)state;
	for (int pid = FIRST_WORKER; pid <= LAST_WORKER; pid++) {
		fake_process(pid, "x", 0, 1000, "");
		fake_put(pid, "status", "");
		worker_holds(pid, pid == FIRST_WORKER ? 200000 : 1000);
		snprintf(children + strlen(children), sizeof children - strlen(children), "%d ", pid);
	}
	fake_process(1000, "root", 0, 1000, children);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 1000);
	assert_int_equal(pthread_create(&thread, NULL, hand_over, &handover), 0);
	for (unsigned i = 1; i <= 1000; i++) {
		atomic_store(&handover.asked, i);
		assert_int_equal(fake_tick(tree, &peak), OTHERS + 3);
		while (atomic_load(&handover.done) != i)
			sched_yield();
	}
	atomic_store(&handover.over, true);
	pthread_join(thread, NULL);
	assert_int_equal(peak.summary.peak_bytes, (200000 + (OTHERS + 2) * 1000) * 1024ULL);
	assert_true(peak.summary.peak_upper_bytes >= peak.summary.peak_bytes);
	heaplog_tree_destroy(tree);
}

/* A new program begins with a mark of its own; what the old one held may have been beside what came since. */
static void test_exec_lowers_the_mark(void **state)
{
	struct heaplog_tree *tree;
	struct heaplog_peak peak;

	(void)state;
	fake_child(50, 1, 900, 1000);
	tree = fake_tree_create("proc", 100);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 50);
	fake_tick(tree, &peak);
	assert_int_equal(peak.summary.peak_upper_bytes, 1000 * 1024);
	fake_child(50, 1, 100, 120);
	fake_tick(tree, &peak);
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
	fake_file("proc/50/task/50/children", "51");
	fake_child(51, 50, 2000, 2000);
	tree = heaplog_tree_create(&options);
	heaplog_peak_init(&peak, 0, 500);
	heaplog_tree_add_root(tree, 50);
	fake_tick(tree, &peak);
	assert_int_equal(peak.summary.peak_bytes, 1500 * 1024);
	assert_int_equal(peak.summary.peak_upper_bytes, 3000 * 1024);
	/* Where it may not be read, as of a set-user-ID program, the lower bound does without. */
	unlink("proc/51/smaps_rollup");
	fake_tick(tree, &peak);
	assert_int_equal(peak.summary.current_bytes, 500 * 1024);
	/* Of such a program its anonymous pages are its own. */
	fake_put(51, "status",
		 "Name:\tx\nTgid:\t51\nPPid:\t50\nVmHWM:\t2000 kB\nVmRSS:\t2000 kB\nRssAnon:\t700 kB\nThreads:\t1\n");
	fake_tick(tree, &peak);
	assert_int_equal(peak.summary.current_bytes, 1200 * 1024);
	heaplog_tree_destroy(tree);
}

/* One whose share may not be read, beside forks that count theirs of the same pages: never more than there is. KB. */
static void share_says(int pid, unsigned pss, unsigned alone)
{
	char text[256];

	snprintf(text, sizeof text,
		 "0-f ---p 0 0 0 [rollup]\nRss:\t900 kB\nPss:\t%u kB\nPss_File:\t0 kB\nPss_Shmem:\t0 kB\n"
		 "Private_Clean:\t0 kB\nPrivate_Dirty:\t%u kB\n",
		 pss, alone);
	fake_put(pid, "smaps_rollup", text);
}

static void test_pss_unreadable(void **state)
{
	enum { PROGRAM = 1999999990 }; /* so that kcmp finds nobody */
	static const struct {
		unsigned anonymous[3], pss[3], alone[3], sum; /* pss 0: may not be read */
	} rows[] = {
	    {{200, 200, 0}, {0, 100, 1}, {0, 0, 1}, 201},   /* the program; its fork shares all of it */
	    {{200, 200, 0}, {100, 0, 1}, {0, 0, 1}, 201},   /* the fork */
	    {{200, 200, 200}, {0, 67, 67}, {0, 0, 0}, 200}, /* a fork of the fork as well */
	    {{200, 200, 200}, {0, 0, 67}, {0, 0, 0}, 200},  /* which alone may be read */
	    {{200, 200, 200}, {67, 0, 0}, {0, 0, 0}, 200},
	    {{200, 300, 0}, {0, 300, 1}, {0, 300, 1}, 501},  /* it has written all of it */
	    {{10, 510, 510}, {0, 255, 255}, {0, 0, 0}, 513}, /* forks that share what the program has not */
	    {{200, 200, 200}, {0, 0, 0}, {0, 0, 0}, 200},    /* none may be read */
	    {{200, 200, 300}, {0, 0, 0}, {0, 0, 0}, 300},
	};

	(void)state;
	for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
		const struct heaplog_tree_options options = {
		    .proc = "proc", .fd_budget = 90, .metric = HEAPLOG_METRIC_PSS};
		struct heaplog_tree *tree = heaplog_tree_create(&options);
		struct heaplog_peak peak;

		for (int i = 0; i < 3; i++) {
			char text[256];

			fake_process(PROGRAM + i, "x", i ? 0x40 : 0, 900,
				     i == 2 ? ""
				     : i    ? "1999999992"
					    : "1999999991");
			snprintf(text, sizeof text,
				 "Name:\tx\nVmHWM:\t900 kB\nVmRSS:\t%u kB\nRssAnon:\t%u kB\nThreads:\t1\n",
				 900 - (unsigned)i, rows[row].anonymous[i]);
			fake_put(PROGRAM + i, "status", text);
			share_says(PROGRAM + i, rows[row].pss[i], rows[row].alone[i]);
			if (!rows[row].pss[i]) {
				snprintf(text, sizeof text, "proc/%d/smaps_rollup", PROGRAM + i);
				assert_int_equal(unlink(text), 0);
			}
		}
		heaplog_peak_init(&peak, 0, 500);
		heaplog_tree_add_root(tree, PROGRAM);
		for (int i = 0; i < 3; i++)
			assert_int_equal(fake_tick(tree, &peak), 3);
		if (peak.summary.current_bytes / 1024 != rows[row].sum ||
		    peak.summary.peak_bytes / 1024 != rows[row].sum)
			fail_msg("row %zu: %llu KB, not %u", row, (unsigned long long)peak.summary.peak_bytes / 1024,
				 rows[row].sum);
		assert_true(peak.summary.peak_upper_bytes >= 3 * 900 * 1024);
		heaplog_tree_destroy(tree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_loading),
	    TORTURE(test_before_exec),
	    TORTURE(test_shrinking_parent),
	    TORTURE(test_waits_before_exec),
	    TORTURE(test_handover),
	    TORTURE(test_exec_lowers_the_mark),
	    TORTURE(test_pss),
	    TORTURE(test_pss_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
