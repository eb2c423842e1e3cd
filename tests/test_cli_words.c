/* The launcher's readings of text: "#!" lines, shims, launchers' command lines, its own options, ELF headers. */
#include "torture.h"

#include "cli/doctor_way.h"
#include "cli/elf.h"
#include "cli/launcher.h"
#include "cli/library.h"
#include "cli/options.h"
#include "cli/resolve.h"
#include "cli/shebang.h"
#include "cli/shell_text.h"

#include <elf.h>
#include <sys/stat.h>

static void check_shebang(const char *head, bool through_env, const char *expected)
{
	struct shebang shebang;
	char words[1024] = "";

	if (!shebang_parse(head, strlen(head), through_env, &shebang)) {
		assert_string_equal("-", expected);
		return;
	}
	for (size_t i = 0; i < shebang.count; i++)
		snprintf(words + strlen(words), sizeof words - strlen(words), "%s%s", i ? "|" : "", shebang.words[i]);
	assert_string_equal(words, expected);
}

static void test_shebang(void **state)
{
	char line[400];

	(void)state;
	check_shebang("#!/bin/sh\necho", false, "/bin/sh");
	check_shebang("#! \t/bin/sh -eu  \n", false, "/bin/sh|-eu");
	/* All that follows is one argument, as the kernel has it. */
	check_shebang("#!/usr/bin/awk -f -v x\n", false, "/usr/bin/awk|-f -v x");
	check_shebang("#!/usr/bin/env node\n", false, "/usr/bin/env|node");
	check_shebang("#!/usr/bin/env node\n", true, "node");
	check_shebang("#!/usr/bin/env -S node --max-old-space-size=4096\n", true, "node|--max-old-space-size=4096");
	check_shebang("#!/usr/bin/env -Snode --x\n", true, "node|--x");
	/* More than a name: env's own business. */
	check_shebang("#!/usr/bin/env -S A=1 node\n", true, "/usr/bin/env|-S A=1 node");
	check_shebang("#!/usr/bin/env -i\n", true, "/usr/bin/env|-i");
	check_shebang("#!/usr/bin/env -S node \"a b\"\n", true, "/usr/bin/env|-S node \"a b\"");
	check_shebang("#!/bin/sh", false, "/bin/sh"); /* the file's end is the line's */
	check_shebang("#!\n/bin/sh\n", false, "-");
	check_shebang("#! \n", false, "-");
	check_shebang("", false, "-");
	check_shebang("#", false, "-");
	check_shebang("\177ELF", false, "-");
	memset(line, 'a', sizeof line);
	memcpy(line, "#!/", 3);
	line[sizeof line - 1] = '\0';
	check_shebang(line, false, "-"); /* the kernel: ENOEXEC, the interpreter's name was cut */
}

static void test_shim(void **state)
{
	static const char shim[] =
	    "#!/bin/sh\n"
	    "basedir=$(dirname \"$(echo \"$0\" | sed -e 's,\\\\,/,g')\")\n"
	    "if [ -z \"$NODE_PATH\" ]; then\n"
	    "  export NODE_PATH=\"/w/node_modules/.pnpm/nx@22/node_modules/nx/bin/node_modules\"\n"
	    "else\n"
	    "  export NODE_PATH=\"/w/x:$NODE_PATH\"\n"
	    "fi\n"
	    "if [ -x \"$basedir/node\" ]; then\n"
	    "  exec \"$basedir/node\"  \"$basedir/../nx/bin/nx.js\" \"$@\"\n"
	    "else\n"
	    "  exec node  \"$basedir/../nx/bin/nx.js\" \"$@\"\n"
	    "fi\n";
	const char *script, *node_path;
	size_t length, node_path_length;

	(void)state;
	assert_true(shebang_shim(shim, &script, &length, &node_path, &node_path_length));
	assert_int_equal(length, strlen("../nx/bin/nx.js"));
	assert_memory_equal(script, "../nx/bin/nx.js", length);
	assert_memory_equal(node_path, "/w/node_modules/.pnpm/nx@22/node_modules/nx/bin/node_modules",
			    node_path_length);
	assert_false(shebang_shim("#!/bin/sh\nexec node server.js\n", &script, &length, &node_path, &node_path_length));
	assert_false(shebang_shim("#!/bin/sh\necho\n", &script, &length, &node_path, &node_path_length));
	assert_false(shebang_shim("#!/usr/bin/env node\nexec node \"$basedir/x\"", &script, &length, &node_path,
				  &node_path_length));
	assert_false(
	    shebang_shim("#!/bin/sh\nexec node \"$basedir/cut", &script, &length, &node_path, &node_path_length));
}

