#include "torture.h"

#include "task/environment.h"

static char *edited[64];
static char text[512];

static char *const *without(char *const envp[])
{
	return environment_without(envp, "libheaplog.so", edited, 64, text, sizeof text);
}

/* [req: H-32] [req: H-33] */
static void test_tokens(void **state)
{
	static const struct {
		const char *before, *after; /* after "": the variable is gone; NULL: unchanged */
	} rows[] = {
	    {"LD_PRELOAD=/x/libheaplog.so", ""},
	    {"LD_PRELOAD=libheaplog.so", ""},
	    {"LD_PRELOAD=./build/libheaplog.so", ""},
	    {"LD_PRELOAD=$LIB/libheaplog.so", ""},
	    {"LD_PRELOAD=/x/libheaplog.so:/y/libheaplog.so", ""},
	    {"LD_PRELOAD=/x/libheaplog.so /a.so", "LD_PRELOAD=/a.so"},
	    {"LD_PRELOAD=/a.so:/x/libheaplog.so:/b.so", "LD_PRELOAD=/a.so:/b.so"},
	    {"LD_PRELOAD=/a.so /x/libheaplog.so $ORIGIN/b.so", "LD_PRELOAD=/a.so $ORIGIN/b.so"},
	    {"LD_PRELOAD=:/x/libheaplog.so:", ""},
	    {"LD_PRELOAD=/x/libheaplog.so.bak", NULL},
	    {"LD_PRELOAD=/x/mylibheaplog.so", NULL},
	    {"LD_PRELOAD=/libheaplog.so/other.so", NULL},
	    {"LD_PRELOAD=", NULL},
	    {"LD_PRELOADX=/x/libheaplog.so", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *envp[] = {(char *)(uintptr_t) "A=1", (char *)(uintptr_t)rows[i].before, (char *)(uintptr_t) "B=2",
				NULL};
		char *const *got = without(envp);

		if (!rows[i].after) {
			assert_ptr_equal(got, envp);
		} else if (!*rows[i].after) {
			assert_ptr_equal(got[1], envp[2]);
			assert_null(got[2]);
		} else {
			assert_string_equal(got[1], rows[i].after);
			assert_ptr_equal(got[2], envp[2]);
			assert_null(got[3]);
		}
	}
}

/* Entries without '=', empty ones, duplicates and bytes that are no UTF-8 go through as the same pointers. */
/* [req: H-31] */
static void test_other_entries(void **state)
{
	char *envp[] = {(char *)(uintptr_t) "noequals",
			(char *)(uintptr_t) "",
			(char *)(uintptr_t) "D=1",
			(char *)(uintptr_t) "D=2",
			(char *)(uintptr_t) "X=\xff\xfe",
			(char *)(uintptr_t) "LD_PRELOAD=/x/libheaplog.so:/a.so",
			(char *)(uintptr_t) "LD_PRELOAD=/y/libheaplog.so",
			NULL};
	char *const *got = without(envp);

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_ptr_equal(got[i], envp[i]);
	assert_string_equal(got[5], "LD_PRELOAD=/a.so");
	assert_null(got[6]);
}

static void test_no_room(void **state)
{
	char *envp[] = {(char *)(uintptr_t) "LD_PRELOAD=/x/libheaplog.so:/a.so", NULL};

	(void)state;
	assert_ptr_equal(environment_without(envp, "libheaplog.so", edited, 1, text, sizeof text), envp);
	assert_ptr_equal(environment_without(envp, "libheaplog.so", edited, 64, text, 12), envp);
}

static void test_get(void **state)
{
	char *envp[] = {(char *)(uintptr_t) "AB=0", (char *)(uintptr_t) "A=1", (char *)(uintptr_t) "A=2", NULL};

	(void)state;
	assert_string_equal(environment_get(envp, "A"), "1");
	assert_null(environment_get(envp, "B"));
	assert_null(environment_get(NULL, "A"));
}

/* The other way: once, at the end, and only where it is missing. */
static void test_with(void **state)
{
	static const struct {
		const char *before, *after; /* of LD_PRELOAD; NULL: not there */
	} rows[] = {
	    {NULL, "LD_PRELOAD=/x//lib.so"},
	    {"LD_PRELOAD=", "LD_PRELOAD=/x//lib.so"},
	    {"LD_PRELOAD=/a.so", "LD_PRELOAD=/a.so:/x//lib.so"},
	    {"LD_PRELOAD=/y/lib.so", "LD_PRELOAD=/y/lib.so"},
	    {"LD_PRELOAD=/x//lib.so:/b.so", "LD_PRELOAD=/x//lib.so:/b.so"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *envp[] = {(char *)(uintptr_t) "A=1", (char *)(uintptr_t)rows[i].before, NULL, NULL};
		char *out[8], value[64];
		char *const *result;

		if (rows[i].before)
			envp[2] = (char *)(uintptr_t) "B=2";
		result = environment_with(envp, "lib.so", "/x//lib.so", out, 8, value, sizeof value);
		assert_string_equal(result[0], "A=1");
		assert_string_equal(result[1], rows[i].after);
		if (rows[i].before)
			assert_string_equal(result[2], "B=2");
		assert_null(result[rows[i].before ? 3 : 2]);
		/* No room: as it was. */
		if (result != envp) {
			assert_ptr_equal(environment_with(envp, "lib.so", "/x//lib.so", out, 2, value, sizeof value),
					 envp);
			assert_ptr_equal(environment_with(envp, "lib.so", "/x//lib.so", out, 8, value, 8), envp);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_with),    cmocka_unit_test(test_tokens), cmocka_unit_test(test_other_entries),
	    cmocka_unit_test(test_no_room), cmocka_unit_test(test_get),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
