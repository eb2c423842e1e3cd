#!/bin/sh
# result.sh NAME COMMAND...: run it, and keep for `make requirements` whether it was well.
set -u
name=$1
shift
mkdir -p "$BUILD/harmless"
"$@" && status=0 || status=$?
[ "$status" -eq 0 ] && echo ok >"$BUILD/harmless/$name.result" || echo FAILED >"$BUILD/harmless/$name.result"
exit "$status"
