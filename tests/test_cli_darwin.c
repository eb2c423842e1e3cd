/* The doctor of macOS, whose checks need none: every cause that it names, by a line that begins with "wrong". */
#include "torture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define cmd_doctor darwin_doctor
#define library_self found_self
#define library_find found_library
#include "../src/darwin/doctor.c"
#undef library_self
#undef library_find

static bool is_there;

int found_self(char path[PATH_MAX])
{
	strcpy(path, "/w/heaplog");
	return 0;
}

int found_library(const char *self, char path[PATH_MAX])
{
	assert_non_null(self);
	strcpy(path, "/w/" LIBRARY_NAME);
	return is_there ? 0 : ENOENT;
}

static char output[8192];

/* Its exit status; what it has printed is in output. */
static int doctor(char *command, char *word)
{
	char name[] = "doctor", *argv[] = {name, command, word, NULL};
	const int file = open("output", O_RDWR | O_CREAT | O_TRUNC, 0600), out = dup(1);
	int status;
	ssize_t length;

	assert_true(file >= 0 && out >= 0);
	fflush(stdout);
	dup2(file, 1);
	status = darwin_doctor(1 + (command != NULL) + (word != NULL), argv);
	fflush(stdout);
	dup2(out, 1);
	length = pread(file, output, sizeof output - 1, 0);
	assert_true(length >= 0);
	output[length] = '\0';
	close(file);
	close(out);
	return status;
}

static void healthy(void)
{
	is_there = true;
	unsetenv(LIBRARY_VARIABLE);
	unsetenv("NX_LOG_HEAP_USAGE");
	unsetenv("HEAPLOG");
	unsetenv("NX_TASK_TARGET_PROJECT");
}

static void script(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0700), 0);
}

static void assert_says(const char *text)
{
	if (!strstr(output, text))
		fail_msg("%s\nis not in\n%s", text, output);
}

static void test_nothing_is_wrong(void **state)
{
	char nx[] = "./nx", version[] = "--version", help_option[] = "--help", unknown[] = "--unknown";

	(void)state;
	healthy();
	assert_int_equal(doctor(NULL, NULL), 0);
	assert_says("ok     library       /w/" LIBRARY_NAME "\nnote   command       none given");
	script("node", "#!/node\n");
	script("nx", "#!./node\n");
	setenv("NX_LOG_HEAP_USAGE", "true", 1);
	assert_int_equal(doctor(nx, NULL), 0);
	assert_says("ok     switch        NX_LOG_HEAP_USAGE is on\nok     command       ");
	assert_null(strstr(output, "wrong"));
	assert_int_equal(doctor(version, NULL), 0);
	assert_string_equal(output, "heaplog " HEAPLOG_VERSION "\n");
	assert_int_equal(doctor(help_option, NULL), 0);
	assert_says("usage: heaplog doctor");
	assert_int_equal(doctor(unknown, NULL), 2);
}

static void test_library_is_missing(void **state)
{
	(void)state;
	healthy();
	is_there = false;
	assert_int_equal(doctor(NULL, NULL), 1);
	assert_says("wrong  library       /w/" LIBRARY_NAME " is not there");
}

static void test_variable(void **state)
{
	(void)state;
	healthy();
	script("library", "");
	setenv(LIBRARY_VARIABLE, "/bin/sh:library:/missing", 1);
	assert_int_equal(doctor(NULL, NULL), 1);
	unsetenv(LIBRARY_VARIABLE); /* here it is a real one */
	assert_says("/bin/sh\n");
	assert_says("library is a relative path");
	assert_says("/missing cannot be read: macOS ends");
}

static void test_switches(void **state)
{
	(void)state;
	healthy();
	setenv("NX_LOG_HEAP_USAGE", "false", 1);
	assert_int_equal(doctor(NULL, NULL), 1);
	assert_says("wrong  switch        NX_LOG_HEAP_USAGE is off");
	setenv("HEAPLOG", "1", 1);
	assert_int_equal(doctor(NULL, NULL), 0);
	setenv("HEAPLOG", "yes", 1);
	assert_int_equal(doctor(NULL, NULL), 1);
	assert_says("wrong  HEAPLOG       yes is not true, 1, false or 0");
	unsetenv("HEAPLOG");
	unsetenv("NX_LOG_HEAP_USAGE");
	setenv("NX_TASK_TARGET_PROJECT", "a", 1);
	assert_int_equal(doctor(NULL, NULL), 1);
	assert_says("wrong  nested        ");
}

static void test_command_is_out_of_reach(void **state)
{
	char missing[] = "./missing", ends[] = "--", npx[] = "./npx", nx[] = "./nx", make[] = "/bin/sh";

	(void)state;
	healthy();
	assert_int_equal(doctor(missing, NULL), 1);
	assert_says("wrong  command       ./missing: not found");
	assert_int_equal(doctor(ends, make), 1);
	assert_says("wrong  command       /bin/sh: macOS starts it without inserted libraries");
	script("npx", "#!./node\n");
	script("node", "#!/node\n");
	assert_int_equal(doctor(npx, nx), 1);
	assert_says("wrong  command       ./npx starts its command by /bin/sh");
	/* A shim of a version manager. */
	script("nx", "#!/bin/sh\n");
	assert_int_equal(doctor(nx, NULL), 1);
	assert_says("macOS starts it without inserted libraries");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_nothing_is_wrong), TORTURE(test_library_is_missing),      TORTURE(test_variable),
	    TORTURE(test_switches),         TORTURE(test_command_is_out_of_reach),
	};

	return cmocka_run_group_tests_name("cli_darwin", tests, NULL, NULL);
}
