#include "cli/discover.h"

#include "cli/find.h"
#include "heaplog.h"
#include "task/environment.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROCESSES_MAX = 4096, COMM_MAX = 32 };

/* A process outside of all tasks. */
struct process {
	pid_t pid;
	uint64_t started;
	uint64_t image; /* of the program that was recognised last; 0: none yet */
	bool execed;
	bool reached; /* the library could be loaded into it: no runner in the sense of TASK_ALL */
	bool parent_reached;
	struct task_rule rule; /* about this process: what its children are */
	struct task_rule parent_rule;
};

struct discovery {
	struct elf own;
	enum task_preset preset;
	void (*found)(void *, const struct discovered *);
	void *context;
	struct process *processes;
	size_t count;
	size_t looking;             /* whose children are being listed */
	pid_t tasks[PROCESSES_MAX]; /* live first processes of tasks: not to be taken for new ones */
	uint64_t tasks_started[PROCESSES_MAX];
	size_t task_count;
	struct proc_words arguments, environment;
};

static void read_comm(pid_t pid, char comm[COMM_MAX])
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
	if (find_read(path, comm, COMM_MAX) < 0)
		comm[0] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
}

static bool is_reached(const struct discovery *discovery, pid_t pid)
{
	char path[64];
	struct elf elf;

	snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
	return elf_read(path, &elf) != 0 || elf_reach(&elf, &discovery->own) == ELF_REACHED;
}

static bool is_known(const struct discovery *discovery, pid_t pid, uint64_t started)
{
	for (size_t i = 0; i < discovery->count; i++)
		if (discovery->processes[i].pid == pid && discovery->processes[i].started == started)
			return true;
	for (size_t i = 0; i < discovery->task_count; i++)
		if (discovery->tasks[i] == pid && discovery->tasks_started[i] == started)
			return true;
	return false;
}

static void add(struct discovery *discovery, pid_t pid, uint64_t started, const struct task_rule *rule, bool reached)
{
	struct process *process = &discovery->processes[discovery->count];

	if (discovery->count == PROCESSES_MAX)
		return;
	*process = (struct process){.pid = pid, .started = started, .reached = reached, .parent_reached = reached};
	process->rule = *rule; /* a copy of its parent, until it execs */
	process->parent_rule = *rule;
	discovery->count++;
}

static void visit_child(void *context, pid_t pid)
{
	struct discovery *discovery = context;
	const struct process *parent = &discovery->processes[discovery->looking];
	struct proc_stat stat;

	if (proc_stat(pid, &stat) == 0 && !stat.zombie && !is_known(discovery, pid, stat.started))
		add(discovery, pid, stat.started, &parent->rule, parent->reached);
}

/* The program that process runs now. Returns true when it is a task's first. */
static bool recognise(struct discovery *discovery, struct process *process, const struct proc_stat *stat)
{
	char comm[COMM_MAX];
	struct task_name name;
	enum task_what what = TASK_NOTHING;
	/* Of TASK_ALL: the children of the runner alone, not those of shells and shims on the way to it. */
	const bool parent_counts = discovery->preset != TASK_ALL || !process->parent_reached;

	proc_words(process->pid, "environ", &discovery->environment);
	proc_words(process->pid, "cmdline", &discovery->arguments);
	if (parent_counts)
		what = task_recognise(&process->parent_rule, discovery->arguments.words, discovery->environment.words,
				      &name);
	if (what == TASK_ROOT) {
		const struct discovered task = {
		    .pid = process->pid,
		    .start_ns = proc_start_ns(stat),
		    .name = &name,
		    .runner = process->parent_rule.runner,
		};

		if (discovery->task_count < PROCESSES_MAX) {
			discovery->tasks[discovery->task_count] = process->pid;
			discovery->tasks_started[discovery->task_count++] = process->started;
		}
		discovery->found(discovery->context, &task);
		return true;
	}
	read_comm(process->pid, comm);
	process->rule = process->parent_rule;
	task_rule_start(&process->rule, discovery->environment.words, comm);
	process->reached = is_reached(discovery, process->pid);
	process->execed = true;
	process->image = stat->image;
	return what == TASK_DAEMON; /* outlives the run: it is not looked at again */
}

