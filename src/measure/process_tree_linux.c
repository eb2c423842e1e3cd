/* The processes of a task: who they are, and the looks at all of them. Membership is for life: a descendant stays one
 * when its parent dies. */
#include "measure/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* More than a fiftieth: a change that is worth an early look. */
static bool differs(uint64_t a, uint64_t b)
{
	const uint64_t low = a < b ? a : b;
	const uint64_t high = a < b ? b : a;

	return high - low > high / 50;
}

void *tree_map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory != MAP_FAILED)
		madvise(memory, size, MADV_DONTFORK);
	return memory;
}

struct heaplog_tree *heaplog_tree_create(const struct heaplog_tree_options *options)
{
	struct heaplog_tree *tree = tree_map(sizeof *tree);

	if (tree == MAP_FAILED)
		return NULL;
	if (strlen(options->proc) >= sizeof tree->proc) {
		munmap(tree, sizeof *tree);
		return NULL;
	}
	strcpy(tree->proc, options->proc);
	tree->options = *options;
	tree->options.proc = tree->proc;
	tree->budget = options->fd_budget;
	tree_cursor_open(tree);
	return tree;
}

static void *grow(void *old, size_t old_size, size_t new_size)
{
	void *memory = old ? mremap(old, old_size, new_size, MREMAP_MAYMOVE) : tree_map(new_size);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool ensure_room(struct heaplog_tree *tree)
{
	const size_t wanted = tree->capacity ? tree->capacity * 2 : MEMBERS_FIRST;
	struct member *members;
	struct heaplog_reading *readings;

	if (tree->count < tree->capacity)
		return true;
	members = grow(tree->members, tree->capacity * sizeof *members, wanted * sizeof *members);
	if (!members)
		return false;
	tree->members = members;
	readings = grow(tree->readings, tree->capacity * sizeof *readings, wanted * sizeof *readings);
	if (!readings)
		return false;
	tree->readings = readings;
	tree->capacity = wanted;
	return true;
}

static void close_kept(struct heaplog_tree *tree, int *fd)
{
	if (*fd < 0)
		return;
	procfs_close(*fd);
	*fd = -1;
	tree->open--;
}

void tree_forget_threads(struct heaplog_tree *tree, struct member *member)
{
	for (unsigned i = 0; i < member->kept; i++)
		close_kept(tree, &member->children_fd[i]);
	close_kept(tree, &member->tasks_fd);
	tree->threads -= member->kept;
	member->kept = 0;
}

static void drop(struct heaplog_tree *tree, size_t at)
{
	struct member *member = &tree->members[at];

	if (tree->options.gone && !member->is_root && !member->heard)
		tree->options.gone(tree->options.context, member->pid);
	tree->gone += member->mark;
	tree_forget_threads(tree, member);
	close_kept(tree, &member->status_fd);
	close_kept(tree, &member->statm_fd);
	*member = tree->members[--tree->count];
	tree->changed = true;
}

void heaplog_tree_destroy(struct heaplog_tree *tree)
{
	tree->options.gone = NULL;
	while (tree->count)
		drop(tree, tree->count - 1);
	procfs_close(tree->cursor.fd);
	for (size_t i = 0; i < tree->ancestor_count; i++)
		procfs_close(tree->ancestors[i].fd);
	if (tree->environment)
		munmap(tree->environment, TREE_ENVIRONMENT);
	if (tree->members)
		munmap(tree->members, tree->capacity * sizeof *tree->members);
	if (tree->readings)
		munmap(tree->readings, tree->capacity * sizeof *tree->readings);
	munmap(tree, sizeof *tree);
}

static struct member *find(const struct heaplog_tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->count; i++)
		if (tree->members[i].pid == pid)
			return &tree->members[i];
	return NULL;
}

bool tree_is_member(const struct heaplog_tree *tree, pid_t pid)
{
	return find(tree, pid) != NULL;
}

static void keep(struct heaplog_tree *tree, const struct member *member, int *fd, const char *file)
{
	if (*fd >= 0 || tree->open >= tree->budget)
		return;
	*fd = procfs_open(tree->proc, member->pid, 0, file, O_RDONLY);
	tree->open += *fd >= 0;
}

int tree_add(struct heaplog_tree *tree, pid_t pid, pid_t parent, bool is_root)
{
	struct procfs_stat stat;
	struct member *member;

	if (pid <= 0 || tree_is_member(tree, pid))
		return 0;
	if (!ensure_room(tree))
		return -1;
	member = &tree->members[tree->count];
	memset(member, 0, sizeof *member);
	member->pid = pid;
	member->parent = parent;
	member->is_root = is_root;
	member->seen_ns = tree->now_ns;
	member->status_fd = member->statm_fd = member->tasks_fd = -1;
	keep(tree, member, tree->count < MANY ? &member->status_fd : &member->statm_fd,
	     tree->count < MANY ? "status" : "statm");
	if (member->status_fd < 0 && member->statm_fd < 0) {
		if (procfs_stat(tree->proc, pid, &stat) != 0)
			return 0; /* gone already */
		member->started = stat.started;
	}
	tree->count++;
	tree->changed = true;
	return 0;
}

