/* `heaplog report`, `compare`, `history` and `plan` as commands: every format, every kind of bad input, terminals. */
#include "torture.h"

#include "record/record.h"

#include <fcntl.h>
#include <jansson.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A string that execve's char * may point to. */
#define WORD(text) ((char[]){text})

/* Run `heaplog WORDS...` (split at spaces) with one more variable, or NULL. Returns the result; *status its exit
 * status. */
static struct torture_result *heaplog(int *status, const char *variable, const char *words)
{
	static char copy[4096];
	char *argv[64] = {(char *)(uintptr_t)torture_path("heaplog")};
	char *entries[] = {WORD("LANG=C.UTF-8"), (char *)(uintptr_t)variable, NULL};
	size_t count = 1;
	struct torture_result *result;

	snprintf(copy, sizeof copy, "%s", words);
	for (char *word = strtok(copy, " "); word && count < 63; word = strtok(NULL, " "))
		argv[count++] = word;
	result = torture_run(argv, entries);
	if (!WIFEXITED(result->status))
		fail_msg("heaplog %s: status %d, %s", words, result->status, result->errors);
	*status = WEXITSTATUS(result->status);
	return result;
}

static struct torture_result *expect(int status, const char *words)
{
	int got;
	struct torture_result *result = heaplog(&got, NULL, words);

	if (got != status)
		fail_msg("heaplog %s: %d, expected %d\n%s%s", words, got, status, result->output, result->errors);
	return result;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in: %s", part, text);
}

static void put(const char *path, const char *text, size_t length)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), (ssize_t)length);
	close(fd);
}

static void put_text(const char *path, const char *text)
{
	put(path, text, strlen(text));
}

/* One record in a file; a start hour orders the runs. */
static void record(const char *path, const char *run, unsigned hour, const char *task, unsigned long long megabytes,
		   int exit_code)
{
	char text[1024];
	const int length = snprintf(
	    text, sizeof text,
	    "{\"v\":1,\"run\":\"%s\",\"task\":\"%s\",\"project\":\"p\",\"target\":\"t\",\"runner\":\"nx\",\"pid\":5,"
	    "\"start\":\"2026-11-23T%02u:00:00.000Z\",\"duration_ms\":1500,\"exit\":{\"code\":%d},\"oom\":false,"
	    "\"metric\":\"rss\","
	    "\"peak_bytes\":%llu,\"peak_upper_bytes\":%llu,\"exact\":true,\"processes_max\":2,\"top\":[{\"pid\":5,"
	    "\"command\":"
	    "\"node \\u001b[31m x\",\"bytes\":1048576}],\"series\":[[0,1048576],[700,%llu],[1500,2097152]]}\n",
	    run, task, hour, exit_code, megabytes << 20, megabytes << 20, megabytes << 20);

	put(path, text, (size_t)length);
}

static json_t *parsed(const char *text)
{
	json_error_t error;
	json_t *root = json_loads(text, 0, &error);

	if (!root)
		fail_msg("%s at %d: %.200s", error.text, error.position, text);
	return root;
}

static void text_largest_first(void **state)
{
	struct torture_result *result;

	(void)state;
	record("r.jsonl", "1", 1, "small", 10, 0);
	record("r.jsonl", "1", 1, "large", 2048, 1);
	record("r.jsonl", "1", 1, "middle", 700, 0);
	result = expect(0, "report r.jsonl");
	assert_true(strstr(result->output, "large") < strstr(result->output, "middle"));
	assert_true(strstr(result->output, "middle") < strstr(result->output, "small"));
	has(result->output, "2.0GB");
	assert_null(strstr(result->output, "\033"));
	assert_int_equal(result->errors_length, 0);
	result = expect(0, "report --sort name --top 1 r.jsonl");
	has(result->output, "large");
	has(result->output, "and 2 more tasks");
	assert_null(strstr(result->output, "middle"));
	has(expect(0, "report --processes r.jsonl")->output, "node \\x1b[31m x");
}

