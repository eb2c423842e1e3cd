/* Foreign tasks (other C libraries, static, 32-bit, Go, sanitized), a program of raised privileges, wrappers called
 * before our constructor, children by raw clone. Each is built where its compiler is there. */
#include "torture.h"

#include <sys/stat.h>
#include <sys/wait.h>

#define S(text) ((char *)(uintptr_t)(text))
#define PATH S("PATH=/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
#define ON S("NX_LOG_HEAP_USAGE=true")

static void put(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static bool built(const char *command)
{
	char quiet[1024];

	snprintf(quiet, sizeof quiet, "(%s) >/dev/null 2>&1", command);
	return system(quiet) == 0;
}

/* The small runner with this task, with and without the library: the same but for the suffix. Returns the suffixes. */
static size_t compare(char *const task[])
{
	static char base[1 << 16], base_errors[1 << 16];
	char *argv[16] = {S(torture_path("tests/helper_runner")), S("-t"), S("a"), S("build"), S("-")};
	char *base_entries[] = {PATH, ON, NULL};
	char *entries[] = {PATH, ON, torture_preload(), NULL};
	struct torture_result *result;
	size_t count;
	int status;

	for (size_t i = 0; task[i]; i++)
		argv[5 + i] = task[i];
	result = torture_run(argv, base_entries);
	status = result->status;
	memcpy(base, result->output, sizeof base - 1);
	memcpy(base_errors, result->errors, sizeof base_errors - 1);
	result = torture_run(argv, entries);
	assert_int_equal(result->status, status);
	count = torture_strip(result->output);
	assert_string_equal(result->output, base);
	assert_string_equal(result->errors, base_errors);
	return count;
}

/* [req: H-76] */
static void test_foreign(void **state)
{
	static const struct {
		const char *name, *command;
	} rows[] = {
	    {"musl", "musl-gcc -o foreign foreign.c"},
	    {"musl, static", "musl-gcc -static -o foreign foreign.c"},
	    {"static", "gcc -static -o foreign foreign.c"},
	    {"32 bit", "gcc -m32 -o foreign foreign.c"},
	    {"32 bit, musl, static",
	     "eval \"${HEAPLOG_ZIG:?}\" -target x86-linux-musl -o foreign foreign.c"}, /* make check-32 */
	    {"musl of zig", "eval \"${HEAPLOG_ZIG:?}\" -target x86_64-linux-musl -dynamic -o foreign foreign.c"},
	    {"AddressSanitizer", "gcc -fsanitize=address -o foreign foreign.c"},
	    {"ThreadSanitizer", "gcc -fsanitize=thread -o foreign foreign.c"},
	    {"Go", "HOME=$PWD GOFLAGS=-mod=mod GO111MODULE=off go build -o foreign foreign.go"},
	};
	char *task[] = {S("./foreign"), S("one"), NULL};
	size_t ran = 0;

	(void)state;
	put("foreign.c",
	    "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
	    "int main(int n, char **v) { printf(\"%d %s %d\\n\", n, v[1], getenv(\"LD_PRELOAD\") != 0); fflush(stdout);"
	    " if (n == 2) { system(\"echo shell\"); } usleep(50000); fprintf(stderr, \"done\\n\"); return 3; }\n");
	put("foreign.go",
	    "package main\nimport (\"fmt\"; \"os\"; \"os/exec\"; \"time\")\nfunc main() {\n"
	    "out, err := exec.Command(\"echo\", \"child\").Output()\nfmt.Println(len(os.Args), string(out), err)\n"
	    "time.Sleep(50 * time.Millisecond)\nos.Exit(3)\n}\n");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		remove("foreign");
		if (!built(rows[i].command)) {
			print_message("left out, not built here: %s\n", rows[i].name);
			continue;
		}
		compare(task);
		ran++;
	}
	assert_true(ran > 0);
}

