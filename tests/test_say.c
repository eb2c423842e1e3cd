/* What heaplog says on the program's descriptors is not felt by it. */
#include "torture.h"

#include "../src/preload/say.c"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const char text[] = "heaplog: a line\n";

/* say() in a process with the default actions; returns its status. */
static int said_by_child(int fd, size_t length)
{
	static char bytes[1 << 17];
	int status;
	const pid_t pid = fork();

	if (pid == 0) {
		sigset_t before, after;

		for (int i = 0; i < SIGNALS; i++)
			signal(signals[i], SIG_DFL);
		pthread_sigmask(SIG_SETMASK, NULL, &before);
		alarm(60); /* a hang fails, and is not waited for */
		memset(bytes, 'x', sizeof bytes);
		say(fd, length ? bytes : text, length ? length : strlen(text));
		pthread_sigmask(SIG_SETMASK, NULL, &after);
		for (int i = 1; i < SIGRTMIN; i++)
			if (sigismember(&before, i) != sigismember(&after, i))
				_exit(2);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_pipe(void **state)
{
	char read_back[64];
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(said_by_child(ends[1], 0), 0);
	assert_int_equal(read(ends[0], read_back, sizeof read_back), strlen(text));
	assert_memory_equal(read_back, text, strlen(text));
	close(ends[0]); /* no reader: SIGPIPE would end the child */
	assert_int_equal(said_by_child(ends[1], 0), 0);
	close(ends[1]);
}

/* A pipe that blocks, and nobody reads: more than fits is given up. */
static void test_full_pipe(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(said_by_child(ends[1], 1 << 17), 0);
	assert_int_equal(said_by_child(ends[1], 0), 0);
	close(ends[0]);
	close(ends[1]);
}

/* A file that may not grow: SIGXFSZ would end the child. */
static void test_limit(void **state)
{
	const struct rlimit limit = {.rlim_cur = 4, .rlim_max = RLIM_INFINITY};
	struct rlimit before;
	const int fd = open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	const int status = said_by_child(fd, 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(status, 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 4);
	close(fd);
	assert_int_equal(said_by_child(fd, 0), 0); /* closed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_pipe, torture_setup, torture_teardown),
	    cmocka_unit_test_setup_teardown(test_full_pipe, torture_setup, torture_teardown),
	    cmocka_unit_test_setup_teardown(test_limit, torture_setup, torture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
