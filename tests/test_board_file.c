/* The board as a file: what it says while a task runs, who may make it, and that it goes. */
#include "torture.h"

#include "record/board_layout.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define S(text) ((char *)(uintptr_t)(text))
#define ON S("NX_LOG_HEAP_USAGE=true")

static char directory[600];

/* A runner of one task that looks at the board. */
static struct torture_result *run(const char *what, const char *runtime_directory)
{
	char variable[700];
	char *argv[] = {S(torture_path("tests/helper_runner")), S("-t"), S("@acme/a"), S("build"), S("ci"),
			S(torture_path("tests/helper_board")),  S(what), directory,    NULL};
	char *entries[] = {S("PATH=/usr/bin:/bin"), ON, torture_preload(), variable, NULL};

	snprintf(variable, sizeof variable, "XDG_RUNTIME_DIR=%s", runtime_directory);
	return torture_run(argv, entries);
}

static int files(const char *path)
{
	DIR *list = opendir(path);
	struct dirent *entry;
	int count = 0;

	assert_non_null(list);
	while ((entry = readdir(list)))
		count += entry->d_name[0] != '.';
	closedir(list);
	return count;
}

static void in_runtime_directory(const struct torture *torture)
{
	snprintf(directory, sizeof directory, "%s/heaplog", torture->directory);
}

static const char expected[] = "owner 1 run 1 version 1 size 1\n"
			       "@acme/a:build:ci|@acme/a|build|ci|1234@acme/a|rss\n"
			       "pid 1 peak 1 upper 1 processes 1 runner nx\n";

static void test_live(void **state)
{
	struct torture *torture = *state;
	struct torture_result *result;
	struct stat status;

	in_runtime_directory(torture);
	result = run("look", torture->directory);
	assert_string_equal(result->errors, "");
	assert_int_equal(result->status, 0);
	assert_int_equal(strncmp(result->output, expected, strlen(expected)), 0);
	assert_int_equal(stat(directory, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(files(directory), 0); /* removed at the exit */
}

/* The last figures survive a SIGKILL; the next runner removes the file, and leaves what is not a board. */
static void test_killed(void **state)
{
	struct torture *torture = *state;
	struct torture_result *result;
	struct heaplog_board *board = MAP_FAILED;
	struct heaplog_board_figures figures;
	char path[1024] = "";
	struct dirent *entry;
	struct stat status;
	DIR *list;

	in_runtime_directory(torture);
	result = run("kill", torture->directory);
	assert_int_equal(WTERMSIG(result->status), SIGKILL);
	assert_int_equal(files(directory), 1);
	list = opendir(directory);
	while ((entry = readdir(list)))
		if (entry->d_name[0] != '.')
			snprintf(path, sizeof path, "%s/%.20s", directory, entry->d_name);
	closedir(list);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	const int fd = open(path, O_RDONLY);
	board = mmap(NULL, sizeof *board, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	assert_true(board != MAP_FAILED);
	assert_true(heaplog_board_read(&board->task[0], &figures));
	assert_true(figures.peak_bytes > 100000);
	munmap(board, sizeof *board);
	snprintf(path, sizeof path, "%s/1", directory);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	run("look", torture->directory);
	assert_int_equal(files(directory), 1);
	assert_int_equal(access(path, F_OK), 0);
}

/* A directory that is not the user's alone is not used: the fallback is, or none, and nothing is said. */
/* [req: H-81] */
static void test_bad_directory(void **state)
{
	struct torture *torture = *state;
	struct torture_result *result;

	in_runtime_directory(torture);
	assert_int_equal(mkdir(directory, 0755), 0);
	snprintf(directory, sizeof directory, "/tmp/heaplog-%u", (unsigned)geteuid());
	result = run("look", torture->directory);
	assert_string_equal(result->errors, "");
	assert_int_equal(result->status, 0);
	assert_int_equal(strncmp(result->output, expected, strlen(expected)), 0);
	in_runtime_directory(torture);
	assert_int_equal(files(directory), 0);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(symlink(torture->directory, directory), 0);
	snprintf(directory, sizeof directory, "/tmp/heaplog-%u", (unsigned)geteuid());
	result = run("look", torture->directory);
	assert_int_equal(result->status, 0);
}

/* A process that starts no task makes no file. */
static void test_no_task_no_file(void **state)
{
	struct torture *torture = *state;
	char variable[700];
	char *argv[] = {S("/bin/sh"), S("-c"), S("sh -c true; true"), NULL};
	char *entries[] = {S("PATH=/usr/bin:/bin"), ON, torture_preload(), variable, NULL};

	snprintf(variable, sizeof variable, "XDG_RUNTIME_DIR=%s", torture->directory);
	assert_int_equal(torture_run(argv, entries)->status, 0);
	assert_int_equal(files(torture->directory), 0);
}

static void *write_forever(void *argument)
{
	struct heaplog_board_task *place = argument;

	for (uint32_t i = 1; atomic_load(&place->sequence) < 400000; i++) {
		atomic_fetch_add(&place->sequence, 1);
		atomic_thread_fence(memory_order_seq_cst);
		place->figures.current_bytes = i;
		place->figures.state = HEAPLOG_BOARD_RUNNING;
		place->figures.peak_at_ms = i;
		atomic_thread_fence(memory_order_seq_cst);
		atomic_fetch_add(&place->sequence, 1);
	}
	return NULL;
}

/* No copy is of two moments. */
static void test_consistent(void **state)
{
	static struct heaplog_board_task place;
	struct heaplog_board_figures copy;
	pthread_t thread;

	(void)state;
	if (torture_sanitized()) /* a sequence lock is a race by design, which TSan reports */
		return;
	assert_false(heaplog_board_read(&place, &copy));
	pthread_create(&thread, NULL, write_forever, &place);
	while (atomic_load(&place.sequence) < 400000)
		if (heaplog_board_read(&place, &copy))
			assert_int_equal(copy.current_bytes, copy.peak_at_ms);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_live),       TORTURE(test_killed), TORTURE(test_bad_directory), TORTURE(test_no_task_no_file),
	    TORTURE(test_consistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
