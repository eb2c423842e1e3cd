/* heaplog doctor: the library, the environment and the machine (the command is test_cli_doctor_command's). */
#include "doctor.h"

#include <elf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void test_well(void **state)
{
	struct torture_result *result;
	char *entries[] = {W("PATH=/bin"), NULL};

	(void)state;
	if (torture_sanitized())
		skip();
	expect_sound("nothing but the doctor", "", NULL, NULL);
	result = doctor_run(heaplog(), NULL, NULL);
	assert_non_null(strstr(result->output, "(peak: "));
	assert_string_equal(result->errors, "");
	expect("the library preloaded, and no switch", "wrong", "preloaded, but off", NULL, torture_preload());
	assert_int_equal(torture_run((char *[]){heaplog(), W("doctor"), W("--bogus"), NULL}, entries)->status, 2 << 8);
	assert_int_equal(torture_run((char *[]){heaplog(), W("doctor"), W("--help"), NULL}, entries)->status, 0);
	conclude();
}

static void test_environment(void **state)
{
	char entry[600], directory[400];

	(void)state;
	if (torture_sanitized())
		skip();
	assert_non_null(getcwd(directory, sizeof directory));
	expect("LD_PRELOAD with a wrong path", "wrong", "does not exist", NULL, W("LD_PRELOAD=/nowhere/libheaplog.so"));
	expect("LD_PRELOAD with a relative path", "wrong", "relative path", NULL, W("LD_PRELOAD=./libheaplog.so"));
	expect("LD_PRELOAD with a bare name", "wrong", "no path", NULL, W("LD_PRELOAD=libheaplog.so"));
	/* Two entries to the loader. */
	expect("LD_PRELOAD with a blank in the path", "wrong", "ends at a blank", NULL,
	       W("LD_PRELOAD=/home/me/heaplog build/libheaplog.so"));
	expect("LD_PRELOAD with a blank before our name", "wrong", "ends at a blank", NULL,
	       W("LD_PRELOAD=/usr/lib/other.so:/home/me/My Big Project/node_modules/heaplog/libheaplog.so"));
	assert_int_equal(system("mkdir a:b"), 0);
	copy(torture_path("libheaplog.so"), "a:b/libheaplog.so", 0644);
	snprintf(entry, sizeof entry, "LD_PRELOAD=%s/a:b/libheaplog.so", directory);
	expect("LD_PRELOAD with a colon in the path", "wrong", "a:b/libheaplog.so: an entry ends", NULL, entry);
	expect("LD_PRELOAD with a misspelt name", "wrong", "libhealog.so does not exist", NULL,
	       W("LD_PRELOAD=/usr/lib/libhealog.so"));
	expect("LD_PRELOAD with another library that is not there", "note", "jemalloc.so.2 does not exist", NULL,
	       W("LD_PRELOAD=/nowhere/libjemalloc.so.2"));
	expect_sound("LD_PRELOAD with another library that is not there, and no word of ours", "", NULL,
		     W("LD_PRELOAD=/nowhere/libjemalloc.so.2"));
	copy(torture_path("libheaplog.so"), "peaks.so", 0644);
	snprintf(entry, sizeof entry, "LD_PRELOAD=%s/peaks.so", directory);
	expect("LD_PRELOAD with the library by another name, and no switch", "wrong", "preloaded, but off", NULL,
	       entry);
	copy("/etc/passwd", "libheaplog.so", 0644);
	snprintf(entry, sizeof entry, "LD_PRELOAD=%s/libheaplog.so", directory);
	expect("LD_PRELOAD with no library", "wrong", "no shared library", NULL, entry);
	copy(torture_path("libheaplog.so"), "libheaplog.so", 0644);
	assert_int_equal(truncate("libheaplog.so", 4096), 0);
	const int fd = open("libheaplog.so", O_RDWR);
	assert_int_equal(pwrite(fd, (uint16_t[]){EM_S390}, 2, 18), 2);
	close(fd);
	expect("LD_PRELOAD with another machine's library", "wrong", "is for S/390", NULL, entry);

	expect("NX_LOG_HEAP_USAGE=false", "wrong", "is off", NULL, W("NX_LOG_HEAP_USAGE=false"));
	expect("HEAPLOG=0", "wrong", "is off", NULL, W("HEAPLOG=0"));
	expect("NX_LOG_HEAP_USAGE=yes", "wrong", "counts as false", NULL, W("NX_LOG_HEAP_USAGE=yes"));
	expect("inside a task of Nx", "wrong", "inside a task of Nx", NULL, W("NX_TASK_TARGET_PROJECT=a"));
	expect("inside a task of turbo", "wrong", "inside a task of turbo", NULL, W("TURBO_HASH=1"));
	expect("HEAPLOG_TASK that is no pattern", "wrong", "not nx, npm, all or a pattern", NULL, W("HEAPLOG_TASK={"));
	expect("HEAPLOG_WARN that is no size", "note", "no threshold", NULL, W("HEAPLOG_WARN=much"));
	expect("HEAPLOG_INTERVAL_MS that is no number", "note", "abc is not a number", NULL,
	       W("HEAPLOG_INTERVAL_MS=abc"));
	expect("HEAPLOG_INTERVAL_MS with a unit", "note", "500ms is not a number", NULL,
	       W("HEAPLOG_INTERVAL_MS=500ms"));
	expect("HEAPLOG_INTERVAL_MS that is too short", "note", "5 is not a number", NULL, W("HEAPLOG_INTERVAL_MS=5"));
	expect_sound("HEAPLOG_INTERVAL_MS=60000", "", NULL, W("HEAPLOG_INTERVAL_MS=60000"));
	expect("HEAPLOG_METRIC that is none", "note", "foo is not rss or pss", NULL, W("HEAPLOG_METRIC=foo"));
	expect("HEAPLOG_EXACT that is no switch", "note", "maybe is not true", NULL, W("HEAPLOG_EXACT=maybe"));
	assert_int_equal(symlink("target", "results"), 0);
	expect("HEAPLOG_RESULTS that is a link", "wrong", "symbolic link", NULL, W("HEAPLOG_RESULTS=results"));
	expect("HEAPLOG_RESULTS in no directory", "wrong", "cannot be written", NULL,
	       W("HEAPLOG_RESULTS=/nowhere/results"));
	conclude();
}