/* The words of line, separated by blanks; expected: how it is launched, and the words from there on. */
static void put_script(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(name, 0755), 0);
}

static void check_resolved(char *const argv[], const char *expected)
{
	char found[4096] = "", *node_path;
	char **resolved = resolve_scripts(argv, ".:/usr/bin:/bin", &node_path);

	for (size_t i = 0; resolved && resolved[i]; i++)
		snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i ? "|" : "", resolved[i]);
	if (node_path)
		snprintf(found + strlen(found), sizeof found - strlen(found), " NODE_PATH=%s", node_path);
	assert_string_equal(found, expected);
	free(node_path);
	resolve_free(resolved);
}

/* What macOS needs, and what is the same everywhere. */
static void test_resolve(void **state)
{
	char *command[] = {(char *)(uintptr_t) "./nx", (char *)(uintptr_t) "build", NULL};

	(void)state;
	put_script("node", "\177ELF, or nearly so");
	put_script("nx", "#!/usr/bin/env node\n");
	check_resolved(command, "./node|./nx|build");
	put_script("nx", "#!/usr/bin/env -S node --trace\n");
	check_resolved(command, "./node|--trace|./nx|build");
	/* A chain: an interpreter that is a script itself. */
	put_script("inner", "#!./node -x\n");
	put_script("nx", "#!./inner a b\n");
	check_resolved(command, "./node|-x|./inner|a b|./nx|build");
	/* pnpm's shim. */
	put_script("nx", "#!/bin/sh\nexport NODE_PATH=\"/w/m\"\nexec node  \"$basedir/../nx/bin/nx.js\" \"$@\"\n");
	check_resolved(command, "./node|./../nx/bin/nx.js|build NODE_PATH=/w/m");
	/* No scripts, and no end. */
	put_script("nx", "#!./nx\n");
	check_resolved(command, "./nx|./nx|./nx|./nx|./nx|./nx|build");
	put_script("nx", "binary");
	check_resolved(command, "");
	unlink("nx");
	check_resolved(command, "");
	put_script("nx", "#!/usr/bin/env no-such-program\n");
	check_resolved(command, "");
}

