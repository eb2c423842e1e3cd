#include "preload/exact.h"

#include "preload/board_file.h"
#include "preload/boards.h"
#include "task/environment.h"
#include "preload/runtime.h"
#include "preload/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { FORK_MARGIN = 1 << 20 }; /* a forked child that has grown by so much works without an exec */

/* This process in the tree of a task. Copied by fork; a vfork child sees its parent's, whose pid is not its own. */
static struct {
	pid_t pid;
	bool forked; /* no exec since the fork */
	uint64_t key;
	bool doubtful;    /* known by its variables alone, or descends from such a one */
	uint64_t carried; /* ru_maxrss at the start: of what this process was before */
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

static void wake(struct heaplog_board *board)
{
	atomic_fetch_add(&board->head.sequence, 1);
	syscall(SYS_futex, &board->head.sequence, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static struct heaplog_board_process *find(struct heaplog_board *board, pid_t pid)
{
	const uint32_t used = atomic_load(&board->head.processes_used);

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++) {
		const uint32_t state = atomic_load(&board->process[i].state);

		if ((state == HEAPLOG_PROCESS_LIVES || state == HEAPLOG_PROCESS_ANNOUNCED) &&
		    atomic_load(&board->process[i].pid) == pid)
			return &board->process[i];
	}
	return NULL;
}

/* The entry of pid, or a free one for it. */
static struct heaplog_board_process *enter(struct heaplog_board *board, pid_t pid, pid_t parent, uint64_t key,
					   uint32_t state, bool doubtful)
{
	struct heaplog_board_process *entry = find(board, pid);

	for (uint32_t i = 0; !entry && i < HEAPLOG_BOARD_PROCESSES; i++) {
		uint32_t expected = HEAPLOG_PROCESS_FREE;
		uint32_t used = atomic_load(&board->head.processes_used);

		if (!atomic_compare_exchange_strong(&board->process[i].state, &expected, HEAPLOG_PROCESS_FILLING))
			continue;
		while (used < i + 1 && !atomic_compare_exchange_weak(&board->head.processes_used, &used, i + 1))
			;
		entry = &board->process[i];
		atomic_store(&entry->past, 0);
	}
	if (!entry) {
		atomic_fetch_add(&board->head.processes_lost, 1);
		return NULL;
	}
	atomic_store(&entry->pid, pid);
	entry->parent = parent;
	entry->task = key;
	entry->doubtful = doubtful;
	entry->high_water = 0;
	atomic_store(&entry->state, state);
	return entry;
}

bool exact_announce(pid_t pid, uint64_t key)
{
	struct heaplog_board *board;

	board_file_open(heaplog_board->owner);
	board = atomic_load(&heaplog_board_file);
	return board && enter(board, pid, heaplog_board->owner, key, HEAPLOG_PROCESS_ANNOUNCED, false);
}

void exact_announced(pid_t pid, uint64_t key)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);

	for (uint32_t i = 0; board && i < HEAPLOG_BOARD_PROCESSES; i++) {
		struct heaplog_board_process *entry = &board->process[i];

		if (atomic_load(&entry->state) == HEAPLOG_PROCESS_ANNOUNCED && atomic_load(&entry->pid) == 0 &&
		    entry->task == key) {
			/* Where it could not be started the place is free again. */
			atomic_store(&entry->pid, pid);
			if (pid <= 0)
				atomic_store(&entry->state, HEAPLOG_PROCESS_FREE);
			return;
		}
	}
}

