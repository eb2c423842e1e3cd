#include "preload/launch.h"

#include "task/environment.h"
#include "preload/exact.h"
#include "preload/readable.h"
#include "preload/runtime.h"
#include "preload/sampler.h"
#include "preload/stack.h"
#include "preload/target.h"
#include "task/task.h"
#include "preload/tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ru_maxrss survives exec, and a child begins with what its spawner had: only more than this is the task's own. Between
 * here and the exec the copy still grows by pages of libc that fork did not map (seen: 0.3 MB), hence the margin. */
static uint64_t maxrss_of(int who)
{
	enum { MARGIN = 4 << 20 };
	struct rusage usage;

	return getrusage(who, &usage) == 0 ? (uint64_t)usage.ru_maxrss * HEAPLOG_MAXRSS_UNIT + MARGIN : UINT64_MAX;
}

/* Of a child that is about to exec: what it has run and reaped before counts in wait4's figure as well, and survives the
 * exec (signal->cmaxrss of the kernel; a subshell's last command is exec'ed in its place). */
static uint64_t maxrss_before_exec(void)
{
	const uint64_t own = maxrss_of(RUSAGE_SELF), reaped = maxrss_of(RUSAGE_CHILDREN);

	return own > reaped ? own : reaped;
}

/* Append text to the slot's names; 0: absent or no room. */
static uint32_t keep(struct slot_bulk *bulk, size_t *used, const char *text)
{
	const size_t length = text ? strlen(text) + 1 : 0;
	const size_t at = *used;

	if (!text || at + length > sizeof bulk->text)
		return 0;
	memcpy(bulk->text + at, text, length);
	*used += length;
	return (uint32_t)at;
}

/* What the kernel will refuse with EFAULT is passed on as it is. A search by PATH is libc's, which reads the name itself. */
static bool is_readable(const char *file, bool search, char *const argv[], char *const envp[])
{
	return (search || !file || readable_string(file)) && readable_strings(argv) && readable_strings(envp);
}

/* HEAPLOG_EXACT: the program keeps the library where it can load it. */
static bool stays(struct launch *launch, pid_t pid, int directory, const char *file, bool search)
{
	launch->announced = heaplog_runtime.exact && atomic_load(&launch->slot->kind) == SLOT_TASK &&
			    target_fits(directory, file, search) &&
			    exact_announce(pid > 0 ? pid : 0, launch->slot->key);
	launch->slot->announced = launch->announced;
	return launch->announced;
}

static void prepare(struct launch *launch, struct board *board, pid_t pid, int directory, const char *file, bool search,
		    char *const argv[], char *const envp[])
{
	struct task_name name;
	struct slot_bulk *bulk;
	struct slot *slot;
	size_t used = 1;
	const enum task_what what = envp ? task_recognise(&heaplog_runtime.rule, argv, envp, &name) : TASK_NOTHING;

	if (what == TASK_NOTHING)
		return;
	slot = board_take(board, pid);
	if (!slot)
		return;
	bulk = board_bulk(board, slot);
	atomic_store(&slot->kind, what == TASK_DAEMON ? SLOT_SCRATCH : SLOT_TASK);
	if (what != TASK_DAEMON && atomic_load(&slot->state) == SLOT_FILLING) {
		bulk->text[0] = '\0';
		slot->origin = name.origin;
		slot->batch = what == TASK_BATCH;
		slot->name = name.text[0] ? keep(bulk, &used, name.text) : 0;
		slot->project = keep(bulk, &used, name.project);
		slot->target = keep(bulk, &used, name.target);
		slot->configuration = keep(bulk, &used, name.configuration);
		slot->hash = keep(bulk, &used, name.hash);
		clock_gettime(CLOCK_REALTIME, &slot->start);
		const uint64_t now = sampler_now();

		atomic_store(&slot->start_ns, now);
		slot->key = exact_key(&name, pid, now, heaplog_runtime.rule.preset == TASK_ALL || what == TASK_BATCH);
		/* A name that does not fit cannot be told from another: such a task gets no figure. */
		if (what != TASK_BATCH && !slot->name &&
		    (!slot->project || !slot->target || (name.configuration && !slot->configuration)))
			atomic_store(&slot->kind, SLOT_SCRATCH);
	}
	launch->board = board;
	launch->slot = slot;
	if (stays(launch, pid, directory, file, search))
		return;
	launch->envp = environment_without(envp, heaplog_runtime.library, bulk->entries, BOARD_ENTRIES, bulk->preload,
					   sizeof bulk->preload);
}

bool launch_needs_room(void)
{
	return (heaplog_runtime.member ||
		(heaplog_runtime.on && (!heaplog_board || atomic_load(&heaplog_board->taken) >= BOARD_SLOTS))) &&
	       !stack_lacks(STACK_WORK);
}

/* Is there no stack to look at the program and its environment? A member has room, or else no stack for it. */
static bool is_cramped(const struct exact_edit *edit)
{
	return heaplog_runtime.member ? !edit : stack_lacks(STACK_WORK);
}

