/* The processes of one task and their memory, by libproc: no descriptor is opened. What cannot be had on macOS: a
 * high-water mark of the resident size (there is one of the footprint), proportional sizes, and the environment of
 * processes that were never seen under their parent. */
#include "measure/process_tree.h"

#include "darwin/libproc.h"

#include <string.h>
#include <sys/mman.h>

enum {
	MEMBERS_MAX = 16384,
	CHILDREN_AT_ONCE = 1024, /* of one process; what is more is not counted while these live */
	APPEAR_MS = 100,         /* a fork without an exec counts as a process of its own after that */
};

struct member {
	pid_t pid;
	bool is_root, execed, counts;
	uint64_t started; /* what tells it from another process with the same number */
	uint64_t seen_ns;
	uint64_t bytes; /* in the metric */
	uint64_t mark;  /* no less than it has held since the last look */
	uint64_t alone; /* the most that it is known to have held */
};

struct heaplog_tree {
	struct heaplog_tree_options options;
	size_t count;
	uint64_t now_ns;
	uint64_t gone; /* marks of those that went since the last look */
	uint64_t sum;
	bool changed;
	pid_t children[CHILDREN_AT_ONCE];
	struct member members[MEMBERS_MAX]; /* only what is used becomes memory */
	struct heaplog_reading readings[MEMBERS_MAX];
};

struct heaplog_tree *heaplog_tree_create(const struct heaplog_tree_options *options)
{
	struct heaplog_tree *tree =
	    mmap(NULL, sizeof *tree, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (tree == MAP_FAILED)
		return NULL;
	tree->options = *options;
	return tree;
}

void heaplog_tree_destroy(struct heaplog_tree *tree)
{
	munmap(tree, sizeof *tree);
}

static struct member *find(struct heaplog_tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->count; i++)
		if (tree->members[i].pid == pid)
			return &tree->members[i];
	return NULL;
}

/* P_EXEC is set by exec and posix_spawn, and fork does not hand it on (xnu's bsd/kern/kern_exec.c and kern_fork.c). Asked
 * about zombies as well (the argument that is not 0; xnu's proc_pidinfo): only who has been waited for is gone. */
int heaplog_process_has_execed(const char *proc, pid_t pid)
{
	enum { ZOMBIES_TOO = 1 };
	struct proc_bsdshortinfo info;

	(void)proc;
	if (proc_pidinfo(pid, PROC_PIDT_SHORTBSDINFO, ZOMBIES_TOO, &info, sizeof info) < (int)sizeof info)
		return -1;
	return (info.pbsi_flags & PROC_FLAG_EXEC) != 0;
}

/* Returns false when it has gone. A zombie has: for one the kernel still tells what it held at its exit, and says when
 * that was (xnu's proc_pid_rusage and proc_prepareexit). */
static bool usage_of(pid_t pid, struct rusage_info_v4 *usage)
{
	return proc_pid_rusage(pid, RUSAGE_INFO_V4, (rusage_info_t *)(void *)usage) == 0 &&
	       !usage->ri_proc_exit_abstime;
}

static int add(struct heaplog_tree *tree, pid_t pid, bool is_root)
{
	struct rusage_info_v4 usage;

	if (pid <= 0 || find(tree, pid) || !usage_of(pid, &usage))
		return 0;
	if (tree->count == MEMBERS_MAX)
		return -1;
	tree->members[tree->count++] = (struct member){
	    .pid = pid,
	    .is_root = is_root,
	    .started = usage.ri_proc_start_abstime,
	    .seen_ns = tree->now_ns,
	};
	tree->changed = true;
	return 0;
}

int heaplog_tree_add_root(struct heaplog_tree *tree, pid_t pid)
{
	return add(tree, pid, true);
}

int heaplog_tree_add(struct heaplog_tree *tree, pid_t pid, pid_t parent)
{
	(void)parent;
	return add(tree, pid, false);
}

bool heaplog_tree_has(const struct heaplog_tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->count; i++)
		if (tree->members[i].pid == pid)
			return true;
	return false;
}

/* Only the exact mode asks these three, and macOS has none. */
bool heaplog_tree_takes(struct heaplog_tree *tree, pid_t pid, uint64_t now_ns)
{
	(void)tree;
	(void)pid;
	(void)now_ns;
	return false;
}

void heaplog_tree_left(struct heaplog_tree *tree, struct heaplog_peak *peak, pid_t pid, uint64_t high_water,
		       uint64_t bound, bool ends, uint64_t now_ns)
{
	(void)tree;
	(void)peak;
	(void)pid;
	(void)high_water;
	(void)bound;
	(void)ends;
	(void)now_ns;
}