static uint64_t maxrss(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

/* VmHWM. ru_maxrss is the same where it has grown above what was brought along, at a fiftieth of the cost. */
static uint64_t high_water(void)
{
	const uint64_t most = maxrss();
	char text[4096];
	const char *at;
	uint64_t value = 0;
	long length;
	int fd;

	if (self.forked)
		return most > self.carried + FORK_MARGIN ? most : 0;
	if (most > self.carried)
		return most;
	fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	length = syscall(SYS_read, fd, text, sizeof text - 1);
	syscall(SYS_close, fd);
	text[length > 0 ? length : 0] = '\0';
	at = strstr(text, "\nVmHWM:");
	for (at = at ? at + 7 + strspn(at + 7, " \t") : ""; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	return value * 1024;
}

/* Our token as it stands in LD_PRELOAD; its length, 0: not there, or no absolute path. */
static size_t own_token(const char **token)
{
	const char *value = environment_get(environ, "LD_PRELOAD");

	while (value && *value) {
		const size_t length = strcspn(value, ": ");
		char one[RUNTIME_NAME_MAX];

		if (length < sizeof one && *value == '/') {
			memcpy(one, value, length);
			one[length] = '\0';
			*token = value;
			if (environment_has_token(one, heaplog_runtime.library))
				return length;
		}
		value += length + (value[length] != '\0');
	}
	return 0;
}

/* Is the last slash a double one? */
static bool has_mark(const char *token, size_t length)
{
	const size_t name = strlen(heaplog_runtime.library);

	return length > name + 2 && token[length - name - 1] == '/' && token[length - name - 2] == '/';
}

bool exact_is_marked(void)
{
	const char *token;
	const size_t length = secure_getenv("LD_PRELOAD") ? own_token(&token) : 0;

	return length && has_mark(token, length);
}

static void note_token(void)
{
	const char *token;
	const size_t length = own_token(&token);
	const size_t name = strlen(heaplog_runtime.library);

	if (!length || length + 2 > sizeof self.token)
		return;
	memcpy(self.token, token, length - name);
	if (!has_mark(token, length))
		strcat(self.token, "/");
	strcat(self.token, heaplog_runtime.library);
}

/* Whose process is this? */
struct claim {
	uint64_t key; /* of its own variables; 0: they say nothing */
	uint64_t found;
	bool doubtful;
	unsigned boards; /* that have a process with the key */
};

/* An entry of its own, or its parent's. */
static bool is_known(void *context, struct heaplog_board *board)
{
	struct claim *claim = context;
	struct heaplog_board_process *entry = find(board, getpid());
	const pid_t parent = getppid();

	if (!entry)
		entry = find(board, parent);
	/* posix_spawn in the runner: it has not told us our number yet. */
	for (int i = 0; !entry && i < 10 && board->head.owner == parent && find(board, 0); i++) {
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
		entry = find(board, getpid());
	}
	if (!entry)
		return false;
	claim->found = entry->task;
	claim->doubtful = entry->doubtful;
	return true;
}

/* An orphan: that of any process with the same key. Where two runs have such, it may be either's. */
static bool is_possible(void *context, struct heaplog_board *board)
{
	struct claim *claim = context;
	const uint32_t used = atomic_load(&board->head.processes_used);

	if (board->head.owner == getppid() || !boards_owner_lives(board))
		return false;
	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++)
		if (atomic_load(&board->process[i].state) >= HEAPLOG_PROCESS_ANNOUNCED &&
		    board->process[i].task == claim->key) {
			claim->boards++;
			return claim->boards > 1 || claim->found;
		}
	return false;
}

static bool find_board(uint64_t key)
{
	struct claim claim = {.key = key};
	struct heaplog_board *board = boards_find(is_known, &claim);

	if (!board && key) {
		/* Once to count them, once to take the only one. */
		board = boards_find(is_possible, &claim);
		if (!board && claim.boards == 1) {
			claim.found = key;
			claim.doubtful = true;
			board = boards_find(is_possible, &claim);
		}
	}
	/* Of a killed run, or of one of two. */
	if (board && (!claim.found || !boards_owner_lives(board))) {
		munmap(board, sizeof *board);
		board = NULL;
	}
	self.board = board;
	self.key = claim.found;
	self.doubtful = claim.doubtful;
	return board != NULL;
}

static uint64_t own_key(void)
{
	struct task_rule rule = {.preset = TASK_NX};
	struct task_name name;

	if (!task_rule_read(&rule, secure_getenv("HEAPLOG_TASK")) || rule.preset == TASK_ALL ||
	    task_recognise(&rule, NULL, environ, &name) != TASK_ROOT)
		return 0;
	return exact_key(&name, 0, 0, false);
}

bool exact_join(void)
{
	if (!find_board(own_key()))
		return false;
	note_token();
	self.pid = getpid();
	self.carried = maxrss();
	self.entry = enter(self.board, self.pid, getppid(), self.key, HEAPLOG_PROCESS_LIVES, self.doubtful);
	wake(self.board);
	return true;
}

void exact_forked(void)
{
	const int saved = errno;

	self.pid = getpid();
	self.forked = true;
	self.carried = maxrss();
	self.entry = enter(self.board, self.pid, getppid(), self.key, HEAPLOG_PROCESS_LIVES, self.doubtful);
	wake(self.board);
	errno = saved;
}

void exact_leave(void)
{
	const int saved = errno;

	/* A vfork child ends: its parent does not. */
	if (self.pid == getpid() && self.entry && atomic_load(&self.entry->pid) == self.pid) {
		self.entry->high_water = high_water();
		atomic_store(&self.entry->state, HEAPLOG_PROCESS_LEFT);
		wake(self.board);
	}
	errno = saved;
}

void exact_launch(struct launch *launch, struct exact_edit *edit, int directory, const char *file, bool search_path,
		  bool spawn)
{
	const int saved = errno;

	if (!launch->envp || !edit) {
		errno = saved;
		return;
	}
	if (!target_fits(directory, file, search_path))
		launch->envp = environment_without(launch->envp, heaplog_runtime.library, edit->entries, EXACT_ENTRIES,
						   edit->text, EXACT_TEXT);
	else if (self.token[0])
		launch->envp = environment_with(launch->envp, heaplog_runtime.library, self.token, edit->entries,
						EXACT_ENTRIES, edit->text, EXACT_TEXT);
	/* Of this program nothing can be read after the exec. */
	if (!spawn && self.pid == getpid() && self.entry) {
		const uint64_t mark = high_water();

		if (mark > atomic_load(&self.entry->past))
			atomic_store(&self.entry->past, mark);
	}
	errno = saved;
}

uint32_t exact_listen(uint64_t key, uint32_t *at, struct exact_news *news, uint32_t max)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	const uint32_t used = board ? atomic_load(&board->head.processes_used) : 0;
	uint32_t count = 0;

	for (; *at < used && *at < HEAPLOG_BOARD_PROCESSES && count + 1 < max; (*at)++) {
		struct heaplog_board_process *entry = &board->process[*at];
		const uint32_t state = atomic_load(&entry->state);
		const pid_t pid = atomic_load(&entry->pid);
		const uint64_t past = atomic_load(&entry->past);

		if ((state != HEAPLOG_PROCESS_LIVES && state != HEAPLOG_PROCESS_LEFT) || entry->task != key)
			continue;
		if (past || state == HEAPLOG_PROCESS_LIVES)
			news[count++] = (struct exact_news){.pid = pid,
							    .parent = entry->parent,
							    .doubtful = entry->doubtful,
							    .high_water = past,
							    .place = *at};
		if (state == HEAPLOG_PROCESS_LEFT)
			news[count++] = (struct exact_news){.pid = pid,
							    .left = true,
							    .doubtful = entry->doubtful,
							    .high_water = entry->high_water,
							    .place = *at};
	}
	return count;
}

