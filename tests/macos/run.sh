#!/bin/bash
# On macOS: the npm package in an Nx workspace. The tasks' lines must bear figures, the output must otherwise be that of a
# run without heaplog, and the exit status too.   run.sh DIRECTORY (where heaplog-VERSION.tgz is)
# No GNU tools are asked for; what is installed comes from npm.
set -eu
packages=$(cd "$1" && pwd)
tarball=$(find "$packages" -name 'heaplog-*.tgz' | head -1)
[ "$(uname -s)" = Darwin ] || {
	echo "run.sh: this is not macOS" >&2
	exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >package.json <<EOF
{ "name": "acme", "private": true, "workspaces": ["packages/*"], "scripts": { "build": "heaplog nx run-many -t build" },
  "devDependencies": { "nx": "22.7.12", "heaplog": "file:$tarball" } }
EOF
echo '{ "neverConnectToCloud": true, "analytics": false }' >nx.json
for name in a b; do
	mkdir -p packages/$name
	cat >packages/$name/package.json <<EOF
{ "name": "@acme/$name", "version": "0.0.1", "private": true,
  "scripts": { "build": "node -e \"const held = Buffer.alloc(100 << 20, 1); setTimeout(() => console.log(held.length), 1500)\"" } }
EOF
done
NX_SKIP_POSTINSTALL=1 npm install --silent --no-audit --no-fund
export NX_DAEMON=false NX_TUI=false
failed=0
check() { # check WHAT CONDITION...
	local what=$1
	shift
	if "$@"; then echo "ok    $what"; else
		echo "FAIL  $what"
		failed=1
	fi
}
plain() { # durations and our suffixes differ between two runs
	sed -E 's/ \(peak: [^)]*\)//; s/[0-9.]+m?s([^a-z]|$)/T\1/g' "$1" | sort
}
# npx puts node_modules/.bin into PATH; a second npx, behind heaplog, would start its command by /bin/sh, which macOS
# starts without inserted libraries.
npx heaplog doctor nx run-many -t build || true
NX_SKIP_NX_CACHE=true npx nx run-many -t build >without.txt 2>&1
NX_SKIP_NX_CACHE=true npx heaplog nx run-many -t build >with.txt 2>&1
NX_SKIP_NX_CACHE=true npm run build >script.txt 2>&1
NX_SKIP_NX_CACHE=true HEAPLOG_METRIC=footprint npx heaplog nx run-many -t build >footprint.txt 2>&1
cat with.txt
# Each task holds 100 MB and Node: between 120 and 1000 MB is no wrong number.
figures() { grep -cE '@acme/[ab]:build.*\(peak: [1-9][0-9]{2}MB( footprint)?\)' "$1" || true; }
check "two figures by npx" [ "$(figures with.txt)" -eq 2 ]
check "two figures from a script of package.json" [ "$(figures script.txt)" -eq 2 ]
check "two footprints" [ "$(figures footprint.txt)" -eq 2 ]
check "nothing else differs" cmp -s <(plain without.txt) <(plain with.txt)
status=0
npx heaplog node -e 'process.exit(7)' || status=$?
check "the exit status is the command's" [ $status -eq 7 ]
exit $failed
