/* heaplog doctor: the command and all that stands between it and its runner. */
#include "doctor.h"

#include <elf.h>
#include <sys/stat.h>

static void put_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(name, 0755), 0);
}

static void check_command(const char *set_up, const char *kind, const char *text, const char *first, const char *second)
{
	char *command[] = {W(first), W(second), NULL};

	expect(set_up, kind, text, command, NULL);
}

static void test_program(void **state)
{
	(void)state;
	if (torture_sanitized())
		skip();
	check_command("a command that is not there", "wrong", "command not found", "no-such-command", NULL);
	check_command("docker run", "wrong", "in another place", "docker", "run");
	check_command("a static runner", "note", "statically linked", torture_path("tests/helper_runner_static"), NULL);
	check_command("no task runner", "note", "no task runner that heaplog knows", "/bin/ls", NULL);
	copy(torture_path("tests/helper_runner_static"), "node", 0755);
	check_command("a static node", "wrong", "dynamically linked", "./node", NULL);
	copy("/bin/true", "foreign", 0755);
	const int fd = open("foreign", O_RDWR);
	assert_int_equal(pwrite(fd, (uint16_t[]){EM_AARCH64}, 2, 18), 2);
	close(fd);
	check_command("another machine's program", "wrong", "another architecture", "./foreign", NULL);
	/* What /snap/bin holds are links to snap. */
	copy("/bin/true", "snap", 0755);
	assert_int_equal(symlink("snap", "nodejs"), 0);
	check_command("a snap", "wrong", "is a snap", "./nodejs", NULL);
	if (geteuid() == 0) {
		copy("/bin/true", "entitled", 0755);
		assert_int_equal(chown("entitled", 65534, 65534), 0);
		assert_int_equal(chmod("entitled", 04755), 0);
		check_command("a set-user-ID program", "wrong", "gains rights", "./entitled", NULL);
	}
	conclude();
}

/* A program for musl: only its loader's name says so. */
static void test_another_libc(void **state)
{
	(void)state;
	if (torture_sanitized())
		skip();
	copy("/bin/true", "alpine", 0755);
	patch("alpine", "/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1");
	check_command("a program of musl", "wrong", "another C library", "./alpine", NULL);
	conclude();
}

