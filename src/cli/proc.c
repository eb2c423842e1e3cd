#include "cli/proc.h"

#include "cli/find.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { FORK_NO_EXEC = 0x40 };

#define NS UINT64_C(1000000000)

int proc_stat(pid_t pid, struct proc_stat *stat)
{
	char path[64], text[4096];
	char *at;

	memset(stat, 0, sizeof *stat);
	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	/* The name between the parentheses is the process's own choice: fields are counted from the last ')'. */
	if (find_read(path, text, sizeof text) <= 0 || !(at = strrchr(text, ')')))
		return -1;
	for (int field = 3; (at = strchr(at, ' ')) != NULL; field++) {
		at++;
		if (field == 3)
			stat->zombie = *at == 'Z' || *at == 'X';
		else if (field == 4)
			stat->parent = (pid_t)strtol(at, NULL, 10);
		else if (field == 9)
			stat->has_execed = !(strtoul(at, NULL, 10) & FORK_NO_EXEC);
		else if (field == 22)
			stat->started = strtoull(at, NULL, 10);
		else if (field == 48)
			stat->image = strtoull(at, NULL, 10);
		else if (field == 51 && stat->image && strtoull(at, NULL, 10) == 0)
			/* In the middle of an exec: the end of the environment is set after all words are there (setup_arg_pages,
			 * create_elf_tables). They would be read as none. */
			stat->has_execed = false;
		else if (field == 52) {
			stat->exit_status = (int)strtol(at, NULL, 10);
			stat->has_exit_status = stat->zombie;
		}
	}
	return 0;
}

bool proc_words(pid_t pid, const char *file, struct proc_words *words)
{
	char path[64];
	long length;

	words->count = 0;
	words->words[0] = NULL;
	snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, file);
	length = find_read(path, words->text, sizeof words->text);
	for (long at = 0; at < length && words->count < PROC_WORDS; at += (long)strlen(words->text + at) + 1)
		words->words[words->count++] = words->text + at;
	words->words[words->count] = NULL;
	return length >= 0;
}

static void visit_list(char *text, void (*visit)(void *, pid_t), void *context)
{
	for (char *at = text, *end;; at = end) {
		const long pid = strtol(at, &end, 10);

		if (end == at)
			return;
		visit(context, (pid_t)pid);
	}
}

/* A kernel without children files. */
static void search_all(pid_t parent, void (*visit)(void *, pid_t), void *context)
{
	DIR *all = opendir("/proc");
	const struct dirent *entry;

	while (all && (entry = readdir(all))) {
		const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		struct proc_stat stat;

		if (pid > 0 && proc_stat(pid, &stat) == 0 && stat.parent == parent)
			visit(context, pid);
	}
	if (all)
		closedir(all);
}

bool proc_each_child(pid_t pid, void (*visit)(void *, pid_t), void *context)
{
	static char text[1 << 16];
	char path[128];
	DIR *threads;
	const struct dirent *entry;
	bool listed = false;

	snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
	threads = opendir(path);
	if (!threads)
		return false;
	while ((entry = readdir(threads))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "/proc/%ld/task/%.20s/children", (long)pid, entry->d_name);
		if (find_read(path, text, sizeof text) >= 0) {
			listed = true;
			visit_list(text, visit, context);
		}
	}
	closedir(threads);
	if (!listed && access(path, F_OK) != 0 && access("/proc/self/task", F_OK) == 0 &&
	    access("/proc/thread-self/children", F_OK) != 0)
		search_all(pid, visit, context);
	return true;
}

uint64_t proc_start_ns(const struct proc_stat *stat)
{
	const uint64_t tick = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec boot, monotonic;
	uint64_t now_boot, now, start;

	/* Ticks count from boot, suspended time included; CLOCK_MONOTONIC leaves that out. */
	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	now_boot = (uint64_t)boot.tv_sec * NS + (uint64_t)boot.tv_nsec;
	now = (uint64_t)monotonic.tv_sec * NS + (uint64_t)monotonic.tv_nsec;
	start = stat->started / tick * NS + stat->started % tick * (NS / tick);
	return start < now_boot && now_boot - start < now ? now - (now_boot - start) : now;
}

int proc_pidfd(pid_t pid)
{
#ifdef SYS_pidfd_open
	return (int)syscall(SYS_pidfd_open, pid, 0);
#else
	(void)pid;
	return -1;
#endif
}

/* <linux/pidfd.h> of Linux 6.15; older headers do not have it. */
struct pidfd_information {
	uint64_t mask;
	uint64_t cgroup;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};

bool proc_pidfd_status(int pidfd, int *status)
{
	const uint64_t with_exit = 1U << 3;
	/* By number: musl's ioctl takes an int. */
	const unsigned long request = _IOWR(0xFFU, 11U, struct pidfd_information);
	struct pidfd_information information = {.mask = with_exit};

	if (syscall(SYS_ioctl, pidfd, request, &information) != 0 || !(information.mask & with_exit))
		return false;
	*status = information.exit_code;
	return true;
}