/* The library beside the command, damaged: the command itself is not preloaded, and can say so. */
static void test_library(void **state)
{
	char program[] = "./heaplog";

	(void)state;
	if (torture_sanitized())
		skip();
	copy(torture_path("heaplog"), program, 0755);
	if (access("/usr/local/lib/libheaplog.so", F_OK) != 0) /* where it is looked for last */
		doctor_failures +=
		    !doctor_names("no library", "wrong", "is not there", doctor_run(program, NULL, NULL));
	copy(torture_path("libheaplog.so"), "libheaplog.so", 0644);
	assert_int_equal(doctor_run(program, NULL, NULL)->status, 0);
	patch("libheaplog.so", "libc.so.6", "libc.so");
	doctor_failures +=
	    !doctor_names("a library for another C library", "wrong", "is for musl", doctor_run(program, NULL, NULL));
	copy(torture_path("libheaplog.so"), "libheaplog.so", 0644);
	/* A path that cannot be an entry is not advised. */
	assert_int_equal(system("mkdir 'a b' && cp heaplog libheaplog.so 'a b'"), 0);
	doctor_failures += !doctor_names("a library in a path with a blank", "note", "by \"heaplog COMMAND\"",
					 doctor_run(W("a b/heaplog"), NULL, NULL));
	assert_null(strstr(doctor_run(W("a b/heaplog"), NULL, NULL)->output, "or with LD_PRELOAD="));
	assert_int_equal(truncate("libheaplog.so", 30000), 0);
	doctor_failures +=
	    !doctor_names("a truncated library", "wrong", "is truncated (30000 of", doctor_run(program, NULL, NULL));
	conclude();
}

/* make, and then make install with another LIBDIR: the command looks where the library is then. */
static void test_place(void **state)
{
	static const char *const places[] = {"/one/lib", "/two/lib64"};
	char line[2000], directory[400];

	(void)state;
	if (torture_sanitized() || system("command -v make >/dev/null") != 0)
		skip();
	assert_non_null(getcwd(directory, sizeof directory));
	for (size_t i = 0; i < 2; i++) {
		snprintf(line, sizeof line,
			 "env -u MAKEFLAGS -u MAKELEVEL make -s -C \"$HEAPLOG_FIXTURES/../..\" BUILD=%s/b LIBDIR=%s "
			 "%s/b/src/cli/library.c.o >/dev/null && grep -q %s/libheaplog.so b/src/cli/library.c.o",
			 directory, places[i], directory, places[i]);
		assert_int_equal(system(line), 0);
	}
}

