/* heaplog run: start a task runner with the library in it, or, where no preload reaches it, watch it from outside. */
#include "cli/cli.h"
#include "cli/complain.h"
#include "cli/library.h"
#include "cli/options.h"
#include "cli/outside.h"
#include "cli/proc.h"
#ifdef __APPLE__
#include "cli/resolve.h"
#endif
#include "cli/runner.h"
#include "cli/summary.h"
#include "cli/supervise.h"
#include "heaplog.h"
#include "measure/summary.h"
#include "record/size.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { STATUS_DENIED = 126, STATUS_NOT_FOUND = 127, VALUE_MAX = 65536, INTERVAL_DEFAULT_MS = 500 };

static bool is_true(const char *value)
{
	return value && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

static bool is_false(const char *value)
{
	return value && (strcmp(value, "false") == 0 || strcmp(value, "0") == 0);
}

/* Off is the user's word: HEAPLOG=0 or NX_LOG_HEAP_USAGE=false switches a `heaplog nx …` of package.json off. */
static bool is_off(const struct run_options *options)
{
	const char *nx = getenv("NX_LOG_HEAP_USAGE"), *own = getenv("HEAPLOG");

	if (options->log_heap_usage != FLAG_UNSET)
		return options->log_heap_usage == FLAG_OFF;
	return (is_false(nx) || is_false(own)) && !is_true(nx) && !is_true(own);
}

/* Inside a task of a runner that is being watched: only the outermost annotates, because runners keep a task's output
 * and replay it, figure and all. */
static bool is_nested(void)
{
	return getenv("NX_TASK_TARGET_PROJECT") || getenv("TURBO_HASH");
}

/* Into the environment of the command; the same for every run. */
static bool put(const char *name, const char *value)
{
	return setenv(name, value, 1) == 0;
}

static bool put_settings(const struct run_options *options)
{
	char interval[32], path[PATH_MAX];
	bool done = true;

	if (options->results) {
		/* Absolute: the runner and its launchers change their directories. */
		if (options->results[0] == '/')
			snprintf(path, sizeof path, "%s", options->results);
		else if (!getcwd(path, sizeof path) || strlen(path) + strlen(options->results) + 2 > sizeof path)
			return false;
		else
			strcat(strcat(path, "/"), options->results);
		done = put("HEAPLOG_RESULTS", path);
	}
	snprintf(interval, sizeof interval, "%u", options->interval_ms);
	return done && (!options->interval_ms || put("HEAPLOG_INTERVAL_MS", interval)) &&
	       (!options->metric || put("HEAPLOG_METRIC", options->metric)) &&
	       (!options->warn || put("HEAPLOG_WARN", options->warn)) &&
	       (!options->runner || put("HEAPLOG_TASK", options->runner)) &&
	       (!options->exact || put("HEAPLOG_EXACT", "1"));
}

/* Set what the user of LD_PRELOAD would set by hand. */
static bool put_library(const struct run_options *options)
{
	char self[PATH_MAX], library[PATH_MAX], spelt[PATH_MAX];
	char *value = malloc(VALUE_MAX);
	const char *switched = options->runner && strcmp(options->runner, "nx") != 0 ? "HEAPLOG" : "NX_LOG_HEAP_USAGE";
	bool done = false;
	int error;

	if (library_self(self) != 0)
		complain(
		    "cannot tell where heaplog itself is (/proc/self/exe): the command runs without " LIBRARY_NAME);
	else if (library_find(self, library) != 0)
		complain("cannot find " LIBRARY_NAME " (looked for %s and %s); the command runs without it", library,
			 library_installed);
	else if ((error = library_spell(library, spelt)) != 0)
		complain("%s: a preloaded library's path cannot hold blanks, colons or '$', and no link to it can be "
			 "made: %s; the command runs without it",
			 library, strerror(error));
	else if (value && library_join(getenv(LIBRARY_VARIABLE), spelt, value, VALUE_MAX))
		done = put(LIBRARY_VARIABLE, value);
	if (done && !is_true(getenv("NX_LOG_HEAP_USAGE")) && !is_true(getenv("HEAPLOG")))
		done = put(switched, strcmp(switched, "HEAPLOG") == 0 ? "1" : "true");
	free(value);
	return done;
}

/* Why exec failed, and the status that a shell gives it. */
static int cannot_run(const char *command, int error)
{
	if (error == ENOENT && !strchr(command, '/'))
		complain("%s: command not found", command);
	else if (error == ENOENT && access(command, F_OK) == 0)
		complain("%s: its interpreter (the \"#!\" line, or the loader) does not exist", command);
	else
		complain("%s: %s", command, strerror(error));
	return error == ENOENT ? STATUS_NOT_FOUND : STATUS_DENIED;
}

/* The environment as it was. setenv writes to an array of its own. */
static char **untouched;

static bool keep_environment(void)
{
	size_t count = 0;

	while (environ && environ[count])
		count++;
	untouched = calloc(count + 1, sizeof *untouched);
	if (untouched && count)
		memcpy(untouched, environ, count * sizeof *untouched);
	return untouched;
}

/* As if we were not there; why: the reason. */
static int become_plain(char **command, const char *why)
{
	complain("%s; the command runs without heaplog", why);
	execvpe(command[0], command, untouched ? untouched : environ);
	return cannot_run(command[0], errno);
}

/* Nothing stands between: the command has our process, and whoever waits for us waits for it. */
static int become(char **command)
{
#ifdef __APPLE__
	char *node_path;
	char **resolved = resolve_scripts(command, getenv("PATH"), &node_path);

	if (node_path)
		put("NODE_PATH", node_path);
	if (resolved)
		execv(resolved[0], resolved);
	resolve_free(resolved);
#endif
	execvp(command[0], command);
	if (errno == E2BIG) /* what we have added may be what is too much */
		return become_plain(command, "arguments and environment are too long");
	return cannot_run(command[0], errno);
}

/* Is an ancestor a `heaplog run` that waits? It shows what there is to show. */
static bool is_waited_for(void)
{
	struct stat own, other;
	struct proc_stat stat_of;
	char path[64];

	if (proc_stat(getpid(), &stat_of) != 0 || stat("/proc/self/exe", &own) != 0)
		return false;
	while (stat_of.parent > 1) {
		snprintf(path, sizeof path, "/proc/%ld/exe", (long)stat_of.parent);
		if (stat(path, &other) == 0 && other.st_dev == own.st_dev && other.st_ino == own.st_ino)
			return true;
		if (proc_stat(stat_of.parent, &stat_of) != 0)
			return false;
	}
	return false;
}

static _Noreturn void finish(const struct run_options *options, struct outcome outcome)
{
	if (outcome.no_child) {
		char why[128];

		snprintf(why, sizeof why, "cannot watch: %s", strerror(outcome.no_child));
		_exit(become_plain(options->command, why));
	}
	if (outcome.error)
		_exit(cannot_run(options->command[0], outcome.error));
	supervise_end(outcome.status);
}

/* Does the library go by Nx's tasks and lines? put_settings has put --runner there. */
static bool is_nx(void)
{
	const char *task = getenv("HEAPLOG_TASK");

	return !task || !*task || strcmp(task, "nx") == 0;
}

/* With the library in the command, and a table at the end. */
static int run_inside(const struct run_options *options)
{
	struct companion companion = {.self = NULL};
	struct summary_source *source;
	struct outcome outcome;

	/* For other runners than Nx the library itself puts a table at the end. */
	if (options->summary != SUMMARY_ALWAYS || is_waited_for() || !is_nx())
		return become(options->command);
	source = summary_open(&companion);
	if (!source) {
		complain("--summary: no file for the records of this run: %s", strerror(errno));
		return become(options->command);
	}
	outcome = supervise(options->command, environ, &companion);
	const int records = summary_close(source);

	if (!outcome.error && !outcome.no_child)
		summary_print(records, false);
	finish(options, outcome);
}

/* What the library reads where it is loaded is read here where it is not, and complained of in the same words. */
static void malformed(const char *variable, const char *value, const char *expected, const char *used)
{
	complain("%s=%s is not %s; using %s", variable, value, expected, used);
}

static uint32_t interval_of(const struct run_options *options)
{
	const char *value = getenv("HEAPLOG_INTERVAL_MS");
	char *end = NULL;
	unsigned long interval = 0;

	if (options->interval_ms)
		return options->interval_ms;
	if (!value || !*value)
		return INTERVAL_DEFAULT_MS;
	if (*value >= '0' && *value <= '9')
		interval = strtoul(value, &end, 10);
	if (end && !*end && interval >= OPTIONS_INTERVAL_MIN_MS && interval <= OPTIONS_INTERVAL_MAX_MS)
		return (uint32_t)interval;
	malformed("HEAPLOG_INTERVAL_MS", value, "a number of milliseconds from 10 to 60000", "500");
	return INTERVAL_DEFAULT_MS;
}

static bool is_pss(const struct run_options *options)
{
	const char *value = options->metric ? options->metric : getenv("HEAPLOG_METRIC");

	if (value && *value && strcmp(value, "rss") != 0 && strcmp(value, HEAPLOG_OTHER_METRIC) != 0)
		malformed("HEAPLOG_METRIC", value, "rss or " HEAPLOG_OTHER_METRIC, "rss");
	return value && strcmp(value, HEAPLOG_OTHER_METRIC) == 0;
}

/* What a task is, by --runner or HEAPLOG_TASK; NULL: as suits the program. */
static const char *runner_of(const struct run_options *options)
{
	const char *value = options->runner ? options->runner : getenv("HEAPLOG_TASK");
	struct task_rule rule;

	if (!value || !*value)
		return NULL;
	if (strcmp(value, "turbo") != 0 && !task_rule_read(&rule, value)) {
		malformed("HEAPLOG_TASK", value, "nx, npm, turbo, all or a pattern such as {VAR}:{VAR}", "all");
		return NULL;
	}
	return value;
}

static void check_warn(void)
{
	const char *value = getenv("HEAPLOG_WARN");
	uint64_t bytes;

	if (value && *value && (heaplog_size_parse(value, &bytes) != 0 || bytes == 0)) {
		malformed("HEAPLOG_WARN", value, "a size such as 800MB or 1.5GB", "no threshold");
		unsetenv("HEAPLOG_WARN"); /* the table would say it again; the command has its own environment */
	}
}

/* Without: nothing of the command's environment is touched. */
static int run_outside(const struct run_options *options, const struct runner *runner, const struct elf *own)
{
	const char *results = options->results ? options->results : getenv("HEAPLOG_RESULTS");
	const char *which = runner_of(options);
	struct outside_settings settings = {
	    .interval_ms = interval_of(options),
	    .pss = is_pss(options),
	    .own = *own,
	};
	struct companion companion;
	struct outside *outside;
	struct outcome outcome;
	unsigned tasks;
	int error;

	settings.results = results && *results ? results : NULL;
	if (is_waited_for() || (options->summary == SUMMARY_NEVER && !settings.results))
		return become(options->command);
	settings.turbo = which ? strcmp(which, "turbo") == 0 : strcmp(runner->name, "turbo") == 0;
	if (settings.turbo)
		settings.runner = "turbo";
	task_rule_read(&settings.rule, settings.turbo ? "{TURBO_HASH}" : which ? which : "all");
	if (!options->warn)
		check_warn();
	settings.program = settings.turbo ? "turbo" : runner->name;
	settings.records = summary_records();
	outside = outside_create(&settings, &companion);
	if (!outside)
		return become(options->command);
	outcome = supervise(options->command, untouched ? untouched : environ, &companion);
	outside_destroy(outside, &tasks, &error);
	if (options->warn) /* for the table; the command's environment is not touched */
		put("HEAPLOG_WARN", options->warn);
	if (error)
		complain("%s: %s; not all records of this run are kept there", settings.results, strerror(error));
	if (!outcome.error && !outcome.no_child &&
	    (options->summary == SUMMARY_ALWAYS || (options->summary == SUMMARY_AUTO && tasks)))
		summary_print(settings.records, options->summary == SUMMARY_AUTO);
	finish(options, outcome);
}

static const char help[] =
    "usage: heaplog [run] [OPTIONS] [--] COMMAND [ARGUMENT...]\n"
    "Run COMMAND, a task runner or what starts one, and show each task's peak memory.\n\n"
    "  --summary WHEN      a table at the end on stderr: auto (where no library can be preloaded),\n"
    "                      always, never\n"
    "  --results FILE      append one line of JSON per task to FILE (HEAPLOG_RESULTS)\n"
    "  --runner WHICH      what a task is: nx, npm, turbo, all (every child of the runner), or a pattern\n"
    "                      such as {VARIABLE}:{VARIABLE} (HEAPLOG_TASK)\n"
    "  --interval TIME     look every TIME, 10ms to 60s; 500ms when not given (HEAPLOG_INTERVAL_MS)\n"
#ifdef __APPLE__
    "  --metric rss|footprint\n"
    "                      what is summed; footprint is what Activity Monitor shows (HEAPLOG_METRIC)\n"
#else
    "  --metric rss|pss    what is summed; pss counts shared pages once (HEAPLOG_METRIC)\n"
#endif
    "  --warn SIZE         mark peaks above SIZE, such as 1.5GB (HEAPLOG_WARN)\n"
    "  --exact             follow every process of a task from within (HEAPLOG_EXACT)\n"
    "  --log-heap-usage    on, also where NX_LOG_HEAP_USAGE or HEAPLOG say off; =false: off. Also taken out\n"
    "                      of COMMAND's own arguments: heaplog nx run-many -t build --log-heap-usage\n\n"
    "The exit status is COMMAND's; 127 where it is not found, 126 where it cannot be run, 2 for wrong usage.\n"
    "heaplog doctor COMMAND... says why no peak is shown. Manual: heaplog-run(1).\n";

static int usage(const char *error)
{
	complain("%s", error);
	fputs("usage: heaplog [run] [OPTIONS] [--] COMMAND...   (heaplog run --help tells the options)\n", stderr);
	return CLI_USAGE;
}

int cmd_run(int argc, char **argv)
{
	struct run_options options;
	struct task_rule rule;
	struct runner runner;
	struct elf own;
	char directory[PATH_MAX];
	bool turbo;

	if (!options_parse(argc, argv, &options))
		return usage(options.error);
	if (options.help) {
		fputs(help, stdout);
		return fflush(stdout) == 0 ? CLI_OK : CLI_USAGE;
	}
	if (options.version) {
		puts("heaplog " HEAPLOG_VERSION);
		return fflush(stdout) == 0 ? CLI_OK : CLI_USAGE;
	}
	turbo = options.runner && strcmp(options.runner, "turbo") == 0;
	if (options.runner && !turbo && !task_rule_read(&rule, options.runner))
		return usage("--runner: it is nx, npm, turbo, all or a pattern such as {VARIABLE}:{VARIABLE}");
	if (!options.count)
		return usage("no command");
	if (!keep_environment())
		return become(options.command);
	if (is_off(&options) || is_nested())
		return become(options.command);
	if (elf_read("/proc/self/exe", &own) == 0 && getcwd(directory, sizeof directory)) {
		runner_inspect(options.count, options.command, getenv("PATH"), directory, &own, &runner);
		if (turbo || runner.reach != ELF_REACHED)
			return run_outside(&options, &runner, &own);
	}
	if (!put_settings(&options) || !put_library(&options))
		return become(options.command);
	return run_inside(&options);
}
