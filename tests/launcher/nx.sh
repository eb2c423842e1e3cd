#!/bin/bash
# heaplog nx ... against NX_LOG_HEAP_USAGE=true LD_PRELOAD=... nx ..., with real Nx: the same bytes on stdout and stderr
# (durations and the figures themselves apart), the same status.   nx.sh MAJOR...
set -u
: "${BUILD:?}"
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$BUILD" && pwd)
failed=0
checked=0

check() { # check WHAT CONDITION...
	local what=$1
	shift
	checked=$((checked + 1))
	"$@" && return
	failed=$((failed + 1))
	echo "FAILED: Nx $major: $what"
}
# CI and its like change what Nx prints.
clean() {
	env -i PATH="$build:$workspace/node_modules/.bin:$PATH" HOME="$workspace/home" NX_DAEMON=false npm_config_update_notifier=false \
		XDG_RUNTIME_DIR="$workspace/home" "$@" </dev/null
}
# What differs from run to run: sizes, durations, and which of several tasks ended first.
normalised() { sed -E 's/\(peak: [0-9.]+[KMG]B/(peak: N/g; s/[0-9.]+(ms|s)\b/T/g' "$1" | sort; }
same() { diff <(normalised "$1.out") <(normalised "$2.out") && diff <(normalised "$1.err") <(normalised "$2.err"); }

# compare WHAT ARGUMENTS-OF-NX...
compare() {
	local what=$1 by_hand with_us
	shift
	clean env NX_LOG_HEAP_USAGE=true LD_PRELOAD="$build/libheaplog.so" nx "$@" >hand.out 2>hand.err
	by_hand=$?
	clean heaplog nx "$@" >us.out 2>us.err
	with_us=$?
	check "$what: status $with_us instead of $by_hand" [ "$with_us" -eq "$by_hand" ]
	check "$what: the same bytes" same hand us
	check "$what: peaks" grep -q '(peak: ' us.out us.err
}

for major; do
	workspace=$build/e2e/launcher-$major
	bash "$root/tests/e2e/workspace.sh" "$major" "$workspace" || exit 1
	cd "$workspace" || exit 1
	mkdir -p home
	# A script of package.json, as a user writes it.
	node -e 'const f = "package.json", p = JSON.parse(fs.readFileSync(f)); p.scripts = { build: "heaplog nx run-many -t build --skip-nx-cache" };
		fs.writeFileSync(f, JSON.stringify(p))'
	compare "run-many" run-many -t build --skip-nx-cache
	compare "static" run-many -t demo --skip-nx-cache --output-style=static
	compare "failure" run-many -t boom --skip-nx-cache
	clean npm run build --silent >script.out 2>script.err
	check "a script of package.json: status" [ $? -eq 0 ]
	check "a script of package.json: three peaks" [ "$(grep -c '(peak: ' script.out)" -eq 3 ]
	# The flag, wherever a user types it; Nx would hand it to the tasks, whose commands would then show it.
	for words in "heaplog --log-heap-usage nx run-many -t build --skip-nx-cache" \
		"heaplog nx run-many -t build --skip-nx-cache --log-heap-usage" \
		"heaplog nx run-many --log-heap-usage=true -t build --skip-nx-cache" \
		"heaplog run -- npx nx run-many -t build --skip-nx-cache --log-heap-usage" \
		"heaplog npm run build --silent -- --log-heap-usage"; do
		# shellcheck disable=SC2086
		clean $words >flag.out 2>flag.err
		check "$words: three peaks" [ "$(grep -c '(peak: ' flag.out)" -eq 3 ]
		check "$words: not handed to the tasks" [ "$(grep -ci 'log.heap.usage' flag.out)" -eq 0 ]
	done
	clean heaplog nx run-many -t build --skip-nx-cache --log-heap-usage=false >off.out 2>off.err
	check "--log-heap-usage=false: no peak" [ "$(grep -c '(peak: ' off.out)" -eq 0 ]
	clean heaplog run --summary always nx run-many -t build --skip-nx-cache >table.out 2>table.err
	check "--summary always: three rows" [ "$(grep -c '^@acme/.:build ' table.err)" -eq 3 ]
	check "--summary always: the lines as well" [ "$(grep -c '(peak: ' table.out)" -eq 3 ]
	clean heaplog doctor nx run-many -t build >doctor.out 2>doctor.err
	check "doctor: nothing is wrong" [ $? -eq 0 ]
	check "doctor: Nx and a trial in node" [ "$(grep -cE '^ok +(Nx|trial) ' doctor.out)" -eq 3 ]
	cd "$root" || exit 1
done
echo "launcher: $checked checked, $failed failed"
[ "$failed" -eq 0 ]
