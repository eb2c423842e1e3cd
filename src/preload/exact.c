#include "preload/exact.h"

#include "preload/board_file.h"
#include "preload/boards.h"
#include "preload/exact_token.h"
#include "preload/registry.h"
#include "preload/runtime.h"
#include "preload/settings.h"
#include "preload/target.h"

#include "task/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	FORK_MARGIN = 1 << 20, /* a forked child that has grown by so much works without an exec */
	SMALL = 4 << 20,       /* a process that cannot have held more makes no difference to a task's bounds */
	WORKED_US = 3000,      /* of a processor: a forked child that had so much was no mere copy (memory_linux.c) */
	SETTLED_US = 50000,    /* nor, perhaps, one that lived so long: a look counts it later still (the same) */
};

/* This process in the tree of a task. Copied by fork; a vfork child sees its parent's, whose pid is not its own. */
static struct {
	pid_t pid;
	bool forked; /* no exec since the fork */
	uint64_t key;
	bool doubtful;    /* known by its variables alone, or descends from such a one */
	uint64_t carried; /* ru_maxrss at the start: of what this process was before */
	uint64_t since;   /* when it was forked, in microseconds */
	struct heaplog_board *board;
	struct heaplog_board_process *entry; /* NULL: the table was full */
	char token[RUNTIME_NAME_MAX];        /* what to put into a cleared environment; "": nothing */
} self;

static uint64_t hash(uint64_t value, const char *text)
{
	/* FNV-1a, with the end of each text in it. */
	for (; text && *text; text++)
		value = (value ^ (unsigned char)*text) * 0x100000001b3ULL;
	return (value ^ 0xff) * 0x100000001b3ULL;
}

uint64_t exact_key(const struct task_name *name, pid_t pid, uint64_t start_ns, bool unique)
{
	uint64_t value = 0xcbf29ce484222325ULL;

	if (unique)
		return (value ^ (uint64_t)pid ^ start_ns << 20) | 1;
	value = hash(value, name->text);
	value = hash(value, name->project);
	value = hash(value, name->target);
	value = hash(value, name->configuration);
	value = hash(value ^ name->origin, name->hash);
	return value | 1;
}

/* By number: board_file.c says why. */
static pid_t own_pid(void)
{
	return (pid_t)syscall(SYS_getpid);
}

static pid_t own_parent(void)
{
	return (pid_t)syscall(SYS_getppid);
}

