/* The processes of a task on macOS, against a libproc of our own: what can be tested of it without macOS. */
#include "torture.h"

/* The Linux tree is linked into every test; this one has its functions under other names. */
#define heaplog_tree_create darwin_tree_create
#define heaplog_tree_destroy darwin_tree_destroy
#define heaplog_tree_add_root darwin_tree_add_root
#define heaplog_tree_add darwin_tree_add
#define heaplog_tree_takes darwin_tree_takes
#define heaplog_tree_has darwin_tree_has
#define heaplog_tree_left darwin_tree_left
#define heaplog_tree_tick darwin_tree_tick
#define heaplog_tree_glance darwin_tree_glance
#define heaplog_process_has_execed darwin_process_has_execed
#include "../src/darwin/process_tree_darwin.c"

#define MB (1ULL << 20)
#define MS 1000000ULL

struct fake {
	pid_t pid, parent;
	bool execed;
	uint64_t started, resident, footprint, footprint_max;
	const char *name;
};

static struct fake fakes[64];
static size_t fake_count;

static struct fake *fake_of(pid_t pid)
{
	for (size_t i = 0; i < fake_count; i++)
		if (fakes[i].pid == pid)
			return &fakes[i];
	return NULL;
}

int proc_listchildpids(pid_t parent, void *buffer, int size)
{
	pid_t *pids = buffer;
	int count = 0;

	for (size_t i = 0; i < fake_count; i++)
		if (fakes[i].parent == parent && (size_t)count < (size_t)size / sizeof *pids)
			pids[count++] = fakes[i].pid;
	return count;
}

int proc_pidinfo(int pid, int flavor, uint64_t argument, void *buffer, int size)
{
	const struct fake *fake = fake_of(pid);
	struct proc_bsdshortinfo *info = buffer;

	assert_int_equal(flavor, PROC_PIDT_SHORTBSDINFO);
	assert_int_equal(argument, 0);
	assert_int_equal(size, sizeof *info);
	if (!fake)
		return 0;
	memset(info, 0, sizeof *info);
	info->pbsi_flags = fake->execed ? PROC_FLAG_EXEC : 0;
	return size;
}

int proc_pid_rusage(int pid, int flavor, rusage_info_t *buffer)
{
	const struct fake *fake = fake_of(pid);
	struct rusage_info_v4 *usage = (void *)buffer;

	assert_int_equal(flavor, RUSAGE_INFO_V4);
	if (!fake)
		return -1;
	usage->ri_resident_size = fake->resident;
	usage->ri_phys_footprint = fake->footprint;
	usage->ri_lifetime_max_phys_footprint = fake->footprint_max;
	usage->ri_proc_start_abstime = fake->started;
	return 0;
}

int proc_name(int pid, void *buffer, uint32_t size)
{
	const struct fake *fake = fake_of(pid);

	return fake && fake->name ? snprintf(buffer, size, "%s", fake->name) : 0;
}

static struct heaplog_tree *begin(enum heaplog_metric metric, struct heaplog_peak *peak)
{
	const struct heaplog_tree_options options = {.metric = metric};
	struct heaplog_tree *tree = heaplog_tree_create(&options);

	assert_non_null(tree);
	fake_count = 0;
	heaplog_peak_init(peak, 0, 500);
	return tree;
}

static void test_before_exec_nothing_counts(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_tree *tree = begin(HEAPLOG_METRIC_RSS, &peak);
	bool moved;

	(void)state;
	fakes[fake_count++] = (struct fake){.pid = 10, .parent = 1, .started = 1, .resident = 1000 * MB};
	assert_int_equal(heaplog_tree_add_root(tree, 10), 0);
	assert_int_equal(heaplog_tree_tick(tree, 1000 * MS, &peak, &moved), 1);
	assert_int_equal(peak.summary.peak_bytes, 0); /* the runner's copy, however long it takes */
	fakes[0].execed = true;
	fakes[0].resident = 20 * MB;
	fakes[0].name = "node";
	assert_int_equal(heaplog_tree_tick(tree, 1010 * MS, &peak, &moved), 1);
	assert_int_equal(peak.summary.peak_bytes, 20 * MB);
	assert_string_equal(peak.summary.top[0].command, "node");
	assert_true(moved);
	heaplog_tree_destroy(tree);
}

static void test_descendants_are_summed_and_kept(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_tree *tree = begin(HEAPLOG_METRIC_RSS, &peak);
	bool moved;

	(void)state;
	fakes[fake_count++] = (struct fake){.pid = 10, .parent = 1, .execed = true, .started = 1, .resident = 10 * MB};
	fakes[fake_count++] = (struct fake){.pid = 11, .parent = 10, .execed = true, .started = 2, .resident = 20 * MB};
	fakes[fake_count++] = (struct fake){.pid = 12, .parent = 11, .execed = true, .started = 3, .resident = 40 * MB};
	fakes[fake_count++] = (struct fake){.pid = 13, .parent = 1, .execed = true, .started = 4, .resident = 80 * MB};
	heaplog_tree_add_root(tree, 10);
	/* A grandchild in the same look, and nobody else's process. */
	assert_int_equal(heaplog_tree_tick(tree, 1 * MS, &peak, &moved), 3);
	assert_int_equal(peak.summary.peak_bytes, 70 * MB);
	assert_int_equal(peak.summary.processes_max, 3);
	/* Its parent ends: it has another, and stays. */
	fakes[1] = fakes[3];
	fakes[2].parent = 1;
	fakes[2].resident = 90 * MB;
	assert_int_equal(heaplog_tree_tick(tree, 2 * MS, &peak, &moved), 2);
	assert_int_equal(peak.summary.peak_bytes, 100 * MB);
	heaplog_tree_destroy(tree);
}

