/* What one process holds: from status (resident set and high-water mark), statm (resident set, at a sixth of the cost)
 * or smaps_rollup (proportional set size). Not from stat, whose field 24 lags behind. */
#include "measure/tree.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	/* A fork that sleeps after this has no exec before it. Until it works or grows it has hardly a page of its own, so
	 * that nothing is missed by waiting; a child that sleeps for 5 ms before its exec was kept asleep for 75, since the
	 * processor with its timer had been taken away (seen: 376 MB of 203, once in a hundred runs, and counted after 50). */
	SETTLED_MS = 200,
	WORKED_MS = 3,     /* nor one that has had so much of a processor: until an exec a third of one was measured */
	MARGIN = 1 << 20,  /* bytes that make no difference between a copy and its original */
	LOADED = 1 << 20,  /* bytes that every program holds once its libraries are there */
	LOADING_MS = 1000, /* and one that holds less for so long (another libc) is loaded as well */
};

bool tree_is_still(const struct heaplog_tree *tree, const struct member *member)
{
	const int kept = member->statm_fd >= 0 ? member->statm_fd : member->status_fd;
	struct procfs_stat stat;
	char text[128];

	if (kept >= 0)
		return procfs_read(kept, text, sizeof text, 0) > 0;
	return procfs_stat(tree->proc, member->pid, &stat) == 0 && stat.started == member->started;
}

static ssize_t read_status(const struct heaplog_tree *tree, const struct member *member, char *text, size_t size)
{
	ssize_t length;

	/* ESRCH after the reap, even when the number is used again; it survives an exec. */
	if (member->status_fd >= 0)
		return procfs_read(member->status_fd, text, size, 0);
	length = procfs_read_file(tree->proc, member->pid, "status", text, size);
	return tree_is_still(tree, member) ? length : -1;
}

static bool same_fields(const char *a, const char *b)
{
	static const char *const names[] = {"VmSize:", "VmHWM:", "VmRSS:", "RssFile:", "VmData:", "VmPTE:"};
	bool same = true;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		same = same && procfs_field(a, names[i]) == procfs_field(b, names[i]);
	return same;
}

/* Where the kernel does not say whether two processes share their memory (no CONFIG_KCMP, the seccomp profile of a
 * container): after vfork all figures of both are the same, after fork they are not, as pages of files are not copied.
 * The parent's other threads run on: while the child's own figures move nothing is known, and it does not count. */
static bool looks_shared(const struct heaplog_tree *tree, const struct member *member)
{
	const pid_t pids[3] = {member->pid, member->parent, member->pid};
	char text[3][4096];

	for (size_t i = 0; i < 3; i++)
		if (procfs_read_file(tree->proc, pids[i], "status", text[i], sizeof text[i]) < 0)
			return false;
	return same_fields(text[0], text[1]) || same_fields(text[1], text[2]) || !same_fields(text[0], text[2]);
}

/* A thread of it that has the memory, which one that has ended has not any more: then two have none alike. */
static pid_t speaker_of(const struct member *member)
{
	return member->speaker ? member->speaker : member->pid;
}

static bool shares_memory(struct heaplog_tree *tree, const struct member *member)
{
	pid_t parent = member->parent;
	long order;

	for (size_t i = 0; i < tree->count; i++)
		if (tree->members[i].pid == member->parent)
			parent = speaker_of(&tree->members[i]);
	order = syscall(SYS_kcmp, speaker_of(member), parent, KCMP_VM, 0UL, 0UL);
	tree->no_kcmp = order < 0 && errno != ESRCH; /* an orphan's parent has gone */
	return order >= 0 ? order == 0 : looks_shared(tree, member);
}

/* With another than its parent: one that clone(CLONE_VM) made has lost the parent that had the memory as well, or is a
 * sibling of who has it (CLONE_PARENT). Seen: 202 MB of 101. Asked once before it counts, since it takes a call for
 * each. */
static bool shares_with_any(const struct heaplog_tree *tree, const struct member *member)
{
	for (size_t i = 0; i < tree->count; i++)
		if (tree->members[i].own && tree->members[i].pid != member->pid &&
		    syscall(SYS_kcmp, speaker_of(member), speaker_of(&tree->members[i]), KCMP_VM, 0UL, 0UL) == 0)
			return true;
	return false;
}

/* The most that a copy of it can be. Not what it holds now: it may have given memory back after the fork (seen: 392 MB of
 * 203, a parent that did so before its child's exec). */
static uint64_t mark_of(const struct heaplog_tree *tree, pid_t pid)
{
	char text[4096];

	return procfs_read_file(tree->proc, pid, "status", text, sizeof text) > 0
		   ? procfs_field(text, "\nVmHWM:") * 1024
		   : 0;
}

