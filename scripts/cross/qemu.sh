#!/bin/bash
# aarch64 programs on this machine.   qemu.sh install | qemu.sh run TEST...
# Tests start other programs of their own kind, also with an environment of their own: so the kernel has to know how these
# are run (binfmt_misc), and their loader has to be at its place (an overlay over /usr/lib). Both are made in a user and
# mount namespace, and are gone with it. Linux 6.7 or later, where binfmt_misc belongs to a namespace.
set -eu
case $1 in
install)
	missing=
	# The static one: the loader of a dynamic one would be told LD_PRELOAD as well.
	command -v qemu-aarch64-static >/dev/null || missing="$missing qemu-user-static"
	command -v aarch64-linux-gnu-gcc >/dev/null || missing="$missing gcc-aarch64-linux-gnu"
	[ -e /usr/aarch64-linux-gnu/include/stdio.h ] || missing="$missing libc6-dev-arm64-cross"
	[ -n "$missing" ] || exit 0
	echo "installing Debian packages:$missing"
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -qq
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
	;;
run)
	shift
	exec unshare --user --map-root-user --mount bash "$0" inside "$@"
	;;
inside)
	shift
	mount --make-rprivate /
	# The emulator tells a program its own start a tick late (/proc/PID/stat): a runner of this machine takes the board
	# of one in here for one that was left behind. So the user's directory for boards is one of its own.
	mkdir -p /tmp/heaplog-0
	mount -t tmpfs -o mode=0700 tmpfs /tmp/heaplog-0
	upper=$(mktemp -d)
	ln -s /usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1 "$upper/ld-linux-aarch64.so.1"
	ln -s /usr/aarch64-linux-gnu/lib "$upper/aarch64-linux-gnu"
	mount -t overlay overlay -o "lowerdir=$upper:/usr/lib" /usr/lib
	mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
	magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
	mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
	printf '%s' ":qemu-aarch64:M::$magic:$mask:$(command -v qemu-aarch64-static):F" >/proc/sys/fs/binfmt_misc/register
	status=0
	sh tests/run.sh "${@/#/${BUILD:-build/qemu}/tests/}" || status=$?
	rm -rf "$upper"
	exit $status
	;;
esac