static void check_launcher(const char *line, enum launched expected, const char *rest)
{
	char text[512], found[512] = "";
	char *words[32];
	const char *directory;
	size_t count = 0, at = 0;

	snprintf(text, sizeof text, "%s", line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = NULL;
	assert_int_equal(launcher_target(count, words, &at, &directory), expected);
	if (expected == LAUNCHED_ITSELF)
		return;
	for (; at < count; at++)
		snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", *found ? " " : "", words[at]);
	assert_string_equal(found, rest);
}

static void test_launchers(void **state)
{
	(void)state;
	check_launcher("nx run-many -t build", LAUNCHED_ITSELF, "");
	check_launcher("npx nx build", LAUNCHED_BINARY, "nx build");
	check_launcher("npx -y -p nx@20 nx build", LAUNCHED_BINARY, "nx build");
	check_launcher("/usr/bin/npx --yes -- turbo run build", LAUNCHED_BINARY, "turbo run build");
	check_launcher("npx -c turbo", LAUNCHED_SHELL, "turbo");
	check_launcher("npx", LAUNCHED_ITSELF, "");
	check_launcher("npm run build -- --force", LAUNCHED_SCRIPT, "build -- --force");
	check_launcher("npm -w packages/a run build", LAUNCHED_SCRIPT, "build");
	check_launcher("npm exec -- turbo build", LAUNCHED_BINARY, "turbo build");
	check_launcher("npm exec turbo build", LAUNCHED_BINARY, "turbo build");
	check_launcher("npm test", LAUNCHED_SCRIPT, "test");
	check_launcher("npm ci", LAUNCHED_ITSELF, "");
	check_launcher("npm install turbo", LAUNCHED_ITSELF, "");
	check_launcher("pnpm turbo run build", LAUNCHED_SCRIPT, "turbo run build");
	check_launcher("pnpm --filter a exec nx build", LAUNCHED_BINARY, "nx build");
	check_launcher("pnpm add turbo", LAUNCHED_ITSELF, "");
	check_launcher("yarn build", LAUNCHED_SCRIPT, "build");
	check_launcher("bun run build", LAUNCHED_SCRIPT, "build");
	check_launcher("env -u A B=1 C=2 turbo run", LAUNCHED_REST, "turbo run");
	check_launcher("env", LAUNCHED_ITSELF, "");
	check_launcher("timeout -k 5 60 turbo run", LAUNCHED_REST, "turbo run");
	check_launcher("nice -n 10 nohup make", LAUNCHED_REST, "nohup make");
	check_launcher("cross-env A=b turbo run", LAUNCHED_REST, "turbo run");
	check_launcher("sh -ec turbo", LAUNCHED_SHELL, "turbo");
	check_launcher("bash script.sh", LAUNCHED_ITSELF, "");
	check_launcher("sh -c", LAUNCHED_ITSELF, "");
}

enum { FOUND = 1 << 17 };

static bool collect(void *context, size_t argc, char *const argv[])
{
	char *found = context;

	for (size_t i = 0; i <= argc; i++)
		snprintf(found + strlen(found), FOUND - strlen(found), "%s%s", i && i < argc ? "|" : "",
			 i < argc ? argv[i] : "\n");
	return strcmp(argv[0], "stop") == 0;
}

static void check_commands(const char *shell, const char *expected)
{
	static char found[FOUND];

	found[0] = '\0';
	launcher_each_command(shell, collect, found);
	assert_string_equal(found, expected);
}

static void test_shell_commands(void **state)
{
	char *line = malloc(100000);

	(void)state;
	check_commands("turbo run build", "turbo|run|build\n");
	check_commands("A=1 B='x y' turbo \"a b\" && nx c; (d | e) & f", "A=1|B=x y|turbo|a b\nnx|c\nd\ne\nf\n");
	check_commands("nx build >log 2>&1 <in", "nx|build|2\n"); /* a lone digit does no harm */
	check_commands("echo a\\ b", "echo|a b\n");
	check_commands("stop && never", "stop\n");
	check_commands("  ", "");
	check_commands("", "");
	check_commands("a 'unclosed", "a|unclosed\n");
	memset(line, 'x', 99999);
	line[99999] = '\0';
	static char found[FOUND];
	launcher_each_command(line, collect, found); /* no overrun: the sanitizers look */
	free(line);
}

static void check_clean(const char *shell, const char *expected)
{
	char *text = strdup(shell); /* of that size: the sanitizers see what is read or written beyond */

	shell_text_clean(text);
	assert_string_equal(text, expected);
	free(text);
}

static void test_shell_text(void **state)
{
	(void)state;
	check_clean("", "");
	check_clean("nx build # all\n# it's\nnx lint", "nx build \n\nnx lint");
	check_clean("nx \\\n  build '#a' a#b $# \\# c", "nx   build '#a' a#b $# \\# c");
	check_clean("a $(b (c) ')' # )\n) d `e \\` f` \"$(g \"h)\")\" '$(i)' \\$(j)", "a $ d $ \"$\" '$(i)' \\$(j)");
	check_clean("diff <(a) >(b) \"<(c)\"", "diff $ $ \"<(c)\"");
	check_clean("$(which nx) a; `command -v npx` $(which $x) $(which a b)", "nx a; npx $ $");
	check_clean("echo $'it\\'s' x", "echo 'its' x");
	check_clean("cat <<A <<-'B C'\na $(\nA\n\tb '\n\tB C\nnx", "cat <<A <<-'B C'\nnx");
	check_clean("cat <<\\E | nx\n E\nE \nE", "cat <<\\E | nx\n");
	check_clean("cat <<E\nnx\n", "cat <<E\nnx\n");
	check_clean("x=$((1<<2)); ((y = 1 << z))\ncat <<<x\nx", "x=$; ((y = 1 << z))\ncat <<<x\nx");
	check_clean("x=$(cat <<E\n) don't\nE\n) y", "x=$ y");
	check_clean("a $(b", "a $");
	check_clean("a 'b", "a 'b");
	check_clean("a \"b $(c", "a \"b $");
	check_clean("a `", "a $");
	check_clean("a \\", "a \\");
	check_clean("a <<", "a <<");
	check_clean("a $", "a $");
}

/* Nothing of what may stand in a file takes long or leads beyond it. */
static void test_shell_text_bounds(void **state)
{
	static const char *const parts[] = {"<<a\n", "$(", "$(<<a)", "\"$(", "`", "'", "<<-'", "\\", "$'\\"};
	const size_t size = 200000;

	(void)state;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		char *text = malloc(size + 1);

		for (size_t at = 0; at < size; at++)
			text[at] = parts[i][at % strlen(parts[i])];
		text[size] = '\0';
		shell_text_clean(text);
		assert_true(strlen(text) <= size);
		free(text);
	}
}

