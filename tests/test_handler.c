/* handler.c: told from a program that blocks its signals, a handler is found however it was installed. */
#include "../src/preload/handler.c"
#include "../src/preload/stack.c"

static bool readable = true;

bool runtime_readable(const void *start, size_t length)
{
	(void)start;
	(void)length;
	return readable;
}

#include "torture.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* On other architectures the second sign is missing. */
#ifdef __x86_64__
#define CERTAIN true
#else
#define CERTAIN false
#endif

static volatile sig_atomic_t called;
static volatile bool seen;

static void handler(int number)
{
	(void)number;
	called++;
	seen = handler_may_run();
}

static void install(int flags)
{
	const struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	called = 0;
	seen = false;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

static void block(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(pthread_sigmask(how, &set, NULL), 0);
}

static void restore(void)
{
	signal(SIGUSR1, SIG_DFL);
	block(SIG_UNBLOCK);
}

static void test_outside(void **state)
{
	(void)state;
	assert_false(handler_may_run());
	install(0);
	assert_false(handler_may_run());
	block(SIG_BLOCK); /* as timeout does */
	assert_int_equal(handler_may_run(), !CERTAIN);
	restore();
	install(SA_NODEFER);
	assert_int_equal(handler_may_run(), !CERTAIN);
	restore();
}

/* Where the stack cannot be read through it is not read, and nothing is certain. */
static void test_unreadable(void **state)
{
	(void)state;
	install(0);
	block(SIG_BLOCK);
	readable = false;
	assert_true(handler_may_run());
	readable = true;
	assert_int_equal(handler_may_run(), !CERTAIN);
	restore();
}

static void test_inside(void **state)
{
	static const int flags[] = {0, SA_NODEFER, (int)SA_RESETHAND, SA_SIGINFO, SA_RESTART};

	(void)state;
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		install(flags[i]);
		raise(SIGUSR1);
		assert_int_equal(called, 1);
		if (!seen)
			fail_msg("not noticed with flags %x", (unsigned)flags[i]);
		restore();
	}
}

/* Deeper down than the handler itself. */
static __attribute__((noinline)) bool deeper(unsigned depth)
{
	char room[512];

	memset(room, (int)depth, sizeof room);
	__asm__ volatile("" : : "r"(room) : "memory");
	return depth ? deeper(depth - 1) : handler_may_run();
}

static void deep_handler(int number)
{
	(void)number;
	called++;
	seen = deeper(200);
}

static void test_deep(void **state)
{
	(void)state;
	install(0);
	signal(SIGUSR1, deep_handler);
	raise(SIGUSR1);
	assert_int_equal(called, 1);
	assert_true(seen);
	restore();
}

static void test_alternate_stack(void **state)
{
	const size_t size = 64 * 1024;
	stack_t none = {.ss_flags = SS_DISABLE};
	stack_t stack = {.ss_size = size};
	stack_t before;

	(void)state;
	stack.ss_sp = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(stack.ss_sp != MAP_FAILED);
	assert_int_equal(sigaltstack(&stack, &before), 0);
	install(SA_ONSTACK);
	raise(SIGUSR1);
	assert_int_equal(called, 1);
	assert_true(seen);
	restore();
	assert_int_equal(sigaltstack(before.ss_flags & SS_DISABLE ? &none : &before, NULL), 0);
	munmap(stack.ss_sp, size);
}

static void *in_thread(void *unused)
{
	(void)unused;
	block(SIG_BLOCK);
	seen = handler_may_run();
	return NULL;
}

/* Of another thread's stack the end is not known: it may be a handler. */
static void test_thread(void **state)
{
	pthread_t thread;

	(void)state;
	install(0);
	assert_int_equal(pthread_create(&thread, NULL, in_thread, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(seen);
	restore();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_outside), cmocka_unit_test(test_unreadable),      cmocka_unit_test(test_inside),
	    cmocka_unit_test(test_deep),    cmocka_unit_test(test_alternate_stack), cmocka_unit_test(test_thread),
	};

	return cmocka_run_group_tests_name("handler", tests, NULL, NULL);
}