static void later_lines_and_given_twice(void **state)
{
	(void)state;
	record("r.jsonl", "1", 1, "a", 10, 0);
	record("r.jsonl", "2", 2, "a", 50, 0);
	record("r.jsonl", "1", 1, "a", 30, 0);
	has(expect(0, "report --format csv r.jsonl r.jsonl")->output,
	    "a,p,t,,nx,rss,52428800,52428800,41943040,31457280,2,1500,2,");
}

static void directories_and_standard_input(void **state)
{
	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(mkdir("d/agent-1", 0700), 0);
	record("d/agent-1/results.jsonl", "1", 1, "one", 10, 0);
	record("d/other.ndjson", "2", 1, "two", 10, 0);
	put("d/readme.txt", "not a results file\n", 19);
	record("elsewhere.jsonl", "3", 1, "three", 10, 0);
	assert_int_equal(symlink("../elsewhere.jsonl", "d/link.jsonl"), 0);
	struct torture_result *result = expect(0, "report d");
	has(result->output, "one");
	has(result->output, "two");
	assert_null(strstr(result->output, "three"));
	assert_int_equal(result->errors_length, 0);
	assert_int_equal(mkdir("empty", 0700), 0);
	has(expect(2, "report empty")->errors, "empty: no *.jsonl or *.ndjson file in this directory");

	const int saved = dup(0), fd = open("elsewhere.jsonl", O_RDONLY);
	dup2(fd, 0);
	has(expect(0, "report -")->output, "three");
	dup2(saved, 0);
	close(saved);
	close(fd);
}

static void unreadable_input(void **state)
{
	struct torture_result *result;

	(void)state;
	record("r.jsonl", "1", 1, "kept", 10, 0);
	result = expect(2, "report missing.jsonl r.jsonl");
	has(result->errors, "heaplog report: missing.jsonl: No such file");
	has(result->output, "kept"); /* what could be read is shown */
	has(expect(2, "report /proc/self/mem")->errors, "/proc/self/mem: Input/output error");
	has(expect(2, "compare r.jsonl missing.jsonl")->errors, "missing.jsonl: No such file");
	has(expect(2, "history kept missing.jsonl r.jsonl")->errors, "missing.jsonl: No such file");
	has(expect(2, "plan --memory 1GB missing.jsonl")->errors, "missing.jsonl: No such file");
	has(expect(2, "report bad\033name")->errors, "bad\\x1bname: No such file");
}

static void bad_lines_are_named_and_skipped(void **state)
{
	static char longer[400001];
	struct torture_result *result;

	(void)state;
	record("r.jsonl", "1", 1, "first", 10, 0);
	put("r.jsonl", "garbage\n\n", 9);                                /* 2, and an empty line */
	put_text("r.jsonl", "{\"v\":9,\"run\":\"r\",\"task\":\"t\"}\n"); /* 4 */
	put("r.jsonl", "{\"v\":1,\0}\n", 10);                            /* 5 */
	memset(longer, 'x', 400000);
	longer[400000] = '\n';
	put("r.jsonl", longer, sizeof longer); /* 6 */
	record("r.jsonl", "1", 1, "second", 20, 0);
	put_text("r.jsonl", "{\"v\":1,\"run\":\"1\",\"task\":\"cut"); /* 8: no newline */
	result = expect(0, "report r.jsonl");
	has(result->errors, "heaplog report: r.jsonl:2: not a JSON object; skipped\n");
	has(result->errors, "r.jsonl:4: \"v\" is not 1");
	has(result->errors, "r.jsonl:5: a NUL byte in it; skipped");
	has(result->errors, "r.jsonl:6: longer than any record; skipped");
	has(result->errors, "r.jsonl:8: the last line is cut off, or still being written; skipped");
	has(result->output, "first");
	has(result->output, "second");
	assert_null(strstr(result->output, "cut"));

	for (int i = 0; i < 500; i++)
		put("binary.jsonl",
		    "\x7f"
		    "ELF\n",
		    5);
	/* One that has just been begun is no foreign file. */
	put_text("begun.jsonl", "{\"v\":1,\"run\":\"1\",\"ta");
	has(expect(0, "report begun.jsonl")->errors, "the last line is cut off, or still being written");
	result = expect(2, "report binary.jsonl");
	has(result->errors, "binary.jsonl: no line is a record: is this a results file?");
	has(result->errors, "binary.jsonl:10: ");
	assert_null(strstr(result->errors, "binary.jsonl:11: "));
	has(result->errors, "binary.jsonl: 490 more lines that are no records; skipped");
	has(result->output, "no records");
}