/* worked, or NULL: microseconds of a processor. */
static uint64_t maxrss(uint64_t *worked)
{
	struct rusage usage = {.ru_maxrss = 0};

	syscall(SYS_getrusage, RUSAGE_SELF, &usage);
	if (worked)
		*worked = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
			  (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	return (uint64_t)usage.ru_maxrss * 1024;
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* VmHWM, in bytes. False where it cannot be read: no descriptor is left, behind a chroot or a filter. In pieces: this may be
 * a signal's small stack. */
static bool read_high_water(uint64_t *bytes)
{
	static const char name[] = "\nVmHWM:";
	const int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC, 0);
	char text[128];
	uint64_t value = 0;
	size_t matched = 0;
	bool over = false;
	long length;

	while (fd >= 0 && !over && (length = syscall(SYS_read, fd, text, sizeof text)) > 0)
		for (long i = 0; i < length && !over; i++) {
			if (matched < sizeof name - 1)
				matched = text[i] == name[matched] ? matched + 1 : text[i] == name[0];
			else if (text[i] >= '0' && text[i] <= '9')
				value = value * 10 + (uint64_t)(text[i] - '0');
			else
				over = value || text[i] == '\n';
		}
	if (fd >= 0)
		syscall(SYS_close, fd);
	*bytes = value * 1024;
	return value != 0;
}

/* What this program is known to have held; 0: nothing of its own. most: ru_maxrss, which is the same where it has grown above
 * what was brought along, at a fiftieth of the cost; 0: the kernel has not said it. */
static uint64_t high_water(uint64_t most)
{
	uint64_t bytes = 0;

	if (most && self.forked)
		return most > self.carried + FORK_MARGIN ? most : 0;
	if (most > self.carried)
		return most;
	if (!most || !read_high_water(&bytes))
		atomic_store(&self.entry->hidden, 1);
	return bytes;
}

/* Whose process is this? */
struct claim {
	uint64_t key; /* of its own variables; 0: they say nothing */
	uint64_t found;
	bool doubtful;
	struct heaplog_board_process *entry; /* of the same task */
	unsigned boards;                     /* that have a process with the key */
};

/* In a pid namespace of its own (a sandbox) a process has a number that the runner would take for somebody else's: it is
 * none of the board's, and the task lacks what it would say. */
static bool is_outside(struct heaplog_board *board, uint64_t key)
{
	const uint32_t used = atomic_load(&board->head.processes_used);

	if (board_file_shares_numbers(board))
		return false;
	/* Without a key (TASK_ALL) it is nobody's: free places have none either. */
	for (uint32_t i = 0; key && i < used && i < HEAPLOG_BOARD_PROCESSES; i++)
		if (atomic_load(&board->process[i].task) == key)
			atomic_store(&board->process[i].hidden, 1);
	return true;
}

/* Its own entry, unless that is one of a process that was killed and had this number before. */
static struct heaplog_board_process *own_entry(struct heaplog_board *board, pid_t parent)
{
	struct heaplog_board_process *entry = registry_find(board, own_pid());

	return entry && (entry->parent == parent || atomic_load(&entry->becomes)) ? entry : NULL;
}

/* posix_spawn in the runner: it has not told us our number yet. Where it is slow to (a thread that waits for a processor)
 * one takes the place that was announced for a task with the own key. */
static struct heaplog_board_process *await_number(struct heaplog_board *board, uint64_t key)
{
	enum { WAITS = 10, WAIT_NS = 100000 };

	for (int i = 0; i < WAITS + 2; i++) {
		/* Asked first: it may be told between the two. */
		const bool awaited = registry_awaits(board, board->head.owner);
		struct heaplog_board_process *entry = own_entry(board, board->head.owner);

		if (!entry && i >= WAITS && key)
			entry = registry_number(board, board->head.owner, key, own_pid());
		if (entry || !awaited)
			return entry;
		if (i < WAITS)
			nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
	}
	return NULL;
}

/* An entry of its own, one that its parent has announced, or its parent's. */
static bool is_known(void *context, struct heaplog_board *board)
{
	struct claim *claim = context;
	const pid_t parent = own_parent();
	struct heaplog_board_process *entry, *parents;

	if (is_outside(board, claim->key))
		return false;
	entry = own_entry(board, parent);
	/* Only beside an entry of the parent's own: a dead one's number may be a stranger's by now. */
	if (!entry && (parents = registry_find(board, parent))) {
		entry = registry_number(board, parent, 0, own_pid());
		entry = entry ? entry : parents;
	}
	if (!entry && board->head.owner == parent)
		entry = await_number(board, claim->key);
	if (!entry)
		return false;
	claim->entry = entry;
	claim->found = atomic_load(&entry->task);
	claim->doubtful = entry->doubtful;
	return true;
}

/* An orphan: that of any process with the same key. Where two runs have such, it may be either's. */
static bool is_possible(void *context, struct heaplog_board *board)
{
	struct claim *claim = context;
	const uint32_t used = atomic_load(&board->head.processes_used);

	if (board->head.owner == own_parent() || is_outside(board, claim->key) || !boards_owner_lives(board))
		return false;
	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++)
		if (atomic_load(&board->process[i].state) >= HEAPLOG_PROCESS_ANNOUNCED &&
		    atomic_load(&board->process[i].task) == claim->key) {
			claim->boards++;
			claim->entry = &board->process[i];
			return claim->boards > 1 || claim->found;
		}
	return false;
}

/* Whether a killed run's is asked without a look into /proc where the process is known: a number given anew since would
 * have to be the runner's and this process's, or its parent's. */
