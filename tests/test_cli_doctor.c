/* heaplog doctor: broken set-ups, each of which must be named. Some need root and namespaces of their own. */
#include "torture.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define W(text) (char *)(uintptr_t)(text)

static char *heaplog(void)
{
	return W(torture_path("heaplog"));
}

static char *runtime_entry(void)
{
	static char entry[512];
	char directory[400];

	snprintf(entry, sizeof entry, "XDG_RUNTIME_DIR=%s", getcwd(directory, sizeof directory));
	return entry;
}

/* heaplog doctor command... (NULL: none) with one more entry in its environment. */
static struct torture_result *doctor(char *const command[], char *extra)
{
	char *argv[16] = {heaplog(), W("doctor"), W("--")};
	char *entries[] = {W("PATH=.:/usr/local/bin:/usr/bin:/bin"), W("LC_ALL=C.UTF-8"), runtime_entry(), extra, NULL};

	for (size_t i = 0; command && command[i]; i++)
		argv[3 + i] = command[i];
	if (!command)
		argv[2] = NULL;
	return torture_run(argv, entries);
}

/* The set-up is wrong for a reason that is named on one line. */
static void expect(const char *kind, const char *text, char *const command[], char *extra)
{
	struct torture_result *result = doctor(command, extra);
	bool named = false;

	for (char *line = strtok(result->output, "\n"); line; line = strtok(NULL, "\n"))
		named = named || (strncmp(line, kind, strlen(kind)) == 0 && strstr(line, text));
	if (!named)
		print_error("no line \"%s ... %s\"\n", kind, text);
	assert_true(named);
	if (strcmp(kind, "wrong") == 0)
		assert_int_equal(WEXITSTATUS(result->status), 1);
}

static void copy(const char *from, const char *to, mode_t mode)
{
	char command[9000];

	snprintf(command, sizeof command, "cp '%s' '%s' && chmod %o '%s'", from, to, mode, to);
	assert_int_equal(system(command), 0);
}

static void patch(const char *file, const char *from, const char *to)
{
	static char text[1 << 20];
	const int fd = open(file, O_RDWR);
	const ssize_t length = read(fd, text, sizeof text);
	char *at = memmem(text, (size_t)length, from, strlen(from));

	assert_non_null(at);
	assert_int_equal(pwrite(fd, to, strlen(to) + 1, at - text), (ssize_t)strlen(to) + 1);
	close(fd);
}

static void test_well(void **state)
{
	struct torture_result *result;

	(void)state;
	if (torture_sanitized())
		skip();
	result = doctor(NULL, NULL);
	assert_int_equal(result->status, 0);
	assert_non_null(strstr(result->output, "(peak: "));
	assert_string_equal(result->errors, "");
	result = doctor(NULL, torture_preload());
	assert_int_equal(WEXITSTATUS(result->status), 1); /* preloaded, but off */
	assert_int_equal(
	    torture_run((char *[]){heaplog(), W("doctor"), W("--bogus"), NULL}, (char *[]){W("PATH=/bin"), NULL})
		->status,
	    2 << 8);
	assert_int_equal(
	    torture_run((char *[]){heaplog(), W("doctor"), W("--help"), NULL}, (char *[]){W("PATH=/bin"), NULL})
		->status,
	    0);
}

static void test_environment(void **state)
{
	char entry[600], directory[400];

	(void)state;
	if (torture_sanitized())
		skip();
	assert_non_null(getcwd(directory, sizeof directory));
	expect("wrong", "does not exist", NULL, W("LD_PRELOAD=/nowhere/libheaplog.so"));
	expect("wrong", "relative path", NULL, W("LD_PRELOAD=./libheaplog.so"));
	expect("wrong", "no path", NULL, W("LD_PRELOAD=libheaplog.so"));
	/* A blank: two entries to the loader. */
	expect("wrong", "ends at a blank", NULL, W("LD_PRELOAD=/home/me/heaplog build/libheaplog.so"));
	/* No library; and one for another machine. */
	copy("/etc/passwd", "libheaplog.so", 0644);
	snprintf(entry, sizeof entry, "LD_PRELOAD=%s/libheaplog.so", directory);
	expect("wrong", "no shared library", NULL, entry);
	copy(torture_path("libheaplog.so"), "libheaplog.so", 0644);
	assert_int_equal(truncate("libheaplog.so", 4096), 0);
	const int fd = open("libheaplog.so", O_RDWR);
	assert_int_equal(pwrite(fd, (uint16_t[]){EM_S390}, 2, 18), 2);
	close(fd);
	expect("wrong", "is for S/390", NULL, entry);

	expect("wrong", "off", NULL, W("NX_LOG_HEAP_USAGE=false"));
	expect("wrong", "off", NULL, W("HEAPLOG=0"));
	expect("wrong", "counts as false", NULL, W("NX_LOG_HEAP_USAGE=yes"));
	expect("wrong", "inside a task of Nx", NULL, W("NX_TASK_TARGET_PROJECT=a"));
	expect("wrong", "inside a task of turbo", NULL, W("TURBO_HASH=1"));
	expect("wrong", "not nx, npm, all or a pattern", NULL, W("HEAPLOG_TASK={"));
	expect("note", "no threshold", NULL, W("HEAPLOG_WARN=much"));
	assert_int_equal(symlink("target", "results"), 0);
	expect("wrong", "symbolic link", NULL, W("HEAPLOG_RESULTS=results"));
	expect("wrong", "cannot be written", NULL, W("HEAPLOG_RESULTS=/nowhere/results"));
}