static void last_line_without_newline_and_windows_ends(void **state)
{
	(void)state;
	put_text("r.jsonl", "{\"v\":1,\"run\":\"1\",\"task\":\"windows\",\"peak_bytes\":5000}\r\n");
	put_text("r.jsonl", "{\"v\":1,\"run\":\"1\",\"task\":\"unended\",\"peak_bytes\":5000}");
	struct torture_result *result = expect(0, "report r.jsonl");

	has(result->output, "windows");
	has(result->output, "unended");
	assert_int_equal(result->errors_length, 0);
}

/* Writers append while report reads: it sees whole lines, and at most all of them. */
static void while_writers_append(void **state)
{
	static const char line[] =
	    "{\"v\":1,\"run\":\"%d\",\"task\":\"t%d\",\"peak_bytes\":5000,\"hash\":\"%012000d\"}\n"; /* three pages */
	pid_t writers[2];
	int go[2];
	char byte;

	(void)state;
	record("r.jsonl", "0", 1, "t0", 10, 0);
	assert_int_equal(pipe(go), 0);
	for (int w = 0; w < 2; w++) {
		writers[w] = fork();
		if (writers[w] == 0) {
			char text[13000];

			close(go[1]);
			for (int i = 0; i < 4000 && (i < 500 || read(go[0], &byte, 1) != 0); i++) {
				const int length = snprintf(text, sizeof text, line, w, i, i);
				heaplog_record_append("r.jsonl", text, (size_t)length);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 40; i++)
		assert_int_equal(expect(0, "report --format csv --top 3 r.jsonl")->errors_length, 0);
	close(go[0]);
	close(go[1]);
	for (int w = 0; w < 2; w++)
		waitpid(writers[w], NULL, 0);
}

static void wrong_usage(void **state)
{
	static const char *const words[][2] = {
	    {"report", "which results file?"},
	    {"report --format pdf r.jsonl", "--format pdf: not one of:"},
	    {"report --sort size r.jsonl", "--sort size: not one of:"},
	    {"report --top 0 r.jsonl", "--top 0: not a number from 1"},
	    {"report --top -1 r.jsonl", "--top -1: not a number from 1"},
	    {"report --top 1x r.jsonl", "--top 1x: not a number from 1"},
	    {"report --top 99999999999999999999999 r.jsonl", "not a number from 1"},
	    {"report --runs none r.jsonl", "--runs none: not a number from 1"},
	    {"report --warn much r.jsonl", "--warn much: not a size"},
	    {"report --memory 0 r.jsonl", "--memory 0: a size without its unit"},
	    {"plan --memory 8 r.jsonl", "--memory 8: a size without its unit"},
	    {"compare --fail-over 10 r.jsonl r.jsonl", "--fail-over 10: a size without its unit"},
	    {"compare - -", "only one of BASE and HEAD"},
	    {"report --unknown r.jsonl", "heaplog report: unrecognized option '--unknown'"},
	    {"report r.jsonl --format", "requires an argument"},
	    {"report -o missing/x.html r.jsonl", "missing/x.html: No such file"},
	    {"compare r.jsonl", "BASE and HEAD are needed"},
	    {"compare r.jsonl r.jsonl r.jsonl", "BASE and HEAD are needed"},
	    {"compare --fail-over ten r.jsonl r.jsonl", "--fail-over ten: not a size"},
	    {"compare --fail-over -5% r.jsonl r.jsonl", "--fail-over -5%: not a size"},
	    {"compare --fail-over inf% r.jsonl r.jsonl", "--fail-over inf%: not a size"},
	    {"compare --min-growth x r.jsonl r.jsonl", "--min-growth x: not a size"},
	    {"compare --format csv r.jsonl r.jsonl", "--format csv: not one of:"},
	    {"history a", "TASK and a results file are needed"},
	    {"history --last 0 a r.jsonl", "--last 0: not a number from 1"},
	    {"history --format html a r.jsonl", "--format html: not one of:"},
	    {"plan r.jsonl", "--memory SIZE is needed"},
	    {"plan --memory 8GB", "which results file?"},
	    {"plan --memory lots r.jsonl", "--memory lots: not a size"},
	    {"plan --memory 1GB --reserve 1GB r.jsonl", "--reserve leaves nothing"},
	    {"plan --memory 1GB --use mean r.jsonl", "--use mean: not one of:"},
	    {"plan --memory 1GB --format x r.jsonl", "--format x: not one of:"},
	};

	(void)state;
	record("r.jsonl", "1", 1, "a", 10, 0);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct torture_result *result = expect(2, words[i][0]);

		has(result->errors, words[i][1]);
		assert_int_equal(result->output_length, 0);
	}
	int status;
	has(heaplog(&status, "HEAPLOG_WARN=much", "report r.jsonl")->errors, "HEAPLOG_WARN much: not a size");
	assert_int_equal(status, 0);
}

static void help_of_each(void **state)
{
	static const char *const words[] = {"report --help", "compare --help", "history --help", "plan --help"};

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const char *text = expect(0, words[i])->output;
		unsigned lines = 0;

		has(text, "usage: heaplog");
		for (const char *at = text; *at; at += strcspn(at, "\n") + 1, lines++)
			assert_true(strcspn(at, "\n") <= 120);
		assert_true(lines <= 24);
	}
}