/* In a child, whose limits and namespaces end with it. try returns its exit status, 77: cannot be set up here; it must
 * not assert, which would go on with the tests in the child. */
static void expect_in_child(const char *set_up, int (*try)(const char *))
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(try(set_up));
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		printf("not here   %s: cannot be set up on this machine\n", set_up);
	else
		doctor_failures += status != 0;
}

static int says(const char *set_up, const char *text, char *extra)
{
	return doctor_names(set_up, "wrong", text, doctor_run(heaplog(), NULL, extra)) ? 0 : 1;
}

static bool put(const char *file, const char *text)
{
	const int fd = open(file, O_WRONLY);
	const bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* A mount namespace of our own; who is not root gets one by a user namespace, where such are allowed. */
static bool enter(int flags)
{
	char user[64], group[64];

	if (geteuid() != 0) {
		snprintf(user, sizeof user, "0 %ld 1", (long)geteuid());
		snprintf(group, sizeof group, "0 %ld 1", (long)getegid());
		if (unshare(CLONE_NEWUSER) != 0 || !put("/proc/self/uid_map", user) ||
		    !put("/proc/self/setgroups", "deny") || !put("/proc/self/gid_map", group))
			return false;
	}
	return unshare(CLONE_NEWNS | flags) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* The first process of a new pid namespace. */
static int in_processes(const char *set_up, int (*try)(const char *))
{
	int status;
	pid_t first;

	if (!enter(CLONE_NEWPID))
		return 77;
	first = fork();
	if (first == 0)
		_exit(try(set_up));
	return waitpid(first, &status, 0) == first && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int try_noexec(const char *set_up)
{
	char entry[600], directory[400];

	if (!enter(0) || mkdir("noexec", 0755) != 0 || mount("tmpfs", "noexec", "tmpfs", MS_NOEXEC, NULL) != 0)
		return 77;
	if (!copied(torture_path("libheaplog.so"), "noexec/libheaplog.so", 0755))
		return 1;
	snprintf(entry, sizeof entry, "LD_PRELOAD=%s/noexec/libheaplog.so", getcwd(directory, sizeof directory));
	return says(set_up, "mounted noexec", entry);
}

static int mount_hidepid(const char *set_up)
{
	if (mount("proc", "/proc", "proc", 0, "hidepid=2") != 0)
		return 77;
	return doctor_names(set_up, "note", "is mounted with hidepid=", doctor_run(heaplog(), NULL, NULL)) ? 0 : 1;
}

static int try_hidepid(const char *set_up)
{
	return in_processes(set_up, mount_hidepid);
}

static int mount_two(const char *set_up)
{
	if (mkdir("other", 0755) != 0 || mount("proc", "/proc", "proc", 0, "hidepid=off") != 0 ||
	    mount("proc", "other", "proc", 0, "hidepid=2") != 0)
		return 77;
	const bool alarm = strstr(doctor_run(heaplog(), NULL, NULL)->output, "is mounted with hidepid");

	printf("%-9s  %s: hidepid is %sspoken of\n", alarm ? "ALARM" : "sound", set_up, alarm ? "" : "not ");
	fflush(stdout);
	return alarm;
}

/* hidepid of another proc than that on /proc. */
static int try_two(const char *set_up)
{
	return in_processes(set_up, mount_two);
}

static int look_in_other_processes(const char *set_up)
{
	return says(set_up, "belongs to another pid namespace", NULL);
}

static int try_other_processes(const char *set_up)
{
	return in_processes(set_up, look_in_other_processes);
}

static int try_without_proc(const char *set_up)
{
	return !enter(0) || mount("tmpfs", "/proc", "tmpfs", 0, NULL) != 0 ? 77 : says(set_up, "is not mounted", NULL);
}

/* What the test was started with besides counts as well. */
#define CLOSED "exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-; "

/* The doctor, limited by a command before it. */
static const struct torture_result *run_limited(const char *limit, const char *limited)
{
	char *argv[] = {W("/bin/sh"), W("-c"), W(limit), heaplog(), W(limited), NULL};

	return torture_run(argv, (char *[]){W("PATH=/usr/local/bin:/usr/bin:/bin"), NULL});
}

/* No other cause is named than the limit. */
static int limit_alone(const char *set_up, const char *text, const struct torture_result *result)
{
	const char *first = strstr(result->output, "wrong");

	return doctor_names(set_up, "wrong", text, result) && !strstr(first + 1, "wrong") &&
		       !strstr(result->output, "no shared library")
		   ? 0
		   : 1;
}

static int try_descriptors(const char *set_up)
{
	return limit_alone(set_up, "limit", run_limited(CLOSED "ulimit -n 4; exec \"$0\" doctor", NULL));
}

static int try_five_descriptors(const char *set_up)
{
	return limit_alone(set_up, "limit", run_limited(CLOSED "ulimit -n 5; exec \"$0\" doctor", NULL));
}

static int try_descriptors_of_node(const char *set_up)
{
	if (system("command -v node >/dev/null") != 0)
		return 77;
	return limit_alone(set_up, "files that can be opened (ulimit -n)",
			   run_limited(CLOSED "ulimit -n 12; exec \"$0\" doctor \"$1\"", "node"));
}

/* Root may search where it likes, and have as many processes. */
static bool be_nobody(void)
{
	return (geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0)) && access(heaplog(), X_OK) == 0;
}

static int try_searched(const char *set_up)
{
	char entry[600], directory[400];

	snprintf(entry, sizeof entry, "LD_PRELOAD=%s/closed/libheaplog.so", getcwd(directory, sizeof directory));
	if (mkdir("closed", 0) != 0 || !be_nobody())
		return 77;
	return says(set_up, "closed/libheaplog.so: Permission denied", entry);
}

static int try_processes(const char *set_up)
{
	if (system("command -v prlimit >/dev/null") != 0 || !be_nobody())
		return 77;
	return limit_alone(set_up, "no process can be made",
			   run_limited("exec prlimit --nproc=0 \"$0\" doctor npx nx", NULL));
}

static int try_address_space(const char *set_up)
{
	const struct rlimit limit = {.rlim_cur = 2000000ULL << 10, .rlim_max = 2000000ULL << 10};

	return setrlimit(RLIMIT_AS, &limit) != 0 ? 77 : says(set_up, "address space is limited", NULL);
}

/* As containers do it, these calls are refused. */
static int filter(unsigned first, unsigned second)
{
	struct sock_filter program[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first, 1, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, second, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog all = {.len = sizeof program / sizeof *program, .filter = program};

	return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 ||
	       prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &all) != 0;
}

static int try_filter(const char *set_up)
{
	return filter(SYS_close_range, SYS_unshare) ? 77 : says(set_up, "(a seccomp filter is in force)", NULL);
}

static int try_filter_memfd(const char *set_up)
{
	if (filter(SYS_memfd_create, SYS_memfd_create))
		return 77;
	return doctor_names(set_up, "note", "memfd_create is not allowed", doctor_run(heaplog(), NULL, NULL)) ? 0 : 1;
}

static void test_machine(void **state)
{
	(void)state;
	if (torture_sanitized())
		skip();
	expect_in_child("the library on a file system mounted noexec", try_noexec);
	expect_in_child("the library in a directory that may not be searched", try_searched);
	expect_in_child("/proc mounted with hidepid", try_hidepid);
	expect_in_child("another mount with hidepid", try_two);
	expect_in_child("/proc of another pid namespace", try_other_processes);
	expect_in_child("no /proc", try_without_proc);
	expect_in_child("four descriptors (ulimit -n)", try_descriptors);
	expect_in_child("five descriptors (ulimit -n)", try_five_descriptors);
	expect_in_child("twelve descriptors (ulimit -n), too few for node", try_descriptors_of_node);
	expect_in_child("no process may be made (ulimit -u)", try_processes);
	expect_in_child("a filter that forbids a table of descriptors of one's own", try_filter);
	expect_in_child("a filter that forbids memfd_create", try_filter_memfd);
	expect_in_child("2 GB of address space (ulimit -v)", try_address_space);
	conclude();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_well),  TORTURE(test_environment), TORTURE(test_library),
	    TORTURE(test_place), TORTURE(test_machine),
	};

	return cmocka_run_group_tests_name("cli_doctor", tests, NULL, NULL);
}