/* A workspace with Nx in it as npm installs it, and programs that need not be on this machine. */
static void make_workspace(void)
{
	static const char *const programs[] = {"npm",
					       "npx",
					       "pnpm",
					       "yarn",
					       "sudo",
					       "doas",
					       "node_modules/.bin/heaplog",
					       "node_modules/.bin/cross-env",
					       "node_modules/.bin/rimraf"};
	static const char scripts[] =
	    "{\"name\": \"web\", \"scripts\": {"
	    "\"build\": \"heaplog nx run-many -t build\","
	    "\"plain\": \"nx run-many -t build --parallel=3\","
	    "\"ci\": \"rimraf dist && npm run plain && echo done\","
	    "\"big\": \"node --max-old-space-size=8192 ./node_modules/nx/bin/nx.js build web\","
	    "\"affected\": \"cd . && NODE_ENV=production nx affected -t lint test build --base=main\","
	    "\"options\": \"cross-env A=1 heaplog run --summary always --warn 2GB -- npx nx build\","
	    "\"tool\": \"sudo true && nx build\","
	    "\"part\": \"(unset LD_PRELOAD; true) && nx build\","
	    "\"undone\": \"sudo -n heaplog nx build\","
	    "\"hand\": \"env -i LD_PRELOAD=$LD_PRELOAD NX_LOG_HEAP_USAGE=true nx build\","
	    "\"both\": \"nx build a && env -i nx build b\","
	    "\"envi\": \"env -i nx x\","
	    "\"su\": \"sudo nx x\","
	    "\"deep\": \"npm run ci && npm run su\","
	    "\"off\": \"cross-env NX_LOG_HEAP_USAGE=false nx build\","
	    "\"bare\": \"env -i LD_PRELOAD=$LD_PRELOAD nx build\","
	    "\"path\": \"LD_PRELOAD=./node_modules/heaplog/libheaplog.so nx build\","
	    "\"loop\": \"npm run loop\","
	    "\"missing\": \"npm run plian\","
	    "\"unset\": \"unset LD_PRELOAD; nx build\"}}";

	assert_int_equal(system("mkdir -p node_modules/.bin node_modules/nx/bin"), 0);
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		put_file(programs[i], "#!/usr/bin/env node\n");
	put_file("node_modules/nx/bin/nx.js", "#!/usr/bin/env node\n");
	put_file("node_modules/nx/package.json", "{\"name\": \"nx\", \"version\": \"22.7.12\"}");
	assert_int_equal(symlink("../nx/bin/nx.js", "node_modules/.bin/nx"), 0);
	put_file("package.json", scripts);
	put_file("ci.sh", "#!/bin/sh\n# don't sudo nx\nset -eu\nfor p in a b; do\n\tnpx nx build $p # env -i nx\ndone\n"
			  "sudo rm -rf cache\necho 'sudo\nnx'\n");
	put_file("root.sh", "#!/usr/bin/env bash\nset -e\nif true; then\n\techo ok\n\tsudo \\\n\t  npx nx build\nfi\n");
	put_file("clean.sh", "unset LD_PRELOAD\nexec npx nx build \"$@\"\n");
	put_file("part.sh", "#!/bin/sh\nwipe() {\n\tunset LD_PRELOAD\n}\nnpx nx build\n");
	put_file("heap.sh", "#!/bin/sh\nsudo -E heaplog npx nx build\n");
	put_file("usage.sh",
		 "#!/bin/sh\ncat <<EOT\nto run as root:\nsudo nx run\nunset LD_PRELOAD\nEOT\nnpx nx run-many\n");
	put_file("tabs.sh",
		 "#!/bin/bash\nif true; then\n\tcat >x <<-\"E T\" <<'B'; rm x\n\tit's: env -i nx run\n\tE T\n"
		 "\tE T\nsudo nx\nB\nfi\necho $((1<<2)) <<<x\nnpx nx build\n");
	put_file("here.sh", "#!/bin/sh\ncat <<EOT\nEOT\nx=$((1<<EOT))\nsudo nx build\n");
	put_file("print.sh",
		 "#!/bin/bash\nv=$(env -i npx nx --version | grep -v \"a)\" # b)\n)\nw=`sudo nx report`\n"
		 "h=$(cat <<EOT\n1) don't: sudo nx\nEOT\n)\necho \"$(sudo cat \"a b\"; sudo nx)\" $'don\\'t' \"x\"\n"
		 "if [ -n \"$v\" ]; then\n\tunset LD_PRELOAD\nfi\n[ -z \"$w\" ] || unset LD_PRELOAD\n"
		 "for i in 1; do\n\texport LD_PRELOAD=\ndone\nnpx nx build <(sudo nx graph)\n");
	put_file("which.sh", "#!/bin/sh\nx=$(date)\nsudo \"$(which npx)\" nx build\n");
	put_file("after.sh", "x=$(id -u)\nif [ $x = 0 ]; then\n\techo\nfi\nunset LD_PRELOAD\nnpx nx build\n");
	put_file("loop.sh", "./loop.sh; ./loop.sh; ./loop.sh; ./loop.sh; ./loop.sh; ./loop.sh; ./loop.sh; ./loop.sh\n"
			    "npm run loop; npm run loop; npm run loop; npm run loop; npm run loop; npm run loop\n");
	put_file("make.sh", "#!/bin/sh\necho done\nrm -f x\n");
}

struct way {
	const char *words[8]; /* the set-up's name as well */
	const char *text;
};

static void name_of(const struct way *way, char *name, size_t size)
{
	name[0] = '\0';
	for (size_t i = 0; way->words[i]; i++)
		snprintf(name + strlen(name), size - strlen(name), strpbrk(way->words[i], " =;") ? "%s'%s'" : "%s%s",
			 i ? " " : "", way->words[i]);
}

