/* What the library needs of the machine. */
#include "cli/doctor.h"
#include "cli/find.h"
#include "cli/proc.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* Is a child's memory to be read in /proc? That is what all depends upon. */
static void check_proc(void)
{
	static char mounts[1 << 20];
	char path[64], text[4096] = "";
	const char *hidepid;
	int hold[2];
	pid_t child;

	if (access("/proc/self/stat", R_OK) != 0) {
		doctor_say(DOCTOR_WRONG, "/proc", "is not mounted: nothing can be measured");
		return;
	}
	if (pipe(hold) != 0)
		return;
	child = fork();
	if (child == 0) {
		close(hold[1]);
		_exit((int)read(hold[0], text, 1)); /* until the parent has looked */
	}
	snprintf(path, sizeof path, "/proc/%ld/status", (long)child);
	find_read(path, text, sizeof text);
	snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)getpid(), (long)getpid());
	find_read("/proc/self/mounts", mounts, sizeof mounts);
	hidepid = strstr(mounts, "hidepid=");
	if (!strstr(text, "VmRSS:") || !strstr(text, "VmHWM:"))
		doctor_say(DOCTOR_WRONG, "/proc", "does not show a child's memory%s",
			   hidepid ? ": it is mounted with hidepid" : "");
	else if (hidepid && strncmp(hidepid, "hidepid=0", 9) != 0 && strncmp(hidepid, "hidepid=off", 11) != 0)
		doctor_say(DOCTOR_NOTE, "/proc",
			   "is mounted with %.*s: processes of other users (tasks that use sudo) "
			   "are not seen",
			   (int)strcspn(hidepid, ", \n"), hidepid);
	else
		doctor_say(DOCTOR_GOOD, "/proc", "shows the memory of children%s",
			   access(path, R_OK) == 0 ? "" : " (without CONFIG_PROC_CHILDREN: at a higher cost)");
	close(hold[1]);
	close(hold[0]);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

/* In a child, so that it is not us who lose descriptors. */
static bool works_in_child(int (*try)(void))
{
	const pid_t child = fork();
	int status = 1;

	if (child == 0)
		_exit(try());
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

static int try_private_table(void)
{
	return syscall(SYS_close_range, 0U, UINT_MAX, 2U /* CLOSE_RANGE_UNSHARE */) != 0 && unshare(CLONE_FILES) != 0;
}

static int try_wipe_on_fork(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED || madvise(page, 4096, 18 /* MADV_WIPEONFORK */) != 0;
}

static int try_memfd(void)
{
	return syscall(SYS_memfd_create, "heaplog", MFD_CLOEXEC | MFD_ALLOW_SEALING) < 0;
}

static void check_kernel(void)
{
	struct utsname name;
	char text[4096] = "";
	bool filtered;

	uname(&name);
	find_read("/proc/self/status", text, sizeof text);
	filtered = strstr(text, "\nSeccomp:\t2") != NULL;
	if (!works_in_child(try_private_table))
		doctor_say(DOCTOR_WRONG, "kernel",
			   "neither close_range nor unshare is allowed%s: the library cannot look "
			   "without taking the runner's descriptors, and does not",
			   filtered ? " (a seccomp filter is in force)" : "");
	else if (!works_in_child(try_wipe_on_fork))
		doctor_say(DOCTOR_WRONG, "kernel", "Linux %s: 4.14 or later is needed (MADV_WIPEONFORK)", name.release);
	else if (!works_in_child(try_memfd))
		doctor_say(DOCTOR_NOTE, "kernel",
			   "memfd_create is not allowed: peaks are shown, but there are no result "
			   "descriptors");
	else
		doctor_say(DOCTOR_GOOD, "kernel", "Linux %s", name.release);
}

void doctor_check_machine(void)
{
	check_proc();
	check_kernel();
}
