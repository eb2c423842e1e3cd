/* What every test program shares: a fresh directory per test, programs run with and without the library. */
#ifndef HEAPLOG_TESTS_TORTURE_H
#define HEAPLOG_TESTS_TORTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct torture {
	char directory[256]; /* fresh, removed afterwards; also the current directory */
	char home[4096];     /* where the test began */
};

/* cmocka set-up and tear-down. */
int torture_setup(void **state);
int torture_teardown(void **state);

struct torture_result {
	int status; /* as of waitpid */
	char output[1 << 18];
	char errors[1 << 16];
	size_t output_length;
	size_t errors_length;
};

/* Run argv with exactly the environment entries, its stdout and stderr on pipes, and wait for it. Fails the test when
 * it cannot be started. The result is static: copy what must last. */
struct torture_result *torture_run(char *const argv[], char *const entries[]);

/* Path of a program of the build tree ("tests/helper_task", "libheaplog.so"); static storage per call site of eight. */
const char *torture_path(const char *name);

/* Under ASan, UBSan or TSan? Their own memory makes peaks larger, and LD_PRELOAD is not used. */
bool torture_sanitized(void);

/* "LD_PRELOAD=<library>" for the build tree's library. */
char *torture_preload(void);

/* Take " (peak: …)" out of text, with its SGR; returns how many there were. */
size_t torture_strip(char *text);

/* The part of a program's stderr that is not heaplog's closing lines: "heaplog: …" and the table's rows below it. */
const char *torture_without_closing(const char *errors);

/* The test, or one that says that it is skipped: where TORTURE_SKIP ("test_a test_b") has its name. For machines on which
 * a test's other programs do not run (scripts/cross/tests.mk says which and why). */
CMUnitTestFunction torture_chosen(const char *name, CMUnitTestFunction test);

/* In an emulator, whose own memory stands in every process of the task: figures have no upper bound then. */
bool torture_emulated(void);

#define TORTURE(test)                                                                     \
	{                                                                                 \
#test, torture_chosen(#test, test), torture_setup, torture_teardown, NULL \
	}

#endif
