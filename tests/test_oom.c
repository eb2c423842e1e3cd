/* The out-of-memory killer: where its count stands, in trees made up for the purpose, and a real one in a real memory
 * control group, where the machine lets us make one. */
#include "torture.h"

#include "measure/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#define S(text) ((char *)(uintptr_t)(text))

static char here[256];

/* A file below the test's directory, its directories with it. "%" in text stands for that directory. */
static void put(const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof path, "%s", name);
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0777);
		*slash = '/';
	}
	file = fopen(name, "w");
	assert_non_null(file);
	for (; *text; text++)
		if (*text == '%')
			fputs(here, file);
		else
			fputc(*text, file);
	assert_int_equal(fclose(file), 0);
}

static void check(int64_t count, const char *path)
{
	struct heaplog_oom_counter counter;
	const bool found = heaplog_oom_find("proc", &counter);

	assert_int_equal(found, count >= 0);
	if (found) {
		assert_string_equal(
		    strncmp(counter.path, here, strlen(here)) ? counter.path : counter.path + strlen(here) + 1, path);
		assert_int_equal(heaplog_oom_count(&counter), count);
	}
}

static int begin(void **state)
{
	if (torture_setup(state) != 0)
		return -1;
	strcpy(here, ((struct torture *)*state)->directory);
	mkdir("proc", 0777);
	mkdir("proc/self", 0777);
	return 0;
}

static const char events[] = "low 0\nhigh 3\nmax 9\noom 8\noom_kill 7\noom_group_kill 1\n";
static const char control[] = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n";
static const char machine[] = "nr_free_pages 100\noom_kill 3\nnuma_hit 7\n";

