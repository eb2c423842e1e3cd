#!/bin/sh
# storm.sh SPAWNS TASKS DESCENDANTS: the storm with the library on.
# [req: H-13] [req: H-14] [req: H-15] [req: H-38] [req: H-51]
set -u
library=$(cd "$BUILD" && pwd)/libheaplog.so
log=$BUILD/harmless/storm.log
NX_LOG_HEAP_USAGE=true LD_PRELOAD=$library timeout -k 5 "${STORM_SECONDS:-3600}" "$BUILD/harmless/storm" "$@" >"$log" 2>"$log.errors"
status=$?
grep -v 'peak: ' "$log"
[ "$status" -eq 0 ] || cat "$log.errors"
exit "$status"