uint64_t heaplog_tree_known(const struct heaplog_tree *tree, pid_t pid)
{
	(void)tree;
	(void)pid;
	return 0;
}

/* Before its exec a root is the runner's copy; another fork without an exec is its parent's for the first moment. */
static bool counts(const struct heaplog_tree *tree, struct member *member)
{
	if (!member->execed)
		member->execed = heaplog_process_has_execed(NULL, member->pid) > 0;
	return member->execed || (!member->is_root && tree->now_ns - member->seen_ns >= (uint64_t)APPEAR_MS * 1000000U);
}

/* Returns false when it has gone. */
static bool read_memory(struct heaplog_tree *tree, struct member *member)
{
	struct rusage_info_v4 usage;

	if (!usage_of(member->pid, &usage) || usage.ri_proc_start_abstime != member->started)
		return false;
	member->counts = counts(tree, member);
	if (!member->counts)
		return true;
	if (tree->options.metric == HEAPLOG_METRIC_FOOTPRINT) {
		/* The kernel's own mark. It begins anew with an exec: it is the task's (xnu's osfmk/kern/task.c). */
		member->bytes = usage.ri_phys_footprint;
		member->alone = member->mark = usage.ri_lifetime_max_phys_footprint > usage.ri_phys_footprint
						   ? usage.ri_lifetime_max_phys_footprint
						   : usage.ri_phys_footprint;
	} else {
		/* No mark of the resident size: the upper bound is a guess, and far enough away that "exact" is never
		 * said. */
		member->bytes = usage.ri_resident_size;
		member->alone = usage.ri_resident_size;
		member->mark = usage.ri_resident_size + usage.ri_resident_size / 32;
		if (usage.ri_lifetime_max_phys_footprint > member->mark)
			member->mark = usage.ri_lifetime_max_phys_footprint;
	}
	return true;
}

static void discover(struct heaplog_tree *tree, pid_t parent)
{
	const int count = proc_listchildpids(parent, tree->children, sizeof tree->children);

	for (int i = 0; i < count && i < CHILDREN_AT_ONCE; i++)
		add(tree, tree->children[i], false);
}

static void drop(struct heaplog_tree *tree, size_t at)
{
	tree->gone += tree->members[at].mark;
	tree->members[at] = tree->members[--tree->count];
	tree->changed = true;
}

static bool differs(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) > b / 50;
}

size_t heaplog_tree_tick(struct heaplog_tree *tree, uint64_t now_ns, struct heaplog_peak *peak, bool *moved)
{
	size_t count = 0;
	uint64_t sum = 0;

	tree->now_ns = now_ns;
	for (size_t i = 0; i < tree->count; i++) /* the array grows: children of children in the same look */
		discover(tree, tree->members[i].pid);
	for (size_t i = 0; i < tree->count;) {
		struct member *member = &tree->members[i];

		if (!read_memory(tree, member)) {
			drop(tree, i);
			continue;
		}
		i++;
		if (!member->counts)
			continue;
		tree->readings[count++] = (struct heaplog_reading){
		    .pid = member->pid,
		    .resident = member->bytes,
		    .alone = member->alone,
		    .high_water = member->mark,
		};
		sum += member->bytes;
	}
	heaplog_peak_tick(peak, now_ns, tree->readings, count, tree->gone);
	tree->gone = 0;
	if (peak->top_stale)
		for (uint32_t i = 0; i < peak->summary.top_count; i++) {
			struct heaplog_top *top = &peak->summary.top[i];

			if (proc_name(top->pid, top->command, sizeof top->command - 1) <= 0)
				top->command[0] = '\0';
			top->command[sizeof top->command - 1] = '\0';
		}
	*moved = tree->changed || differs(sum, tree->sum);
	tree->sum = sum;
	tree->changed = false;
	return tree->count;
}

bool heaplog_tree_glance(struct heaplog_tree *tree, uint64_t now_ns)
{
	uint64_t sum = 0;

	tree->now_ns = now_ns;
	for (size_t i = 0; i < tree->count; i++) {
		struct rusage_info_v4 usage;

		if (!usage_of(tree->members[i].pid, &usage))
			return true;
		if (tree->members[i].counts)
			sum += tree->options.metric == HEAPLOG_METRIC_FOOTPRINT ? usage.ri_phys_footprint
										: usage.ri_resident_size;
	}
	return differs(sum, tree->sum);
}