/* What the doctor makes of one step; loss: what becomes of LD_PRELOAD. rest: the words or the text that it leads to. */
static void check_way(const char *line, enum launched expected, const char *rest, enum way_loss loss, bool on)
{
	char copy[512], found[512] = "";
	char *words[32];
	const char *directory, *text;
	struct way way;
	size_t count = 0, at = 0;

	snprintf(copy, sizeof copy, "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = NULL;
	way_begin(&way);
	assert_int_equal(way_step(&way, count, words, &at, &text, &directory), expected);
	for (; expected != LAUNCHED_ITSELF && expected != LAUNCHED_SHELL && at < count; at++)
		snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", *found ? " " : "", words[at]);
	assert_string_equal(expected == LAUNCHED_SHELL ? text : found, rest);
	assert_int_equal(way.loss, loss);
	assert_int_equal(way_is_on(&way), on);
}

/* Also words that end where a value should follow: the sanitizers look. */
static void test_way(void **state)
{
	(void)state;
	check_way("npx nx build", LAUNCHED_BINARY, "nx build", WAY_KEPT, true);
	check_way("sudo", LAUNCHED_ITSELF, "", WAY_TAKEN, false);
	check_way("sudo -u", LAUNCHED_ITSELF, "", WAY_TAKEN, false);
	check_way("sudo -nu bob A=1 nx", LAUNCHED_REST, "nx", WAY_TAKEN, false);
	check_way("sudo -ubob -E -- nx", LAUNCHED_REST, "nx", WAY_TAKEN, true);
	check_way("sudo --user bob nx", LAUNCHED_REST, "nx", WAY_TAKEN, false);
	check_way("sudo LD_PRELOAD=/usr/lib/heaplog/libheaplog.so HEAPLOG=1 nx", LAUNCHED_REST, "nx", WAY_KEPT, true);
	check_way("systemd-run --scope nx", LAUNCHED_REST, "nx", WAY_KEPT, true);
	check_way("su -", LAUNCHED_ITSELF, "", WAY_TAKEN, false);
	check_way("su - bob -c", LAUNCHED_ITSELF, "", WAY_TAKEN, false);
	check_way("su - bob -c nx", LAUNCHED_SHELL, "nx", WAY_TAKEN, false);
	check_way("su -l bob --command=nx", LAUNCHED_SHELL, "nx", WAY_TAKEN, false);
	check_way("runuser -u bob nx", LAUNCHED_REST, "nx", WAY_KEPT, true);
	check_way("runuser -u bob -- nx", LAUNCHED_REST, "nx", WAY_KEPT, true);
	check_way("env", LAUNCHED_ITSELF, "", WAY_KEPT, true);
	check_way("env -u", LAUNCHED_ITSELF, "", WAY_KEPT, true);
	check_way("env -S", LAUNCHED_ITSELF, "", WAY_KEPT, true);
	check_way("env -", LAUNCHED_ITSELF, "", WAY_EMPTIED, false);
	check_way("env -i0u A nx -i", LAUNCHED_REST, "nx -i", WAY_EMPTIED, false);
	check_way("env -u LD_PRELOAD_X nx", LAUNCHED_REST, "nx", WAY_KEPT, true);
	check_way("env --unset NX_LOG_HEAP_USAGE nx", LAUNCHED_REST, "nx", WAY_KEPT, false);
	check_way("env --chdir /i nx", LAUNCHED_REST, "nx", WAY_KEPT, true);
	check_way("env -Snx", LAUNCHED_SHELL, "nx", WAY_KEPT, true);
	check_way("env -iS nx build", LAUNCHED_REST, "nx build", WAY_EMPTIED, false);
	check_way("env -- -i", LAUNCHED_REST, "-i", WAY_KEPT, true);
	check_way("env LD_PRELOAD=$X/other.so nx", LAUNCHED_REST, "nx", WAY_KEPT, true);
	check_way("heaplog", LAUNCHED_ITSELF, "", WAY_KEPT, true);
	check_way("heaplog run --warn", LAUNCHED_ITSELF, "", WAY_KEPT, true);
	check_way("heaplog run --warn 1GB nx build", LAUNCHED_REST, "nx build", WAY_KEPT, true);
	check_way("heaplog report nx", LAUNCHED_ITSELF, "", WAY_KEPT, true);
	check_way("heaplog nx build --log-heap-usage=false", LAUNCHED_REST, "nx build --log-heap-usage=false", WAY_KEPT,
		  false);
	check_way("ssh host heaplog nx", LAUNCHED_ITSELF, "", WAY_ELSEWHERE, true);
}

static void check_flag(const char *line, enum usage_flag expected, const char *rest)
{
	char text[512], found[512] = "";
	char *words[32];
	const char *bad;
	size_t count = 0;
	enum usage_flag flag = FLAG_UNSET;

	snprintf(text, sizeof text, "%s", line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = NULL;
	count = options_take_flag(count, words, &flag, &bad);
	for (size_t i = 0; i < count; i++)
		snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i ? " " : "", words[i]);
	assert_int_equal(flag, expected);
	assert_string_equal(found, rest);
	assert_null(words[count]);
}

/* As users type it; Nx would hand it to the tasks. */
static void test_flag(void **state)
{
	(void)state;
	check_flag("nx run-many -t build --log-heap-usage", FLAG_ON, "nx run-many -t build");
	check_flag("nx run-many --log-heap-usage -t build", FLAG_ON, "nx run-many -t build");
	check_flag("nx build --log-heap-usage=true", FLAG_ON, "nx build");
	check_flag("nx build --log-heap-usage=1 a", FLAG_ON, "nx build a");
	check_flag("nx build --log-heap-usage=false", FLAG_OFF, "nx build");
	check_flag("nx build --no-log-heap-usage", FLAG_OFF, "nx build");
	check_flag("nx build --log-heap-usage --log-heap-usage=0", FLAG_OFF, "nx build");
	/* Behind "--" words are the tasks'; but npm's first "--" only ends npm's own options. */
	check_flag("nx build -- --log-heap-usage", FLAG_UNSET, "nx build -- --log-heap-usage");
	check_flag("npm run build -- --log-heap-usage", FLAG_ON, "npm run build --");
	check_flag("/usr/bin/npm run build -- a -- --log-heap-usage", FLAG_UNSET,
		   "/usr/bin/npm run build -- a -- --log-heap-usage");
	/* Jest's and Vitest's own option. */
	check_flag("nx test a --logHeapUsage", FLAG_UNSET, "nx test a --logHeapUsage");
	check_flag("nx build --log-heap-usages --log-heap", FLAG_UNSET, "nx build --log-heap-usages --log-heap");
	check_flag("--log-heap-usage", FLAG_UNSET, "--log-heap-usage"); /* a command of that name */
	check_flag("", FLAG_UNSET, "");
}

static struct run_options parse(const char *line, bool expected)
{
	static char text[512];
	static char *words[32];
	struct run_options options;
	int count = 0;

	snprintf(text, sizeof text, "%s", line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = NULL;
	assert_int_equal(options_parse(count, words, &options), expected);
	return options;
}

static void test_options(void **state)
{
	struct run_options options;

	(void)state;
	options = parse("run --summary always --results=r.jsonl --metric pss --warn 1.5GB --interval 2s --runner all "
			"--exact --log-heap-usage -- nx --help",
			true);
	assert_int_equal(options.summary, SUMMARY_ALWAYS);
	assert_string_equal(options.results, "r.jsonl");
	assert_string_equal(options.metric, "pss");
	assert_string_equal(options.warn, "1.5GB");
	assert_string_equal(options.runner, "all");
	assert_int_equal(options.interval_ms, 2000);
	assert_int_equal(options.log_heap_usage, FLAG_ON);
	assert_true(options.exact);
	assert_int_equal(options.count, 2);
	assert_string_equal(options.command[0], "nx");
	assert_string_equal(options.command[1], "--help");
	assert_false(options.help);

	options = parse("heaplog nx --summary always", true); /* the runner's own, whatever it is */
	assert_int_equal(options.summary, SUMMARY_AUTO);
	assert_int_equal(options.count, 3);
	assert_true(parse("run --help", true).help);
	assert_true(parse("run --version", true).version);
	assert_int_equal(parse("run", true).count, 0);
	assert_int_equal(parse("run --", true).count, 0);
	assert_int_equal(parse("run - x", true).count, 2); /* "-" is a word */
	assert_int_equal(parse("run --logHeapUsage nx", true).log_heap_usage, FLAG_ON);
	assert_int_equal(parse("run --log-heap-usage=false nx", true).log_heap_usage, FLAG_OFF);
	assert_int_equal(parse("run --interval 500 nx", true).interval_ms, 500);
	assert_int_equal(parse("run --interval 10ms nx", true).interval_ms, 10);

	static const char *const wrong[][2] = {
	    {"run --bogus nx", "--bogus: unknown option"},
	    {"run -x nx", "-x: unknown option"},
	    {"run --results", "--results: needs a value"},
	    {"run --results= nx", "--results: needs a file"},
	    {"run --summary sometimes nx", "--summary sometimes: it is auto, always or never"},
	    {"run --metric uss nx", "--metric uss: it is rss or pss"},
	    {"run --warn much nx", "--warn much: not a size such as 800MB or 1.5GB"},
	    {"run --warn 0 nx", "--warn 0: not a size such as 800MB or 1.5GB"},
	    {"run --interval 5ms nx", "--interval 5ms: not a time from 10ms to 60s, such as 500ms or 2s"},
	    {"run --interval 61s nx", "--interval 61s: not a time from 10ms to 60s, such as 500ms or 2s"},
	    {"run --interval -500 nx", "--interval -500: not a time from 10ms to 60s, such as 500ms or 2s"},
	    {"run --interval 99999999999999999999 nx",
	     "--interval 99999999999999999999: not a time from 10ms to 60s, such as 500ms or 2s"},
	    {"run --runner= nx", "--runner: needs nx, npm, turbo, all or a pattern"},
	    {"run --log-heap-usage=maybe nx", "--log-heap-usage=maybe: it is true or false"},
	    {"run nx --log-heap-usage=maybe", "--log-heap-usage=maybe: it is true or false"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_string_equal(parse(wrong[i][0], false).error, wrong[i][1]);
}

static void test_join(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(library_join(NULL, "/l/" LIBRARY_NAME, text, sizeof text), strlen("/l/" LIBRARY_NAME));
	assert_string_equal(text, "/l/" LIBRARY_NAME);
	library_join("", "/l/" LIBRARY_NAME, text, sizeof text);
	assert_string_equal(text, "/l/" LIBRARY_NAME);
	/* The user's own stay, in front: a sanitizer's runtime must be first. */
	library_join("libasan.so b.so", "/l/" LIBRARY_NAME, text, sizeof text);
	assert_string_equal(text, "libasan.so b.so:/l/" LIBRARY_NAME);
	/* Never twice. */
	library_join("/other/" LIBRARY_NAME ":c.so", "/l/" LIBRARY_NAME, text, sizeof text);
	assert_string_equal(text, "/other/" LIBRARY_NAME ":c.so");
	library_join("/x/" LIBRARY_NAME ".bak", "/l/" LIBRARY_NAME, text, sizeof text);
	assert_string_equal(text, "/x/" LIBRARY_NAME ".bak:/l/" LIBRARY_NAME);
	assert_int_equal(library_join("a.so", "/l/" LIBRARY_NAME, text, 8), 0);
}

static void put(unsigned char *head, bool big, size_t offset, size_t width, uint64_t value)
{
	for (size_t i = 0; i < width; i++)
		head[offset + (big ? width - 1 - i : i)] = (unsigned char)(value >> (8 * i));
}

/* A minimal file of the given kind. interpreter: NULL for none. */
static size_t make_elf(unsigned char *head, bool wide, bool big, uint16_t machine, const char *interpreter)
{
	const size_t at = 256;

	memset(head, 0, 512);
	memcpy(head, ELFMAG, SELFMAG);
	head[EI_CLASS] = wide ? ELFCLASS64 : ELFCLASS32;
	head[EI_DATA] = big ? ELFDATA2MSB : ELFDATA2LSB;
	put(head, big, 18, 2, machine);
	put(head, big, wide ? 32 : 28, wide ? 8 : 4, 64);
	put(head, big, wide ? 54 : 42, 2, wide ? 56 : 32);
	put(head, big, wide ? 56 : 44, 2, interpreter ? 1 : 0);
	if (interpreter) {
		put(head, big, 64, 4, PT_INTERP);
		put(head, big, 64 + (wide ? 8 : 4), wide ? 8 : 4, at);
		put(head, big, 64 + (wide ? 32 : 16), wide ? 8 : 4, strlen(interpreter) + 1);
		strcpy((char *)head + at, interpreter);
	}
	return 512;
}

static void test_elf(void **state)
{
	unsigned char head[512];
	struct elf own, elf;

	(void)state;
	elf_parse(head, make_elf(head, true, false, EM_X86_64, "/lib64/ld-linux-x86-64.so.2"), &own);
	assert_true(own.is_elf && own.has_interpreter);
	assert_string_equal(own.interpreter, "/lib64/ld-linux-x86-64.so.2");
	assert_int_equal(elf_reach(&own, &own), ELF_REACHED);
	elf_parse(head, make_elf(head, true, false, EM_X86_64, NULL), &elf);
	assert_int_equal(elf_reach(&elf, &own), ELF_STATIC);
	elf_parse(head, make_elf(head, true, false, EM_X86_64, "/lib/ld-musl-x86_64.so.1"), &elf);
	assert_int_equal(elf_reach(&elf, &own), ELF_OTHER_LIBC);
	elf_parse(head, make_elf(head, false, false, EM_386, "/lib/ld-linux.so.2"), &elf);
	assert_int_equal(elf_reach(&elf, &own), ELF_OTHER_ARCH);
	assert_string_equal(elf.interpreter, "/lib/ld-linux.so.2");
	assert_string_equal(elf_machine_name(&elf), "i386");
	elf_parse(head, make_elf(head, true, true, EM_S390, "/lib/ld64.so.1"), &elf);
	assert_int_equal(elf_reach(&elf, &own), ELF_OTHER_ARCH);
	assert_string_equal(elf.interpreter, "/lib/ld64.so.1");
	/* No ELF: a script, whose interpreter is looked at instead. */
	elf_parse((const unsigned char *)"#!/bin/sh", 9, &elf);
	assert_false(elf.is_elf);
	assert_int_equal(elf_reach(&elf, &own), ELF_REACHED);
	/* Cut at every length: nothing beyond the end is read. */
	make_elf(head, true, false, EM_X86_64, "/lib64/ld-linux-x86-64.so.2");
	for (size_t size = 0; size < 512; size++) {
		unsigned char *exact = malloc(size + !size);

		memcpy(exact, head, size);
		elf_parse(exact, size, &elf);
		free(exact);
	}
	assert_int_equal(elf_read("/proc/self/exe", &elf), 0);
	assert_true(elf.is_elf && elf.has_interpreter);
	assert_int_equal(elf_read("/nonexistent", &elf), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shebang),
	    cmocka_unit_test(test_shim),
	    TORTURE(test_resolve),
	    cmocka_unit_test(test_launchers),
	    cmocka_unit_test(test_shell_commands),
	    cmocka_unit_test(test_shell_text),
	    cmocka_unit_test(test_shell_text_bounds),
	    cmocka_unit_test(test_way),
	    cmocka_unit_test(test_flag),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_join),
	    cmocka_unit_test(test_elf),
	};

	return cmocka_run_group_tests_name("cli_words", tests, NULL, NULL);
}
