#include "torture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

static void skipped(void **state)
{
	(void)state;
	skip();
}

/* TORTURE_SKIP: "PROGRAM/TEST PROGRAM/TEST". */
CMUnitTestFunction torture_chosen(const char *name, CMUnitTestFunction test)
{
	const char *list = getenv("TORTURE_SKIP");
	char both[256];
	const size_t length = (size_t)snprintf(both, sizeof both, "%s/%s", program_invocation_short_name, name);

	for (const char *at = list; at && (at = strstr(at, both)); at += length)
		if ((at == list || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' '))
			return skipped;
	return test;
}

bool torture_emulated(void)
{
	return getenv("HEAPLOG_EMULATED") != NULL;
}

int torture_setup(void **state)
{
	struct torture *torture = calloc(1, sizeof *torture);

	if (!torture || !getcwd(torture->home, sizeof torture->home))
		return -1;
	snprintf(torture->directory, sizeof torture->directory, "%s/heaplog-test.XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(torture->directory) || chdir(torture->directory) != 0)
		return -1;
	*state = torture;
	return 0;
}

int torture_teardown(void **state)
{
	struct torture *torture = *state;
	char command[512];

	if (chdir(torture->home) != 0)
		return -1;
	snprintf(command, sizeof command, "rm -rf '%s'", torture->directory);
	if (system(command) != 0)
		return -1;
	free(torture);
	return 0;
}

static size_t drain(int fd, char *text, size_t size, size_t used)
{
	char spill[4096];
	const ssize_t got = used + 1 < size ? read(fd, text + used, size - used - 1) : read(fd, spill, sizeof spill);

	if (got <= 0)
		return SIZE_MAX;
	return used + 1 < size ? used + (size_t)got : used;
}

struct torture_result *torture_run(char *const argv[], char *const entries[])
{
	static struct torture_result result;
	static char options[2][512];
	char *all[4096];
	size_t count = 0;
	int out[2], err[2], open_pipes = 2;
	pid_t pid;

	memset(&result, 0, sizeof result);
	for (; entries[count] && count < 4000; count++)
		all[count] = entries[count];
	for (int i = 0; i < 2; i++) { /* a sanitizer's settings reach its runtime by the environment */
		static const char *const names[] = {"ASAN_OPTIONS", "TSAN_OPTIONS"};

		if (getenv(names[i])) {
			snprintf(options[i], sizeof options[i], "%s=%s", names[i], getenv(names[i]));
			all[count++] = options[i];
		}
	}
	all[count] = NULL;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		dup2(err[1], 2);
		execve(argv[0], argv, all);
		_exit(126);
	}
	assert_true(pid > 0);
	close(out[1]);
	close(err[1]);
	struct pollfd wait[2] = {{.fd = out[0], .events = POLLIN}, {.fd = err[0], .events = POLLIN}};
	while (open_pipes && poll(wait, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			size_t *length = i ? &result.errors_length : &result.output_length;
			size_t used;

			if (wait[i].fd < 0 || !wait[i].revents)
				continue;
			used = drain(wait[i].fd, i ? result.errors : result.output,
				     i ? sizeof result.errors : sizeof result.output, *length);
			if (used == SIZE_MAX) {
				wait[i].fd = -1;
				open_pipes--;
			} else {
				*length = used;
			}
		}
	}
	close(out[0]);
	close(err[0]);
	assert_int_equal(waitpid(pid, &result.status, 0), pid);
	return &result;
}

const char *torture_path(const char *name)
{
	static char paths[8][4096];
	static unsigned next;
	const char *build = getenv("HEAPLOG_BUILD");
	char *path = paths[next++ % 8];

	assert_non_null(build); /* tests/run.sh sets it: an absolute path */
	snprintf(path, sizeof paths[0], "%s/%s", build, name);
	return path;
}

bool torture_sanitized(void)
{
	return getenv("HEAPLOG_SANITIZER") != NULL;
}

char *torture_preload(void)
{
	static char entry[4200];

	/* Under a sanitizer the runner is linked with the library (tests/sanitized.sh). */
	snprintf(entry, sizeof entry, "%s=%s", torture_sanitized() ? "LINKED" : "LD_PRELOAD",
		 torture_path("libheaplog.so"));
	return entry;
}

static void cut(char *at, size_t length)
{
	memmove(at, at + length, strlen(at + length) + 1);
}

const char *torture_without_closing(const char *errors)
{
	bool inside = false;

	while (strncmp(errors, "heaplog: ", 9) == 0 || (inside && strncmp(errors, "  ", 2) == 0)) {
		const char *end = strchr(errors, '\n');

		if (!end)
			break;
		errors = end + 1;
		inside = true;
	}
	return errors;
}

size_t torture_strip(char *text)
{
	size_t count = 0;

	for (char *at = text; (at = strstr(at, " (peak: "));) {
		char *end = strchr(at, ')');

		if (!end)
			break;
		cut(at, (size_t)(end + 1 - at));
		if (at - text >= 4 && strncmp(at - 4, "\033[2m", 4) == 0 && strncmp(at, "\033[22m", 5) == 0) {
			cut(at, 5);
			at -= 4;
			cut(at, 4);
		}
		count++;
	}
	return count;
}