static void test_version_2(void **state)
{
	(void)state;
	put("proc/self/cgroup", "0::/user.slice/a b\n");
	put("proc/self/mountinfo", "22 1 0:20 / /proc rw - proc proc rw\n"
				   "25 1 0:22 / %/cg rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
	put("proc/vmstat", machine);
	put("cg/user.slice/a b/memory.events", events);
	check(7, "cg/user.slice/a b/memory.events");
}

/* In a container the root of the mount is its own group, whatever it is called outside. */
static void test_container(void **state)
{
	(void)state;
	put("proc/self/cgroup", "0::/\n");
	put("proc/self/mountinfo", "25 1 0:22 / %/with\\040space rw - cgroup2 cgroup rw\n");
	put("with space/memory.events", events);
	check(7, "with space/memory.events");
	put("proc/self/cgroup", "5:cpuset:/\n4:cpu,memory:/docker/0123/below\n0::/\n");
	put("proc/self/mountinfo", "25 1 0:22 /docker/01 %/other ro - cgroup cgroup rw,memory\n"
				   "26 1 0:22 /docker/0123 %/v1 ro - cgroup cgroup rw,cpu,memory\n");
	put("v1/below/memory.oom_control", control);
	put("other/23/below/memory.oom_control", machine);
	check(5, "v1/below/memory.oom_control");
}

/* Both versions are mounted, and memory is with the first. */
static void test_hybrid(void **state)
{
	(void)state;
	put("proc/self/cgroup", "9:name=systemd:/x\n4:memory:/m\n1:memoryless:/n\n0::/u\n");
	put("proc/self/mountinfo", "30 1 0:30 / %/unified rw - cgroup2 cgroup2 rw\n"
				   "31 1 0:31 / %/cpu rw - cgroup cgroup rw,cpu\n"
				   "32 1 0:32 / %/memory rw - cgroup cgroup rw,memory\n");
	put("unified/u/cgroup.procs", "");
	put("memory/m/memory.oom_control", control);
	put("memory/n/memory.oom_control", machine);
	check(5, "memory/m/memory.oom_control");
}

static void test_machine(void **state)
{
	(void)state;
	put("proc/vmstat", machine);
	check(3, "proc/vmstat"); /* no self/cgroup at all */
	put("proc/self/cgroup", "0::/gone\n");
	check(3, "proc/vmstat");
	put("proc/self/mountinfo", "25 1 0:22 / %/cg rw - cgroup2 cgroup2 rw\n");
	check(3, "proc/vmstat");
	put("cg/gone/memory.events", "low 0\noom 1\n"); /* Linux before 4.13 */
	check(3, "proc/vmstat");
	put("proc/self/cgroup", "nonsense\n:\n::\n0:\n0::relative\n4:memory\n");
	check(3, "proc/vmstat");
	put("proc/vmstat", "nr_free_pages 100\n");
	check(-1, NULL);
	assert_int_equal(unlink("proc/vmstat"), 0);
	check(-1, NULL);
}

/* Lines that are longer than any buffer, lines that break off, numbers without end. */
static void test_odd_files(void **state)
{
	char *long_line = calloc(1, 20000);
	FILE *file;

	(void)state;
	assert_non_null(long_line);
	memset(long_line, 'x', 19000);
	put("proc/self/cgroup", "0::/g");
	file = fopen("proc/self/mountinfo", "w");
	assert_non_null(file);
	fprintf(file, "20 1 0:9 / /overlay rw - overlay overlay %s\n", long_line);
	fprintf(file, "\nshort\n1 2 3\n - cgroup2\n25 1 0:22 / %s/cg rw - cgroup2 cgroup2 rw\n%s", here, long_line);
	fclose(file);
	free(long_line);
	put("cg/g/memory.events", "oom 1\noom_kill 12");
	check(12, "cg/g/memory.events");
	put("cg/g/memory.events", "oom_kill 99999999999999999999999999999\n");
	struct heaplog_oom_counter counter;
	assert_true(heaplog_oom_find("proc", &counter));
	assert_in_range(heaplog_oom_count(&counter), 1, INT64_MAX);
}

/* ---- a real one ---- */

static char group[300];

static bool put_number(const char *name, const char *number)
{
	char path[400];
	int fd;
	bool written;

	snprintf(path, sizeof path, "%s/%s", group, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	written = write(fd, number, strlen(number)) > 0;
	close(fd);
	return written;
}

/* A group of 100 MB without swap. */
static bool make_group(void)
{
	static const char *const parents[] = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"};
	static const char *const limits[][2] = {{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"},
						{"memory.max", "memory.swap.max"}};
	char path[400];

	for (size_t i = 0; i < 2; i++) {
		snprintf(group, sizeof group, "%s/heaplog-test-%d", parents[i], getpid());
		if (mkdir(group, 0755) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", group, limits[i][1]);
		if (put_number(limits[i][0], "104857600") &&
		    (access(path, F_OK) != 0 || put_number(limits[i][1], i ? "0" : "104857600")))
			return true;
		rmdir(group);
	}
	return false;
}

static int with_group(void **state)
{
	if (torture_setup(state) != 0)
		return -1;
	if (!make_group())
		group[0] = '\0';
	return 0;
}

static int without_group(void **state)
{
	/* The kernel takes a moment to see that the last process has left. */
	for (int i = 0; group[0] && i < 5000 && rmdir(group) != 0 && errno == EBUSY; i++)
		usleep(1000);
	return torture_teardown(state);
}

/* helper_runner in the group. script: what the shell between it and the memory does. */
static struct torture_result *run(const char *script)
{
	static char text[8192];
	char *argv[] = {S("/bin/sh"), S("-c"), text, NULL};
	char *entries[] = {S("PATH=/usr/bin:/bin"), S("NX_LOG_HEAP_USAGE=true"), S("HEAPLOG_RESULTS=results"),
			   torture_preload(), NULL};

	snprintf(text, sizeof text, "echo $$ >%s/cgroup.procs && export TASK=%s && exec %s -ta %s", group,
		 torture_path("tests/helper_task"), torture_path("tests/helper_runner"), script);
	return torture_run(argv, entries);
}

static void test_real(void **state)
{
	static const struct {
		const char *script, *end;
	} rows[] = {
	    {"a build - $TASK hold 300 100", "MB, OOM-killed)"},
	    {"a build - sh -c '$TASK hold 300 100; exit $?'", "MB, OOM-killed)"},
	    {"a build - sh -c '$TASK hold 300 100; exit 1'", "MB, OOM-killed)"},
	    /* Handled: the task went on and ended well. */
	    {"a build - sh -c '$TASK hold 300 100; exit 0'", "MB)"},
	    /* Killed by hand, long after or without any want of memory. */
	    {"a build - sh -c '$TASK hold 10 100; kill -9 $$'", "MB, SIGKILL)"},
	    {"a build - sh -c '$TASK hold 300 100; sleep 1.5; kill -9 $$'", "MB, SIGKILL)"},
	    /* Out of its own memory: not the kernel's doing. */
	    {"a build - sh -c '$TASK kill 10 6; exit $?'", "MB, SIGABRT)"},
	};
	char line[20000];
	FILE *file;

	(void)state;
	if (!group[0]) {
		printf("             no memory control group can be made here (it takes root and a writable cgroup)\n");
		skip();
	}
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct torture_result *result = run(rows[i].script);

		if (!strstr(result->output, rows[i].end))
			fail_msg("%s: no \"%s\" in:\n%s%s", rows[i].script, rows[i].end, result->output,
				 result->errors);
	}
	file = fopen("results", "r");
	assert_non_null(file);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_non_null(fgets(line, sizeof line, file));
		assert_non_null(strstr(line, i < 3 ? "\"oom\":true" : "\"oom\":false"));
	}
	fclose(file);
}

/* Two at once: the other one, which fails for another reason, is not blamed on it. */
static void test_real_other(void **state)
{
	struct torture_result *result;

	(void)state;
	if (!group[0])
		skip();
	result = run("a other - sh -c 'while [ ! -e done ]; do sleep 0.02; done; exit 1' -- "
		     "b build - sh -c '$TASK hold 300 100; touch done; exit 1'");
	assert_non_null(strstr(result->output, "\n> nx run b:build (peak: "));
	assert_non_null(strstr(strstr(result->output, "b:build"), "MB, OOM-killed)"));
	*strstr(result->output, "\n> nx run b:build") = '\0';
	assert_null(strstr(result->output, "OOM"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_version_2, begin, torture_teardown),
	    cmocka_unit_test_setup_teardown(test_container, begin, torture_teardown),
	    cmocka_unit_test_setup_teardown(test_hybrid, begin, torture_teardown),
	    cmocka_unit_test_setup_teardown(test_machine, begin, torture_teardown),
	    cmocka_unit_test_setup_teardown(test_odd_files, begin, torture_teardown),
	};
	const struct CMUnitTest real_tests[] = {
	    cmocka_unit_test_setup_teardown(test_real, with_group, without_group),
	    cmocka_unit_test_setup_teardown(test_real_other, with_group, without_group),
	};
	const int failed = cmocka_run_group_tests_name("oom", tests, NULL, NULL);

	/* A sanitizer's shadow memory does not fit into 100 MB. */
	return torture_sanitized() ? failed : failed + cmocka_run_group_tests_name("real oom", real_tests, NULL, NULL);
}
