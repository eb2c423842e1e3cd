#include "preload/board_file.h"

#include "preload/futex.h"
#include "preload/runtime.h"

#include "measure/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

struct heaplog_board *_Atomic heaplog_board_file;
static _Atomic uint32_t tried; /* one attempt per owner: 1 while it is made, 2 afterwards */
static _Atomic bool ending;    /* the runner is about to exit, perhaps while a sampler makes the file */
static char path[RUNTIME_DIRECTORY_MAX + 32];

/* Field 22 of stat; 0: there is no such process. */
static uint64_t started(pid_t pid)
{
	struct procfs_stat stat;

	return procfs_stat("/proc", pid, &stat) == 0 ? stat.started : 0;
}

/* By number, here and below, what a process of a task calls to register itself: libc's fstat looks up a path, and
 * geteuid lies on pages of libc that such a process has not touched. */
static bool is_own(const struct stat *status)
{
	return status->st_uid == (uid_t)syscall(SYS_geteuid);
}

static uint64_t pid_namespace(void)
{
	struct stat status;

	return stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

static uint64_t proc_device(void)
{
	struct stat status;

	return syscall(SYS_newfstatat, AT_FDCWD, "/proc", &status, 0) == 0 ? status.st_dev : 0;
}

/* Does /proc know this process by the number that it has for itself? */
static bool has_number_in_proc(void)
{
	char link[24];
	const long length = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self", link, sizeof link);
	pid_t pid = 0;

	for (long i = 0; i < length && link[i] >= '0' && link[i] <= '9'; i++)
		pid = pid * 10 + (link[i] - '0');
	return pid == (pid_t)syscall(SYS_getpid);
}

/* A /proc belongs to one pid namespace: where it is the owner's, and knows this process by its number, it is the same one. To
 * ask for the namespace itself makes the kernel put together /proc/PID, for every process. */
bool board_file_shares_numbers(const struct heaplog_board *board)
{
	return (board->head.proc_device == proc_device() && has_number_in_proc()) ||
	       board->head.pid_namespace == pid_namespace();
}

/* A directory of the user's own, for nobody else: what another user could write or exchange is not used. */
int board_file_directory(const char *name, bool make_it)
{
	struct stat status;
	int fd;

	if (make_it && syscall(SYS_mkdirat, AT_FDCWD, name, 0700) != 0 && errno != EEXIST)
		return -1;
	fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (syscall(SYS_fstat, fd, &status) == 0 && is_own(&status) && (status.st_mode & 07777) == 0700)
		return fd;
	syscall(SYS_close, fd);
	return -1;
}

/* The process that a name ends with: "123", or of a draft "123.456". */
static pid_t maker_of(const char *name)
{
	const char *digits = strrchr(name, '.');
	pid_t pid = 0;

	for (digits = digits ? digits + 1 : name; *digits >= '0' && *digits <= '9' && pid < 1 << 26; digits++)
		pid = pid * 10 + (*digits - '0');
	return pid;
}

/* Of a runner of this pid namespace that has ended without removing it, or that ended before it was complete. */
static bool is_stale(int directory, const char *name)
{
	struct heaplog_board_head head;
	const int fd =
	    (int)syscall(SYS_openat, directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	bool stale;

	if (fd < 0)
		return false;
	if (syscall(SYS_pread64, fd, &head, sizeof head, 0L) == (long)sizeof head && head.magic == HEAPLOG_BOARD_MAGIC)
		stale = head.pid_namespace == pid_namespace() && started(head.owner) != head.owner_started;
	else
		stale = started(maker_of(name)) == 0;
	syscall(SYS_close, fd);
	return stale;
}

struct entry {
	uint64_t inode;
	int64_t next;
	unsigned short length;
	unsigned char type;
	char name[];
};

static void remove_stale(int directory)
{
	_Alignas(struct entry) char buffer[4096];
	long length;

	while ((length = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0)
		for (long at = 0; at < length;) {
			const struct entry *entry = (const void *)(buffer + at);

			if (entry->name[0] >= '1' && entry->name[0] <= '9' && is_stale(directory, entry->name))
				syscall(SYS_unlinkat, directory, entry->name, 0);
			at += entry->length;
		}
}

/* Where fallocate's promise holds for every later write. On btrfs only for the first (copy on write), on a server's or
 * a FUSE file system at its pleasure, and a broken promise is a SIGBUS in the runner. */
static bool keeps_blocks(int fd)
{
	struct statfs system;

	return fstatfs(fd, &system) == 0 &&
	       (system.f_type == TMPFS_MAGIC || system.f_type == EXT4_SUPER_MAGIC || system.f_type == XFS_SUPER_MAGIC ||
		system.f_type == OVERLAYFS_SUPER_MAGIC);
}

static size_t extent(bool registers)
{
	return registers ? offsetof(struct heaplog_board, task) : sizeof(struct heaplog_board);
}

static struct heaplog_board *map(int fd, bool registers)
{
	struct heaplog_board *board = mmap(NULL, extent(registers), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return board == MAP_FAILED ? NULL : board;
}

void board_file_unmap(struct heaplog_board *board, bool registers)
{
	munmap(board, extent(registers));
}

/* All of its blocks are there before it is mapped: a write to a hole on a full file system would be a SIGBUS. */
static struct heaplog_board *create(int directory, const char *name, pid_t owner)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct heaplog_board *board = NULL;
	int fd = (int)syscall(SYS_openat, directory, name, flags, 0600);

	if (fd < 0)
		return NULL;
	if (keeps_blocks(fd) && syscall(SYS_fallocate, fd, 0, 0L, (long)sizeof *board) == 0)
		board = map(fd, false);
	syscall(SYS_close, fd);
	if (!board)
		return NULL;
	board->head.version = HEAPLOG_BOARD_VERSION;
	board->head.size = sizeof *board;
	board->head.owner = owner;
	board->head.tasks = HEAPLOG_BOARD_TASKS;
	board->head.owner_started = started(owner);
	board->head.pid_namespace = pid_namespace();
	board->head.proc_device = proc_device();
	strncpy(board->head.runner, heaplog_runtime.rule.runner, sizeof board->head.runner - 1);
	atomic_thread_fence(memory_order_release);
	board->head.magic = HEAPLOG_BOARD_MAGIC;
	return board;
}

struct heaplog_board *board_file_map(int directory, const char *name, bool registers)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	const int fd = (int)syscall(SYS_openat, directory, name, flags, 0);
	struct heaplog_board *board = NULL;
	struct stat status;

	if (fd < 0)
		return NULL;
	if (syscall(SYS_fstat, fd, &status) == 0 && S_ISREG(status.st_mode) && is_own(&status) &&
	    status.st_size >= (off_t)sizeof *board)
		board = map(fd, registers);
	syscall(SYS_close, fd);
	if (board && (board->head.magic != HEAPLOG_BOARD_MAGIC || board->head.version != HEAPLOG_BOARD_VERSION ||
		      board->head.size != sizeof *board)) {
		board_file_unmap(board, registers);
		return NULL;
	}
	return board;
}

/* It gets its name when it is complete: in the exact mode the runner and its children may all want to make it. */
static struct heaplog_board *make(int directory, const char *name, pid_t owner)
{
	char draft[64];
	struct heaplog_board *board;

	strcpy(draft, name);
	strcat(draft, ".");
	procfs_put_number(draft + strlen(draft), (uint64_t)getpid());
	syscall(SYS_unlinkat, directory, draft, 0); /* of a process that had this number and was killed here */
	board = create(directory, draft, owner);
	if (board && syscall(SYS_linkat, directory, draft, directory, name, 0) != 0) {
		munmap(board, sizeof *board);
		board = NULL;
	}
	syscall(SYS_unlinkat, directory, draft, 0);
	return board;
}

static struct heaplog_board *open_in(const char *directory_name, pid_t owner)
{
	const int directory = board_file_directory(directory_name, true);
	struct heaplog_board *board;
	char name[24];

	if (directory < 0)
		return NULL;
	procfs_put_number(name, (uint64_t)owner);
	if (owner == getpid())
		remove_stale(directory);
	strcpy(path, directory_name);
	strcat(path, "/");
	strcat(path, name);
	board = board_file_map(directory, name, false);
	if (board && board->head.owner_started != started(owner)) {
		munmap(board, sizeof *board);
		board = NULL;
		syscall(SYS_unlinkat, directory, name, 0);
	}
	if (!board)
		board = make(directory, name, owner);
	if (!board)
		board = board_file_map(directory, name, false);
	syscall(SYS_close, directory);
	if (!board)
		return NULL;
	if (atomic_load(&ending))
		syscall(SYS_unlinkat, AT_FDCWD, path, 0);
	/* A forked child has no use for it, unless it is to announce itself. */
	if (!heaplog_runtime.exact)
		madvise(board, sizeof *board, MADV_DONTFORK);
	return board;
}

void board_file_fallback(char *text)
{
	strcpy(text, HEAPLOG_BOARD_FALLBACK);
	procfs_put_number(text + strlen(text), (uint64_t)syscall(SYS_geteuid));
}

void board_file_open(pid_t owner)
{
	struct heaplog_board *board = NULL;
	uint32_t expected = 0;
	char fallback[64];

	if (!atomic_compare_exchange_strong(&tried, &expected, 1)) {
		/* Another thread is at it, or was as this process was forked: then there will be none. */
		for (int i = 0; expected == 1 && i < 20; i++, expected = atomic_load(&tried))
			futex_wait(&tried, 1, 1000000);
		return;
	}
	if (heaplog_runtime.directory[0])
		board = open_in(heaplog_runtime.directory, owner);
	if (!board) {
		board_file_fallback(fallback);
		board = open_in(fallback, owner);
	}
	atomic_store(&heaplog_board_file, board);
	atomic_store(&tried, 2);
	futex_wake(&tried);
}

void board_file_forget(void)
{
	atomic_store(&heaplog_board_file, NULL);
	atomic_store(&tried, 0);
	atomic_store(&ending, false);
	path[0] = '\0';
}

void board_file_remove(void)
{
	const int saved = errno;

	if (runtime_is_owner()) {
		atomic_store(&ending, true);
		if (atomic_load(&heaplog_board_file))
			syscall(SYS_unlinkat, AT_FDCWD, path, 0);
	}
	errno = saved;
}