void exact_heard(const struct exact_news *news, uint32_t count)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);

	for (uint32_t i = 0; i < count; i++) {
		struct heaplog_board_process *entry = &board->process[news[i].place];
		uint64_t past = news[i].high_water;

		if (news[i].left)
			atomic_store(&entry->state, HEAPLOG_PROCESS_FREE);
		else
			atomic_compare_exchange_strong(&entry->past, &past, 0);
	}
}

void exact_forget(uint64_t key, pid_t pid)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	struct heaplog_board_process *entry = board ? find(board, pid) : NULL;
	uint32_t expected = HEAPLOG_PROCESS_LIVES;

	if (entry && entry->task == key)
		atomic_compare_exchange_strong(&entry->state, &expected, HEAPLOG_PROCESS_FREE);
}

uint64_t exact_largest(uint64_t key)
{
	struct heaplog_board *board = atomic_load(&heaplog_board_file);
	const uint32_t used = board ? atomic_load(&board->head.processes_used) : 0;
	uint64_t largest = 0;

	for (uint32_t i = 0; i < used && i < HEAPLOG_BOARD_PROCESSES; i++) {
		struct heaplog_board_process *entry = &board->process[i];
		const uint32_t state = atomic_load(&entry->state);
		const uint64_t past = atomic_load(&entry->past);

		if (entry->task != key || entry->doubtful || state < HEAPLOG_PROCESS_LIVES)
			continue;
		if (state == HEAPLOG_PROCESS_LEFT && entry->high_water > largest)
			largest = entry->high_water;
		if (past > largest)
			largest = past;
	}
	return largest;
}
