#include "fake_proc.h"

#include "torture.h"

#include <sys/stat.h>

void fake_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

void fake_process(int pid, const char *comm, unsigned flags, unsigned kb, const char *children)
{
	char path[128], text[512];

	mkdir("proc", 0755);
	snprintf(path, sizeof path, "proc/%d", pid);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "proc/%d/task", pid);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "proc/%d/task/%d", pid, pid);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "proc/%d/task/%d/children", pid, pid);
	fake_file(path, children);
	snprintf(path, sizeof path, "proc/%d/stat", pid);
	snprintf(text, sizeof text, "%d (%s) S 1 %d %d 4 5 %u 7 8 9 10 11 12 13 14 15 16 17 18 %lld 23 24\n", pid, comm,
		 getpgrp(), getsid(0), flags, pid * 10LL);
	fake_file(path, text);
	snprintf(path, sizeof path, "proc/%d/status", pid);
	snprintf(text, sizeof text, "Name:\t%s\nVmHWM:\t%u kB\nVmRSS:\t%u kB\nThreads:\t1\n", comm, kb * 2, kb);
	fake_file(path, text);
}

void fake_put(int pid, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "proc/%d/%s", pid, file);
	fake_file(path, text);
}

void fake_child(int pid, int parent, unsigned kb, unsigned mark_kb)
{
	char text[512];

	fake_process(pid, "x", 0, kb, "");
	snprintf(text, sizeof text, "Name:\tx\nTgid:\t%d\nPPid:\t%d\nVmHWM:\t%u kB\nVmRSS:\t%u kB\nThreads:\t1\n", pid,
		 parent, mark_kb, kb);
	fake_put(pid, "status", text);
	snprintf(text, sizeof text, "9999 %ld 7 1 0 5 0\n", kb * 1024L / sysconf(_SC_PAGESIZE));
	fake_put(pid, "statm", text);
	snprintf(text, sizeof text, "0-f ---p 0 0 0 [rollup]\nRss:\t%u kB\nPss:\t%u kB\n", kb, kb / 2);
	fake_put(pid, "smaps_rollup", text);
}

void fake_last_pid(int pid)
{
	char text[64];

	snprintf(text, sizeof text, "0.1 0.2 0.3 1/2 %d\n", pid);
	fake_file("proc/loadavg", text);
}

struct heaplog_tree *fake_tree_create(const char *proc, unsigned budget)
{
	const struct heaplog_tree_options options = {.proc = proc, .fd_budget = budget};

	return heaplog_tree_create(&options);
}

size_t fake_tick(struct heaplog_tree *tree, struct heaplog_peak *peak)
{
	static uint64_t now = 1000000;
	bool moved;

	now += 210000000; /* long enough for a fork to count */
	return heaplog_tree_tick(tree, now, peak, &moved);
}