static void test_a_number_that_is_used_again(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_tree *tree = begin(HEAPLOG_METRIC_RSS, &peak);
	bool moved;

	(void)state;
	fakes[fake_count++] = (struct fake){.pid = 10, .parent = 1, .execed = true, .started = 1, .resident = 10 * MB};
	heaplog_tree_add_root(tree, 10);
	assert_int_equal(heaplog_tree_tick(tree, 1 * MS, &peak, &moved), 1);
	fakes[0].started = 2;
	fakes[0].resident = 500 * MB;
	assert_int_equal(heaplog_tree_tick(tree, 2 * MS, &peak, &moved), 0);
	assert_int_equal(peak.summary.peak_bytes, 10 * MB);
	heaplog_tree_destroy(tree);
}

static void test_fork_without_exec(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_tree *tree = begin(HEAPLOG_METRIC_RSS, &peak);
	bool moved;

	(void)state;
	fakes[fake_count++] = (struct fake){.pid = 10, .parent = 1, .execed = true, .started = 1, .resident = 10 * MB};
	fakes[fake_count++] = (struct fake){.pid = 11, .parent = 10, .started = 2, .resident = 10 * MB};
	heaplog_tree_add_root(tree, 10);
	heaplog_tree_tick(tree, 1000 * MS, &peak, &moved);
	assert_int_equal(peak.summary.peak_bytes, 10 * MB); /* its parent's copy */
	heaplog_tree_tick(tree, 1050 * MS, &peak, &moved);
	assert_int_equal(peak.summary.peak_bytes, 10 * MB);
	heaplog_tree_tick(tree, 1100 * MS, &peak, &moved);
	assert_int_equal(peak.summary.peak_bytes, 20 * MB); /* it works without an exec */
	heaplog_tree_destroy(tree);
}

static void test_footprint(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_tree *tree = begin(HEAPLOG_METRIC_FOOTPRINT, &peak);
	bool moved;

	(void)state;
	fakes[fake_count++] = (struct fake){.pid = 10,
					    .parent = 1,
					    .execed = true,
					    .started = 1,
					    .resident = 10,
					    .footprint = 30 * MB,
					    .footprint_max = 50 * MB};
	heaplog_tree_add_root(tree, 10);
	heaplog_tree_tick(tree, 1 * MS, &peak, &moved);
	/* The kernel's mark: one process held so much, between two looks. */
	assert_int_equal(peak.summary.peak_bytes, 50 * MB);
	assert_int_equal(peak.summary.peak_upper_bytes, 50 * MB);
	heaplog_tree_destroy(tree);
}

static void test_rss_is_never_called_exact(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_tree *tree = begin(HEAPLOG_METRIC_RSS, &peak);
	bool moved;

	(void)state;
	fakes[fake_count++] = (struct fake){.pid = 10, .parent = 1, .execed = true, .started = 1, .resident = 100 * MB};
	heaplog_tree_add_root(tree, 10);
	heaplog_tree_tick(tree, 1 * MS, &peak, &moved);
	heaplog_tree_tick(tree, 500 * MS, &peak, &moved);
	assert_int_equal(peak.summary.peak_bytes, 100 * MB);
	assert_true(peak.summary.peak_upper_bytes > 102 * MB);
	heaplog_tree_destroy(tree);
}

static void test_glance(void **state)
{
	struct heaplog_peak peak;
	struct heaplog_tree *tree = begin(HEAPLOG_METRIC_RSS, &peak);
	bool moved;

	(void)state;
	fakes[fake_count++] = (struct fake){.pid = 10, .parent = 1, .execed = true, .started = 1, .resident = 100 * MB};
	heaplog_tree_add_root(tree, 10);
	heaplog_tree_tick(tree, 1 * MS, &peak, &moved);
	assert_false(heaplog_tree_glance(tree, 2 * MS));
	fakes[0].resident = 101 * MB;
	assert_false(heaplog_tree_glance(tree, 3 * MS));
	fakes[0].resident = 110 * MB;
	assert_true(heaplog_tree_glance(tree, 4 * MS));
	fake_count = 0;
	assert_true(heaplog_tree_glance(tree, 5 * MS));
	heaplog_tree_destroy(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_before_exec_nothing_counts),
	    TORTURE(test_descendants_are_summed_and_kept),
	    TORTURE(test_a_number_that_is_used_again),
	    TORTURE(test_fork_without_exec),
	    TORTURE(test_footprint),
	    TORTURE(test_rss_is_never_called_exact),
	    TORTURE(test_glance),
	};

	return cmocka_run_group_tests_name("darwin", tests, NULL, NULL);
}
