#!/bin/sh
# make tick: the system calls of heaplog's sampler in settled looks at a tree of ten sleeping processes, by strace. Between
# two waits there must be no open, no listing of a directory, and at most one read per process, one per thread and one of
# what the kernel gave away last.   tick.sh BUILD
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/install.sh
. scripts/install.sh
if ! command -v strace >/dev/null 2>&1; then
	echo "installing the Debian package strace"
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq strace >/dev/null
fi
exec python3 tests/bench/tick.py --build "$1"
