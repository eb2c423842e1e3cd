#!/bin/sh
# The page of `heaplog report --format html` in headless Chromium (Debian's chromium, driven by npm's playwright-core).
#   make check-html    screenshots are left in build/html
set -eu
BUILD=$(cd "$BUILD" && pwd)
if ! command -v chromium >/dev/null; then
	echo "installing the Debian packages chromium and fonts-dejavu"
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -qq
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends chromium fonts-dejavu >/dev/null
fi
mkdir -p "$BUILD/html"
if [ ! -d "$BUILD/html/node_modules/playwright-core" ]; then
	echo "installing the npm package playwright-core into $BUILD/html"
	(cd "$BUILD/html" && npm install --silent --no-audit --no-fund --prefix . playwright-core)
fi
cd "$BUILD/html"
"$BUILD/tests/generate" 5 5 >5.jsonl
"$BUILD/tests/generate" 1500 500 >500.jsonl
: >0.jsonl
hostile='</script><img src=x onerror=alert(1)>\u2028\u202e\u001b[31m\"'"'"'&amp;'
printf '%s\n' \
	"{\"v\":1,\"run\":\"r\",\"task\":\"$hostile\",\"metric\":\"<b>\",\"start\":\"2026-11-23T01:00:00.000Z\",\"duration_ms\":900,\"peak_bytes\":7000000,\"top\":[{\"pid\":1,\"command\":\"$hostile\",\"bytes\":5}],\"series\":[[0,1],[800,7000000]],\"exit\":{\"signal\":\"<i>x</i>\"}}" \
	'{"v":1,"run":"r","task":"no time","peak_bytes":5000}' '{"v":1,"run":"r","task":"no peak","start":"2026-11-23T01:00:00.500Z"}' >hostile.jsonl
for name in 0 5 500 hostile; do
	"$BUILD/heaplog" report --format html --memory 8GB --warn 300MB -o "$name.html" "$name.jsonl"
done
NODE_PATH=$BUILD/html/node_modules node "$OLDPWD/tests/report/html.cjs" "$BUILD/html"
