#include "preload/sampler.h"

#include "measure/procfs.h"
#include "preload/boards.h"
#include "preload/exact.h"
#include "preload/futex.h"
#include "preload/runtime.h"
#include "preload/sampler_units.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	LINGER_MS = 2000, /* how long a finished task waits for its result line, or for its next command */
	EXEC_MS = 50,     /* a child that takes longer to exec is looked at in the usual rhythm */
	NEWS_SHARE = 10,  /* looks upon news may take a tenth of a core */
	TASKS_ALONE = 4,  /* from more on tasks at once share what looks may take: a thousand times 2 % is too much */
	SOON_MS = 25,     /* whoever looks within this need not be woken for a process that comes or goes */
	LOST_MS = 1000,   /* a wait wrapper that has just reaped needs a moment to tell us its status */
};

#define MS 1000000U

uint64_t sampler_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* A descriptor table of our own, else every open() of ours would take a number from the program and leak into its
 * children (measured: 18 of 200 000 close(0)/open() went wrong). Without it nothing is sampled. */
static bool private_descriptors(void)
{
	struct rlimit limit;

	if (syscall(SYS_close_range, 0U, UINT_MAX, CLOSE_RANGE_UNSHARE) == 0)
		return true;
	if (syscall(SYS_unshare, CLONE_FILES) != 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return false;
	/* Linux before 5.9: one by one; a limit of millions would take seconds, and such a kernel does not have it. */
	for (unsigned fd = 0; fd < limit.rlim_cur && fd < 1U << 20; fd++)
		syscall(SYS_close, fd);
	return true;
}

/* Children that ended without our seeing a wait (SIGCHLD ignored, a pidfd, a raw system call). */
static void collect_lost(const struct task *task)
{
	struct board *board = heaplog_board;
	const uint32_t used = atomic_load(&board->used);

	tasks_reaped_late();
	for (uint32_t i = 0; i < used; i++) {
		struct slot *slot = &board->slots[i];

		if (atomic_load(&slot->state) == SLOT_ADOPTED && atomic_load(&slot->task) == task &&
		    heaplog_process_has_execed("/proc", slot->pid) < 0)
			tasks_reaped(slot->pid, false, 0, NULL);
	}
}

/* The exact mode: what the task's processes say. Returns whether there was anything. */
static bool hear(const struct sampler *sampler, struct unit *unit, uint64_t now)
{
	enum { AT_ONCE = 64 };
	struct task *task = unit->task;
	struct exact_news news[AT_ONCE];
	uint32_t at = 0, count;
	bool heard = false;

	while ((count = exact_listen(task->key, sampler->place, task->peak.summary.peak_bytes, &at, news, AT_ONCE)) >
	       0) {
		const uint64_t peak = task->peak.summary.peak_bytes;
		uint64_t known, raised;

		for (uint32_t i = 0; i < count; i++) {
			/* Never the runner, nor its namespace's first process, with all the machine below it. */
			if (news[i].pid <= 1 || news[i].pid == heaplog_board->owner)
				continue;
			if (news[i].doubtful && !heaplog_tree_has(unit->tree, news[i].pid) &&
			    !heaplog_tree_takes(unit->tree, news[i].pid, now)) {
				exact_forget(task->key, news[i].pid);
				continue;
			}
			if (news[i].hidden)
				atomic_store(&task->missed, true);
			known = heaplog_tree_known(unit->tree, news[i].pid);
			raised = task->peak.summary.peak_upper_bytes;
			heaplog_tree_left(unit->tree, &task->peak, news[i].pid, news[i].high_water, news[i].bound,
					  news[i].left, now);
			/* Beyond what the last look knows of it, and by what the bound has not risen with the peak: that, beside
			 * others, only the next look accounts. */
			raised = task->peak.summary.peak_upper_bytes - raised;
			if (news[i].bound > known + raised)
				atomic_fetch_add(&task->untold, news[i].bound - known - raised);
			news[i].seen = news[i].bound > known ? news[i].bound : known;
			heard = heard || news[i].left || news[i].high_water;
			if (news[i].left || heaplog_tree_has(unit->tree, news[i].pid))
				continue;
			heard = true;
			heaplog_tree_add(unit->tree, news[i].pid, news[i].parent);
			if (!heaplog_tree_has(unit->tree, news[i].pid)) {
				exact_forget(task->key, news[i].pid); /* killed: it could not say so */
				if (!exact_has_left(task->key, news[i].pid))
					atomic_store(&task->missed, true);
			}
		}
		/* Before it goes from the board, since the task may end now. */
		if (task->peak.summary.peak_bytes > peak)
			tasks_publish(task);
		/* Who has closed the task's figures meanwhile asks the board, where this has to stand: heard and gone, it was in
		 * neither (seen: `true` without a figure, once in twenty). */
		if (atomic_load(&task->closed))
			break;
		exact_heard(news, count);
	}
	return heard;
}

static uint64_t cpu_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* What a look costs as the schedule is to see it: the least of three. The first with an orphan asks for a good deal, and
 * what came right after it was missed, since the next was put off for a quarter of a second. */
static uint64_t usual_cost(struct unit *unit, uint64_t now)
{
	const uint32_t children = atomic_load(&heaplog_board->taken);
	uint64_t cost = now;

	for (size_t i = 0; i < 2; i++)
		if (unit->costs[i] && unit->costs[i] < cost)
			cost = unit->costs[i];
	unit->costs[1] = unit->costs[0];
	unit->costs[0] = now;
	/* Who asks for shares is willing to pay: twice as much. */
	if (heaplog_runtime.pss)
		cost /= 2;
	return children > TASKS_ALONE ? cost * children / TASKS_ALONE : cost;
}

/* One look at one task. Returns false when the unit is done with. */
static bool look(struct sampler *sampler, struct unit *unit, uint64_t now)
{
	struct task *task = unit->task;
	const struct heaplog_summary *summary = &task->peak.summary;
	const uint64_t before = summary->current_bytes;
	bool moved = false;
	size_t members;
	uint64_t cost;

	if (atomic_load(&task->state) != TASK_RUNNING) {
		if (!unit->finished)
			unit->finished = now;
		/* At once: a runner that is killed from now on has lost nothing. */
		tasks_record(task);
		if (atomic_load(&task->state) == TASK_ANNOTATED || now - unit->finished >= (uint64_t)LINGER_MS * MS)
			return false;
		unit->due = unit->glance = unit->finished + (uint64_t)LINGER_MS * MS;
		return true;
	}
	if (heaplog_runtime.exact && hear(sampler, unit, now))
		unit->due = unit->soonest < unit->due ? unit->soonest : unit->due;
	if (now < unit->due) {
		if (now >= unit->glance) {
			unit->glance = now + heaplog_schedule_glance(&unit->schedule, summary->processes);
			if (heaplog_tree_glance(unit->tree, now))
				unit->due = now;
		}
		if (now < unit->due)
			return true;
	}
	/* Here, not in take: another thread may just be making the file. */
	if (!task->place) {
		board_file_add(task);
		if (task->place && heaplog_runtime.rule.preset != TASK_ALL)
			boards_tell(task);
	}
	cost = cpu_now();
	members = heaplog_tree_tick(unit->tree, now, &task->peak, &moved);
	task->peak.summary.interval_ms = (uint32_t)(unit->schedule.period_ns / MS);
	if (tasks_publish(task)) {
		atomic_store(&task->untold, 0); /* the bound has it now */
		/* Asked again: who has closed the figures meanwhile may have taken those before this look. */
		if (heaplog_runtime.exact && !atomic_load(&task->closed))
			exact_seen(task->key, unit->tree);
	}
	if (members)
		unit->empty = 0;
	else if (!unit->empty)
		unit->empty = now;
	else if (now - unit->empty > (uint64_t)LOST_MS * MS)
		collect_lost(task);
	cost = usual_cost(unit, cpu_now() - cost);
	now = sampler_now();
	oom_watch_look(&task->oom, &sampler->oom_fd, now, before, summary->current_bytes);
	/* Between its fork and its exec: the first look at the task itself must come soon, it may live for a
	 * millisecond. */
	if (members && !summary->samples && now - task->start_ns < (uint64_t)EXEC_MS * MS) {
		unit->due = unit->glance = now + MS / 4;
		return true;
	}
	unit->soonest = now + cost * NEWS_SHARE;
	unit->due = now + heaplog_schedule_next(&unit->schedule, cost, moved);
	unit->glance = now + heaplog_schedule_glance(&unit->schedule, summary->processes);
	return true;
}

/* Has the program ended by pthread_exit? Mostly wrap_thread.c says so; where its thread could not be made we see it. The
 * process ends with the last of all threads, and ours, which no signal reaches, would keep it for ever: a hang (seen).
 * Directory links: two, and one for each thread; the first thread counts as long as another lives. */
static bool is_left_alone(const struct sampler *sampler)
{
	char text[512];
	struct stat status;
	const char *at;
	long length;
	int fd;

	if (atomic_load(&heaplog_process->leaving))
		return true;
	/* By number: libc's fstat looks up a path, which takes longer. */
	if (syscall(SYS_fstat, sampler->threads_fd, &status) != 0 ||
	    status.st_nlink > 3 + atomic_load(&heaplog_process->threads))
		return false;
	fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	length = syscall(SYS_read, fd, text, sizeof text - 1);
	syscall(SYS_close, fd);
	text[length > 0 ? length : 0] = '\0';
	at = strrchr(text, ')');
	return at && strncmp(at, ") Z", 3) == 0;
}

/* All looks that are due. Returns when the next one is. */
static uint64_t look_at_all(struct sampler *sampler)
{
	uint64_t due = units_see_to_children(sampler, sampler_now());
	uint64_t now;

	units_take_over(sampler);
	now = sampler_now();
	if (now < atomic_load(&heaplog_process->unsent))
		units_see_to_unsent(sampler);
	for (size_t i = 0; i < sampler->count;) {
		struct unit *unit = &sampler->units[i];

		if (!look(sampler, unit, now)) {
			units_drop(sampler, i);
			continue;
		}
		due = unit->due < due ? unit->due : due;
		due = unit->glance < due ? unit->glance : due;
		i++;
	}
	return due;
}

/* Until due, or until word is no longer seen. In the exact mode nobody need wake who wakes up soon by himself. */
static void rest(const struct sampler *sampler, _Atomic uint32_t *word, uint32_t seen, uint64_t due)
{
	struct heaplog_board *file = heaplog_runtime.exact ? atomic_load(&heaplog_board_file) : NULL;
	const uint64_t now = sampler_now();

	if (due <= now)
		return;
	if (file)
		atomic_store(&file->sampler[sampler->place].sleeps, due - now > SOON_MS * MS);
	futex_wait(word, seen, due - now);
	if (file)
		atomic_store(&file->sampler[sampler->place].sleeps, 0);
}

static void run(struct sampler *sampler)
{
	for (;;) {
		_Atomic uint32_t *const word =
		    units_await_claim(sampler) ? board_claim(heaplog_board, sampler->children[0].pid) : sampler->news;
		const uint32_t seen = atomic_load(word);
		const uint64_t due = look_at_all(sampler);

		if ((!sampler->count && !sampler->child_count) || is_left_alone(sampler))
			return;
		rest(sampler, word, seen, due);
	}
}

void sampler_run(pid_t pid, uint32_t place)
{
	struct sampler *sampler;

	if (!private_descriptors() || !procfs_is_ours("/proc"))
		return;
	prctl(PR_SET_NAME, "heaplog");
	sampler =
	    mmap(NULL, sizeof *sampler, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (sampler == MAP_FAILED)
		return;
	madvise(sampler, sizeof *sampler, MADV_DONTFORK);
	sampler->place = place;
	sampler->news = &heaplog_process->news[place];
	sampler->children[0].pid = pid;
	sampler->child_count = 1;
	sampler->oom_fd = -1;
	sampler->threads_fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/task", O_PATH | O_CLOEXEC, 0);
	run(sampler);
	munmap(sampler, sizeof *sampler);
}