static void check_command(const char *kind, const char *text, const char *first, const char *second)
{
	char *command[] = {W(first), W(second), NULL};

	expect(kind, text, command, NULL);
}

static void test_command(void **state)
{
	(void)state;
	if (torture_sanitized())
		skip();
	check_command("wrong", "command not found", "no-such-command", NULL);
	check_command("wrong", "sudo takes LD_PRELOAD out", "sudo", "nx");
	check_command("wrong", "sudo takes LD_PRELOAD out", "nice", "sudo");
	check_command("wrong", "in another place", "docker", "run");
	check_command("wrong", "env -i empties", "env", "-i");
	check_command("note", "statically linked", torture_path("tests/helper_runner_static"), NULL);
	check_command("note", "no task runner that heaplog knows", "/bin/ls", NULL);
	copy(torture_path("tests/helper_runner_static"), "node", 0755);
	check_command("wrong", "dynamically linked", "./node", NULL);
	/* A program for musl: only its loader's name says so. */
	copy("/bin/true", "alpine", 0755);
	patch("alpine", "/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1");
	check_command("wrong", "another C library", "./alpine", NULL);
	copy("/bin/true", "foreign", 0755);
	const int fd = open("foreign", O_RDWR);
	assert_int_equal(pwrite(fd, (uint16_t[]){EM_AARCH64}, 2, 18), 2);
	close(fd);
	check_command("wrong", "another architecture", "./foreign", NULL);
	/* What /snap/bin holds are links to snap. */
	copy("/bin/true", "snap", 0755);
	assert_int_equal(symlink("snap", "nodejs"), 0);
	check_command("wrong", "is a snap", "./nodejs", NULL);
	if (geteuid() == 0) {
		copy("/bin/true", "entitled", 0755);
		assert_int_equal(chown("entitled", 65534, 65534), 0);
		assert_int_equal(chmod("entitled", 04755), 0);
		check_command("wrong", "gains rights", "./entitled", NULL);
	}
}

/* In a mount namespace (and, with processes, a pid namespace) of its own, which ends with the child. */
static int in_namespace(int flags, int (*try)(void))
{
	int status;
	const pid_t child = fork();

	if (child == 0) {
		if (unshare(CLONE_NEWNS | flags) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
			_exit(77);
		if (flags & CLONE_NEWPID) {
			const pid_t first = fork();

			if (first == 0)
				_exit(try());
			waitpid(first, &status, 0);
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
		}
		_exit(try());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int says(const char *text, char *extra)
{
	const struct torture_result *result = doctor(NULL, extra);

	if (strstr(result->output, text) || strstr(result->errors, text))
		return 0;
	print_error("not said: %s\n%s%s", text, result->output, result->errors);
	return 1;
}

static int try_noexec(void)
{
	char entry[600], directory[400];

	if (mkdir("noexec", 0755) != 0 || mount("tmpfs", "noexec", "tmpfs", MS_NOEXEC, NULL) != 0)
		return 77;
	copy(torture_path("libheaplog.so"), "noexec/libheaplog.so", 0755);
	snprintf(entry, sizeof entry, "LD_PRELOAD=%s/noexec/libheaplog.so", getcwd(directory, sizeof directory));
	return says("mounted noexec", entry);
}

static int try_hidepid(void)
{
	return mount("proc", "/proc", "proc", 0, "hidepid=2") != 0 ? 77 : says("hidepid=", NULL);
}

static int try_without_proc(void)
{
	return mount("tmpfs", "/proc", "tmpfs", 0, NULL) != 0 ? 77 : says("is /proc mounted?", NULL);
}

static void test_machine(void **state)
{
	static int (*const tries[])(void) = {try_noexec, try_hidepid, try_without_proc};

	(void)state;
	if (torture_sanitized() || geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		const int status = in_namespace(i == 1 ? CLONE_NEWPID : 0, tries[i]);

		if (status == 77) /* a container that may not mount */
			print_message("set-up %zu cannot be made here\n", i);
		else
			assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_well),
	    TORTURE(test_environment),
	    TORTURE(test_command),
	    TORTURE(test_machine),
	};

	return cmocka_run_group_tests_name("cli_doctor", tests, NULL, NULL);
}
