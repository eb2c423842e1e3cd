/* The processes of a task on macOS, against a libproc of our own: what can be tested of it without macOS. */
#include "torture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* The Linux tree is linked into every test; this one has its functions under other names. */
#define heaplog_tree_create darwin_tree_create
#define heaplog_tree_destroy darwin_tree_destroy
#define heaplog_tree_add_root darwin_tree_add_root
#define heaplog_tree_add darwin_tree_add
#define heaplog_tree_takes darwin_tree_takes
#define heaplog_tree_has darwin_tree_has
#define heaplog_tree_left darwin_tree_left
#define heaplog_tree_known darwin_tree_known
#define heaplog_tree_tick darwin_tree_tick
#define heaplog_tree_glance darwin_tree_glance
#define heaplog_process_has_execed darwin_process_has_execed
#include "../src/darwin/process_tree_darwin.c"

/* A write as macOS has it: the mark of the open file, and what a write finds there. */
enum { F_SETNOSIGPIPE = 73, F_GETNOSIGPIPE = 74 };

static int mark, mark_error;

static int marking_fcntl(int fd, int command, ...)
{
	va_list values;

	if (command == F_GETFL)
		return fcntl(fd, command);
	if (mark_error) {
		errno = mark_error;
		return -1;
	}
	if (command == F_GETNOSIGPIPE)
		return mark;
	assert_int_equal(command, F_SETNOSIGPIPE);
	va_start(values, command);
	mark = va_arg(values, int);
	va_end(values);
	return 0;
}

static ssize_t (*write_as)(int fd, const void *text, size_t size) = write;

long darwin_SYS_write(int fd, const void *text, size_t size);
#define fcntl marking_fcntl
#define write write_as
#include "../src/darwin/quiet_write.c"
#undef fcntl
#undef write

#define MB (1ULL << 20)
#define MS 1000000ULL

struct fake {
	pid_t pid, parent;
	bool execed;
	uint64_t started, exited, resident, footprint, footprint_max;
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
	assert_int_equal(size, sizeof *info);
	if (!fake || (fake->exited && !argument))
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
	usage->ri_proc_exit_abstime = fake->exited;
	return 0;
}

int proc_name(int pid, void *buffer, uint32_t size)
{
	const struct fake *fake = fake_of(pid);

	return fake && fake->name ? snprintf(buffer, size, "%s", fake->name) : 0;
}

/* The scene of a test: a tree, and what it has seen so far. */
static struct heaplog_tree *tree;
static struct heaplog_peak peak;
static bool moved;

static void begin(enum heaplog_metric metric)
{
	const struct heaplog_tree_options options = {.metric = metric};

	fake_count = 0;
	tree = heaplog_tree_create(&options);
	assert_non_null(tree);
	heaplog_peak_init(&peak, 0, 500);
}

static void end(void)
{
	heaplog_tree_destroy(tree);
}

/* A process that has exec'ed and holds so much. */
static struct fake *process(pid_t pid, pid_t parent, uint64_t resident)
{
	static uint64_t clock;
	struct fake *fake = &fakes[fake_count++];

	*fake = (struct fake){.pid = pid, .parent = parent, .execed = true, .started = ++clock, .resident = resident};
	return fake;
}

/* The same, as the task's first process. */
static struct fake *root(pid_t pid, uint64_t resident)
{
	struct fake *fake = process(pid, 1, resident);

	assert_int_equal(heaplog_tree_add_root(tree, pid), 0);
	return fake;
}

/* A look at that time finds so many processes, and a peak of so much until now. */
static void look(uint64_t ms, size_t members, uint64_t peak_bytes)
{
	assert_int_equal(heaplog_tree_tick(tree, ms * MS, &peak, &moved), members);
	assert_int_equal(peak.summary.peak_bytes, peak_bytes);
}

static void test_before_exec_nothing_counts(void **state)
{
	struct fake *fake;

	(void)state;
	begin(HEAPLOG_METRIC_RSS);
	fake = root(10, 1000 * MB);
	fake->execed = false;
	look(1000, 1, 0); /* the runner's copy, however long it takes */
	fake->execed = true;
	fake->resident = 20 * MB;
	fake->name = "node";
	look(1010, 1, 20 * MB);
	assert_string_equal(peak.summary.top[0].command, "node");
	assert_true(moved);
	end();
}

static void test_descendants_are_summed_and_kept(void **state)
{
	struct fake *child, *grandchild, *stranger;

	(void)state;
	begin(HEAPLOG_METRIC_RSS);
	root(10, 10 * MB);
	child = process(11, 10, 20 * MB);
	grandchild = process(12, 11, 40 * MB);
	stranger = process(13, 1, 80 * MB);
	/* A grandchild in the same look, and nobody else's process. */
	look(1, 3, 70 * MB);
	assert_int_equal(peak.summary.processes_max, 3);
	/* Its parent ends: it has another, and stays. */
	*child = *stranger;
	fake_count--;
	grandchild->parent = 1;
	grandchild->resident = 90 * MB;
	look(2, 2, 100 * MB);
	end();
}

static void test_a_number_that_is_used_again(void **state)
{
	struct fake *fake;

	(void)state;
	begin(HEAPLOG_METRIC_RSS);
	fake = root(10, 10 * MB);
	look(1, 1, 10 * MB);
	fake->started++;
	fake->resident = 500 * MB;
	look(2, 0, 10 * MB);
	end();
}