static bool is_asleep(const char *status)
{
	return strstr(status, "\nState:\tS") || !strstr(status, "\nState:");
}

/* Has it been on a processor for longer than a child needs between its fork and its exec? otherwise: where the kernel does
 * not say (CONFIG_SCHED_INFO). */
static bool has_worked(const struct heaplog_tree *tree, pid_t pid, bool otherwise)
{
	char text[128];

	if (procfs_read_file(tree->proc, pid, "schedstat", text, sizeof text) <= 0)
		return otherwise;
	return strtoull(text, NULL, 10) >= WORKED_MS * 1000000ULL;
}

static bool is_young(const struct heaplog_tree *tree, const struct member *member)
{
	return tree->now_ns - member->seen_ns < SETTLED_MS * 1000000ULL;
}

/* More than the copy that it began with? Its anonymous pages: those of its libraries come as it runs. */
static bool has_grown(struct member *member, const char *status)
{
	const uint64_t now = procfs_field(status, "\nRssAnon:") * 1024;

	if (!member->anonymous)
		member->anonymous = now;
	return now > member->anonymous + member->anonymous / 64 + MARGIN;
}

/* Is what the child holds its own? A root between fork and exec is the runner's copy and never counts. Others: never
 * while the memory is shared with the parent (vfork), and not at once, since most are about to exec: on a busy machine a
 * child waits long for its turn, and counted twice with its parent meanwhile (seen: 768 MB of 386, a perl's system()
 * among ten others that wanted to run). It does without an exec when it has grown, has worked, sleeps after a while, or
 * holds clearly more than the copy of the parent can be. status: as just read; worked: before that, since on the way
 * from one memory to the next it works as well. */
static bool owns(struct heaplog_tree *tree, struct member *member, uint64_t resident, const char *status, bool worked)
{
	const bool grown = has_grown(member, status);

	if (member->is_root || shares_memory(tree, member))
		return false;
	/* Of shares the child's are what its parent has less: both together are right from the first moment on. */
	if (tree->options.metric == HEAPLOG_METRIC_RSS && !worked && (!grown || tree->no_kcmp) &&
	    (is_young(tree, member) || !is_asleep(status))) {
		const uint64_t copy = mark_of(tree, member->parent);

		if (!copy || resident <= copy + copy / 64 + MARGIN)
			return false;
	}
	return !shares_with_any(tree, member);
}

static bool has_execed(const struct heaplog_tree *tree, pid_t pid)
{
	struct procfs_stat stat;

	return procfs_stat(tree->proc, pid, &stat) == 0 && !(stat.flags & FORK_NO_EXEC);
}

/* Its memory does not count (any more), or is less than it may have been (a new program): what it was known to have
 * held may have coincided with what came after the look that saw it. */
static void set_mark(struct heaplog_tree *tree, struct member *member, uint64_t mark)
{
	if (mark < member->mark)
		tree->gone += member->mark - mark;
	member->mark = mark;
}

/* Between an exec and its main() a program holds as little as one page, which is no figure of it (seen: 4 KB for `true`, on
 * a machine that let it wait there for several looks). One without an interpreter is complete once it has had its turn (8 KB
 * of 550 were seen before that); where the kernel does not say, at once. Its auxiliary vector is empty before the exec
 * has come to it. status: as just read. */
static bool is_loaded(const struct heaplog_tree *tree, const struct member *member, uint64_t resident,
		      const char *status)
{
	uint64_t vector[128];
	ssize_t length;

	if (resident >= LOADED || !member->execed || tree->now_ns - member->seen_ns >= LOADING_MS * 1000000ULL)
		return true;
	length = procfs_read_file(tree->proc, member->pid, "auxv", (char *)vector, sizeof vector);
	if (length < (ssize_t)(2 * sizeof *vector))
		return length < 0;
	for (size_t i = 0; (i + 2) * sizeof *vector <= (size_t)length; i += 2)
		if (vector[i] == AT_BASE)
			return !vector[i + 1] && (is_asleep(status) || has_worked(tree, member->pid, true));
	return vector[0] != AT_NULL;
}

static bool read_statm(int fd, uint64_t *resident)
{
	static _Atomic uint64_t page_size;
	char text[128];
	char *end;

	if (!page_size)
		page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	if (fd < 0 || procfs_read(fd, text, sizeof text, 0) <= 0)
		return false;
	strtoull(text, &end, 10);
	*resident = strtoull(end, NULL, 10) * page_size;
	return true;
}

bool tree_read_statm(const struct member *member, uint64_t *resident)
{
	return read_statm(member->statm_fd, resident);
}

