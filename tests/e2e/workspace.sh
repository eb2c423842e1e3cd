#!/bin/bash
# Make a fresh Nx workspace.   workspace.sh MAJOR DIRECTORY
# Nx itself comes from npm once per version and is kept in build/e2e/nx-VERSION.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
case $1 in
18) version=18.3.5 ;;
19) version=19.8.14 ;;
20) version=20.8.4 ;;
21) version=21.6.11 ;;
22) version=22.7.12 ;;
23) version=23.3.2 ;;
24) version=24.0.6 ;;
*)
	echo "workspace.sh: '$1' is not a major of Nx that is pinned here: 18 to 24" >&2
	exit 2
	;;
esac
store=$root/build/e2e/nx-$version
if [ ! -f "$store/installed" ]; then
	echo "installing the npm package nx@$version into build/e2e/nx-$version"
	rm -rf "$store"
	mkdir -p "$store"
	(cd "$store" && echo '{"private":true}' >package.json &&
		NX_SKIP_POSTINSTALL=1 npm install --silent --no-audit --no-fund "nx@$version" && touch installed)
fi
rm -rf "$2"
mkdir -p "$2"
cd "$2"
# Hard links: npm's tree as it is, without a second copy; symbolic links would lead Nx to another workspace root.
cp -al "$store/node_modules" node_modules
cat >package.json <<EOF
{ "name": "acme", "private": true, "devDependencies": { "nx": "$version" }, "workspaces": ["packages/*"] }
EOF
cat >nx.json <<'EOF'
{ "neverConnectToCloud": true, "analytics": false, "targetDefaults": { "cached": { "cache": true } } }
EOF
cat >work.js <<'EOF'
// work.js NAME MB MS [how]: hold MB for MS, say so, and end: "exit3" with code 3, "kill" by SIGKILL.
const [name, mb, ms, how] = process.argv.slice(2);
const held = Buffer.alloc(Number(mb) * 1048576, 1);
setTimeout(() => {
	if (process.env.TRUTH) {
		const status = require('fs').readFileSync('/proc/self/status', 'utf8');
		require('fs').appendFileSync(process.env.TRUTH, `${name} ${/VmHWM:\s+(\d+)/.exec(status)[1]}\n`);
	}
	console.log(`work ${name} ${held.length}`);
	console.error(`work ${name} to stderr`);
	if (how === 'exit3') process.exitCode = 3;
	if (how === 'kill') process.kill(process.pid, 'SIGKILL');
}, Number(ms));
EOF
command() { printf '{"executor":"nx:run-commands","options":{"command":"%s"}}' "$1"; }
for name in a b c; do
	mkdir -p packages/$name
	case $name in a) mb=40 ;; b) mb=120 ;; *) mb=300 ;; esac
	cat >packages/$name/package.json <<EOF
{
  "name": "@acme/$name", "version": "0.0.1", "private": true,
  "scripts": {
    "build": "node ../../work.js $name 20 300", "cached": "node ../../work.js $name 20 100",
    "boom": "node ../../work.js $name 20 100 exit3", "shot": "node ../../work.js $name 20 300 kill"
  },
  "nx": { "targets": {
    "demo": $(command "node work.js $name $mb 1000"),
    "mem": $(command "node work.js $name 300 700"),
    "one": $(command "node work.js $name 20 200"),
    "one-boom": $(command "node work.js $name 20 200 exit3"),
    "one-shot": $(command "exec node work.js $name 20 200 kill"),
    "col:on": $(command "node work.js $name 20 200"),
    "cfg": { "executor": "nx:run-commands", "options": { "command": "node work.js $name 20 200" },
             "configurations": { "production": { "command": "node work.js $name 60 200" } } },
    "multi": { "executor": "nx:run-commands", "options": { "parallel": true,
               "commands": ["node work.js $name-1 100 900", "node work.js $name-1 100 900"] } },
    "serial": { "executor": "nx:run-commands", "options": { "parallel": false,
               "commands": ["node work.js $name-1 150 300", "node work.js $name-2 20 300"] } }
  } }
}
EOF
done
git init -q . && git -c user.name=e2e -c user.email=e2e@localhost commit -q --allow-empty -m workspace