/* Somewhere on the way to the runner the library is lost. */
static void test_broken_ways(void **state)
{
	static const struct way ways[] = {
	    {{"sudo", "nx"}, "sudo takes LD_PRELOAD out"},
	    {{"nice", "sudo"}, "sudo takes LD_PRELOAD out"},
	    {{"sudo", "-u", "nobody", "-E", "npx", "nx"}, "sudo takes LD_PRELOAD out"},
	    {{"doas", "-u", "nobody", "nx"}, "doas takes LD_PRELOAD out"},
	    {{"su", "-", "nobody", "-c", "nx build"}, "su takes LD_PRELOAD out"},
	    {{"systemd-run", "--user", "-p", "A=b", "nx"}, "systemd-run takes LD_PRELOAD out"},
	    {{"npm", "run", "su"}, "npm > sudo > "},
	    {{"npm", "run", "deep"}, "sudo takes LD_PRELOAD out"},
	    {{"env", "-i"}, "env -i empties"},
	    {{"npm", "run", "envi"}, "env -i empties"},
	    {{"npm", "run", "both"}, "env -i empties"},
	    {{"bash", "-c", "env -i nx x"}, "env -i empties"},
	    {{"env", "-C", "/tmp", "-i", "npx", "nx"}, "env -i empties"},
	    {{"env", "-iS", "npx nx"}, "env -i empties"},
	    {{"env", "-", "nx"}, "env -i empties"},
	    {{"npx", "-c", "env --ignore-environment nx"}, "env -i empties"},
	    {{"env", "-u", "LD_PRELOAD", "npx", "nx"}, "env -u LD_PRELOAD takes the library out"},
	    {{"env", "--unset=LD_PRELOAD", "npx", "nx"}, "env -u LD_PRELOAD takes the library out"},
	    {{"env", "-vuLD_PRELOAD", "npx", "nx"}, "env -u LD_PRELOAD takes the library out"},
	    {{"bash", "-c", "unset LD_PRELOAD; nx"}, "unset LD_PRELOAD takes the library out"},
	    {{"npm", "run", "unset"}, "unset LD_PRELOAD takes the library out"},
	    {{"./root.sh"}, "root.sh > sudo > npx > "},
	    {{"bash", "-euo", "pipefail", "root.sh"}, "sudo takes LD_PRELOAD out"},
	    {{"sh", "clean.sh"}, "clean.sh > exec > npx > "},
	    {{"./here.sh"}, "sudo takes LD_PRELOAD out"},
	    {{"./which.sh"}, "which.sh > sudo > npx > "},
	    {{"sh", "after.sh"}, "unset LD_PRELOAD takes the library out"},
	    {{"env", "-i", "sh", "./ci.sh"}, "env -i empties"},
	    {{"env", "LD_PRELOAD=", "npx", "nx"}, "LD_PRELOAD= stands in the place"},
	    {{"sh", "-c", "export LD_PRELOAD=/usr/lib/other.so; nx"}, "other.so stands in the place"},
	    {{"sh", "-c", "LD_PRELOAD= nx build"}, "LD_PRELOAD= stands in the place"},
	    {{"npm", "run", "path"}, "relative path"},
	    {{"npm", "run", "off"}, "NX_LOG_HEAP_USAGE=false switches heaplog off"},
	    {{"npx", "heaplog", "--no-log-heap-usage", "nx"}, "--no-log-heap-usage switches heaplog off"},
	    {{"npm", "run", "bare"}, "env -i takes the switch out"},
	    {{"docker", "run", "image", "nx"}, "in another place"},
	    {{"npm", "run", "nosuch"}, "has no script \"nosuch\""},
	    {{"npm", "test"}, "has no script \"test\""},
	    {{"yarn", "run", "nosuch"}, "has no script \"nosuch\""},
	    {{"npm", "run", "missing"}, "has no script \"plian\""},
	};
	char name[512];

	(void)state;
	if (torture_sanitized())
		skip();
	make_workspace();
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		name_of(&ways[i], name, sizeof name);
		expect(name, "wrong", ways[i].text, (char **)(uintptr_t)ways[i].words, NULL);
	}
	expect("a script that calls itself", "note", "npm: what it starts in the end is not known",
	       (char *[]){W("npm"), W("run"), W("loop"), NULL}, NULL);
	/* A static runner behind its script, as npm installs turbo: what env does to LD_PRELOAD is no matter there. */
	assert_int_equal(system("mkdir -p node_modules/turbo/bin node_modules/@turbo/linux-64/bin"), 0);
	put_file("node_modules/turbo/bin/turbo", "#!/usr/bin/env node\n");
	put_file("node_modules/turbo/package.json",
		 "{\"name\": \"turbo\", \"optionalDependencies\": {\"@turbo/linux-64\": \"2\"}}");
	assert_int_equal(symlink("../turbo/bin/turbo", "node_modules/.bin/turbo"), 0);
	copy(torture_path("tests/helper_runner_static"), "node_modules/@turbo/linux-64/bin/turbo", 0755);
	expect("npx turbo", "note", "measures its tasks from outside", (char *[]){W("npx"), W("turbo"), NULL}, NULL);
	expect("env -i npx turbo", "note", "measures its tasks from outside",
	       (char *[]){W("env"), W("-i"), W("npx"), W("turbo"), NULL}, NULL);
	expect("sudo npx turbo", "wrong", "sudo takes LD_PRELOAD out",
	       (char *[]){W("sudo"), W("npx"), W("turbo"), NULL}, NULL);
	/* Where Nx is not installed yet, npx tells by which node it will be run. */
	assert_int_equal(system("rm -r node_modules package.json"), 0);
	copy(torture_path("tests/helper_runner_static"), "node", 0755);
	expect("a static node behind npx", "wrong", "dynamically linked", (char *[]){W("npx"), W("nx"), NULL}, NULL);
	conclude();
}

