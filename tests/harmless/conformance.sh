#!/bin/sh
# The packages whose programs and tests are run, by name; then all suites.
set -eu
missing=
need() { # need PACKAGE FILE
	[ -e "$2" ] || missing="$missing $1"
}
need python3.11 /usr/bin/python3.11
need libpython3.11-testsuite /usr/lib/python3.11/test/test_subprocess.py
need perl /usr/share/perl/5.36/Carp.pm
need git /usr/bin/git
need dpkg-dev /usr/bin/dpkg-source
need xz-utils /usr/bin/xz
need make /usr/bin/make
need gcc /usr/bin/gcc
if [ -n "$missing" ]; then
	echo "installing Debian packages:$missing"
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -qq
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
exec python3 tests/harmless/conformance.py "$BUILD/libheaplog.so" "$BUILD/conformance" "$@"
