#!/bin/sh
# helgrind.sh SPAWNS TASKS DESCENDANTS: the storm under helgrind, without and with HEAPLOG_EXACT=1. Each forked child of the
# storm has a report of its own, all in one log.
set -u
library=$(cd "$BUILD" && pwd)/libheaplog.so
failed=0
for exact in 0 1; do
	log=$BUILD/helgrind-$exact.log
	rm -f "$log"
	STORM_IN_A_TOOL=1 HEAPLOG_EXACT=$exact NX_LOG_HEAP_USAGE=true LD_PRELOAD=$library valgrind --tool=helgrind \
		--error-exitcode=9 --log-file="$log" "$BUILD/harmless/storm" "$@" 2>"$BUILD/storm.errors"
	status=$?
	reports=$(grep -c 'Possible data race\|lock order\|Thread #.*: ' "$log")
	echo "helgrind, HEAPLOG_EXACT=$exact: status $status, $reports reports in $(grep -c 'ERROR SUMMARY' "$log") processes"
	[ "$status" -eq 0 ] && [ "$reports" -eq 0 ] || failed=1
done
exit "$failed"