bool tree_read_statm_of_thread(const struct heaplog_tree *tree, const struct member *member, uint64_t *resident)
{
	const int fd = procfs_open(tree->proc, member->pid, member->speaker, "statm", O_RDONLY);
	const bool is_there = read_statm(fd, resident);

	procfs_close(fd);
	return is_there;
}

struct thread_search {
	const struct heaplog_tree *tree;
	pid_t pid;
	const char *file;
	const char *field; /* that only a thread with memory has */
	char *text;
	size_t size;
	pid_t found; /* 0: none */
};

static bool visit_thread(void *context, pid_t tid)
{
	struct thread_search *search = context;
	const int fd = procfs_open(search->tree->proc, search->pid, tid, search->file, O_RDONLY);

	if (fd >= 0 && procfs_read(fd, search->text, search->size, 0) > 0 &&
	    procfs_field(search->text, search->field) > 0)
		search->found = tid;
	procfs_close(fd);
	return !search->found;
}

/* A process whose first thread has ended (pthread_exit in main) is a zombie by its own files, which have no memory: the
 * other threads' files speak for it, man 5 proc_pid_task. Returns the thread; 0: none does. */
static pid_t read_by_thread(const struct heaplog_tree *tree, const struct member *member, const char *file,
			    const char *field, char *text, size_t size)
{
	struct thread_search search = {
	    .tree = tree, .pid = member->pid, .file = file, .field = field, .text = text, .size = size};
	const int fd = procfs_open(tree->proc, member->pid, 0, "task", O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return 0;
	procfs_each_number(fd, visit_thread, &search);
	procfs_close(fd);
	return tree_is_still(tree, member) ? search.found : 0;
}

/* The part of its share that other processes may have as well, by fork: not its files', nor what it has for itself. */
static uint64_t shared_of(const char *rollup, uint64_t pss)
{
	const uint64_t files = procfs_field(rollup, "\nPss_File:") + procfs_field(rollup, "\nPss_Shmem:");
	const uint64_t alone = procfs_field(rollup, "\nPrivate_Clean:") + procfs_field(rollup, "\nPrivate_Dirty:");
	const uint64_t apart = (files > alone ? files : alone) * 1024;

	return pss > apart ? pss - apart : 0;
}

/* Proportional. Opened each time: the file stays with the memory that the process had when it was opened, across an exec.
 * Where it may not be read (a set-user-ID program, one that is not dumpable) its anonymous pages count, as far as
 * tree_settle_shares lets them: without any of it a task of 200 MB was one of 205 KB. */
static uint64_t read_pss(const struct heaplog_tree *tree, struct member *member)
{
	char text[4096];
	uint64_t pss;

	if (member->speaker ? read_by_thread(tree, member, "smaps_rollup", "\nPss:", text, sizeof text) > 0
			    : procfs_read_file(tree->proc, member->pid, "smaps_rollup", text, sizeof text) > 0) {
		pss = procfs_field(text, "\nPss:") * 1024;
		member->unreadable = false;
		member->shared = shared_of(text, pss);
		return pss;
	}
	member->unreadable = true;
	member->shared = 0;
	if (member->speaker ? read_by_thread(tree, member, "status", "\nRssAnon:", text, sizeof text) > 0
			    : read_status(tree, member, text, sizeof text) > 0)
		return procfs_field(text, "\nRssAnon:") * 1024;
	return 0;
}

/* Two that have exec'ed have no page in common; a fork may have any of its program's, and another fork's. Which program
 * it is of its parent does not tell (CLONE_PARENT, an exec of either since, a subreaper). So of those that may not be
 * read all programs count, or the largest fork alone where that is more; less what the others have counted of their
 * pages already (seen: 300 MB of 200, a program that is not dumpable and its fork that is): of a page that n others
 * have at most n of n + 1 parts, and of all pages together no more than they share. */
void tree_settle_shares(struct heaplog_tree *tree)
{
	const struct member *largest = NULL;
	uint64_t shared = 0, sharers = 0, sum = 0;
	bool programs;

	for (size_t i = 0; i < tree->count; i++) {
		const struct member *member = &tree->members[i];

		if (!member->reads || !member->unreadable || !member->whole)
			continue;
		sum += member->execed ? member->whole : 0;
		if (!largest || member->whole > largest->whole)
			largest = member;
	}
	programs = largest && sum >= largest->whole;
	for (size_t i = 0; largest && i < tree->count; i++) {
		const struct member *member = &tree->members[i];

		if (!member->reads || member->unreadable || !member->shared || (programs && member->execed))
			continue;
		shared += member->shared;
		sharers++;
	}
	for (size_t i = 0; largest && i < tree->count; i++) {
		struct member *member = &tree->members[i];
		const uint64_t most = member->whole - member->whole / (sharers + 1);
		const uint64_t counted = shared < most ? shared : most;

		if (!member->reads || !member->unreadable)
			continue;
		if (programs ? !member->execed : member != largest) {
			member->resident = 0;
			continue;
		}
		member->resident = member->whole - counted;
		shared -= counted;
	}
}

/* What it holds now; 0: it has gone. */
static uint64_t read_now(struct heaplog_tree *tree, struct member *member)
{
	uint64_t resident;

	if (tree->options.metric == HEAPLOG_METRIC_PSS)
		return read_pss(tree, member);
	if (member->speaker)
		return read_by_thread(tree, member, "status", "\nVmRSS:", tree->text, sizeof tree->text)
			   ? procfs_field(tree->text, "\nVmRSS:") * 1024
			   : 0;
	if (tree_read_statm(member, &resident))
		return resident;
	return read_status(tree, member, tree->text, sizeof tree->text) > 0
		   ? procfs_field(tree->text, "\nVmRSS:") * 1024
		   : 0;
}

void tree_read_again(struct heaplog_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		struct member *member = &tree->members[i];
		const struct member before = *member;
		uint64_t again;

		if (!member->reads)
			continue;
		again = read_now(tree, member);
		if (tree->options.metric == HEAPLOG_METRIC_RSS && again > member->mark)
			member->mark = again;
		/* Of one that became unreadable, or readable, in between the less that is known. */
		member->unreadable = member->unreadable || before.unreadable;
		member->whole = before.whole < again ? before.whole : again;
		member->resident = before.resident < again ? before.resident : again;
		if (before.shared > member->shared)
			member->shared = before.shared;
	}
}