static void hostile_names(void **state)
{
	static const char name[] =
	    "</script><script>alert(1)</script>\\u2028\\u001b]0;x\\u0007\\u009b2J\\n| x <b>,\\\"y\\\"\\u202e";
	struct torture_result *result;

	(void)state;
	record("r.jsonl", "1", 1, name, 10, 0);
	record("r.jsonl", "2", 2, name, 20, 0);
	static const char *const words[] = {"report r.jsonl", "report --processes --format markdown r.jsonl",
					    "plan --memory 1MB r.jsonl", "compare --all r.jsonl r.jsonl",
					    "compare --all --format markdown r.jsonl r.jsonl"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		int status;

		result = heaplog(&status, NULL, words[i]);
		for (const char *at = result->output; *at; at++)
			assert_true((unsigned char)*at >= 0x20 || *at == '\n');
		assert_null(strstr(result->output, "\xc2\x9b"));
		if (strstr(words[i], "plan")) /* a terminal's: not markdown, which a browser shows */
			assert_null(strstr(result->output, "\xe2\x80\xae"));
		if (strstr(words[i], "markdown"))
			assert_null(strchr(result->output, '<') && !strstr(result->output, "<br>") ? result->output
												   : NULL);
	}
	result = expect(0, "report --format html r.jsonl");
	unsigned ends = 0;
	for (const char *at = result->output; (at = strstr(at, "</script")); at++)
		ends++;
	assert_int_equal(ends, 2); /* the page's own: its data's and its program's */
	assert_null(strstr(result->output, "\xe2\x80\xa8"));
	assert_null(strstr(result->output, "alert(1)<"));

	json_t *root = parsed(expect(0, "report --format json r.jsonl")->output);
	json_t *task = json_array_get(json_object_get(root, "tasks"), 0);
	assert_string_equal(json_string_value(json_object_get(task, "task")),
			    "</script><script>alert(1)</script>\xe2\x80\xa8\x1b]0;x\x07\xc2\x9b"
			    "2J\n| x <b>,\"y\"\xe2\x80\xae");
	assert_int_equal(json_integer_value(json_object_get(task, "runs")), 2);
	assert_int_equal(json_integer_value(json_object_get(task, "median_bytes")), 15 << 20);
	json_decref(root);
	has(expect(0, "report --format openmetrics r.jsonl")->output, "\\n| x <b>,\\\"y\\\"");
}