static bool find_board(uint64_t key, struct claim *claim)
{
	struct heaplog_board *board;

	*claim = (struct claim){.key = key};
	board = boards_find(is_known, claim, true);
	if (board && syscall(SYS_kill, board->head.owner, 0) != 0 && errno == ESRCH) {
		board_file_unmap(board, true);
		board = NULL;
	} else if (!board && key) {
		/* Once to count them, once to take the only one. */
		board = boards_find(is_possible, claim, true);
		if (!board && claim->boards == 1) {
			claim->found = key;
			claim->doubtful = true;
			board = boards_find(is_possible, claim, true);
			if (board) /* its parent has announced it, and left */
				registry_number_orphan(board, key, own_pid());
		} else if (board) {
			board_file_unmap(board, true);
			board = NULL;
		}
	}
	self.board = board;
	self.key = claim->found;
	self.doubtful = claim->doubtful;
	return board != NULL;
}

static uint64_t own_key(void)
{
	struct task_rule rule = {.preset = TASK_NX};
	struct task_name name;

	if (!task_rule_read(&rule, settings_value("HEAPLOG_TASK")) || rule.preset == TASK_ALL ||
	    task_recognise(&rule, NULL, environ, &name) != TASK_ROOT)
		return 0;
	return exact_key(&name, 0, 0, false);
}

/* Register this process. origin: an entry of its task, of which it has the key; where the task begins anew in this moment
 * (exact_begin) that entry's key changes, and ours with it. Without an entry, since the table was full, nobody knows
 * whether the key still holds: only what the process is known by from outside counts then. */
static void enter(const struct heaplog_board_process *origin)
{
	const bool doubtful = self.doubtful || !origin;
	uint64_t key = self.key;

	self.entry = registry_enter(self.board, self.pid, own_parent(), key, HEAPLOG_PROCESS_LIVES, doubtful, origin);
	if (self.entry && origin && exact_is_stale(atomic_load(&origin->task)))
		atomic_compare_exchange_strong(&self.entry->task, &key, key & ~UINT64_C(1));
	registry_tell(self.board, self.entry, false);
}

bool exact_join(void)
{
	struct claim claim;

	if (!find_board(own_key(), &claim))
		return false;
	exact_note_token(self.token);
	self.pid = own_pid();
	self.carried = maxrss(NULL);
	/* It was another program, which has not said what it held: a raw system call (Go, a library bound to libc alone). */
	if (atomic_load(&claim.entry->pid) == self.pid && !atomic_exchange(&claim.entry->becomes, 0) &&
	    atomic_load(&claim.entry->state) == HEAPLOG_PROCESS_LIVES)
		atomic_store(&claim.entry->hidden, 1);
	enter(claim.entry);
	return true;
}

void exact_forked(void)
{
	const int saved = errno;

	/* A parent of the number 0 is in another pid namespace (is_outside). */
	if (!self.board || own_parent() == 0) {
		if (self.entry)
			atomic_store(&self.entry->hidden, 1);
		self.board = NULL;
		self.entry = NULL;
		errno = saved;
		return;
	}
	/* Where its task has begun anew meanwhile, the parent is no longer of it, and the child neither. */
	if (self.entry && atomic_load(&self.entry->pid) == self.pid)
		self.key = atomic_load(&self.entry->task);
	self.pid = own_pid();
	self.forked = true;
	self.since = now_us();
	self.carried = maxrss(NULL);
	enter(self.entry);
	errno = saved;
}

/* What it held. It need not be known exactly where it is little, and less than the task is known to have held. */
static void leave_mark(struct heaplog_board_process *entry)
{
	uint64_t worked;
	const uint64_t most = maxrss(&worked);

	if (most && !self.forked && most <= SMALL && most <= self.carried && most <= atomic_load(&entry->known)) {
		entry->high_water = 0;
		entry->bound = most;
	} else {
		entry->high_water = high_water(most);
		/* Who has worked without an exec, or sleeps, is counted where a look comes in time: with what is its
		 * parent's copy. */
		entry->bound = self.forked && (worked >= WORKED_US || now_us() - self.since >= SETTLED_US)
				   ? most
				   : entry->high_water;
	}
}

