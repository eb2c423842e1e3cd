/* What macOS has no place for, so that nothing is done: the exact mode (a program's loader is not asked before its
 * exec), the file of `heaplog top`, the count of out-of-memory kills (jetsam keeps none), and /proc. */
#include "darwin/libproc.h"
#include "measure/oom.h"
#include "measure/procfs.h"
#include "preload/board_file.h"
#include "preload/boards.h"
#include "preload/exact.h"
#include "preload/handler.h"
#include "preload/stack.h"
#include "preload/target.h"

struct heaplog_board *_Atomic heaplog_board_file;

void board_file_open(pid_t owner)
{
	(void)owner;
}

void board_file_forget(void)
{
}

void board_file_remove(void)
{
}

void board_file_add(struct task *task)
{
	(void)task;
}

void board_file_publish(struct task *task, const struct heaplog_summary *summary, bool finished)
{
	(void)task;
	(void)summary;
	(void)finished;
}

void boards_tell(struct task *task)
{
	(void)task;
}

unsigned boards_rivals(void *context, pid_t *owners, unsigned max)
{
	(void)context;
	(void)owners;
	(void)max;
	return 0;
}

uint64_t exact_key(const struct task_name *name, pid_t pid, uint64_t start_ns, bool unique)
{
	(void)name;
	(void)pid;
	(void)start_ns;
	(void)unique;
	return 0;
}

bool exact_announce(pid_t pid, uint64_t key)
{
	(void)pid;
	(void)key;
	return false;
}

void exact_announced(pid_t pid, uint64_t key)
{
	(void)pid;
	(void)key;
}

bool exact_join(void)
{
	return false;
}

bool exact_is_marked(void)
{
	return false;
}

void exact_forked(void)
{
}

void exact_shell(void)
{
}

void exact_spawned(bool started)
{
	(void)started;
}

void exact_hide(void)
{
}

void exact_stays(void)
{
}

void exact_leave(void)
{
}

void exact_launch(struct launch *launch, struct exact_edit *edit, int directory, const char *file, bool search,
		  bool spawn)
{
	(void)launch;
	(void)edit;
	(void)directory;
	(void)file;
	(void)search;
	(void)spawn;
}

void exact_begin(uint64_t key)
{
	(void)key;
}

void exact_end(uint64_t key)
{
	(void)key;
}

uint32_t exact_listen(uint64_t key, uint32_t sampler, uint64_t known, uint32_t *at, struct exact_news *news,
		      uint32_t max)
{
	(void)key;
	(void)sampler;
	(void)known;
	(void)at;
	(void)news;
	(void)max;
	return 0;
}

void exact_seen(uint64_t key, const struct heaplog_tree *tree)
{
	(void)key;
	(void)tree;
}

void exact_heard(const struct exact_news *news, uint32_t count)
{
	(void)news;
	(void)count;
}

void exact_forget(uint64_t key, pid_t pid)
{
	(void)key;
	(void)pid;
}

bool exact_has_left(uint64_t key, pid_t pid)
{
	(void)key;
	(void)pid;
	return false;
}

uint64_t exact_unheard(uint64_t key)
{
	(void)key;
	return 0;
}

bool exact_is_complete(uint64_t key)
{
	(void)key;
	return false;
}

uint64_t exact_largest(uint64_t key)
{
	(void)key;
	return 0;
}

bool target_fits(int directory, const char *file, bool search)
{
	(void)directory;
	(void)file;
	(void)search;
	return false;
}

/* Nothing on macOS says so for certain. A runner without threads that forks by itself is therefore not measured; Node
 * has threads, and posix_spawn needs none. */
bool handler_may_run(void)
{
	return true;
}

/* Nobody has so small a stack there: MINSIGSTKSZ is 32 KB. */
bool stack_lacks(size_t bytes)
{
	(void)bytes;
	return false;
}

bool darwin_has_threads(void)
{
	struct proc_taskinfo info;

	return proc_pidinfo(getpid(), PROC_PIDTASKINFO, 0, &info, sizeof info) == (int)sizeof info &&
	       info.pti_threadnum > 1;
}

bool heaplog_oom_find(const char *proc, struct heaplog_oom_counter *counter)
{
	(void)proc;
	(void)counter;
	return false;
}

int64_t heaplog_oom_count(const struct heaplog_oom_counter *counter)
{
	(void)counter;
	return -1;
}

int64_t heaplog_oom_count_again(const struct heaplog_oom_counter *counter, int *kept)
{
	(void)counter;
	(void)kept;
	return -1;
}

bool procfs_is_ours(const char *proc)
{
	(void)proc;
	return true;
}
