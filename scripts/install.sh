#!/bin/sh
# Install what building and testing need and is missing, by package name: Debian packages by apt, Node.js from npm's
# package "node" where there is none or one older than 20. Quick and silent when nothing is missing.
#   . scripts/install.sh    (sourced from the project's root: PATH then finds node)
# HEAPLOG_INSTALL=ROOT/scripts/FILE where it is sourced from elsewhere. $0 does not tell: it is whoever sources this.
root=$PWD
[ -z "${HEAPLOG_INSTALL:-}" ] || root=$(cd "$(dirname "$HEAPLOG_INSTALL")/.." && pwd)
if [ ! -f "$root/scripts/install.sh" ]; then
	echo "$root is not the root of heaplog" >&2
	exit 1
fi

missing=
need() { # need PACKAGE FILE-OR-COMMAND
	case $2 in
	/*) [ -e "$2" ] || missing="$missing $1" ;;
	*) command -v "$2" >/dev/null 2>&1 || missing="$missing $1" ;;
	esac
}
need gcc gcc
need make make
need binutils readelf
need libc6-dev /usr/include/stdio.h
need libncurses-dev /usr/include/curses.h
if [ "${1:-}" != quickstart ]; then
	need libcmocka-dev /usr/include/cmocka.h
	need libjansson-dev /usr/include/jansson.h
	need valgrind valgrind
	need libc6-dbg /usr/share/doc/libc6-dbg
	need util-linux setarch
	need python3 python3
	need jq jq
	need faketime faketime
	need ninja-build ninja
	need parallel parallel
	need libjemalloc2 /usr/share/doc/libjemalloc2
fi
node_major() { node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }
PATH=$root/build/node/node_modules/.bin:$PATH
if [ "$(node_major)" -lt 20 ] || ! command -v npm >/dev/null 2>&1; then
	need npm npm
fi
if [ -n "$missing" ]; then
	echo "installing Debian packages:$missing"
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -qq || exit 1
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null || exit 1
fi
if [ "$(node_major)" -lt 20 ]; then
	# npm too: Debian 12's (9.2) ends with 0 when a workspace's script fails, so that Nx takes a failed task for a success.
	echo "installing the npm packages node@22 and npm@10 into build/node (found: node $(node --version 2>/dev/null || echo none))"
	mkdir -p "$root/build/node"
	# npm's lifecycle script places the binary; the packages hold it themselves.
	(cd "$root/build/node" && npm install --silent --no-audit --no-fund --prefix . node@22 npm@10) || exit 1
fi
export PATH