/* A process that has said what it held and holds more by now: a destructor of a library, after ours. Not the kernel's
 * counters, which are a few pages apart from its maximum. */
static void note_after_its_word(struct member *member)
{
	enum { APART = 512 << 10 };

	if (member->resident > member->said + member->said / 128 + APART)
		member->heard = false;
}

bool tree_read_memory(struct heaplog_tree *tree, struct member *member, bool with_status)
{
	char *const text = tree->text;
	uint64_t resident, mark;
	bool worked;

	member->reads = false;
	if (!member->seen_ns) /* added before the first look */
		member->seen_ns = tree->now_ns;
	if (!with_status && member->own && member->loaded && tree->options.metric == HEAPLOG_METRIC_RSS &&
	    member->statm_fd >= 0 && !member->speaker) {
		if (!tree_read_statm(member, &member->resident))
			return false;
		member->reads = member->resident > 0;
		if (member->reads) {
			if (member->resident > member->mark)
				set_mark(tree, member, member->resident);
			note_after_its_word(member);
			return true;
		}
	}
	/* In this order: a bit that is clear stays clear, so that the status read after it is that of the new program.
	 */
	if (!member->own && !member->execed)
		member->own = member->execed = has_execed(tree, member->pid);
	else if (!member->execed && tree->options.metric == HEAPLOG_METRIC_PSS)
		member->execed = has_execed(tree, member->pid); /* it has counted before that */
	worked = !member->own && !member->is_root && has_worked(tree, member->pid, !is_young(tree, member));
	if (read_status(tree, member, text, sizeof tree->text) <= 0)
		return false;
	member->thread_count = (unsigned)procfs_field(text, "\nThreads:");
	resident = procfs_field(text, "\nVmRSS:") * 1024;
	member->speaker = !resident && member->thread_count > 1
			      ? read_by_thread(tree, member, "status", "\nVmRSS:", text, sizeof tree->text)
			      : 0;
	if (member->speaker)
		resident = procfs_field(text, "\nVmRSS:") * 1024;
	mark = procfs_field(text, "\nVmHWM:") * 1024;
	if (resident && !member->own)
		member->own = owns(tree, member, resident, text, worked);
	if (resident && member->own && !member->loaded)
		member->loaded = is_loaded(tree, member, resident, text);
	if (!member->own || !member->loaded || !resident) { /* a zombie has no memory left */
		member->resident = 0;
		set_mark(tree, member, 0);
		return true;
	}
	member->resident = member->held = resident;
	set_mark(tree, member, mark > resident ? mark : resident);
	note_after_its_word(member);
	if (tree->options.metric == HEAPLOG_METRIC_PSS)
		member->resident = member->whole = read_pss(tree, member);
	member->reads = true;
	return true;
}

int heaplog_process_has_execed(const char *proc, pid_t pid)
{
	struct procfs_stat stat;

	return procfs_stat(proc, pid, &stat) != 0 ? -1 : !(stat.flags & FORK_NO_EXEC);
}
