#!/bin/sh
# The exported names, from one list (src/preload/symbols.def).
#   symbols.sh map ARCH           the linker's version script
#   symbols.sh check ARCH LIBRARY compares the library with the list; prints what differs
set -eu
cd "$(dirname "$0")/.."
def=src/preload/symbols.def

names() {
	sed -n 's/^SYMBOL(\([^,]*\),.*/\1/p; s/^ALIAS(\([^,]*\),.*/\1/p' "$def" |
		if [ "$1" = x86_64 ] || [ "$1" = aarch64 ]; then cat; else grep -v vfork; fi | sort
}

case $1 in
map)
	# An interposed name needs no version: ld.so binds any request to an unversioned definition. posix_spawn has two on
	# x86-64 that behave differently (a script without #!), so that these two carry versions.
	if [ "$2" = x86_64 ]; then
		echo 'GLIBC_2.2.5 { global: posix_spawn; posix_spawnp; };'
		echo 'GLIBC_2.15 { global: posix_spawn; posix_spawnp; } GLIBC_2.2.5;'
	else
		echo '{ global:'
		names "$2" | sed 's/$/;/'
		echo 'local: *; };'
	fi
	;;
check)
	failed=0
	fail() {
		echo "symbols: $*" >&2
		failed=1
	}
	want=$(
		names "$2"
		[ "$2" != x86_64 ] || sed -n 's/^VERSIONED(\([^,]*\), *\(.*\))/\1@\2/p' "$def"
	)
	# Absolute symbols are the names of the versions themselves.
	have=$(nm -D --defined-only "$3" | awk '$2 != "A" { print $3 }' | sed 's/@@GLIBC_2.15$//' | sort)
	want=$(echo "$want" | sort)
	[ "$have" = "$want" ] || fail "exported names differ from $def:
have: $(echo "$have" | tr '\n' ' ')
want: $(echo "$want" | tr '\n' ' ')"
	needed=$(readelf -d "$3" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
	[ "$needed" = libc.so.6 ] || fail "needs more than libc.so.6: $needed"
	bad=$(nm -D --undefined-only "$3" | awk '{ print $2 }' | sed 's/@.*//' |
		grep -E '_chk$|^(exit|_exit|_Exit|abort|__assert|__assert_fail|malloc|calloc|realloc|free|printf|fprintf|snprintf)$' || true)
	[ -z "$bad" ] || fail "imports what it must not: $bad"
	[ $failed -ne 0 ] || echo "symbols: $(echo "$have" | wc -l) exported names as listed; needs libc.so.6 alone; no _chk, exit, abort, assert, malloc or stdio imported"
	exit $failed
	;;
esac
