#!/bin/sh
# result.sh NAME COMMAND...: run it, and keep for `make requirements` whether it was well, and with which library.
set -u
name=$1
shift
mkdir -p "$BUILD/harmless"
"$@" && status=0 || status=$?
[ "$status" -eq 0 ] && word=ok || word=FAILED
echo "$word $(sha256sum <"$BUILD/libheaplog.so")" >"$BUILD/harmless/$name.result"
exit "$status"
