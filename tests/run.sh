#!/bin/sh
# Run the given cmocka programs, one after the other; every test program gets the build tree's path. Prints their own lines
# and at the end what came of all.
set -u
HEAPLOG_BUILD=$(cd "${BUILD:-build}" && pwd)
HEAPLOG_FIXTURES=${HEAPLOG_FIXTURES:-$(cd "$(dirname "$0")" && pwd)/fixtures}
export HEAPLOG_BUILD HEAPLOG_FIXTURES
unset LD_PRELOAD NX_LOG_HEAP_USAGE HEAPLOG HEAPLOG_RESULTS HEAPLOG_INTERVAL_MS
passed=0
failed=0
for program; do
	echo "== ${program##*/}"
	# shellcheck disable=SC2086
	if timeout -k 10 "${TEST_SECONDS:-600}" ${RUN_UNDER:-} "$program"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $program (a test that hangs is ended after ${TEST_SECONDS:-600} s)"
	fi
done
echo "test programs: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
