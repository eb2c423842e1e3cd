// Drives real Nx: every case runs without the library and with it; what differs must be our suffixes alone.
//   node run.mjs MAJOR WORKSPACE LIBRARY
// A task's result line must carry exactly one suffix, a cached one none.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [major, workspace, library] = process.argv.slice(2);
const nx = join(workspace, 'node_modules/nx', Number(major) >= 22 ? 'dist/bin/nx.js' : 'bin/nx.js');
const results = join(workspace, 'results.jsonl');
const truth = join(workspace, 'truth');
let passed = 0;
let failed = 0;

// Nothing of our own environment: Nx looks for CI systems and for programs that read in a person's place.
const base = { PATH: process.env.PATH, HOME: join(workspace, 'home'), LANG: 'C.UTF-8', NX_DAEMON: 'false', npm_config_update_notifier: 'false' };

function run(args, env, slow) {
	const command = [nx, ...args];
	// A reader that sleeps first fills the pipe: Nx's writes come back short.
	const child = slow
		? spawnSync('bash', ['-c', 'set -o pipefail; "$0" "$@" | { sleep 3; cat; }', process.execPath, ...command], { cwd: workspace, env, maxBuffer: 1 << 28 })
		: spawnSync(process.execPath, command, { cwd: workspace, env, maxBuffer: 1 << 28 });
	return { status: child.status, signal: child.signal, stdout: child.stdout.toString(), stderr: child.stderr.toString() };
}