static void json_and_trace(void **state)
{
	(void)state;
	record("r.jsonl", "1", 1, "a", 10, 0);
	record("r.jsonl", "1", 1, "b", 20, 3);
	json_t *root = parsed(expect(0, "report --format json r.jsonl")->output);
	json_t *largest = json_object_get(json_array_get(json_object_get(root, "tasks"), 0), "largest");
	assert_string_equal(json_string_value(json_object_get(largest, "start")), "2026-11-23T01:00:00.000Z");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(largest, "exit"), "code")), 3);
	json_decref(root);

	root = parsed(expect(0, "report --format trace r.jsonl")->output);
	size_t index, tasks = 0, counters = 0;
	json_t *event;
	json_int_t lane = 0;
	json_array_foreach(root, index, event)
	{
		const char *phase = json_string_value(json_object_get(event, "ph"));

		if (strcmp(phase, "X") == 0) {
			tasks++;
			assert_true(json_integer_value(json_object_get(event, "ts")) == 1795395600000000);
			assert_int_equal(json_integer_value(json_object_get(event, "dur")), 1500000);
			assert_true(json_integer_value(json_object_get(event, "tid")) != lane); /* they overlap */
			lane = json_integer_value(json_object_get(event, "tid"));
		}
		counters += strcmp(phase, "C") == 0;
	}
	assert_int_equal(tasks, 2);
	assert_int_equal(counters, 8); /* three samples and the end, of each */
	json_decref(root);
}