struct discovery *discovery_create(pid_t root, const struct task_rule *rule, const struct elf *own,
				   void (*found)(void *, const struct discovered *), void *context)
{
	struct discovery *discovery = calloc(1, sizeof *discovery);
	struct process *processes = calloc(PROCESSES_MAX, sizeof *processes);
	struct proc_stat stat;

	if (!discovery || !processes || proc_stat(root, &stat) != 0) {
		free(processes);
		free(discovery);
		return NULL;
	}
	discovery->processes = processes;
	discovery->own = *own;
	discovery->preset = rule->preset;
	discovery->found = found;
	discovery->context = context;
	add(discovery, root, stat.started, rule, true);
	/* The command itself is no task, whatever its environment says. */
	proc_words(root, "environ", &discovery->environment);
	task_rule_start(&discovery->processes[0].parent_rule, discovery->environment.words, "heaplog");
	return discovery;
}

void discovery_destroy(struct discovery *discovery)
{
	if (!discovery)
		return;
	free(discovery->processes);
	free(discovery);
}

/* Numbers of tasks that have ended may come again. */
static void forget_ended(struct discovery *discovery)
{
	for (size_t i = 0; i < discovery->task_count;) {
		struct proc_stat stat;

		if (proc_stat(discovery->tasks[i], &stat) == 0 && stat.started == discovery->tasks_started[i]) {
			i++;
			continue;
		}
		discovery->task_count--;
		discovery->tasks[i] = discovery->tasks[discovery->task_count];
		discovery->tasks_started[i] = discovery->tasks_started[discovery->task_count];
	}
}

bool discovery_look(struct discovery *discovery)
{
	bool pending = false;

	forget_ended(discovery);
	for (size_t i = 0; i < discovery->count;) {
		struct process *process = &discovery->processes[i];
		struct proc_stat stat;
		const bool alive =
		    proc_stat(process->pid, &stat) == 0 && !stat.zombie && stat.started == process->started;

		if (!alive || (stat.has_execed && (!process->execed || stat.image != process->image) &&
			       recognise(discovery, process, &stat))) {
			*process = discovery->processes[--discovery->count];
			continue;
		}
		pending = pending || !stat.has_execed;
		discovery->looking = i++;
		proc_each_child(process->pid, visit_child, discovery);
	}
	return pending;
}

/* ---- the names of turbo's tasks ---- */

struct name_search {
	pid_t queue[256];
	size_t count;
};

static void enqueue(void *context, pid_t pid)
{
	struct name_search *search = context;

	if (search->count < sizeof search->queue / sizeof *search->queue)
		search->queue[search->count++] = pid;
}

/* "npm run build" in one word (npm sets its title) or in three. */
static bool script_of(pid_t pid, char *script, size_t size)
{
	static struct proc_words arguments;
	bool after_run = false;

	proc_words(pid, "cmdline", &arguments);
	for (size_t i = 0; i < arguments.count; i++)
		for (char *at = arguments.words[i]; *at;) {
			const size_t length = strcspn(at, " ");

			if (after_run && length && *at != '-' && length < size) {
				memcpy(script, at, length);
				script[length] = '\0';
				return true;
			}
			after_run = after_run || (length == 3 && memcmp(at, "run", 3) == 0);
			at += length + (at[length] == ' ');
		}
	return false;
}

static bool package_of(pid_t pid, char *package, size_t size)
{
	static char manifest[1 << 20];
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/cwd/package.json", (long)pid);
	return find_read(path, manifest, sizeof manifest) > 0 &&
	       heaplog_record_string(manifest, "name", package, size) > 0;
}

bool discovery_script_name(pid_t pid, char *package, size_t package_size, char *script, size_t script_size, bool *sure)
{
	static struct proc_words environment;
	struct name_search search = {.count = 0};

	*sure = false;
	proc_each_child(pid, enqueue, &search);
	for (size_t i = 0; i < search.count; i++) {
		const char *found_package, *found_script;

		proc_words(search.queue[i], "environ", &environment);
		found_package = environment_get(environment.words, "npm_package_name");
		found_script = environment_get(environment.words, "npm_lifecycle_event");
		if (found_package && found_script && environment_get(environment.words, "TURBO_HASH") &&
		    strlen(found_package) < package_size && strlen(found_script) < script_size) {
			strcpy(package, found_package);
			strcpy(script, found_script);
			*sure = true;
			return true;
		}
		proc_each_child(search.queue[i], enqueue, &search);
	}
	return package_of(pid, package, package_size) && script_of(pid, script, script_size);
}
