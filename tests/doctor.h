/* Set-ups of `heaplog doctor` by name: broken ones, whose cause must be named, and sound ones, about which nothing may be
 * said to be wrong. Each is a line of the output, with what the doctor said: `make check-doctor`. */
#ifndef HEAPLOG_TESTS_DOCTOR_H
#define HEAPLOG_TESTS_DOCTOR_H

#include "torture.h"

#include <fcntl.h>
#include <sys/wait.h>

#define W(text) (char *)(uintptr_t)(text)

static unsigned doctor_failures;

static inline char *heaplog(void)
{
	return W(torture_path("heaplog"));
}

static inline char *runtime_entry(void)
{
	static char entry[512];
	char directory[400];

	snprintf(entry, sizeof entry, "XDG_RUNTIME_DIR=%s", getcwd(directory, sizeof directory));
	return entry;
}

/* PROGRAM doctor -- command... (NULL: none) with one more entry in its environment. */
static inline struct torture_result *doctor_run(char *program, char *const command[], char *extra)
{
	char *argv[16] = {program, W("doctor"), W("--")};
	char *entries[] = {W("PATH=.:/usr/local/bin:/usr/bin:/bin"), W("LC_ALL=C.UTF-8"), runtime_entry(), extra, NULL};

	for (size_t i = 0; command && command[i]; i++)
		argv[3 + i] = command[i];
	if (!command)
		argv[2] = NULL;
	return torture_run(argv, entries);
}

/* Is the cause named, on one line that begins with kind and has that text? Says so. */
static inline bool doctor_names(const char *set_up, const char *kind, const char *text,
				const struct torture_result *result)
{
	const int status = WIFEXITED(result->status) ? WEXITSTATUS(result->status) : -1;

	for (const char *line = result->output; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const size_t length = strcspn(line, "\n");

		if (strncmp(line, kind, strlen(kind)) == 0 && memmem(line, length, text, strlen(text)) &&
		    (strcmp(kind, "wrong") != 0 || status == 1)) {
			printf("named      %s: %.*s\n", set_up, (int)length, line);
			fflush(stdout);
			return true;
		}
	}
	printf("NOT NAMED  %s: no \"%s ... %s\", or not the exit status for it, %d, in\n%s%s", set_up, kind, text,
	       status, result->output, result->errors);
	fflush(stdout);
	return false;
}

static inline void expect(const char *set_up, const char *kind, const char *text, char *const command[], char *extra)
{
	doctor_failures += !doctor_names(set_up, kind, text, doctor_run(heaplog(), command, extra));
}

/* Nothing is wrong, and the line of the command says text (NULL: anything, but no reason). */
static inline void expect_sound(const char *set_up, const char *text, char *const command[], char *extra)
{
	const struct torture_result *result = doctor_run(heaplog(), command, extra);
	const char *line = strstr(result->output, "ok     command");

	if (result->status == 0 && !strstr(result->output, "wrong") &&
	    (!command || !text || (line && memmem(line, strcspn(line, "\n"), text, strlen(text))))) {
		printf("sound      %s: %.*s\n", set_up, line ? (int)strcspn(line, "\n") : 10,
		       line ? line : "no \"wrong\"");
	} else {
		printf("ALARM      %s: no \"ok command ... %s\", or more, in\n%s%s", set_up, text ? text : "",
		       result->output, result->errors);
		doctor_failures++;
	}
	fflush(stdout);
}

/* At a test's end: all of its set-ups have been tried and listed by now. */
static inline void conclude(void)
{
	const unsigned failures = doctor_failures;

	doctor_failures = 0;
	assert_int_equal(failures, 0);
}

static inline bool copied(const char *from, const char *to, mode_t mode)
{
	char command[9000];

	snprintf(command, sizeof command, "cp '%s' '%s' && chmod %o '%s'", from, to, mode, to);
	return system(command) == 0;
}

static inline void copy(const char *from, const char *to, mode_t mode)
{
	assert_true(copied(from, to, mode));
}

/* The first such text in the file becomes another one, which is no longer. */
static inline void patch(const char *file, const char *from, const char *to)
{
	static char text[1 << 20];
	const int fd = open(file, O_RDWR);
	const ssize_t length = read(fd, text, sizeof text);
	char *at = memmem(text, (size_t)length, from, strlen(from));

	assert_non_null(at);
	assert_int_equal(pwrite(fd, to, strlen(to) + 1, at - text), (ssize_t)strlen(to) + 1);
	close(fd);
}

#endif
