#include "preload/boards.h"

#include "preload/board_file.h"
#include "preload/runtime.h"
#include "preload/tasks.h"

#include "measure/procfs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct directory_entry { /* linux_dirent64 */
	uint64_t inode;
	int64_t next;
	unsigned short length;
	unsigned char type;
	char name[];
};

/* The runner whose board has this name; 0: it is none, or a draft ("123.456"). A loop of our own: strtol and strchr are on
 * pages of libc that a process which only registers itself has not touched. */
static pid_t owner_of(const char *name)
{
	pid_t owner = 0;

	for (; *name >= '0' && *name <= '9' && owner < 1 << 26; name++)
		owner = owner * 10 + (*name - '0');
	return *name ? 0 : owner;
}

static struct heaplog_board *find_in(const char *path, bool (*keep)(void *, struct heaplog_board *), void *context,
				     bool registers)
{
	const int directory = *path ? board_file_directory(path, false) : -1;
	_Alignas(struct directory_entry) char buffer[2048];
	const pid_t self = (pid_t)syscall(SYS_getpid);
	struct heaplog_board *found = NULL;
	pid_t owner;
	long length;

	if (directory < 0)
		return NULL;
	while (!found && (length = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0)
		for (long at = 0; !found && at < length;) {
			const struct directory_entry *entry = (const void *)(buffer + at);

			at += entry->length;
			/* Its own says nothing about others; to map it twice for each of a thousand tasks kept their forks
			 * waiting. */
			owner = owner_of(entry->name);
			if (!owner || owner == self)
				continue;
			found = board_file_map(directory, entry->name, registers);
			if (found && !keep(context, found)) {
				board_file_unmap(found, registers);
				found = NULL;
			}
		}
	syscall(SYS_close, directory);
	return found;
}

struct heaplog_board *boards_find(bool (*keep)(void *context, struct heaplog_board *board), void *context,
				  bool registers)
{
	char path[64] = "/run/user/";
	struct heaplog_board *found;

	if (heaplog_runtime.directory[0]) {
		found = find_in(heaplog_runtime.directory, keep, context, registers);
	} else {
		/* What XDG_RUNTIME_DIR said before it was cleared. */
		procfs_put_number(path + strlen(path), (uint64_t)syscall(SYS_geteuid));
		strcat(path, "/" HEAPLOG_BOARD_SUBDIRECTORY);
		found = find_in(path, keep, context, registers);
	}
	if (found)
		return found;
	board_file_fallback(path);
	return find_in(path, keep, context, registers);
}

bool boards_owner_lives(const struct heaplog_board *board)
{
	struct procfs_stat stat;

	return procfs_stat("/proc", board->head.owner, &stat) == 0 && stat.started == board->head.owner_started;
}

static uint64_t hash(uint64_t value, const char *text)
{
	/* FNV-1a, with the end of each text in it. */
	for (; text && *text; text++)
		value = (value ^ (unsigned char)*text) * 0x100000001b3ULL;
	return (value ^ 0xff) * 0x100000001b3ULL;
}

static uint64_t key_of(const struct task *task)
{
	return hash(hash(0xcbf29ce484222325ULL ^ task->origin, task->name), task_text(task, task->hash)) | 1;
}

static bool tell(void *context, struct heaplog_board *board)
{
	if (board->head.owner != getpid())
		atomic_store(&board->head.told[atomic_fetch_add(&board->head.told_count, 1) % HEAPLOG_BOARD_TOLD],
			     key_of(context));
	return false;
}

void boards_tell(struct task *task)
{
	boards_find(tell, task, true);
}

struct rivals {
	const struct task *task;
	pid_t *owners;
	unsigned count, max;
};

static bool same(const char *mine, const char *theirs, size_t size)
{
	return strncmp(mine ? mine : "", theirs, size - 1) == 0;
}

/* Has another runner told us of such a task? Of so many that the first are forgotten: perhaps. */
static bool was_told(const struct heaplog_board *board, uint64_t key)
{
	const uint32_t count = atomic_load(&board->head.told_count);

	for (uint32_t i = 0; i < count && i < HEAPLOG_BOARD_TOLD; i++)
		if (atomic_load(&board->head.told[i]) == key)
			return true;
	return count > HEAPLOG_BOARD_TOLD;
}

/* Of another runner, a task with our names in our workspace that runs, or has run since ours began? */
static bool has_task(struct heaplog_board *board, const struct task *task)
{
	const uint32_t used = atomic_load(&board->head.used);
	struct heaplog_board_figures figures;

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_TASKS; i++)
		if (heaplog_board_read(&board->task[i], &figures) && figures.origin == task->origin &&
		    same(task->name, figures.name, sizeof figures.name) &&
		    same(task_text(task, task->hash), figures.hash, sizeof figures.hash) &&
		    (figures.state == HEAPLOG_BOARD_RUNNING || figures.end_ns >= task->start_ns))
			return true;
	return false;
}

static bool note_rival(void *context, struct heaplog_board *board)
{
	struct rivals *rivals = context;

	if (board->head.owner != getpid() && has_task(board, rivals->task))
		rivals->owners[rivals->count++] = board->head.owner;
	return rivals->count == rivals->max;
}

unsigned boards_rivals(void *context, pid_t *owners, unsigned max)
{
	struct rivals rivals = {.task = context, .owners = owners, .max = max};
	const struct heaplog_board *own = atomic_load(&heaplog_board_file);
	struct heaplog_board *last;

	if (own && was_told(own, key_of(context))) {
		owners[0] = 0; /* it may be gone */
		return 1;
	}
	last = boards_find(note_rival, &rivals, false);
	if (last)
		board_file_unmap(last, false);
	return rivals.count;
}
