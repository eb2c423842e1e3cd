/* Whose is an orphan? A process that was never seen under its parent is known by its task's variables alone, and these
 * may be another run's: of the same task at the same time, or of one that was killed and has left something behind. What
 * only this run can have made counts; what is in doubt does not, and the figure is a lower bound. */
#include "measure/tree.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MS 1000000ULL

enum {
	ELDERS_MS = 25,      /* after the first looks, which must not come late */
	SEARCH_ALL_MS = 500, /* between two searches in all processes; in new ones with each orphan that comes */
	SEARCHED_MAX = 4096, /* of more it would cost too much: in doubt */
	YOUNG = 256,         /* ids back from the last: may be between their fork and their exec */
	GENERATIONS = 64,
	OWNERS_MAX = 8,
};

/* Has pid the task's variables? */
static bool has_variables(struct heaplog_tree *tree, pid_t pid)
{
	ssize_t length;

	if (!tree->environment) {
		char *text = tree_map(TREE_ENVIRONMENT);

		if (text == MAP_FAILED)
			return false;
		tree->environment = text;
	}
	length = procfs_read_file(tree->proc, pid, "environ", tree->environment, TREE_ENVIRONMENT);
	return length > 0 && tree->options.belongs(tree->options.context, tree->environment, (size_t)length);
}

/* Can a session or group of this number have been made since the task began? The kernel gives numbers away in turn, and
 * begins anew at the end. */
static bool is_since(const struct heaplog_tree *tree, pid_t number)
{
	const pid_t first = tree->oldest_root;
	const pid_t last = tree->cursor.trusted ? tree_last_id(tree) : 0;

	if (number <= 0 || last <= 0)
		return number >= first && number > 0;
	return last >= first ? number >= first && number <= last : number >= first || number <= last;
}

/* In the runner's own session and group, where nothing of another terminal or of another job of the shell can be. */
static bool is_near(const struct heaplog_tree *tree, const struct procfs_stat *stat)
{
	return stat->session == tree->session && stat->group == tree->group;
}

/* By its age, its session and its group. */
static bool can_be_ours(const struct heaplog_tree *tree, const struct procfs_stat *stat)
{
	return stat->started >= tree->began && (stat->session == tree->session || is_since(tree, stat->session)) &&
	       (stat->group == tree->group || is_since(tree, stat->group));
}

/* pid has the task's variables and is no member. Is it of ours, and was not seen yet, or another run's? */
static void judge(struct heaplog_tree *tree, pid_t pid)
{
	struct procfs_stat own, stat;

	if (procfs_stat(tree->proc, pid, &own) != 0)
		return;
	stat = own;
	for (int generation = 0; generation < GENERATIONS; generation++) {
		if (tree_is_member(tree, stat.parent) || stat.parent == getpid())
			return;
		if (tree_is_ancestor(tree, stat.parent)) {
			if (can_be_ours(tree, &stat))
				return; /* an orphan like others */
			break;
		}
		if (stat.parent <= 0 || !has_variables(tree, stat.parent))
			break; /* the other run's runner */
		if (procfs_stat(tree->proc, stat.parent, &stat) != 0)
			return;
	}
	tree->rival = true;
	tree->rival_near = tree->rival_near || is_near(tree, &own);
}

/* What other runners say. */
static void ask(struct heaplog_tree *tree)
{
	pid_t owners[OWNERS_MAX];
	const unsigned count =
	    tree->options.rivals ? tree->options.rivals(tree->options.context, owners, OWNERS_MAX) : 0;

	for (unsigned i = 0; i < count; i++) {
		struct procfs_stat stat;

		tree->rival = true;
		/* Who has gone may have been anywhere. */
		if (procfs_stat(tree->proc, owners[i], &stat) != 0 || is_near(tree, &stat))
			tree->rival_near = true;
	}
}

struct search {
	struct heaplog_tree *tree;
	pid_t from, to; /* the ids in (from, to]; from > to: the kernel has begun anew in between */
	unsigned count;
};

static bool visit(void *context, pid_t pid)
{
	struct search *search = context;
	struct heaplog_tree *tree = search->tree;
	const bool meant = search->from <= search->to ? pid > search->from && pid <= search->to
						      : pid > search->from || pid <= search->to;

	if (!meant || pid == getpid() || tree_is_member(tree, pid) || tree_is_ancestor(tree, pid))
		return true;
	if (++search->count > SEARCHED_MAX) {
		tree->rival = tree->rival_near = true;
		return false;
	}
	if (has_variables(tree, pid))
		judge(tree, pid);
	return !tree->rival_near;
}

/* What there is: of all processes, or of those that came since the search in all before the
 * last such, since an id is given away long before the process has its variables. */
static void search(struct heaplog_tree *tree)
{
	const pid_t last = tree->cursor.trusted ? tree_last_id(tree) : 0;
	const bool all = !last || !tree->searched || tree->now_ns - tree->searched_all_ns > SEARCH_ALL_MS * MS;
	struct search what = {.tree = tree, .from = 0, .to = INT_MAX};
	int fd;

	if (tree->rival_near || (tree->searched_ns && tree->searched_ns == tree->now_ns))
		return;
	tree->searched_ns = tree->now_ns;
	ask(tree);
	if (all) {
		tree->searched_all_ns = tree->now_ns;
		tree->searched_before = tree->searched ? tree->searched : last > YOUNG ? last - YOUNG : 0;
		tree->searched = last;
	} else {
		what.from = tree->searched_before;
		what.to = last;
	}
	fd = procfs_open(tree->proc, 0, 0, "", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		tree->rival = tree->rival_near = true;
	else
		procfs_each_number(fd, visit, &what);
	procfs_close(fd);
}

bool tree_takes_orphan(struct heaplog_tree *tree, pid_t pid)
{
	struct procfs_stat stat;

	if (!tree->options.belongs || procfs_stat(tree->proc, pid, &stat) != 0 || !can_be_ours(tree, &stat) ||
	    !has_variables(tree, pid))
		return false;
	search(tree);
	return is_near(tree, &stat) ? !tree->rival_near : !tree->rival;
}

bool heaplog_tree_takes(struct heaplog_tree *tree, pid_t pid, uint64_t now_ns)
{
	struct procfs_stat stat;

	tree->now_ns = now_ns;
	if (!tree->options.belongs || !tree->ancestor_count)
		return false;
	search(tree);
	if (procfs_stat(tree->proc, pid, &stat) != 0)
		return !tree->rival;
	return can_be_ours(tree, &stat) && (is_near(tree, &stat) ? !tree->rival_near : !tree->rival);
}

static void see(struct heaplog_tree *tree, pid_t pid, const void *unused)
{
	(void)unused;
	if (!tree_is_member(tree, pid) && has_variables(tree, pid))
		judge(tree, pid);
}

/* A killed run's orphan has the variables, and its own orphans, which may come after it has gone, have them as well. */
void tree_see_elders(struct heaplog_tree *tree)
{
	if (!tree->options.belongs || tree->elders_seen)
		return;
	if (!tree->began_ns)
		tree->began_ns = tree->now_ns;
	if (tree->now_ns - tree->began_ns < ELDERS_MS * MS)
		return;
	tree->elders_seen = true;
	ask(tree);
	/* Not in this process itself, should it take orphans: these come after it, and its tasks are its children, too. */
	tree_each_orphan(tree, tree->ancestors[0].pid == getpid() ? 1 : 0, see, NULL);
}