int tree_add_child(struct heaplog_tree *tree, pid_t pid, pid_t parent)
{
	const struct member *member = tree_is_member(tree, pid) ? NULL : find(tree, parent);

	return member && tree_is_still(tree, member) ? tree_add(tree, pid, parent, false) : 0;
}

int heaplog_tree_add_root(struct heaplog_tree *tree, pid_t pid)
{
	struct procfs_stat stat;

	if (!tree->oldest_root) {
		tree->oldest_root = pid;
		tree->began = tree->options.belongs && procfs_stat(tree->proc, pid, &stat) == 0 ? stat.started : 0;
	}
	/* What it has spawned meanwhile has been given higher ids. */
	if (tree->cursor.trusted && pid - 1 < tree->cursor.from)
		tree->cursor.from = pid - 1;
	tree->unlisted = true;
	return tree_add(tree, pid, 0, true);
}

int heaplog_tree_add(struct heaplog_tree *tree, pid_t pid, pid_t parent)
{
	return tree_add(tree, pid, parent, false);
}

bool heaplog_tree_has(const struct heaplog_tree *tree, pid_t pid)
{
	return tree_is_member(tree, pid);
}

/* "node build.js": the arguments with spaces between, cut where a UTF-8 character begins. What was known stays where it has
 * gone. */
