/* heaplog doctor: the command and all that stands between it and its runner. */
#include "doctor.h"

#include <elf.h>
#include <sys/stat.h>

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

static void check_command(const char *set_up, const char *kind, const char *text, const char *first, const char *second)
{
	char *command[] = {W(first), W(second), NULL};

	expect(set_up, kind, text, command, NULL);
}

static void test_program(void **state)
{
	(void)state;
	if (torture_sanitized())
		skip();
	check_command("a command that is not there", "wrong", "command not found", "no-such-command", NULL);
	check_command("docker run", "wrong", "in another place", "docker", "run");
	check_command("a static runner", "note", "statically linked", torture_path("tests/helper_runner_static"), NULL);
	check_command("no task runner", "note", "no task runner that heaplog knows", "/bin/ls", NULL);
	copy(torture_path("tests/helper_runner_static"), "node", 0755);
	check_command("a static node", "wrong", "dynamically linked", "./node", NULL);
	copy("/bin/true", "foreign", 0755);
	const int fd = open("foreign", O_RDWR);
	assert_int_equal(pwrite(fd, (uint16_t[]){EM_AARCH64}, 2, 18), 2);
	close(fd);
	check_command("another machine's program", "wrong", "another architecture", "./foreign", NULL);
	/* What /snap/bin holds are links to snap. */
	copy("/bin/true", "snap", 0755);
	assert_int_equal(symlink("snap", "nodejs"), 0);
	check_command("a snap", "wrong", "is a snap", "./nodejs", NULL);
	if (geteuid() == 0) {
		copy("/bin/true", "entitled", 0755);
		assert_int_equal(chown("entitled", 65534, 65534), 0);
		assert_int_equal(chmod("entitled", 04755), 0);
		check_command("a set-user-ID program", "wrong", "gains rights", "./entitled", NULL);
	}
	conclude();
}

/* A program for musl: only its loader's name says so. */
static void test_another_libc(void **state)
{
	(void)state;
	if (torture_sanitized())
		skip();
	copy("/bin/true", "alpine", 0755);
	patch("alpine", "/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1");
	check_command("a program of musl", "wrong", "another C library", "./alpine", NULL);
	conclude();
}

static void test_way(void **state)
{
	(void)state;
	if (torture_sanitized())
		skip();
	check_command("sudo", "wrong", "sudo takes LD_PRELOAD out", "sudo", "nx");
	check_command("sudo behind nice", "wrong", "sudo takes LD_PRELOAD out", "nice", "sudo");
	check_command("env -i", "wrong", "env -i empties", "env", "-i");
	conclude();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_program),
	    TORTURE(test_another_libc),
	    TORTURE(test_way),
	};

	return cmocka_run_group_tests_name("cli_doctor_command", tests, NULL, NULL);
}