void exact_leave(void)
{
	const int saved = errno;

	if (self.entry && self.pid != own_pid()) {
		/* A vfork child ends: its parent does not. Or one that a raw system call or libc itself made (daemon), which
		 * nobody has heard of. */
		atomic_store(&self.entry->hidden, 1);
	} else if (self.entry && atomic_load(&self.entry->pid) == self.pid) {
		leave_mark(self.entry);
		/* Of a run that is over nobody hears any more. */
		atomic_store(&self.entry->state, exact_is_stale(atomic_load(&self.entry->task)) ? HEAPLOG_PROCESS_FREE
												: HEAPLOG_PROCESS_LEFT);
		/* Of much memory the last moment counts: what the others hold now, they hold beside it. */
		registry_tell(self.board, self.entry, self.entry->high_water > SMALL);
	}
	errno = saved;
}

/* A program is about to be started by parent: until it registers itself the task is not complete. One that cannot (a foreign
 * one, a user who may not read the board, no descriptor left, no variables of ours) never does. */
static void announce(pid_t pid, pid_t parent)
{
	if (self.entry)
		registry_enter(self.board, pid, parent, atomic_load(&self.entry->task), HEAPLOG_PROCESS_ANNOUNCED,
			       self.doubtful, self.entry);
}

/* Behind a chroot, or where the task has removed it (npm ci), the loader would complain in the task's output. */
static bool is_within_reach(void)
{
	return !self.token[0] || syscall(SYS_faccessat, AT_FDCWD, self.token, R_OK) == 0;
}

void exact_launch(struct launch *launch, struct exact_edit *edit, int directory, const char *file, bool search_path,
		  bool spawn)
{
	const int saved = errno;

	if (!launch->envp || !edit) {
		errno = saved;
		return;
	}
	if (!target_fits(directory, file, search_path) || !is_within_reach())
		launch->envp = environment_without(launch->envp, heaplog_runtime.library, edit->entries, EXACT_ENTRIES,
						   edit->text, EXACT_TEXT);
	else if (self.token[0])
		launch->envp = environment_with(launch->envp, heaplog_runtime.library, self.token, edit->entries,
						EXACT_ENTRIES, edit->text, EXACT_TEXT);
	if (spawn) {
		announce(0, self.pid);
		launch->announced = true;
	} else if (self.pid != own_pid()) {
		announce(own_pid(), own_parent());
	} else if (self.entry) {
		/* Of this program nothing can be read after the exec. */
		const uint64_t mark = high_water(maxrss(NULL));

		if (mark > atomic_load(&self.entry->past))
			atomic_store(&self.entry->past, mark);
		atomic_store(&self.entry->becomes, 1);
		/* As where one leaves. */
		registry_tell(self.board, self.entry, mark > SMALL);
	}
	errno = saved;
}

void exact_shell(void)
{
	const int saved = errno;

	announce(0, self.pid);
	errno = saved;
}

void exact_hide(void)
{
	if (self.entry) /* a vfork child's is its parent's */
		atomic_store(&self.entry->hidden, 1);
}

void exact_stays(void)
{
	const pid_t pid = own_pid();
	struct heaplog_board_process *entry = self.entry;
	uint32_t state = HEAPLOG_PROCESS_ANNOUNCED;

	if (entry && self.pid == pid)
		atomic_store(&entry->becomes, 0);
	else if (entry && (entry = registry_find(self.board, pid)))
		atomic_compare_exchange_strong(&entry->state, &state, HEAPLOG_PROCESS_FREE);
}

void exact_spawned(bool started)
{
	struct heaplog_board_process *entry;

	if (started || !self.entry)
		return;
	entry = registry_number(self.board, self.pid, 0, -1);
	if (entry)
		atomic_store(&entry->state, HEAPLOG_PROCESS_FREE);
}
