// Every entry point runs without the library and with it, LD_PRELOAD set once at the outside; what differs must be ours
// alone, and every task must have a record.
//   node entry-points.mjs DIRECTORY LIBRARY [CASE…]
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const [directory, library, ...only] = process.argv.slice(2);
const tools = join(directory, 'tools');
const results = join(directory, 'entry-results.jsonl');
let passed = 0;
let failed = 0;

const pnpm = [join(tools, 'pnpm-10/node_modules/pnpm/bin/pnpm.cjs')];
const yarn1 = [join(tools, 'yarn-1/node_modules/yarn/bin/yarn.js')];
const yarn4 = [join(tools, 'yarn-4/node_modules/@yarnpkg/cli-dist/bin/yarn.js')];
const pnpmNative = join(tools, 'pnpm-12/node_modules/pnpm/pnpm');

// ---- workspaces ----

const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const write = (path, value) => {
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value, null, 1));
};
const git = (workspace, ...args) =>
	spawnSync('git', ['-c', 'user.name=e2e', '-c', 'user.email=e2e@localhost', ...args], { cwd: workspace });

// Scripts of the root and of the packages that call Nx in their turn.
function addScripts(workspace) {
	const root = read(join(workspace, 'package.json'));
	write(join(workspace, 'package.json'), { ...root, scripts: { all: 'nx run-many -t one --skip-nx-cache --output-style=static' } });
	for (const name of ['a', 'b', 'c']) {
		const path = join(workspace, 'packages', name, 'package.json');
		const manifest = read(path);
		manifest.scripts.wrapped = `nx exec -- node ../../work.js ${name} 20 200`;
		write(path, manifest);
	}
	git(workspace, 'add', 'package.json', 'nx.json', 'packages');
	git(workspace, 'commit', '-q', '-m', 'scripts');
}

// An executor that can run its tasks in batches: each holds 30 MB.
function addBatchExecutor(workspace) {
	const tool = join(workspace, 'tools/batch');
	write(join(tool, 'package.json'), { name: 'batch', version: '0.0.1', executors: './executors.json' });
	write(join(tool, 'executors.json'), { executors: { hold: { implementation: './hold', batchImplementation: './hold#batch', schema: './schema.json' } } });
	write(join(tool, 'schema.json'), { version: 2, type: 'object', properties: {} });
	write(join(tool, 'hold.js'), `
const hold = () => Buffer.alloc(30 << 20, 1);
exports.default = async () => { const held = hold(); await new Promise((done) => setTimeout(done, 200)); return { success: held.length > 0 }; };
exports.batch = async (graph) => {
	const held = Object.keys(graph.tasks).map(hold);
	await new Promise((done) => setTimeout(done, 500));
	return Object.fromEntries(Object.keys(graph.tasks).map((id) => [id, { success: held.length > 0, terminalOutput: 'held ' + id + '\\n' }]));
};
`);
	for (const name of ['a', 'b', 'c']) {
		const path = join(workspace, 'packages', name, 'package.json');
		const manifest = read(path);
		manifest.nx.targets.batched = { executor: './tools/batch:hold' };
		write(path, manifest);
	}
}

// A fresh workspace without Nx: scripts of 40 and 90 MB, for the runners of the package managers.
function packages(name, root, extra = {}) {
	const workspace = join(directory, name);
	rmSync(workspace, { recursive: true, force: true });
	write(join(workspace, 'package.json'), { name: 'root', version: '0.0.1', private: true, license: 'MIT', workspaces: ['packages/*'], ...root });
	cpSync(join(directory, 'entry-24/work.js'), join(workspace, 'work.js'));
	for (const [each, mb] of [['a', 40], ['b', 90]])
		write(join(workspace, 'packages', each, 'package.json'), {
			name: `@acme/${each}`, version: '0.0.1', license: 'MIT',
			scripts: { build: `node ../../work.js ${each} ${mb} 300`, wired: 'wireit' },
			wireit: { wired: { command: `node ../../work.js ${each} ${mb} 300` } },
		});
	for (const [path, value] of Object.entries(extra)) write(join(workspace, path), value);
	mkdirSync(join(workspace, 'home'), { recursive: true });
	return workspace;
}

// ---- running and comparing ----