/* What people have in their package.json, and nothing of it is wrong. */
static void test_sound_ways(void **state)
{
	static const struct way ways[] = {
	    {{"npx", "nx", "build"}, "npx > "},
	    {{"npm", "run", "plain"}, "npm > "},
	    {{"npm", "run", "build"}, "npm > heaplog > "},
	    {{"npx", "heaplog", "nx"}, "npx > heaplog > "},
	    {{"npx", "heaplog@latest", "run", "--exact", "nx"}, ".bin/nx"},
	    {{"npm", "run", "ci"}, ".bin/nx"},
	    {{"npm", "run", "big"}, "nx/bin/nx.js"},
	    {{"npm", "run", "affected"}, ".bin/nx"},
	    {{"npm", "run", "options"}, ".bin/nx"},
	    {{"npm", "run", "tool"}, ".bin/nx"},
	    {{"npm", "run", "part"}, ".bin/nx"},
	    {{"npm", "run", "undone"}, "npm > sudo > heaplog > "},
	    {{"npm", "run", "hand"}, ".bin/nx"},
	    {{"pnpm", "nx", "run", "web:build"}, ".bin/nx"},
	    {{"pnpm", "exec", "nx", "build"}, ".bin/nx"},
	    {{"yarn", "run", "nx", "build"}, ".bin/nx"},
	    {{"yarn", "run", "a:b"}, NULL},
	    {{"npm", "run", "loop"}, NULL},
	    {{"./ci.sh"}, ".bin/nx"},
	    {{"bash", "-c", "./ci.sh"}, ".bin/nx"},
	    {{"./part.sh"}, ".bin/nx"},
	    {{"./usage.sh"}, ".bin/nx"},
	    {{"./tabs.sh"}, ".bin/nx"},
	    {{"./print.sh"}, ".bin/nx"},
	    {{"bash", "-c", "x=$(env -i npx nx --version); npx nx run-many"}, ".bin/nx"},
	    {{"./heap.sh"}, "sudo > heaplog > npx > "},
	    {{"./make.sh"}, NULL},
	    {{"sh", "loop.sh"}, NULL},
	    {{"npm", "run", "nosuch", "--workspaces"}, NULL},
	    {{"sudo", "-n", "heaplog", "npx", "nx"}, "sudo > heaplog > npx > "},
	    {{"sudo", "-E", "npx", "heaplog", "nx"}, "sudo > npx > heaplog > "},
	    {{"env", "-i", "PATH=/bin", "heaplog", "node_modules/.bin/nx"}, ".bin/nx"},
	    {{"env", "-u", "CI", "A=b", "npx", "nx"}, ".bin/nx"},
	    {{"bash", "-c", "if nx build; then unset LD_PRELOAD; fi"}, ".bin/nx"},
	    {{"sh", "-ec", "NX_LOG_HEAP_USAGE=1 npx nx build | cat"}, ".bin/nx"},
	};
	char name[512];

	(void)state;
	if (torture_sanitized() || system("command -v node >/dev/null") != 0)
		skip();
	make_workspace();
	copy(torture_path("heaplog"), "heaplog", 0755);
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		name_of(&ways[i], name, sizeof name);
		expect_sound(name, ways[i].text, (char **)(uintptr_t)ways[i].words, NULL);
	}
	conclude();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TORTURE(test_program),
	    TORTURE(test_another_libc),
	    TORTURE(test_broken_ways),
	    TORTURE(test_sound_ways),
	};

	return cmocka_run_group_tests_name("cli_doctor_command", tests, NULL, NULL);
}