/* A program is started on a small stack: a task is not measured then, and keeps our token, also where it cannot load us:
 * its loader says so, as that of any child that is no task. */
static void pass_by(void)
{
	if (heaplog_runtime.member)
		exact_hide();
	else if (heaplog_board)
		atomic_store(&heaplog_board->missed, 1);
}

/* Without a slot a task is not measured, but runs without us as any other: its program may not be able to load us. */
static void without_slot(struct launch *launch, struct exact_edit *edit, char *const argv[])
{
	struct task_name name;

	if (edit && !launch->slot && launch->envp &&
	    task_recognise(&heaplog_runtime.rule, argv, launch->envp, &name) != TASK_NOTHING)
		launch->envp = environment_without(launch->envp, heaplog_runtime.library, edit->entries, EXACT_ENTRIES,
						   edit->text, EXACT_TEXT);
}

void launch_exec(struct launch *launch, struct exact_edit *edit, int directory, const char *file, bool search,
		 char *const argv[], char *const envp[])
{
	struct board *board = heaplog_board;

	*launch = (struct launch){.envp = envp};
	if (!heaplog_runtime.member && !heaplog_runtime.on)
		return;
	const bool cramped = is_cramped(edit);

	if (cramped)
		pass_by();
	else if (!is_readable(file, search, argv, envp))
		return;
	else if (heaplog_runtime.member)
		exact_launch(launch, edit, directory, file, search, false);
	if (!heaplog_runtime.on)
		return;
	const int saved = errno;

	if (board && board->owner == getpid()) {
		/* The runner itself becomes another program: what it knows would be lost. */
		runtime_finish();
	} else if (board && board->owner == getppid()) {
		board_outdate(board, getpid(), UINT64_MAX);
		if (!cramped)
			prepare(launch, board, getpid(), directory, file, search, argv, envp);
		if (launch->slot) {
			launch->slot->carry_over = maxrss_before_exec();
			/* A child by fork sees zeros there, one by vfork what its parent sees. */
			launch->slot->shared = atomic_load(&heaplog_process->owner) != 0;
			board_publish(board, launch->slot);
		} else {
			board_wake(board, getpid()); /* who waits to see what this child becomes need not wait longer */
		}
	}
	if (!cramped && heaplog_runtime.started != getpid())
		without_slot(launch, edit, argv);
	errno = saved;
}

bool launch_again(struct launch *launch, char *const given[])
{
	if (errno != E2BIG || launch->envp == given)
		return false;
	launch->envp = given;
	return true;
}

void launch_failed(struct launch *launch)
{
	if (heaplog_runtime.member)
		exact_stays();
	if (!launch->slot)
		return;
	const int saved = errno;
	uint32_t expected = SLOT_CLAIMED;

	/* What it reports as its maximum is the runner's copy, whole. */
	launch->slot->carry_over = UINT64_MAX;
	/* Once adopted it is the runner's to free: it will see the child end without ever having exec'ed. */
	if (atomic_compare_exchange_strong(&launch->slot->state, &expected, SLOT_FILLING))
		board_release(launch->board, launch->slot);
	errno = saved;
}

void launch_spawn(struct launch *launch, struct exact_edit *edit, const char *file, bool search, char *const argv[],
		  char *const envp[])
{
	*launch = (struct launch){.envp = envp};
	if (!heaplog_runtime.on && !heaplog_runtime.member)
		return;
	if (is_cramped(edit)) {
		pass_by();
		return;
	}
	if (!is_readable(file, search, argv, envp))
		return;
	const int saved = errno;

	if (heaplog_runtime.member)
		exact_launch(launch, edit, AT_FDCWD, file, search, true);
	if (heaplog_runtime.on) {
		board_prepare();
		/* -1: no process has this id, so that no other slot can be meant. */
		if (runtime_is_owner())
			prepare(launch, heaplog_board, -1, AT_FDCWD, file, search, argv, envp);
		without_slot(launch, edit, argv);
	}
	errno = saved;
}

void launch_spawned(struct launch *launch, pid_t pid)
{
	if (heaplog_runtime.member && launch->announced)
		exact_spawned(pid > 0);
	if (!heaplog_runtime.on)
		return;
	const int saved = errno;

	if (pid > 0 && runtime_is_owner())
		board_outdate(heaplog_board, pid, sampler_now());
	if (launch->announced)
		exact_announced(pid, launch->slot->key);
	if (launch->slot && pid > 0 && atomic_load(&launch->slot->kind) == SLOT_TASK) {
		launch->slot->pid = pid;
		launch->slot->carry_over = maxrss_of(RUSAGE_SELF); /* as it forks, a child has reaped none */
		launch->slot->shared = false;                      /* it has exec'ed */
		atomic_store(&launch->slot->polled, 1);
		board_publish(launch->board, launch->slot);
		sampler_start(pid);
	} else if (launch->slot) {
		/* posix_spawn returns after the exec: the edited environment has been read. */
		board_release(launch->board, launch->slot);
	}
	errno = saved;
}