/* A zombie is still told of, with what it held at its exit. */
static void test_zombies_do_not_count(void **state)
{
	struct fake *first;

	(void)state;
	begin(HEAPLOG_METRIC_RSS);
	root(10, 10 * MB);
	first = process(11, 10, 100 * MB);
	look(1, 2, 110 * MB);
	first->exited = 5;
	assert_true(heaplog_tree_glance(tree, 2 * MS));
	process(12, 10, 100 * MB);
	look(3, 2, 110 * MB);
	assert_int_equal(peak.summary.processes_max, 2);
	end();
}

/* Until somebody has waited for it a child that has ended is there, with its exit status. */
static void test_zombies_are_not_gone(void **state)
{
	(void)state;
	begin(HEAPLOG_METRIC_RSS);
	process(11, 10, MB)->exited = 5;
	assert_int_equal(heaplog_process_has_execed(NULL, 11), 1);
	assert_int_equal(heaplog_process_has_execed(NULL, 12), -1);
	end();
}

static void test_fork_without_exec(void **state)
{
	(void)state;
	begin(HEAPLOG_METRIC_RSS);
	root(10, 10 * MB);
	process(11, 10, 10 * MB)->execed = false;
	look(1000, 2, 10 * MB); /* its parent's copy */
	look(1050, 2, 10 * MB);
	look(1100, 2, 20 * MB); /* it works without an exec */
	end();
}

static void test_footprint(void **state)
{
	struct fake *fake;

	(void)state;
	begin(HEAPLOG_METRIC_FOOTPRINT);
	fake = root(10, 10);
	fake->footprint = 30 * MB;
	fake->footprint_max = 50 * MB;
	/* The kernel's mark: one process held so much, between two looks. */
	look(1, 1, 50 * MB);
	assert_int_equal(peak.summary.peak_upper_bytes, 50 * MB);
	end();
}

static void test_rss_is_never_called_exact(void **state)
{
	(void)state;
	begin(HEAPLOG_METRIC_RSS);
	root(10, 100 * MB);
	look(1, 1, 100 * MB);
	look(500, 1, 100 * MB);
	assert_true(peak.summary.peak_upper_bytes > 102 * MB);
	end();
}

static void test_glance(void **state)
{
	struct fake *fake;

	(void)state;
	begin(HEAPLOG_METRIC_RSS);
	fake = root(10, 100 * MB);
	look(1, 1, 100 * MB);
	assert_false(heaplog_tree_glance(tree, 2 * MS));
	fake->resident = 101 * MB;
	assert_false(heaplog_tree_glance(tree, 3 * MS));
	fake->resident = 110 * MB;
	assert_true(heaplog_tree_glance(tree, 4 * MS));
	fake_count = 0;
	assert_true(heaplog_tree_glance(tree, 5 * MS));
	end();
}

static ssize_t write_without_reader(int fd, const void *text, size_t size)
{
	(void)fd;
	(void)text;
	(void)size;
	assert_int_equal(mark, 1);
	errno = EPIPE;
	return -1;
}

static void test_no_sigpipe(void **state)
{
	(void)state;
	write_as = write_without_reader;
	for (int before = 0; before <= 1; before++) {
		mark = before;
		assert_int_equal(darwin_SYS_write(2, "text", 4), -1);
		assert_int_equal(errno, EPIPE);
		assert_int_equal(mark, before);
	}
	write_as = write;
}

static void test_a_file_without_the_mark(void **state)
{
	const int fd = open("file", O_RDWR | O_CREAT, 0600);

	(void)state;
	assert_true(fd >= 0);
	mark_error = ENOTTY;
	mark = 0;
	assert_int_equal(darwin_SYS_write(fd, "text", 4), 4);
	assert_int_equal(mark, 0);
	mark_error = 0;
	close(fd);
}

/* This process would die of SIGXFSZ: the kernel's limit is a real one. */
static void test_no_sigxfsz(void **state)
{
	struct rlimit before, limit;
	struct stat status;
	int appending = open("file", O_WRONLY | O_CREAT | O_APPEND, 0600);
	const int other = open("file", O_WRONLY);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){10, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(darwin_SYS_write(appending, "12345678", 8), 8);
	/* Just opened it stands at 0, and writes behind the end all the same. */
	close(appending);
	appending = open("file", O_WRONLY | O_APPEND);
	assert_int_equal(darwin_SYS_write(appending, "9ab", 3), -1);
	assert_int_equal(errno, EFBIG);
	assert_int_equal(darwin_SYS_write(appending, "9a", 2), 2);
	/* Not behind the end, but where it stands. */
	assert_int_equal(darwin_SYS_write(other, "0123456789", 10), 10);
	assert_int_equal(darwin_SYS_write(other, "a", 1), -1);
	assert_int_equal(errno, EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(fstat(appending, &status), 0);
	assert_int_equal(status.st_size, 10);
	close(appending);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_before_exec_nothing_counts),  TORTURE(test_descendants_are_summed_and_kept),
	    TORTURE(test_a_number_that_is_used_again), TORTURE(test_zombies_do_not_count),
	    TORTURE(test_fork_without_exec),           TORTURE(test_footprint),
	    TORTURE(test_rss_is_never_called_exact),   TORTURE(test_glance),
	    TORTURE(test_zombies_are_not_gone),        TORTURE(test_no_sigpipe),
	    TORTURE(test_a_file_without_the_mark),     TORTURE(test_no_sigxfsz),
	};

	return cmocka_run_group_tests_name("darwin", tests, NULL, NULL);
}
