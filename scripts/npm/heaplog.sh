#!/bin/sh
# heaplog: start the command that was built for this machine. POSIX sh, for no install script may run and no Node.js is
# needed: two processes on glibc (uname, readlink), one more where musl is there as well.
self=$0
case $self in */*) ;; *) self=./$self ;; esac
# node_modules/.bin/heaplog is a symbolic link to this file.
while [ -L "$self" ]; do
	link=$(readlink "$self") || break
	case $link in
	/*) self=$link ;;
	*) self=${self%/*}/$link ;;
	esac
done
root=${self%/*}/..

machine=$(uname -sm)
case $machine in
'Linux x86_64' | 'Linux amd64') place=linux-x64 arch=x86_64 ;;
'Linux aarch64' | 'Linux arm64') place=linux-arm64 arch=aarch64 ;;
Darwin*) place=darwin ;;
*)
	echo "heaplog: there is no build for \"$machine\" in this package; on Windows run it in WSL; others build it from source" >&2
	exit 2
	;;
esac
# glibc may stand beside musl (Alpine with gcompat), and musl beside glibc (Debian's package): who answers is the one that
# programs are built for.
if [ "$place" != darwin ]; then
	if [ -e "/lib/ld-musl-$arch.so.1" ] && ! getconf GNU_LIBC_VERSION >/dev/null 2>&1; then
		place=$place-musl
	else
		place=$place-glibc
	fi
fi
if [ ! -x "$root/$place/heaplog" ]; then
	echo "heaplog: $root/$place/heaplog is not there, or not executable" >&2
	exit 2
fi
exec "$root/$place/heaplog" "$@"
