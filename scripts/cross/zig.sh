#!/bin/sh
# Install the compiler for other machines, zig's clang with the headers of their C libraries, from PyPI into DIRECTORY.
#   zig.sh DIRECTORY VERSION
set -eu
[ -x "$1/bin/python" ] && "$1/bin/python" -m ziglang version 2>/dev/null | grep -qx "$2" && exit 0
echo "installing the Python package ziglang==$2 into $1"
rm -rf "$1"
python3 -m venv "$1" 2>/dev/null || {
	echo "installing Debian packages: python3-venv"
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -qq
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
	rm -rf "$1"
	python3 -m venv "$1"
}
"$1/bin/pip" install --quiet --disable-pip-version-check "ziglang==$2"
