/* A small task runner that prints as Nx does: starts tasks with their names in the environment, waits for each by its
 * pid, and writes the result line as one chunk.
 *
 *   helper_runner [options] PROJECT TARGET CONFIGURATION|- COMMAND [ARGUMENT...] [-- PROJECT TARGET …]
 *   -t          a second thread, as node has them     -v / -p     vfork / posix_spawn instead of fork
 *   -b MB       hold so much memory itself            -w          print with writev
 *   -c          coloured lines                        -g          GitHub Actions group headers
 *   -k          collapsed lines (with the newline)    -a          start all tasks before waiting for the first
 *   -m          all at once instead, each by a thread of its own
 *   -o          one result line for all (the same task's several commands), after the last
 *   -e FILE     descriptor 2 is closed and FILE takes its number
 *   -f          list our memfds and threads on stderr at the end
 *   -i          reap by waitid
 */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static struct {
	int threads, vfork, spawn, ballast, writev, coloured, github, collapsed, all, once, list, waitid, many;
} option;

struct job {
	char *project, *target, *configuration;
	char **command;
	char **entries; /* kept: no leak for valgrind to report */
	pid_t pid;
	int status;
};

static void *idle(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static char **task_environment(const struct job *job)
{
	size_t count = 0;
	char **entries;

	while (environ[count])
		count++;
	entries = calloc(count + 5, sizeof *entries);
	if (!entries)
		exit(120);
	memcpy(entries, environ, count * sizeof *entries);
	if (asprintf(&entries[count++], "NX_TASK_TARGET_PROJECT=%s", job->project) < 0 ||
	    asprintf(&entries[count++], "NX_TASK_TARGET_TARGET=%s", job->target) < 0 ||
	    asprintf(&entries[count++], "NX_TASK_HASH=1234%s", job->project) < 0)
		exit(120);
	if (strcmp(job->configuration, "-") != 0 &&
	    asprintf(&entries[count++], "NX_TASK_TARGET_CONFIGURATION=%s", job->configuration) < 0)
		exit(120);
	return entries;
}

static void start(struct job *job)
{
	char **entries = job->entries = task_environment(job);

	if (option.spawn) {
		if (posix_spawnp(&job->pid, job->command[0], NULL, NULL, job->command, entries) != 0)
			job->pid = -1;
		return;
	}
	job->pid = option.vfork ? vfork() : fork();
	if (job->pid == 0) {
		if (option.vfork) {
			execvpe(job->command[0], job->command, entries);
		} else {
			environ = entries; /* as libuv and Rust do */
			execvp(job->command[0], job->command);
		}
		_exit(127);
	}
}

static pthread_barrier_t together;

static void *start_together(void *job)
{
	pthread_barrier_wait(&together);
	start(job);
	return NULL;
}

static void start_many(struct job *jobs, size_t count)
{
	pthread_t threads[1100];

	pthread_barrier_init(&together, NULL, (unsigned)count);
	for (size_t i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, start_together, &jobs[i]) != 0)
			exit(120);
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&together);
}

static void say(const char *text)
{
	struct iovec parts[3] = {{.iov_base = NULL, .iov_len = 0},
				 {.iov_base = (char *)(size_t)text, .iov_len = strlen(text)}};
	const ssize_t wrote = option.writev ? writev(1, parts, 2) : write(1, text, strlen(text));

	if (wrote != (ssize_t)strlen(text)) {
		fprintf(stderr, "write returned %zd for %zu\n", wrote, strlen(text));
		exit(121);
	}
}

static void print(const struct job *job)
{
	const char *quote = strchr(job->target, ':') ? "\"" : "";
	const int configured = strcmp(job->configuration, "-") != 0;
	char line[8192];

	say("\n");
	snprintf(line, sizeof line, "%s%s%s:%s%s%s%s%s%s",
		 option.github ? (job->status ? "::group::\u274c " : "::group::\u2705 ") : "",
		 option.collapsed
		     ? (option.coloured ? "\033[32m\u2714\033[39m  \033[2mnx run\033[22m " : "\u2714  nx run ")
		 : option.coloured ? "\033[2m> \033[22m\033[2mnx run\033[22m "
				   : "> nx run ",
		 job->project, quote, job->target, quote, configured ? ":" : "", configured ? job->configuration : "",
		 option.collapsed ? "\n" : "");
	say(line);
	say("\n\n");
}

static void list(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	int threads = 0;

	while (directory && (entry = readdir(directory))) {
		char path[64], link[512] = "";

		snprintf(path, sizeof path, "/proc/self/fd/%.20s", entry->d_name);
		if (readlink(path, link, sizeof link - 1) > 0 && strncmp(link, "/memfd:", 7) == 0)
			fprintf(stderr, "fd %s\n", link);
	}
	closedir(directory);
	directory = opendir("/proc/self/task");
	while (directory && (entry = readdir(directory)))
		threads += entry->d_name[0] != '.';
	closedir(directory);
	fprintf(stderr, "threads %d\n", threads);
}

static int reap(struct job *job)
{
	siginfo_t info;

	if (!option.waitid)
		return waitpid(job->pid, &job->status, 0) == job->pid;
	if (waitid(P_PID, (id_t)job->pid, &info, WEXITED) != 0 || info.si_pid != job->pid)
		return 0;
	job->status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
	return 1;
}

int main(int argc, char **argv)
{
	static struct job jobs[1100];
	size_t count = 0;
	int at, letter, failed = 0;

	while ((letter = getopt(argc, argv, "+tvpb:wcgkamofie:")) != -1) {
		switch (letter) {
		case 't':
			option.threads = 1;
			break;
		case 'v':
			option.vfork = 1;
			break;
		case 'p':
			option.spawn = 1;
			break;
		case 'b':
			option.ballast = atoi(optarg);
			break;
		case 'w':
			option.writev = 1;
			break;
		case 'c':
			option.coloured = 1;
			break;
		case 'g':
			option.github = 1;
			break;
		case 'k':
			option.collapsed = 1;
			break;
		case 'a':
			option.all = 1;
			break;
		case 'm':
			option.many = 1;
			break;
		case 'o':
			option.once = 1;
			break;
		case 'e':
			if (close(2) != 0 || open(optarg, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) != 2)
				return 124;
			break;
		case 'f':
			option.list = 1;
			break;
		case 'i':
			option.waitid = 1;
			break;
		default:
			return 122;
		}
	}
	for (at = optind; at + 3 < argc && count < 1100; at++) {
		jobs[count] = (struct job){.project = argv[at],
					   .target = argv[at + 1],
					   .configuration = argv[at + 2],
					   .command = argv + at + 3};
		for (at += 3; at < argc && strcmp(argv[at], "--") != 0;)
			at++;
		argv[at] = NULL;
		count++;
	}
	if (option.threads) {
		pthread_t thread;

		pthread_create(&thread, NULL, idle, NULL);
	}
	if (option.ballast) {
		char *ballast = malloc((size_t)option.ballast << 20);

		if (ballast)
			memset(ballast, 1, (size_t)option.ballast << 20);
		__asm__ volatile("" : : "r"(ballast) : "memory");
	}
	if (option.many && count)
		start_many(jobs, count);
	for (size_t i = 0; option.all && !option.many && i < count; i++)
		start(&jobs[i]);
	for (size_t i = 0; i < count; i++) {
		if (!option.all && !option.many)
			start(&jobs[i]);
		if (!reap(&jobs[i]))
			return 123;
		failed |= jobs[i].status;
		if (!option.once || i + 1 == count)
			print(&jobs[i]);
	}
	if (option.list)
		list();
	return failed ? 1 : 0;
}