/* [req: H-79] A file capability makes the loader ignore LD_PRELOAD, or us ignore the variables. */
static void test_privileged(void **state)
{
	char *argv[] = {S("./privileged"), S("-c"), S("sleep 0.01; echo $?"), NULL};
	char *base_entries[] = {PATH, ON, NULL};
	char *entries[] = {PATH, ON, S("HEAPLOG_RESULTS=results"), torture_preload(), NULL};
	char base[256];

	(void)state;
	if (!built("cp /bin/dash privileged && setcap cap_net_raw+ep privileged")) {
		print_message("left out: setcap is not allowed here\n");
		skip();
	}
	memcpy(base, torture_run(argv, base_entries)->output, sizeof base);
	assert_string_equal(torture_run(argv, entries)->output, base);
	assert_int_equal(access("results", F_OK), -1);
}

/* [req: H-08] Another library's constructor forks, waits, writes and spawns before ours has run. */
static void test_early(void **state)
{
	struct torture *torture = *state;
	char preload[9000];
	char *argv[] = {S("/bin/echo"), S("main"), NULL};
	char *base_entries[] = {PATH, ON, preload, NULL};
	char base[256];

	put("early.c",
	    "#include <spawn.h>\n#include <stdlib.h>\n#include <sys/wait.h>\n#include <unistd.h>\nextern char "
	    "**environ;\n"
	    "__attribute__((constructor(101))) static void early(void) { unsetenv(\"LD_PRELOAD\"); pid_t p = fork(); "
	    "int s;\n"
	    "if (p == 0) _exit(3); waitpid(p, &s, 0); char c[] = \"early 0\\n\"; c[6] = '0' + WEXITSTATUS(s);\n"
	    "if (write(1, c, 8) != 8) _exit(9); p = vfork(); if (p == 0) { execl(\"/bin/true\", \"true\", (char *)0); "
	    "_exit(8); }\n"
	    "wait(&s); char *v[] = {\"true\", 0}; posix_spawn(&p, \"/bin/true\", 0, 0, v, environ); wait(&s);\n"
	    "c[6] = '0' + (s != 0); if (write(1, c, 8) != 8) _exit(9); }\n");
	assert_true(built("gcc -shared -fPIC -o early.so early.c"));
	snprintf(preload, sizeof preload, "LD_PRELOAD=%s/early.so", torture->directory);
	memcpy(base, torture_run(argv, base_entries)->output, sizeof base);
	assert_non_null(strstr(base, "early 3\n"));
	for (int first = 0; first < 2; first++) {
		if (first)
			snprintf(preload, sizeof preload, "LD_PRELOAD=%s:%s/early.so", torture_path("libheaplog.so"),
				 torture->directory);
		else
			snprintf(preload, sizeof preload, "LD_PRELOAD=%s/early.so:%s", torture->directory,
				 torture_path("libheaplog.so"));
		assert_string_equal(torture_run(argv, base_entries)->output, base);
	}
}

/* [req: H-10] A task whose memory is in a child by raw clone. */
static void test_raw_clone(void **state)
{
	char *argv[] = {S(torture_path("tests/helper_runner")), S("-t"), S("a"), S("build"), S("-"), S("./raw"), NULL};
	char *entries[] = {PATH, ON, torture_preload(), NULL};
	struct torture_result *result;
	const char *peak;

	(void)state;
	put("raw.c",
	    "#define _GNU_SOURCE\n#include <signal.h>\n#include <stdlib.h>\n#include <string.h>\n#include "
	    "<sys/syscall.h>\n#include <sys/wait.h>\n"
	    "#include <unistd.h>\nint main(void) { long p = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); if (p == 0) {\n"
	    "char *m = malloc(60 << 20); memset(m, 1, 60 << 20); __asm__ volatile(\"\" : : \"r\"(m) : \"memory\"); "
	    "usleep(700000); _exit(0); }\n"
	    "waitpid((pid_t)p, 0, 0); return 0; }\n");
	assert_true(built("gcc -o raw raw.c"));
	result = torture_run(argv, entries);
	assert_int_equal(result->status, 0);
	peak = strstr(result->output, "(peak: ");
	assert_non_null(peak);
	assert_in_range(atoi(peak + 7), 60, 66);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_foreign),
	    TORTURE(test_privileged),
	    TORTURE(test_early),
	    TORTURE(test_raw_clone),
	};

	return torture_sanitized() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
