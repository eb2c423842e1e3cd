// Commands on Nx's own pseudo-terminal, as its runner starts them; how many lost the end of their output.
//   node pty_loss.js COUNT PARALLEL     in a workspace of matrix_workspace.sh, with a terminal for stdout
const path = require('path');
const { createPseudoTerminal } = require(path.resolve('node_modules/nx/dist/src/tasks-runner/pseudo-terminal.js'));

const [count, parallel] = process.argv.slice(2).map(Number);
let begun = 0;
let lost = 0;

async function run(n) {
	const pty = createPseudoTerminal();
	await pty.init();
	const child = pty.runCommand(n % 2 ? 'node work.js bad 20 exit3' : 'exec node work.js shot 60 kill', {
		quiet: true,
		tty: true,
		jsEnv: { ...process.env, NX_TASK_TARGET_PROJECT: `p${n}`, NX_TASK_TARGET_TARGET: 'work', NX_TASK_HASH: `${n}` },
	});
	const { terminalOutput } = await child.getResults();
	if (!terminalOutput.includes('to stderr')) lost++;
	// The result line, one write, as Nx does it.
	process.stdout.write(`> nx run p${n}:work`);
	process.stdout.write('\n');
}

async function next() {
	while (begun < count) await run(begun++);
}

Promise.all(Array.from({ length: parallel }, next)).then(() => {
	console.log(`lost ${lost} of ${count}`);
	process.exit(0);
});
