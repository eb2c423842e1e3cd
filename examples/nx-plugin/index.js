// An Nx plugin that prints the peak memory of each task when all are done. It reads heaplog's result fds, nothing else:
// sealed memfds in the process that ran the tasks, visible as /proc/PID/fd/N -> "/memfd:heaplog:TASK (deleted)".
'use strict';

const fs = require('node:fs');

const LINK = '/memfd:heaplog:';

function attempt(action) {
	try {
		return action();
	} catch {
		return undefined; // the process or the descriptor is gone, or is not ours to read
	}
}

// Links of result fds of a process. JavaScript has no F_GET_SEALS: what is read here is only as good as its name.
function resultPaths(pid) {
	return (attempt(() => fs.readdirSync(`/proc/${pid}/fd`)) ?? [])
		.map((fd) => `/proc/${pid}/fd/${fd}`)
		.filter((path) => attempt(() => fs.readlinkSync(path))?.startsWith(LINK));
}

function readResults(pid) {
	return resultPaths(pid)
		.map((path) => attempt(() => JSON.parse(fs.readFileSync(path, 'utf8'))))
		.filter((record) => record?.v === 1 && typeof record.task === 'string');
}

// Fields after the command, which is in parentheses and may hold anything: state, ppid, ...
function parentOf(pid) {
	const stat = attempt(() => fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
	return stat ? Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) : 0;
}

function isIn(pid, root) {
	const real = attempt(() => fs.realpathSync(root));
	const cwd = attempt(() => fs.readlinkSync(`/proc/${pid}/cwd`));
	if (real !== undefined && (cwd === real || cwd?.startsWith(real + '/'))) return true;
	const environment = attempt(() => fs.readFileSync(`/proc/${pid}/environ`, 'utf8')) ?? '';
	return environment.split('\0').includes(`NX_WORKSPACE_ROOT=${root}`);
}

// The process that ran the tasks. Without the daemon it is an ancestor of the plugin worker; with it, the worker belongs
// to the daemon, and the runner is any process of ours in this workspace that holds results (the youngest, of several).
function findRunner(root, first = process.ppid) {
	for (let pid = first; pid > 1; pid = parentOf(pid)) {
		if (resultPaths(pid).length > 0) return pid;
	}
	const own = process.getuid();
	return (attempt(() => fs.readdirSync('/proc')) ?? [])
		.filter((name) => /^\d+$/.test(name) && attempt(() => fs.statSync(`/proc/${name}`))?.uid === own)
		.map(Number)
		.sort((a, b) => b - a)
		.find((pid) => resultPaths(pid).length > 0 && isIn(pid, root));
}

function formatSize(bytes) {
	if (!(bytes > 0)) return '-';
	const kb = Math.round(bytes / 2 ** 10);
	const mb = Math.round(bytes / 2 ** 20);
	return kb < 1024 ? `${kb}KB` : mb < 1024 ? `${mb}MB` : `${(bytes / 2 ** 30).toFixed(1)}GB`;
}

function formatTable(records) {
	const plain = (text) => String(text).replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
	const rows = [...records]
		.sort((a, b) => b.peak_bytes - a.peak_bytes)
		.map((r) => [
			plain(r.task),
			formatSize(r.peak_bytes),
			`${(r.duration_ms / 1000).toFixed(1)}s`,
			plain(r.exit?.signal ?? r.exit?.code ?? '-'),
		]);
	const width = Math.max(4, ...rows.map((row) => row[0].length));
	return [['TASK', 'PEAK', 'DURATION', 'EXIT'], ...rows]
		.map(([task, peak, time, exit]) => `${task.padEnd(width)} ${peak.padStart(8)} ${time.padStart(10)}  ${exit}\n`)
		.join('');
}

// With the daemon, this process's stdout is the daemon's log. options.output names a file to write to as well.
async function postTasksExecution(options, context) {
	const runner = findRunner(context.workspaceRoot);
	const records = runner === undefined ? [] : readResults(runner);
	if (records.length === 0) return; // heaplog is off, or everything came from the cache
	const table = formatTable(records);
	process.stdout.write(table);
	if (options?.output) fs.writeFileSync(require('node:path').resolve(context.workspaceRoot, options.output), table);
}

module.exports = { name: 'heaplog-plugin', postTasksExecution, findRunner, readResults, formatTable };
