// Peers from npm, as a program that watches one process after another.   peers.js pidusage|nx STORE
// A line with a process id: watch it. The line "stop": print the largest sum of resident bytes that was seen.
const [kind, store] = process.argv.slice(2);
let pid = 0;
let seen = 0;

if (kind === 'pidusage') {
	const pidusage = require(`${store}/node_modules/pidusage`);
	const { pidtree } = require(`${store}/node_modules/pidtree`);
	const look = async (watched) => {
		if (pid !== watched) return;
		try {
			const usage = await pidusage(await pidtree(pid, { root: true }));
			let total = 0;
			for (const one of Object.values(usage)) total += one ? one.memory : 0;
			if (pid === watched) seen = Math.max(seen, total);
		} catch {
			// it has ended
		}
		setTimeout(look, 500, watched);
	};
	global.watch = look;
} else {
	const { ProcessMetricsCollector } = require(`${store}/node_modules/nx/dist/src/native`);
	const collector = new ProcessMetricsCollector();
	const group = new Map(); // it names a process's task once, in the update where it is new
	collector.subscribe((error, update) => {
		let total = 0;
		for (const [id, data] of Object.entries(update?.metadata?.processes ?? {})) group.set(Number(id), data.groupId);
		for (const one of update?.processes ?? []) if (group.get(one.pid) === `task:${pid}`) total += one.memory;
		seen = Math.max(seen, total);
	});
	global.watch = (id) => {
		collector.registerTaskProcess(`task:${id}`, id);
		collector.startCollection();
	};
	global.leave = () => collector.stopCollection();
}
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
	if (line === 'stop') {
		console.log(seen);
		pid = seen = 0;
		global.leave?.();
	} else {
		pid = Number(line);
		global.watch(pid);
	}
}).on('close', () => process.exit(0));