static void read_command(const struct heaplog_tree *tree, struct heaplog_top *top)
{
	char text[HEAPLOG_COMMAND_MAX];
	ssize_t length = procfs_read_file(tree->proc, top->pid, "cmdline", text, sizeof text);

	if (length <= 0)
		return;
	while (length > 0 && text[length - 1] == '\0')
		length--;
	for (ssize_t i = 0; i < length; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	if (length == HEAPLOG_COMMAND_MAX - 1)
		while (length > 0 && ((unsigned char)text[length - 1] & 0xc0) == 0x80)
			length--;
	if (length > 0 && (unsigned char)text[length - 1] >= 0xc0)
		length--;
	text[length] = '\0';
	memcpy(top->command, text, sizeof text);
}

void heaplog_tree_left(struct heaplog_tree *tree, struct heaplog_peak *peak, pid_t pid, uint64_t high_water,
		       uint64_t bound, bool ends, uint64_t now_ns)
{
	struct member *member = find(tree, pid);

	if (member && ends) {
		member->heard = true;
		member->said = bound;
	}
	/* Of what it ran, only what was never seen is news: it may have coincided with all that is alive now. */
	if (member && bound > member->mark)
		member->mark = bound;
	else if (!member)
		tree->gone += bound;
	if (high_water && tree->options.metric == HEAPLOG_METRIC_RSS)
		heaplog_peak_alone(peak, now_ns, pid, high_water);
	if (peak->top_stale && !peak->summary.top[0].command[0])
		read_command(tree, &peak->summary.top[0]); /* no look may come to it any more */
}

uint64_t heaplog_tree_known(const struct heaplog_tree *tree, pid_t pid)
{
	const struct member *member = find(tree, pid);

	return member ? member->mark : 0;
}

/* In a large tree each process keeps one descriptor, that of statm; in a small one that of status. A descriptor opened
 * by number is the member's only if the one kept so far still speaks afterwards. Returns false when it does not. */
static bool change_over(struct heaplog_tree *tree, struct member *member, bool many)
{
	int *const wanted = many ? &member->statm_fd : &member->status_fd;
	int *const other = many ? &member->status_fd : &member->statm_fd;
	char text[8];

	if (*wanted < 0 && *other >= 0) {
		keep(tree, member, wanted, many ? "statm" : "status");
		if (procfs_read(*other, text, sizeof text, 0) <= 0)
			return false;
	}
	if (many && *wanted >= 0) {
		close_kept(tree, other);
		tree_forget_threads(tree, member);
	}
	return true;
}

/* In a tree that is neither small nor large: one that holds what it held at the last look, to the page, is asked for its
 * mark at every other look, since status takes ten times as long as statm. */
static bool may_wait(struct heaplog_tree *tree, struct member *member)
{
	const bool is_known = member->statm_fd >= 0;
	uint64_t now;

	/* Opened by number: it is the member's if status, which is read after that, still speaks. */
	keep(tree, member, &member->statm_fd, "statm");
	if (!is_known || member->waits || !member->reads || !member->own || !member->loaded || member->speaker) {
		member->waits = false;
		return false;
	}
	member->waits = tree_read_statm(member, &now) && now == member->resident;
	return member->waits;
}

static void read_all(struct heaplog_tree *tree)
{
	const bool many = tree->count > MANY;
	const bool some_wait = !many && tree->count > FEW && tree->options.metric == HEAPLOG_METRIC_RSS;

	tree->waited = false;
	for (size_t i = 0; i < tree->count;) {
		struct member *member = &tree->members[i];

		if (some_wait && may_wait(tree, member)) {
			tree->waited = true;
			i++;
			continue;
		}
		if (!change_over(tree, member, many) ||
		    !tree_read_memory(tree, member, !many || i % ROUND == tree->turn)) {
			drop(tree, i);
			continue;
		}
		i++;
	}
	tree->turn = (tree->turn + 1) % ROUND;
}

/* Would the figure come of what was read at different moments? A new peak, or shares that are not those of the last look. */
static bool is_to_be_read_again(const struct heaplog_tree *tree, const struct heaplog_summary *summary)
{
	uint64_t sum = 0;
	size_t count = 0;

	for (size_t i = 0; i < tree->count; i++)
		if (tree->members[i].reads) {
			sum += tree->members[i].resident;
			count++;
		}
	if (count < 2)
		return false;
	return sum > summary->peak_bytes ||
	       (tree->options.metric == HEAPLOG_METRIC_PSS && (tree->changed || differs(sum, tree->sum)));
}

/* Of this thread, where looks are dear: resident sets of so few processes are not. */
static uint64_t cpu_now(const struct heaplog_tree *tree)
{
	struct timespec now;

	if (tree->options.metric != HEAPLOG_METRIC_PSS)
		return 0;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

size_t heaplog_tree_tick(struct heaplog_tree *tree, uint64_t now_ns, struct heaplog_peak *peak, bool *moved)
{
	const bool many = tree->count > MANY;
	const uint64_t began_ns = cpu_now(tree);
	const int again = tree->options.metric == HEAPLOG_METRIC_PSS ? 1 : 2;
	uint64_t sum = 0, marks = 0;
	size_t count = 0;

	tree->now_ns = now_ns;
	tree_discover(tree);
	read_all(tree);
	tree_settle_shares(tree);
	/* What goes from one process to another and back may be in both in two readings (seen: once in a hundred runs of
	 * `handover`). Shares, which are dear, are not read a third time. */
	for (int i = 0; i < again && is_to_be_read_again(tree, &peak->summary); i++) {
		tree_read_again(tree);
		tree_settle_shares(tree);
	}
	for (size_t i = 0; i < tree->count; i++) {
		struct member *member = &tree->members[i];

		if (!member->reads)
			continue;
		tree->readings[count++] = (struct heaplog_reading){
		    .pid = member->pid,
		    .resident = member->resident,
		    .alone = tree->options.metric == HEAPLOG_METRIC_RSS ? member->mark : member->resident,
		    .high_water = member->mark,
		};
		sum += member->resident;
		marks += member->mark;
	}
	heaplog_peak_tick(peak, now_ns, tree->readings, count, tree->gone + tree->gone_before);
	/* A mark that was read in turn may be as old as a round: as long may what has gone since have been beside it. Where
	 * processes say what they held, what one says in the middle of a look was beside what the look had read before. */
	if (!many || tree->turn == 0) {
		tree->gone_before = many || tree->waited || tree->options.gone ? tree->gone : 0;
		tree->gone = 0;
	}
	if (peak->top_stale)
		for (uint32_t i = 0; i < peak->summary.top_count; i++)
			read_command(tree, &peak->summary.top[i]);
	*moved = tree->changed || differs(sum, tree->sum) || differs(marks, tree->marks);
	tree->sum = sum;
	tree->marks = marks;
	tree->changed = false;
	tree->ticked_ns = now_ns;
	tree->cost_ns = cpu_now(tree) - began_ns;
	return tree->count;
}

/* Has its memory moved since the last look? In pss its resident set is asked for: a share costs as much as a look. */
static bool memory_has_moved(struct heaplog_tree *tree)
{
	const bool is_share = tree->options.metric == HEAPLOG_METRIC_PSS;
	uint64_t moved = 0, sum = 0;

	for (size_t i = 0; i < tree->count; i++) {
		struct member *member = &tree->members[i];
		uint64_t now, before;

		if (!member->reads)
			continue;
		if (!member->speaker)
			keep(tree, member, &member->statm_fd, "statm");
		if (!member->speaker && member->statm_fd < 0)
			continue;
		if (!(member->speaker ? tree_read_statm_of_thread(tree, member, &now) : tree_read_statm(member, &now)))
			return true;
		before = is_share ? member->held : member->resident;
		moved += now > before ? now - before : before - now;
		sum += before;
	}
	return moved > (is_share ? sum : tree->sum) / 50;
}

bool heaplog_tree_glance(struct heaplog_tree *tree, uint64_t now_ns)
{
	enum { SHARE = 25 }; /* looks at shares may take 1/25, 4 % of a core; what a glance asks for as well */

	if (tree->count > MANY || now_ns - tree->ticked_ns < tree->cost_ns * SHARE)
		return false;
	tree->now_ns = now_ns;
	tree_discover(tree);
	return tree->changed || (tree->count <= FEW && memory_has_moved(tree));
}