static void output_file_in_one_step(void **state)
{
	struct stat status;

	(void)state;
	record("r.jsonl", "1", 1, "a", 10, 0);
	umask(022);
	put("out.prom", "old", 3);
	assert_int_equal(expect(0, "report --format openmetrics -o out.prom r.jsonl")->output_length, 0);
	assert_int_equal(stat("out.prom", &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600); /* as it was */
	assert_true(status.st_size > 500);
	expect(0, "report -o new.txt r.jsonl");
	assert_int_equal(stat("new.txt", &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
	/* A link stays one; what is no regular file is written to: root would lose its /dev/null. */
	assert_int_equal(symlink("new.txt", "link"), 0);
	expect(0, "report --format json -o link r.jsonl");
	assert_int_equal(system("test -L link && grep -q '\"tasks\"' new.txt"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	const int fifo = open("fifo", O_RDWR | O_CLOEXEC);
	expect(0, "report -o fifo r.jsonl");
	assert_int_equal(lstat("fifo", &status), 0);
	assert_true(S_ISFIFO(status.st_mode));
	char got[16] = "";
	assert_int_equal(read(fifo, got, 4), 4);
	assert_string_equal(got, "task");
	close(fifo);
	assert_int_equal(system("test $(ls | wc -l) = 5"), 0); /* no temporary file stays */
	char command[4200];
	snprintf(command, sizeof command, "%s report r.jsonl >/dev/full 2>err", torture_path("heaplog"));
	assert_int_equal(WEXITSTATUS(system(command)), 2);
	assert_int_equal(system("grep -q 'standard output: No space left' err"), 0);
}

static void thresholds(void **state)
{
	(void)state;
	record("r.jsonl", "1", 1, "over", 300, 0);
	has(expect(0, "report --format markdown --warn 200MB r.jsonl")->output, "**300MB** ");
	has(expect(0, "report --format html --warn 200MB r.jsonl")->output, "\"warn\":209715200");
}

/* Run on a terminal of 60 columns; returns what it printed. */
static const char *on_terminal(const char *variable, char *const argv[])
{
	static char text[65536];
	struct winsize size = {.ws_row = 24, .ws_col = 60};
	char *entries[] = {WORD("LANG=C.UTF-8"), WORD("TERM=xterm"), (char *)(uintptr_t)variable, NULL};
	size_t used = 0;
	int fd, status;
	const pid_t pid = forkpty(&fd, NULL, NULL, &size);

	if (pid == 0) {
		execve(argv[0], argv, entries);
		_exit(126);
	}
	assert_true(pid > 0);
	for (ssize_t got; used < sizeof text - 1 && (got = read(fd, text + used, sizeof text - 1 - used)) > 0;)
		used += (size_t)got;
	text[used] = '\0';
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return text;
}

static void colour_and_width_of_a_terminal(void **state)
{
	char *argv[] = {(char *)(uintptr_t)torture_path("heaplog"),
			WORD("report"),
			WORD("--warn"),
			WORD("15MB"),
			WORD("r.jsonl"),
			NULL};

	(void)state;
	record("r.jsonl", "1", 1, "a-task-with-a-very-long-name-that-does-not-fit-into-sixty-columns:build", 10, 0);
	record("r.jsonl", "1", 1, "\xe4\xb8\xad\xe6\x96\x87:build", 20, 0);
	const char *text = on_terminal(NULL, argv);
	has(text, "\033[31m20MB");
	has(text, "\033[32m10MB");
	text = on_terminal("NO_COLOR=1", argv);
	assert_null(strstr(text, "\033"));
	has(text, "\xe2\x80\xa6"); /* the middle of the long name is left out */
	has(text, ":build");
	for (const char *at = text; *at;) {
		size_t columns = 0;

		for (; *at && *at != '\n'; at++)
			columns += ((unsigned char)*at & 0xc0) != 0x80 && *at != '\r';
		assert_true(columns <= 60);
		at += *at == '\n';
	}
	has(on_terminal("NO_COLOR=", argv), "\033[31m"); /* empty: as if unset (no-color.org) */
}

static void compare_and_its_exit_status(void **state)
{
	struct torture_result *result;

	(void)state;
	record("base.jsonl", "1", 1, "grown", 100, 0);
	record("base.jsonl", "1", 1, "same", 100, 0);
	record("base.jsonl", "1", 1, "gone", 100, 0);
	record("head.jsonl", "2", 2, "grown", 115, 0);
	record("head.jsonl", "2", 2, "same", 100, 0);
	record("head.jsonl", "2", 2, "new", 900, 0);
	result = expect(0, "compare base.jsonl head.jsonl");
	has(result->output, "+15.0 %");
	has(result->output, "new");
	has(result->output, "gone");
	has(result->output, "1 tasks changed by less than 1 %");
	assert_null(strstr(result->output, "p=")); /* one run proves nothing */
	has(expect(1, "compare --fail-over 10% base.jsonl head.jsonl")->output, "over the limit");
	expect(0, "compare --fail-over 15% base.jsonl head.jsonl"); /* more than, not as much as */
	expect(1, "compare --fail-over 14MB base.jsonl head.jsonl");
	expect(0, "compare --fail-over 15MB base.jsonl head.jsonl");
	expect(0, "compare --fail-over 10% --min-growth 16MB base.jsonl head.jsonl");
	json_t *root = parsed(expect(1, "compare --format json --fail-over 10% base.jsonl head.jsonl")->output);
	json_t *first = json_array_get(json_object_get(root, "tasks"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "task")), "grown");
	assert_true(json_is_true(json_object_get(first, "over_limit")));
	assert_true(json_is_null(json_object_get(first, "p")));
	json_decref(root);
}

static void compare_with_several_runs(void **state)
{
	static const unsigned noisy[][2] = {{100, 118}, {150, 90}, {90, 160}, {120, 140}};
	char run[8];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		snprintf(run, sizeof run, "%u", i);
		record("base.jsonl", run, i, "noisy", noisy[i][0], 0);
		record("base.jsonl", run, i, "clear", 100 + i, 0);
		snprintf(run, sizeof run, "h%u", i);
		record("head.jsonl", run, i, "noisy", noisy[i][1], 0);
		record("head.jsonl", run, i, "clear", 120 + i, 0);
	}
	struct torture_result *result = expect(1, "compare --fail-over 10% base.jsonl head.jsonl");
	has(result->output, "p=0.029  over the limit"); /* 2 of 70: apart as far as can be */
	has(result->output, "102MB (100MB-103MB, 4)");
	has(result->errors, "1 task grew by more than the limit"); /* not the noisy one */
}

static void history_of_a_task(void **state)
{
	struct torture_result *result;

	(void)state;
	record("r.jsonl", "2", 2, "a:build", 20, 0);
	record("r.jsonl", "1", 1, "a:build", 10, 0);
	record("r.jsonl", "3", 3, "a:build", 40, 1);
	result = expect(0, "history a:build r.jsonl");
	has(result->output, "\xe2\x96\x81\xe2\x96\x83\xe2\x96\x88\n"); /* low, middle, high: by time, not by place */
	has(result->output, "median 20MB, range 10MB to 40MB");
	has(result->output, "+100.0 %");
	result = expect(1, "history build r.jsonl");
	has(result->errors, "no record of build; there are:\n  a:build\n");
	json_t *root = parsed(expect(0, "history --format json --last 2 a:build r.jsonl")->output);
	assert_int_equal(json_array_size(json_object_get(root, "runs")), 2);
	json_decref(root);
	has(expect(0, "history --format csv a:build r.jsonl")->output,
	    "2026-11-23T01:00:00.000Z,rss,10485760,10485760,1500,0\n");
}

static void plan_names_what_does_not_fit(void **state)
{
	struct torture_result *result;

	(void)state;
	record("r.jsonl", "1", 1, "large", 600, 0);
	record("r.jsonl", "1", 1, "middle", 300, 0);
	record("r.jsonl", "1", 1, "small", 200, 0);
	put_text("r.jsonl", "{\"v\":1,\"run\":\"1\",\"task\":\"unmeasured\"}\n");
	result = expect(0, "plan --memory 1GB r.jsonl");
	has(result->output, "--parallel=2: the largest 2 at once need 900MB of 1.0GB");
	has(result->output, "large");
	has(result->output, "small");
	has(result->errors, "1 tasks without a measurement are left out");
	assert_string_equal(expect(0, "plan --memory 900MB --format number r.jsonl")->output, "2\n");
	assert_string_equal(expect(0, "plan --memory 899MB --format number r.jsonl")->output, "1\n");
	assert_string_equal(expect(0, "plan --memory 1GB --reserve 125MB --format number r.jsonl")->output, "1\n");
	has(expect(0, "plan --memory 2GB r.jsonl")->output, "all 3 tasks at once need 1.1GB of 2.0GB");
	has(expect(1, "plan --memory 500MB r.jsonl")->output, "none: not even the largest task fits");
	json_t *root = parsed(expect(0, "plan --memory 1GB --format json r.jsonl")->output);
	assert_int_equal(json_integer_value(json_object_get(root, "parallel")), 2);
	assert_int_equal(json_array_size(json_object_get(root, "does_not_fit")), 3);
	json_decref(root);
}

/* What stands in a record is shown as it is in seven formats: a metric or a signal that is no word makes it no record. */
static void hostile_words(void **state)
{
	static const char *const records[] = {
	    "\"metric\":\"rss\\u001b[31m\"",
	    "\"metric\":\"r|<b>\"",
	    "\"metric\":\"\"",
	    "\"exit\":{\"signal\":\"\\u001b[31mSIG\"}",
	    "\"exit\":{\"signal\":\"SIG\\nKILL\"}",
	};
	char text[512];

	(void)state;
	record("r.jsonl", "1", 1, "a", 10, 0);
	for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
		snprintf(text, sizeof text, "{\"v\":1,\"run\":\"1\",\"task\":\"x\",%s,\"peak_bytes\":1048576}\n",
			 records[i]);
		put_text("r.jsonl", text);
	}
	const struct torture_result *result = expect(0, "report r.jsonl");
	has(result->errors, "r.jsonl:2: \"metric\" is not a word; skipped");
	has(result->errors, "r.jsonl:6: the signal of \"exit\" is not a word; skipped");
	assert_null(strchr(result->output, '\033'));
	assert_null(strstr(result->output, "x "));
}

/* Times of 0 and far ones: no leading zeros in JSON, no digits of a double, in a page no more lines than fit. */
static void odd_times(void **state)
{
	json_t *root;

	(void)state;
	put_text("r.jsonl",
		 "{\"v\":1,\"run\":\"1\",\"task\":\"a\",\"start\":\"1970-01-01T00:00:00.000Z\",\"duration_ms\":0,"
		 "\"peak_bytes\":1048576,\"series\":[[0,1048576]]}\n"
		 "{\"v\":1,\"run\":\"1\",\"task\":\"b\",\"start\":\"2026-11-23T21:00:00.123Z\",\"duration_ms\":5,"
		 "\"peak_bytes\":1048576}\n");
	root = parsed(expect(0, "report --format trace r.jsonl")->output);
	assert_true(json_array_size(root) > 3);
	json_decref(root);
	has(expect(0, "report --format openmetrics r.jsonl")->output, "} 1795467600.123\n");
}

static void empty_files(void **state)
{
	(void)state;
	put("r.jsonl", "", 0);
	has(expect(0, "report r.jsonl")->output, "no records");
	has(expect(0, "report --format markdown r.jsonl")->output, "No task ran");
	json_decref(parsed(expect(0, "report --format json r.jsonl")->output));
	json_decref(parsed(expect(0, "report --format trace r.jsonl")->output));
	has(expect(0, "report --format openmetrics r.jsonl")->output, "# EOF\n");
	has(expect(0, "report --format html r.jsonl")->output, "\"tasks\":[]");
	expect(0, "compare r.jsonl r.jsonl");
	/* Nothing that was compared is no gate that was passed. */
	has(expect(2, "compare --fail-over 10% r.jsonl r.jsonl")->errors, "nothing was compared");
	record("full.jsonl", "1", 1, "a", 10, 0);
	has(expect(2, "compare --fail-over 10% full.jsonl r.jsonl")->errors, "nothing was compared");
	expect(1, "history a r.jsonl");
	expect(1, "plan --memory 1GB r.jsonl");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(text_largest_first),
	    TORTURE(later_lines_and_given_twice),
	    TORTURE(directories_and_standard_input),
	    TORTURE(unreadable_input),
	    TORTURE(bad_lines_are_named_and_skipped),
	    TORTURE(last_line_without_newline_and_windows_ends),
	    TORTURE(while_writers_append),
	    TORTURE(wrong_usage),
	    TORTURE(hostile_words),
	    TORTURE(odd_times),
	    TORTURE(help_of_each),
	    TORTURE(hostile_names),
	    TORTURE(json_and_trace),
	    TORTURE(output_file_in_one_step),
	    TORTURE(thresholds),
	    TORTURE(colour_and_width_of_a_terminal),
	    TORTURE(compare_and_its_exit_status),
	    TORTURE(compare_with_several_runs),
	    TORTURE(history_of_a_task),
	    TORTURE(plan_names_what_does_not_fit),
	    TORTURE(empty_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
