#!/bin/bash
# musl programs on this machine.   musl.sh install | musl.sh run TEST...
# Tests run sh, env, grep and the like with the library. Those of this machine are glibc's and cannot load it; so musl's
# (busybox.sh) lie over them, in a user and mount namespace, and are gone with it.
set -eu
case $1 in
install)
	[ ! -e "/lib/ld-musl-$(uname -m).so.1" ] || exit 0
	echo "installing Debian packages: musl"
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -qq
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends musl >/dev/null
	;;
run)
	shift
	exec unshare --user --map-root-user --mount bash "$0" inside "$@"
	;;
inside)
	shift
	mount --make-rprivate /
	mount -t overlay overlay -o "lowerdir=$(realpath "$BUILD/userland/bin"):/usr/bin" /usr/bin
	bash tests/run.sh "${@/#/$BUILD/tests/}"
	;;
esac
