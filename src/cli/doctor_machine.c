/* What the library needs of the machine. */
#include "cli/doctor.h"
#include "cli/find.h"
#include "cli/proc.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* The options of /proc's own mount, and what they hide; "" where nothing is hidden. */
static void read_hidepid(char *hidepid, size_t size)
{
	static char mounts[1 << 20];
	char *rest = mounts;

	*hidepid = '\0';
	if (find_read("/proc/self/mounts", mounts, sizeof mounts) <= 0)
		return;
	for (char *line; (line = strsep(&rest, "\n"));) {
		const char *option;

		strsep(&line, " ");
		if (!line || strncmp(line, "/proc proc ", 11) != 0)
			continue;
		option = strstr(line, "hidepid="); /* of several mounts the last is on top */
		snprintf(hidepid, size, "%.*s", option ? (int)strcspn(option, ", ") : 0, option ? option : "");
	}
	if (strcmp(hidepid, "hidepid=0") == 0 || strcmp(hidepid, "hidepid=off") == 0)
		*hidepid = '\0';
}

/* Is there a /proc, and does it show the processes of this namespace? */
static bool check_proc_mount(void)
{
	char self[32];
	const ssize_t length = readlink("/proc/self", self, sizeof self - 1);
	struct statfs system;

	if (statfs("/proc", &system) != 0 || system.f_type != PROC_SUPER_MAGIC) {
		doctor_say(DOCTOR_WRONG, "/proc",
			   "is not mounted: no more than the maximum of a task's largest process is known; "
			   "mount -t proc proc /proc");
		return false;
	}
	self[length > 0 ? length : 0] = '\0';
	if (strtol(self, NULL, 10) == getpid())
		return true;
	doctor_say(DOCTOR_WRONG, "/proc",
		   "belongs to another pid namespace%s%s: no more than the maximum of a task's largest process is "
		   "known; mount this one's (mount -t proc proc /proc, or unshare --mount-proc)",
		   *self ? ", where this process has the number " : "", self);
	return false;
}

/* Is a child's memory to be read in /proc? That is what all depends upon. */
static void check_proc(void)
{
	char path[64], text[4096] = "", hidepid[64];
	int hold[2];
	pid_t child;

	if (!check_proc_mount() || pipe(hold) != 0)
		return;
	child = fork();
	if (child == 0) {
		close(hold[1]);
		_exit((int)read(hold[0], text, 1)); /* until the parent has looked */
	}
	snprintf(path, sizeof path, "/proc/%ld/status", (long)child);
	find_read(path, text, sizeof text);
	snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)getpid(), (long)getpid());
	read_hidepid(hidepid, sizeof hidepid);
	if (!strstr(text, "VmRSS:") || !strstr(text, "VmHWM:"))
		doctor_say(DOCTOR_WRONG, "/proc", "does not show a child's memory%s%s",
			   *hidepid ? ": it is mounted with " : "", hidepid);
	else if (*hidepid)
		doctor_say(DOCTOR_NOTE, "/proc",
			   "is mounted with %s: processes of other users (tasks that use sudo) are not seen", hidepid);
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

bool doctor_check_machine(void)
{
	/* Without children of our own every answer below would be a wrong one. */
	if (!doctor_check_limits())
		return false;
	check_proc();
	check_kernel();
	return true;
}
