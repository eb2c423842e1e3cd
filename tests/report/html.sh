#!/bin/sh
# The page of `heaplog report --format html` in headless Chromium (Debian's chromium, driven by npm's playwright-core).
#   make check-html    screenshots are left in build/html
set -eu
BUILD=$(cd "$BUILD" && pwd)
. tests/report/browser.sh
cd "$BUILD/html"
"$BUILD/tests/generate" 5 5 >5.jsonl
"$BUILD/tests/generate" 1500 500 >500.jsonl
: >0.jsonl
hostile='</script><img src=x onerror=alert(1)>\u2028\u202e\u001b[31m\"'"'"'&amp;'
printf '%s\n' \
	"{\"v\":1,\"run\":\"r\",\"task\":\"$hostile\",\"start\":\"2026-11-23T01:00:00.000Z\",\"duration_ms\":900,\"peak_bytes\":7000000,\"top\":[{\"pid\":1,\"command\":\"$hostile\",\"bytes\":5}],\"series\":[[0,1],[800,7000000]]}" \
	'{"v":1,"run":"r","task":"no time","peak_bytes":5000}' '{"v":1,"run":"r","task":"no peak","start":"2026-11-23T01:00:00.500Z"}' >hostile.jsonl
# Two tasks of one run, eight thousand years apart.
for year in 1970 9999; do
	printf '{"v":1,"run":"r","task":"in %s","start":"%s-11-23T01:00:00.000Z","duration_ms":900,"peak_bytes":7000000}\n' $year $year
done >far.jsonl
for name in 0 5 500 hostile far; do
	"$BUILD/heaplog" report --format html --memory 8GB --warn 300MB -o "$name.html" "$name.jsonl"
done
NODE_PATH=$BUILD/html/node_modules node "$OLDPWD/tests/report/html.cjs" "$BUILD/html"
