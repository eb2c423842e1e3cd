#!/bin/bash
# What the matrix needs beyond the workspace of run.mjs.   matrix_workspace.sh MAJOR DIRECTORY
#   run-many -t work: ok-script, ok-command, bad (exit 3), shot (SIGKILL), hit and miss (cached; only hit has a record)
#   run-one app:T: ok, bad, shot, hit, dep-bad; the first with one executed and one cached dependency
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
bash "$root/tests/e2e/workspace.sh" "$1" "$2"
cd "$2"
rm -rf packages .nx
cat >nx.json <<'EOJ'
{ "neverConnectToCloud": true, "analytics": false }
EOJ
cat >work.js <<'EOJ'
// work.js NAME MB [how]: hold MB for 150 ms, say so, and end: "exit3" with code 3, "kill" by SIGKILL.
const fs = require('fs');
const [name, mb, how] = process.argv.slice(2);
const held = Buffer.alloc(Number(mb) * 1048576, 1);
const end = () => process.env.MATRIX_LOG && fs.appendFileSync(process.env.MATRIX_LOG, `${name}\n`);
console.log(`work ${name} begins`);
if (how === 'serve') {
	console.log(`work ${name} listens`);
	end();
	setInterval(() => held, 1000);
} else {
	setTimeout(() => {
		console.log(`work ${name} ${held.length}`);
		console.error(`work ${name} to stderr`);
		end();
		if (how === 'exit3') process.exitCode = 3;
		if (how === 'kill') process.kill(process.pid, 'SIGKILL');
	}, 150);
}
EOJ
command() { printf '{"executor":"nx:run-commands","options":{"command":"%s"}%s}' "$1" "${2:-}"; }
project() { # NAME TARGETS SCRIPTS
	mkdir -p "packages/$1"
	printf '{"name":"@acme/%s","version":"0.0.1","private":true,"scripts":{%s},"nx":{"targets":{%s}}}\n' "$1" "$3" "$2" \
		>"packages/$1/package.json"
	git add "packages/$1"
}
project ok-script '' '"work":"node ../../work.js ok-script 20"'
project ok-command "\"work\":$(command 'node work.js ok-command 40'),
	\"solo\":$(command 'node work.js ok-command 40'),
	\"nested\":$(command 'node_modules/.bin/nx run @acme/ok-command:solo'),
	\"par\":{\"executor\":\"nx:run-commands\",\"options\":{\"parallel\":true,\"commands\":[\"node work.js one 60\",\"node work.js two 60\"]}},
	\"ser\":{\"executor\":\"nx:run-commands\",\"options\":{\"parallel\":false,\"commands\":[\"node work.js one 60\",\"node work.js two 20\"]}},
	\"col:on\":$(command 'node work.js ok-command 20')" ''
project bad "\"work\":$(command 'node work.js bad 20 exit3')" ''
project shot "\"work\":$(command 'exec node work.js shot 60 kill')" ''
project hit "\"work\":$(command 'node work.js hit 40' ',"cache":true')" ''
project miss "\"work\":$(command 'node work.js miss 40' ',"cache":true')" ''
depends() { printf ',"dependsOn":[%s]' "$1"; }
ok='{"projects":["@acme/ok-command"],"target":"solo"}'
hit='{"projects":["@acme/hit"],"target":"work"}'
bad='{"projects":["@acme/bad"],"target":"work"}'
serve='{"projects":["@acme/server"],"target":"serve"}'
project app "\"ok\":{\"dependsOn\":[$ok,$hit]},
	\"bad\":$(command 'node work.js app-bad 20 exit3'),
	\"shot\":$(command 'exec node work.js app-shot 60 kill'),
	\"hit\":$(command 'node work.js app-hit 20' ',"cache":true'),
	\"dep-bad\":$(command 'node work.js app 20' "$(depends "$bad")"),
	\"e2e\":$(command 'node work.js e2e 40' "$(depends "$serve")")" '"ok":"node ../../work.js app-ok 20"'
project server "\"serve\":$(command 'exec node work.js serve 30 serve' ',"continuous":true')" ''
# A batch executor: one process for all the tasks, which have no process and no name of their own.
mkdir -p tools
cat >tools/package.json <<'EOJ'
{ "name": "tools", "version": "0.0.1", "private": true, "executors": "./executors.json" }
EOJ
cat >tools/executors.json <<'EOJ'
{ "executors": { "batch": { "implementation": "./batch.js#default", "batchImplementation": "./batch.js#batch", "schema": "./schema.json" } } }
EOJ
echo '{ "type": "object", "properties": {}, "version": 2 }' >tools/schema.json
cat >tools/batch.js <<'EOJ'
exports.default = async () => ({ success: true });
exports.batch = async (graph) => {
	const held = Buffer.alloc(40 << 20, 1);
	await new Promise((end) => setTimeout(end, 300));
	return Object.fromEntries(Object.keys(graph.tasks).map((id) => [id, { success: true, terminalOutput: `batch ${id} ${held.length}\n` }]));
};
EOJ
for name in b1 b2; do project $name '"batched":{"executor":"./tools:batch"}' ''; done
git add -A tools && git -c user.name=e2e -c user.email=e2e@localhost commit -q -m packages