// Nothing of our own environment: Nx looks for CI systems and for programs that read in a person's place.
const environment = (workspace, node) => ({
	PATH: [node && join(tools, node, 'node_modules/.bin'), process.env.PATH].filter(Boolean).join(':'),
	HOME: join(workspace, 'home'), LANG: 'C.UTF-8', NX_DAEMON: 'false', npm_config_update_notifier: 'false', YARN_ENABLE_TELEMETRY: '0',
});

function run(argv, cwd, env) {
	const child = spawnSync(argv[0], argv.slice(1), { cwd, env, maxBuffer: 1 << 28 });
	return { status: child.status ?? child.signal ?? String(child.error), stdout: String(child.stdout), stderr: String(child.stderr) };
}

const SUFFIX = /(\x1b\[(2|33)m)? \(peak: [^)\n]*\)(\x1b\[(22|39)m)?/g;
const TABLE = /^heaplog: peak memory of .*\n(  .*\n)+|^heaplog: .*\n/gm;
// What no two runs have in common: durations, process ids, temporary names.
const normal = (text) =>
	text.replace(/\x1b\[[0-9;]*m/g, '').replace(/\d+(\.\d+)?\s?(ms|s|μs)\b/g, 'TIME').replace(/Recoverable time:.*|Critical path:.*|Run duration:.*/g, 'REPORT');
const lines = (text) => normal(text).split('\n').filter(Boolean).sort();

// Lines of `with` that `without` has not. What is missing is a problem in any case.
function extra(without, withIt, problems, stream) {
	const rest = lines(withIt);
	for (const line of lines(without)) {
		const at = rest.indexOf(line);
		if (at < 0) problems.push(`${stream} lacks: ${line}`);
		else rest.splice(at, 1);
	}
	return rest;
}

// inline: how many result lines carry a figure at least. tasks: the records.
function check(name, argv, { cwd, node, tasks, inline = 0, table = 0, env = {}, workspace = cwd, status = 0 }) {
	if (only.length && !only.some((each) => name.includes(each))) return;
	const problems = [];
	const base = { ...environment(workspace, node), ...env };
	const off = run(argv, cwd, base);
	rmSync(results, { force: true });
	const on = run(argv, cwd, { ...base, NX_LOG_HEAP_USAGE: 'true', LD_PRELOAD: library, HEAPLOG_RESULTS: results });
	if (off.status !== status) problems.push(`status without the library ${off.status}:\n${off.stdout}${off.stderr}`);
	if (on.status !== off.status) problems.push(`status ${on.status}, without the library ${off.status}:\n${on.stdout}${on.stderr}`);
	const figures = [...on.stdout.matchAll(SUFFIX), ...on.stderr.replace(TABLE, '').matchAll(SUFFIX)].length;
	if (figures < inline || figures > tasks.length) problems.push(`${figures} figures, expected ${inline} to ${tasks.length}:\n${on.stdout}${on.stderr}`);
	const tables = on.stderr.match(TABLE) ?? [];
	if (tables.length !== table) problems.push(`${tables.length} tables, expected ${table}:\n${on.stderr}`);
	for (const line of [
		...extra(off.stdout, on.stdout.replace(SUFFIX, ''), problems, 'stdout'),
		...extra(off.stderr, on.stderr.replace(TABLE, '').replace(SUFFIX, ''), problems, 'stderr'),
	])
		// An own line, where Nx has none after the end.
		if (!/^\s*[✔✖◼]  (nx run \S+|batch \d+)$/.test(line)) problems.push(`a line too many: ${line}`);
	const records = existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n').map((line) => JSON.parse(line)) : [];
	const names = [...new Set(records.map((record) => record.task))].sort();
	if (String(names) !== String([...tasks].sort())) problems.push(`records of ${names}; expected ${tasks}`);
	for (const record of records)
		if (!(record.peak_bytes > 20 * 2 ** 20)) problems.push(`odd peak: ${JSON.stringify(record).slice(0, 300)}`);
	if (problems.length) failed++;
	else passed++;
	console.log(`${problems.length ? 'not ok' : 'ok'} ${name}`);
	for (const problem of problems) console.log(`    ${problem}`);
}

// ---- Nx ----

const one = ['@acme/a:one', '@acme/b:one', '@acme/c:one'];
const many = ['run-many', '-t', 'one', '--skip-nx-cache', '--output-style=static'];

for (const major of [20, 24]) {
	const workspace = join(directory, `entry-${major}`);
	const cli = Number(major) >= 22 ? 'dist/bin/nx.js' : 'bin/nx.js';
	const elsewhere = join(directory, major === 24 ? 'nx-24.0.6' : 'nx-20.8.4', 'node_modules/nx', cli);
	mkdirSync(join(workspace, 'home'), { recursive: true });
	addBatchExecutor(workspace);
	addScripts(workspace);
	const all = { cwd: workspace, tasks: one, inline: 3 };
	check(`nx${major}: npx nx`, ['npx', 'nx', ...many], all);
	check(`nx${major}: npm exec`, ['npm', 'exec', '--', 'nx', ...many], all);
	check(`nx${major}: npm run wrapping nx`, ['npm', 'run', 'all'], all);
	check(`nx${major}: pnpm nx`, ['node', ...pnpm, 'nx', ...many], all);
	check(`nx${major}: pnpm exec nx`, ['node', ...pnpm, 'exec', 'nx', ...many], all);
	check(`nx${major}: yarn nx`, ['node', ...yarn1, '--silent', 'nx', ...many], all);
	check(`nx${major}: global nx`, ['node', elsewhere, ...many], all);
	check(`nx${major}: nx in a shell script`, ['bash', '-c', 'node_modules/.bin/nx "$@"; exit $?', 'x', ...many], all);
	check(`nx${major}: env and nice`, ['env', 'A=b', 'nice', 'npx', 'nx', ...many], all);
	check(`nx${major}: nx affected`, ['npx', 'nx', 'affected', '-t', 'one', '--files=packages/b/package.json', '--skip-nx-cache', '--output-style=static'],
		{ cwd: workspace, tasks: ['@acme/b:one'], inline: major >= 19 ? 1 : 0 });
	check(`nx${major}: nx exec in a script`, ['npm', 'run', 'wrapped', '--', '--skip-nx-cache'], { cwd: join(workspace, 'packages/a'), workspace, tasks: ['@acme/a:wrapped'] });
	check(`nx${major}: nx exec in scripts that nx runs`, ['npx', 'nx', 'run-many', '-t', 'wrapped', '--skip-nx-cache', '--output-style=static'],
		{ cwd: workspace, tasks: one.map((each) => each.replace('one', 'wrapped')), inline: 3 });
	// Outside of a script nx exec has no task: Nx runs the command in each project itself, without a line.
	const exec = ['npx', 'nx', 'exec', '--', 'node', '../../work.js', 'x', '30', '200'];
	check(`nx${major}: nx exec outside of a script`, exec, { cwd: workspace, tasks: [] });
	check(`nx${major}: nx exec outside of a script, {NX_PROJECT_NAME}`, exec,
		{ cwd: workspace, tasks: ['@acme/a', '@acme/b', '@acme/c'], table: 1, env: { HEAPLOG_TASK: '{NX_PROJECT_NAME}' } });
	// One process for three tasks: one figure. Nx 20 exits without waiting for it.
	check(`nx${major}: batch executor`, ['npx', 'nx', 'run-many', '-t', 'batched', '--skip-nx-cache', '--batch'], { cwd: workspace, tasks: ['batch 1'], table: major === 20 ? 1 : 0 });
	check(`nx${major}: the same, not in a batch`, ['npx', 'nx', 'run-many', '-t', 'batched', '--skip-nx-cache', '--output-style=static'],
		{ cwd: workspace, tasks: one.map((each) => each.replace('one', 'batched')), inline: 3 });
	for (const node of ['node-20', 'node-22', 'node-24']) {
		check(`nx${major}: ${node}`, ['npx', 'nx', ...many], { ...all, node });
		check(`nx${major}: ${node}, scripts`, ['npx', 'nx', 'run-many', '-t', 'build', '--skip-nx-cache', '--output-style=static'],
			{ cwd: workspace, node, tasks: one.map((each) => each.replace('one', 'build')), inline: 3 });
		check(`nx${major}: ${node}, killed`, ['npx', 'nx', 'run-many', '-t', 'one-shot', '--skip-nx-cache', '--output-style=static'],
			{ cwd: workspace, node, tasks: one.map((each) => each.replace('one', 'one-shot')), inline: 3, status: 1 });
	}
}

// yarn 4 wants a project of its own installation, and lerna brings its own Nx.
{
	const workspace = join(directory, 'entry-yarn');
	rmSync(workspace, { recursive: true, force: true });
	cpSync(join(directory, 'entry-24/packages'), join(workspace, 'packages'), { recursive: true });
	for (const file of ['nx.json', 'work.js']) cpSync(join(directory, 'entry-24', file), join(workspace, file));
	write(join(workspace, 'package.json'), { name: 'acme', private: true, workspaces: ['packages/*'], devDependencies: { nx: '24.0.6' } });
	write(join(workspace, '.yarnrc.yml'), 'nodeLinker: node-modules\nenableTelemetry: false\nenableScripts: false\n');
	mkdirSync(join(workspace, 'home'));
	git(workspace, 'init', '-q');
	console.log('installing the npm package nx@24.0.6 with yarn 4 into build/e2e/entry-yarn');
	const installed = spawnSync('node', [...yarn4, 'install'], { cwd: workspace });
	if (installed.status !== 0) console.log(String(installed.stdout));
	check('nx24: yarn 4', ['node', ...yarn4, 'nx', ...many], { cwd: workspace, tasks: one, inline: 3 });
}
{
	const workspace = packages('entry-lerna', {}, { 'lerna.json': { version: '0.0.1', npmClient: 'npm' }, 'nx.json': { neverConnectToCloud: true, analytics: false } });
	spawnSync('cp', ['-al', join(tools, 'lerna/node_modules'), join(workspace, 'node_modules')]);
	git(workspace, 'init', '-q');
	git(workspace, 'commit', '-q', '--allow-empty', '-m', 'workspace');
	const tasks = ['@acme/a:build', '@acme/b:build'];
	for (const node of ['node-22', 'node-24']) check(`lerna run, ${node}`, ['npx', 'lerna', 'run', 'build', '--skip-nx-cache'], { cwd: workspace, node, tasks, inline: 2 });
}

// ---- the package managers' own runners ----
{
	const npm = { HEAPLOG_TASK: 'npm' };
	const tasks = ['@acme/a:build', '@acme/b:build'];
	const workspace = packages('entry-packages', { scripts: { build: 'npm run build -ws', wired: 'wireit' }, wireit: { wired: { dependencies: ['./packages/a:wired', './packages/b:wired'] } } },
		{ 'pnpm-workspace.yaml': 'packages: ["packages/*"]\n', '.yarnrc.yml': 'enableTelemetry: false\n' });
	const both = { cwd: workspace, tasks, table: 1, env: npm };
	check('npm run -ws', ['npm', 'run', 'build', '-ws'], both);
	check('npm run of a script that is npm run -ws', ['npm', 'run', 'build'], both);
	check('pnpm 10 -r run', ['node', ...pnpm, '-r', 'run', 'build'], both);
	check('pnpm 12 -r run', [pnpmNative, '-r', 'run', 'build'], both);
	check('yarn 1 workspaces run', ['node', ...yarn1, 'workspaces', 'run', 'build'], { ...both, table: 2 }); // a yarn in each package
	cpSync(join(tools, 'wireit/node_modules'), join(workspace, 'node_modules'), { recursive: true, verbatimSymlinks: true });
	const wired = ['a', 'b'].map((each) => `${each}: node ../../work.js ${each} ${each === 'a' ? 40 : 90} 300`);
	check('wireit', ['npm', 'run', 'wired'], { ...both, tasks: wired, env: { ...npm, WIREIT_LOGGER: 'simple', WIREIT_CACHE: 'none' } });
	const yarn = packages('entry-yarn-packages', {}, { '.yarnrc.yml': 'enableTelemetry: false\n', 'yarn.lock': '' });
	spawnSync('node', [...yarn4, 'install'], { cwd: yarn });
	check('yarn 4 workspaces foreach', ['node', ...yarn4, 'workspaces', 'foreach', '-Ap', '--exclude', 'root', 'run', 'build'], { ...both, cwd: yarn });
}

// turbo is statically linked: the library is not in it, and nothing is lost but the figures.
{
	const workspace = packages('entry-turbo', { packageManager: 'npm@10.0.0' }, { 'turbo.json': { tasks: { build: {} } }, 'package-lock.json': { lockfileVersion: 3, packages: {} } });
	const turbo = join(tools, 'turbo/node_modules/@turbo/linux-64/bin/turbo');
	if (existsSync(turbo))
		check('turbo', [turbo, 'run', 'build', '--force', '--no-daemon', '--ui=stream', '--output-logs=errors-only'],
			{ cwd: workspace, tasks: [], env: { TURBO_TELEMETRY_DISABLED: '1' } });
}

console.log(`entry points: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