const SUFFIX = /(\x1b\[2m)? \(peak: (\d+(?:\.\d)?)(KB|MB|GB)(?:, (SIG[A-Z]+))?\)(\x1b\[22m)?/g;
// A line of our own, where Nx prints none after the end.
const OWN = new RegExp(`^.*nx run.*(?:${SUFFIX.source})\\n`, 'gm');
const RESULT = /(?:> |[✔✖]  )(?:\x1b\[\d+m)*nx run(?:\x1b\[\d+m)* (\S+)/;
const CACHED = /\[(local cache|existing outputs match the cache, left as is)\]/;
const plain = (text) => text.replace(/\x1b\[[0-9;]*m/g, '');
// What no two runs of Nx have in common: durations and process ids.
const normal = (text) =>
	plain(text).replace(/\d+(\.\d+)?(ms|s|μs)\b/g, 'TIME').replace(/\b(pid|PID)[ =]\d+/g, 'PID').replace(/Recoverable time:.*|Critical path:.*|Run duration:.*/g, 'REPORT');
// Parallel tasks end in any order.
const sorted = (text) => text.split('\n').sort().join('\n');

const bytes = (value, unit) => Number(value) * { KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 }[unit];

function check(name, problems) {
	if (problems.length) {
		failed++;
		console.log(`not ok nx${major} ${name}`);
		for (const problem of problems) console.log(`    ${problem}`);
	} else {
		passed++;
		console.log(`ok nx${major} ${name}`);
	}
}

function compare(name, args, { env = {}, tasks = 3, status = 0, cached = 0, slow = false, signal = null, own = false } = {}) {
	const problems = [];
	const off = run(args, { ...base, ...env }, slow);
	rmSync(results, { force: true });
	const on = run(args, { ...base, ...env, NX_LOG_HEAP_USAGE: 'true', LD_PRELOAD: library, HEAPLOG_RESULTS: results }, slow);
	const suffixes = [...on.stdout.matchAll(SUFFIX), ...on.stderr.matchAll(SUFFIX)];
	const lines = on.stdout.split('\n');
	const annotated = lines.filter((line) => line.match(SUFFIX));

	if (off.status !== status) problems.push(`status without the library ${off.status}, expected ${status}: ${off.stderr}${off.stdout}`);
	if (on.status !== off.status) problems.push(`status ${on.status}, without the library ${off.status}`);
	for (const stream of ['stdout', 'stderr']) {
		const without = sorted(normal(off[stream]));
		const stripped = sorted(normal(on[stream].replace(own ? OWN : SUFFIX, '')));
		if (without !== stripped) problems.push(`${stream} differs:\n--- without\n${off[stream]}\n--- with\n${on[stream]}`);
	}
	if (suffixes.length !== tasks) problems.push(`${suffixes.length} suffixes, expected ${tasks}:\n${on.stdout}`);
	for (const line of annotated) {
		if (!RESULT.test(plain(line))) problems.push(`suffix on a line that is no result line: ${line}`);
		if (CACHED.test(line)) problems.push(`suffix on a cached line: ${line}`);
		if (env.FORCE_COLOR && !line.includes('\x1b[2m (peak')) problems.push(`no dim suffix on a coloured line: ${JSON.stringify(line)}`);
	}
	if (cached && lines.filter((line) => CACHED.test(line)).length !== cached) problems.push('cache hits expected');
	if (signal && !suffixes.every((match) => match[4] === signal)) problems.push(`${signal} is not named: ${annotated}`);
	const appended = existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n').map((line) => JSON.parse(line)) : [];
	// A task of several commands is recorded after each; the later line replaces the earlier.
	const records = [...new Map(appended.map((record) => [record.run + record.task, record])).values()];
	if (records.length !== tasks) problems.push(`${records.length} records, expected ${tasks}`);
	for (const record of records) {
		if (!(record.peak_bytes > 0 && record.peak_upper_bytes >= record.peak_bytes)) problems.push(`odd record ${JSON.stringify(record)}`);
		const line = annotated.find((each) => plain(each).replaceAll('"', '').match(RESULT)?.[1].startsWith(record.task));
		if (!line) problems.push(`no line for ${record.task}`);
	}
	check(name, problems);
	return { on, suffixes, records };
}

const many = (target, ...more) => ['run-many', '-t', target, '--skip-nx-cache', '--parallel=1', ...more];

compare('static', many('build', '--output-style=static'));
compare('default', many('build'));
compare('CI', many('build'), { env: { CI: 'true' } });
compare('GitHub Actions', many('build'), { env: { GITHUB_ACTIONS: 'true', CI: 'true' } });
compare('GitHub Actions, static', many('build', '--output-style=static'), { env: { GITHUB_ACTIONS: 'true', CI: 'true' } });
compare('coloured', many('build'), { env: { FORCE_COLOR: '1' } });
compare('parallel', ['run-many', '-t', 'build', '--skip-nx-cache', '--parallel=3', '--output-style=static']);
compare('slow reader', many('build', '--output-style=static'), { slow: true });
compare('failing script', many('boom'), { status: 1 });
compare('failing command', many('one-boom'), { status: 1 });
compare('killed script', many('shot'), { status: 1 });
compare('killed command', many('one-shot'), { status: 1, signal: 'SIGKILL' });
compare('run-commands', many('one'));
compare('colon in the target', many('col:on'));
compare('configuration', many('cfg', '-c', 'production', '--output-style=static'));
compare('streamed', many('one', '--output-style=stream'), { own: true });
compare('streamed, failing', many('one-boom', '--output-style=stream'), { own: true, status: 1 });
compare('streamed, one task', ['run', '@acme/a:one', '--skip-nx-cache'], { tasks: 1, own: true });

// Several commands: at the same time their sum, one after the other the larger.
{
	const { records } = compare('several commands, parallel', many('multi', '-p', '@acme/a'), { tasks: 1 });
	const peak = records[0]?.peak_bytes / 2 ** 20;
	check('several commands, parallel: the sum', peak > 2 * 130 && peak < 2 * 190 ? [] : [`${peak} MB`]);
}
{
	const { records } = compare('several commands, serial', many('serial', '-p', '@acme/a'), { tasks: 1 });
	const peak = records[0]?.peak_bytes / 2 ** 20;
	check('several commands, serial: the larger', peak > 180 && peak < 240 ? [] : [`${peak} MB`]);
}

// Cache hits start no process and have no figure.
rmSync(join(workspace, '.nx'), { recursive: true, force: true });
run(['run-many', '-t', 'cached'], base);
compare('cache hits', ['run-many', '-t', 'cached', '--parallel=1'], { tasks: 0, cached: 3 });

// A known amount: the command is one node process, whose own high-water mark is the truth.
{
	rmSync(truth, { force: true });
	const { suffixes, records } = compare('300 MB', many('mem', '-p', '@acme/c'), { tasks: 1, env: { TRUTH: truth } });
	const marks = readFileSync(truth, 'utf8').trim().split('\n');
	const own = Number(marks.at(-1).split(' ')[1]) * 1024;
	const peak = records[0]?.peak_bytes;
	const shown = suffixes[0] ? bytes(suffixes[0][2], suffixes[0][3]) : 0;
	const problems = [];
	if (!(Math.abs(peak - own) <= 0.02 * own)) problems.push(`record ${peak}, the process's own mark ${own}`);
	if (!(Math.abs(shown - own) <= 0.02 * own && shown >= 300 * 2 ** 20)) problems.push(`shown ${shown}, the process's own mark ${own}`);
	console.log(`    nx${major} 300 MB: own mark ${(own / 2 ** 20).toFixed(1)} MB, record ${(peak / 2 ** 20).toFixed(1)} MB, shown ${(shown / 2 ** 20).toFixed(0)} MB`);
	check('300 MB within 2 %', problems);
}

// The example plugin reads the result fds in Nx's own plugin worker.
{
	const settings = join(workspace, 'nx.json');
	const before = readFileSync(settings, 'utf8');
	cpSync(new URL('../../examples/nx-plugin', import.meta.url).pathname, join(workspace, 'tools/heaplog-plugin'), { recursive: true });
	writeFileSync(settings, JSON.stringify({ ...JSON.parse(before), plugins: ['./tools/heaplog-plugin'] }));
	// Nx 22 looks for it before it loads a plugin from the workspace; every workspace with TypeScript has one.
	writeFileSync(join(workspace, 'tsconfig.base.json'), '{}');
	const on = run(many('one'), { ...base, NX_LOG_HEAP_USAGE: 'true', LD_PRELOAD: library });
	const rows = on.stdout.split('\n').filter((line) => /^@acme\/[abc]:one +\d+MB /.test(line));
	check('example plugin', rows.length === 3 && on.status === 0 ? [] : [on.stdout + on.stderr]);
	writeFileSync(settings, before);
	rmSync(join(workspace, 'tools'), { recursive: true });
}

// Off: every byte as without the library.
for (const value of [undefined, 'false']) {
	const problems = [];
	const without = run(many('one', '-p', '@acme/a'), base);
	const off = run(many('one', '-p', '@acme/a'), { ...base, LD_PRELOAD: library, ...(value && { NX_LOG_HEAP_USAGE: value }) });
	if (normal(without.stdout) !== normal(off.stdout) || normal(without.stderr) !== normal(off.stderr) || without.status !== off.status)
		problems.push(`differs:\n${without.stdout}${without.stderr}\n---\n${off.stdout}${off.stderr}`);
	check(`off (${value ?? 'unset'})`, problems);
}

console.log(`nx${major}: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
