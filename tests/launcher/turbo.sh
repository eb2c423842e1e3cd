#!/bin/bash
# heaplog run with real turbo, which is statically linked behind a script for Node.js: `make e2e-turbo`. Each case with
# and without heaplog; turbo's output must be the same, and the tasks' peaks must be those that the tasks hold.
set -u
: "${BUILD:?}"
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$BUILD" && pwd)
heaplog=$build/heaplog
workspace=$build/e2e/turbo
failed=0
checked=0

mkdir -p "$workspace" && cd "$workspace" || exit 1
if [ ! -e node_modules/.bin/turbo ]; then
	echo "installing the npm package turbo@2 into ${workspace#"$root"/}"
	echo '{"name":"root","private":true}' >package.json
	npm install --silent --no-audit --no-fund --save-dev turbo@2 || exit 1
fi
version=$(node -p 'require("turbo/package.json").version')
cat >package.json <<EOF
{ "name": "root", "private": true, "workspaces": ["packages/*"], "packageManager": "npm@10.0.0",
  "devDependencies": { "turbo": "$version" },
  "scripts": { "plain": "turbo run build", "watched": "heaplog turbo run build" } }
EOF
echo '{ "tasks": { "build": {}, "bad": {}, "slow": {} } }' >turbo.json
slow="node ../../hold.js 40 60$$" # to be found again by this name
hold=(web 60 api 120 app 240)
for ((i = 0; i < ${#hold[@]}; i += 2)); do
	package=${hold[i]}
	mkdir -p "packages/$package"
	cat >"packages/$package/package.json" <<EOF
{ "name": "@acme/$package", "version": "1.0.0", "scripts": {
  "build": "node ../../hold.js ${hold[i + 1]} 1500", "bad": "node ../../hold.js 30 600 3", "slow": "$slow" } }
EOF
done
cat >hold.js <<'EOF'
const [megabytes, ms, code] = process.argv.slice(2).map(Number);
const held = Buffer.alloc(megabytes << 20, 1);
setTimeout(() => process.exit(held[0] === 1 ? code || 0 : 9), ms);
EOF
npm install --silent --no-audit --no-fund --ignore-scripts || exit 1
[ -d .git ] || git init -q .

clean() { # with nothing in the environment that turbo or npm would go by
	env -i PATH="$build:$PATH" HOME="$HOME" TURBO_TELEMETRY_DISABLED=1 XDG_RUNTIME_DIR="$workspace" "$@"
}
check() { # check WHAT CONDITION...
	local what=$1
	shift
	checked=$((checked + 1))
	"$@" && return
	failed=$((failed + 1))
	echo "FAILED: turbo $version: $what"
}
# Turbo prints its tasks' lines in the order in which they come; times and hashes differ.
same() { diff <(sed 's/[0-9.]*m\?s *$//;s/[0-9a-f]\{16\}//' "$1" | sort) <(sed 's/[0-9.]*m\?s *$//;s/[0-9a-f]\{16\}//' "$2" | sort); }
peak_mb() { # of a task, from a results file
	jq -r --arg task "$2" 'select(.task == $task) | .peak_bytes / 1048576 | floor' "$1"
}
between() { [ "${1:-0}" -ge "$2" ] && [ "$1" -le "$3" ]; }

# Nothing is cached: --force.
clean npx turbo run build --force >plain.out 2>plain.err </dev/null
rm -f results.jsonl
clean "$heaplog" run --results results.jsonl npx turbo run build --force >watched.out 2>watched.err </dev/null
check "exit status" [ $? -eq 0 ]
check "its output is the same" same plain.out watched.out
check "three records" [ "$(wc -l <results.jsonl)" -eq 3 ]
for ((i = 0; i < ${#hold[@]}; i += 2)); do
	# npm and Node.js hold some 110 MB beside.
	check "the peak of ${hold[i]}" between "$(peak_mb results.jsonl "@acme/${hold[i]}:build")" \
		$((hold[i + 1] + 40)) $((hold[i + 1] + 200))
	check "${hold[i]} is in the table" grep -q "@acme/${hold[i]}:build" watched.err
done
grep -E 'task|@acme' watched.err | grep -v WARNING

clean npm run watched --silent -- --force >script.out 2>script.err </dev/null
check "from a script of package.json: exit status" [ $? -eq 0 ]
check "from a script of package.json: the table" grep -q "@acme/app:build" script.err
check "once, although npm is watched as well" [ "$(grep -c '^@acme/app:build' script.err)" -eq 1 ]
clean "$heaplog" npm run watched --silent -- --force --log-heap-usage >both.out 2>both.err </dev/null
check "heaplog inside heaplog: one table" [ "$(grep -c '^@acme/app:build' both.err)" -eq 1 ]

rm -f bad.jsonl
clean npx turbo run bad --force --continue >/dev/null 2>&1 </dev/null
plain=$?
clean "$heaplog" run --summary never --results bad.jsonl npx turbo run bad --force --continue >bad.out 2>bad.err </dev/null
check "the status of a failure" [ $? -eq $plain ]
check "no table was asked for" [ "$(grep -c '^@acme/app:bad' bad.err)" -eq 0 ]
# npm gives its script's code on; the kernel tells it (Linux 6.15) or the zombie did.
check "exit codes of tasks" [ "$(jq -s '[.[] | .exit.code // 3] | all(. == 3)' bad.jsonl)" = true ]

clean npx turbo run build >/dev/null 2>&1 </dev/null # into the cache
clean "$heaplog" npx turbo run build >cached.out 2>cached.err </dev/null
check "cached tasks have no figure" [ "$(grep -c '^@acme' cached.err)" -eq 0 ]

# kill -TERM reaches the command as it would without heaplog, with the same consequences.
terminate() { # COMMAND...: its status after a SIGTERM, and whether tasks are left
	local pid status
	rm -f slow.out
	clean "$@" >slow.out 2>/dev/null </dev/null &
	pid=$!
	until [ "$(pgrep -cf "^$slow")" -ge 3 ] || ! kill -0 $pid 2>/dev/null; do sleep 0.2; done
	kill -TERM $pid
	wait $pid
	status=$?
	for _ in $(seq 30); do pgrep -f "^$slow" >/dev/null || break; sleep 0.1; done
	echo "status $status, tasks left: $(pgrep -cf "^$slow")"
	pgrep -f "$slow" | xargs -r kill -9
}
plain=$(terminate node_modules/.bin/turbo run slow --force)
watched=$(terminate "$heaplog" node_modules/.bin/turbo run slow --force)
check "SIGTERM: $watched instead of $plain" [ "$watched" = "$plain" ]
echo "turbo $version: $checked checked, $failed failed"
[ "$failed" -eq 0 ]
