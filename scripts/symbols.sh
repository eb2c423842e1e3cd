#!/bin/sh
# The exported names, from one list (src/preload/symbols.def).
#   symbols.sh map MACHINE            the linker's version script
#   symbols.sh check MACHINE LIBRARY  compares the library with the list; prints what differs
# MACHINE: x86_64, aarch64 and so on; behind it -musl where libc is musl, -glibc2.17 where that old a glibc must do.
# [req: H-01] [req: H-02] [req: H-06] [req: H-09] [req: H-75]
set -eu
cd "$(dirname "$0")/.."
def=src/preload/symbols.def
arch=${2%%-*}
oldest= # the newest glibc that may be asked for
case $2 in
*-musl) libc=libc.so more= ;;
*-glibc*) libc=libc.so.6 oldest=${2#*-glibc} more='libpthread.so.0 libdl.so.2' ;; # one libc only since 2.34
*) libc=libc.so.6 more= ;;
esac

names() {
	sed -n 's/^\(LINUX_\)*SYMBOL(\([^,]*\),.*/\2/p; s/^ALIAS(\([^,]*\),.*/\1/p' "$def" |
		if [ "$arch" = x86_64 ] || [ "$arch" = aarch64 ]; then cat; else grep -v vfork; fi | sort
}

case $1 in
map)
	# An interposed name needs no version: ld.so binds any request to an unversioned definition. posix_spawn has two on
	# x86-64 that behave differently (a script without #!), so that these two carry versions.
	if [ "$arch" = x86_64 ] && [ $libc = libc.so.6 ]; then
		echo 'GLIBC_2.2.5 { global: posix_spawn; posix_spawnp; };'
		echo 'GLIBC_2.15 { global: posix_spawn; posix_spawnp; } GLIBC_2.2.5;'
	else
		echo '{ global:'
		names | sed 's/$/;/'
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
		names
		[ "$arch-$libc" != x86_64-libc.so.6 ] || sed -n 's/^VERSIONED(\([^,]*\), *\(.*\))/\1@\2/p' "$def"
	)
	# Absolute symbols are the names of the versions themselves.
	have=$(nm -D --defined-only "$3" | awk '$2 != "A" { print $3 }' | sed 's/@@GLIBC_2.15$//' | sort)
	want=$(echo "$want" | sort)
	[ "$have" = "$want" ] || fail "exported names differ from $def:
have: $(echo "$have" | tr '\n' ' ')
want: $(echo "$want" | tr '\n' ' ')"
	needed=$(readelf -d "$3" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
	for library in $needed; do
		case " $libc $more " in
		*" $library "*) ;;
		*) fail "needs more than $libc: $library" ;;
		esac
	done
	if [ -n "$oldest" ]; then
		newest=$(nm -D "$3" | sed -n 's/.*@GLIBC_//p' | sort -uV | tail -1)
		[ "$(printf '%s\n' "$newest" "$oldest" | sort -V | tail -1)" = "$oldest" ] ||
			fail "needs glibc $newest, more than $oldest"
	fi
	bad=$(nm -D --undefined-only "$3" | awk '{ print $2 }' | sed 's/@.*//' |
		grep -E '_chk$|^(exit|_exit|_Exit|abort|__assert|__assert_fail|malloc|calloc|realloc|free|printf|fprintf|snprintf)$' || true)
	[ -z "$bad" ] || fail "imports what it must not: $bad"
	[ $failed -ne 0 ] || echo "symbols: $(echo "$have" | wc -l) exported names as listed; needs $(echo "$needed" | paste -sd " " -)${oldest:+ of $oldest or later}; no _chk, exit, abort, assert, malloc or stdio imported"
	exit $failed
	;;
esac
