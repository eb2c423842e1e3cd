/* Which exec starts a task. */
#include "torture.h"

#include "task/task.h"

#include <sys/stat.h>

#define LIST(...) ((char *const *)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})
#define NOTHING ((char *const *)(uintptr_t)(const char *const[]){NULL})

static struct task_rule rule;
static struct task_name name;

/* The rule of a process with this environment. */
static void begin(const char *value, char *const envp[], const char *program)
{
	memset(&rule, 0, sizeof rule);
	assert_true(task_rule_read(&rule, value));
	task_rule_start(&rule, envp, program);
}

static enum task_what recognise(char *const argv[], char *const envp[])
{
	memset(&name, '#', sizeof name);
	return task_recognise(&rule, argv, envp, &name);
}

static void test_nx(void **state)
{
	(void)state;
	begin(NULL, NOTHING, "node");
	assert_string_equal(rule.runner, "nx");
	assert_int_equal(recognise(LIST("node", "x.js"), NOTHING), TASK_NOTHING);
	assert_int_equal(recognise(LIST("sh"), LIST("NX_TASK_TARGET_PROJECT=a", "NX_TASK_TARGET_TARGET=b")), TASK_ROOT);
	assert_string_equal(name.project, "a");
	assert_string_equal(name.target, "b");
	assert_null(name.configuration);
	assert_null(name.hash);
	assert_string_equal(name.text, "");
	assert_int_equal(recognise(LIST("sh"), LIST("NX_TASK_TARGET_PROJECT=a", "NX_TASK_TARGET_TARGET=b",
						    "NX_TASK_TARGET_CONFIGURATION=c", "NX_TASK_HASH=1")),
			 TASK_ROOT);
	assert_string_equal(name.configuration, "c");
	assert_string_equal(name.hash, "1");
	assert_int_equal(recognise(LIST("sh"), LIST("NX_TASK_TARGET_PROJECT=a", "NX_TASK_TARGET_TARGET=")),
			 TASK_NOTHING);
	assert_int_equal(recognise(LIST("sh"), LIST("NX_TASK_TARGET_TARGET=b")), TASK_NOTHING);
	begin("nx", NOTHING, "node");
	assert_int_equal(recognise(LIST("node", "/nx/src/tasks-runner/batch/run-batch.js"), NOTHING), TASK_BATCH);
	assert_int_equal(recognise(LIST("node", "/nx/src/daemon/server/start.js"), NOTHING), TASK_DAEMON);
	assert_int_equal(recognise(NULL, NOTHING), TASK_NOTHING);
	begin("", NOTHING, "node");
	assert_int_equal(rule.preset, TASK_NX);
}

static void test_npm(void **state)
{
	char *const a = (char *)(uintptr_t) "npm_package_name=a";

	(void)state;
	begin("npm", NOTHING, "npm");
	assert_string_equal(rule.runner, "npm");
	assert_int_equal(recognise(LIST("sh", "-c", "tsc"), LIST(a, "npm_lifecycle_event=build")), TASK_ROOT);
	assert_string_equal(name.text, "a:build");
	assert_string_equal(name.project, "a");
	assert_string_equal(name.target, "build");
	assert_int_equal(recognise(LIST("sh", "-c", "tsc"), LIST("npm_lifecycle_event=build")), TASK_NOTHING);
	assert_int_equal(recognise(LIST("sh", "-c", "tsc"), LIST(a, "npm_lifecycle_event=npx")), TASK_NOTHING);
	assert_int_equal(recognise(LIST("git"), NOTHING), TASK_NOTHING);
	/* A script that starts the runner over the packages is not a task; in there, the packages' scripts are. */
	assert_int_equal(recognise(LIST("sh", "-c", "npm run build -ws"), LIST(a, "npm_lifecycle_event=build")),
			 TASK_NOTHING);
	begin("npm", LIST("npm_package_name=root", "npm_lifecycle_event=build"), "npm");
	assert_int_equal(recognise(LIST("sh", "-c", "tsc"), LIST(a, "npm_lifecycle_event=build")), TASK_ROOT);
	/* Its own name again: a helper of the runner. */
	assert_int_equal(recognise(LIST("git"), LIST("npm_package_name=root", "npm_lifecycle_event=build")),
			 TASK_NOTHING);
	assert_int_equal(recognise(LIST("node", "x/daemon/server/start.js"), NOTHING), TASK_DAEMON);
}

/* All of wireit's scripts have the environment of the one that was asked for. */
static void test_wireit(void **state)
{
	char *const *env = LIST("npm_package_name=root", "npm_lifecycle_event=build", "npm_lifecycle_script=wireit");

	(void)state;
	begin("npm", NOTHING, "npm");
	assert_int_equal(recognise(LIST("sh", "-c", "wireit"), env), TASK_NOTHING);
	begin("npm", env, "sh");
	assert_int_equal(recognise(LIST("wireit"), env), TASK_NOTHING);
	begin("npm", env, "node");
	assert_int_equal(mkdir("app", 0777), 0);
	assert_int_equal(chdir("app"), 0);
	assert_int_equal(recognise(LIST("/bin/sh", "-c", "tsc -b"), env), TASK_ROOT);
	assert_string_equal(name.text, "app: tsc -b");
	assert_null(name.project);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(recognise(LIST("/bin/sh", "-c", "tsc -b"), env), TASK_ROOT);
	assert_string_equal(name.text, "tsc -b");
}

static void test_all(void **state)
{
	(void)state;
	begin("all", NOTHING, "ninja");
	assert_string_equal(rule.runner, "ninja");
	assert_int_equal(recognise(LIST("/bin/sh", "-c", "cc -c a.c"), NOTHING), TASK_ROOT);
	assert_string_equal(name.text, "cc -c a.c");
	assert_int_equal(recognise(LIST("node", "x/daemon/server/start.js"), NOTHING), TASK_ROOT);
	/* make and parallel mark their jobs. */
	begin("all", LIST("MAKELEVEL=1"), "make");
	assert_int_equal(recognise(LIST("git", "describe"), LIST("MAKELEVEL=1")), TASK_NOTHING);
	assert_int_equal(recognise(LIST("cc", "-c", "a.c"), LIST("MAKELEVEL=2")), TASK_ROOT);
	begin("all", NOTHING, "parallel");
	assert_int_equal(recognise(LIST("hostname"), LIST("PARALLEL_PID=1")), TASK_NOTHING);
	assert_int_equal(recognise(LIST("bash", "-c", "x 1"), LIST("PARALLEL_SEQ=1")), TASK_ROOT);
	assert_string_equal(name.text, "x 1");
}

static void test_pattern(void **state)
{
	(void)state;
	begin("{P}[/{C}]", LIST("P=own"), "just");
	assert_string_equal(rule.runner, "just");
	assert_int_equal(recognise(LIST("x"), LIST("P=other", "C=c")), TASK_ROOT);
	assert_string_equal(name.text, "other/c");
	assert_int_equal(recognise(LIST("x"), LIST("P=own")), TASK_NOTHING);
	assert_int_equal(recognise(LIST("x"), NOTHING), TASK_NOTHING);
}

static void test_malformed(void **state)
{
	static const char *const rows[] = {"npm ", "ALL", "{P", "P", "[{P}]"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_false(task_rule_read(&rule, rows[i]));
		assert_int_equal(rule.preset, TASK_NX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_nx),  TORTURE(test_npm),     TORTURE(test_wireit),
	    TORTURE(test_all), TORTURE(test_pattern), TORTURE(test_malformed),
	};

	return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
