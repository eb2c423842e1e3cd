#!/bin/sh
# What the comparisons of `make accuracy` and `make bench` need: GNU time from apt, psutil, memory_profiler and psrecord
# from PyPI into a venv, pidusage and pidtree from npm, and Nx (its collector), all but the first under build/.
#   install.sh [COMMAND...]    COMMAND is run at the end, with the PATH that finds the node that was installed
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/install.sh
. scripts/install.sh
packages=
[ -x /usr/bin/time ] || packages="time"
python3 -c 'import ensurepip' 2>/dev/null || packages="$packages python3-venv"
if [ -n "$packages" ]; then
	echo "installing Debian packages: $packages"
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	# shellcheck disable=SC2086
	$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq $packages >/dev/null
fi
if [ ! -f build/peers/venv/installed ]; then
	echo "installing from PyPI into build/peers/venv: psutil memory_profiler psrecord"
	python3 -m venv build/peers/venv
	build/peers/venv/bin/pip install --quiet psutil memory_profiler psrecord
	touch build/peers/venv/installed
fi
if [ ! -f build/peers/node/installed ]; then
	echo "installing from npm into build/peers/node: pidusage pidtree"
	mkdir -p build/peers/node
	(cd build/peers/node && echo '{"private":true}' >package.json &&
		npm install --silent --no-audit --no-fund pidusage pidtree && touch installed)
fi
[ -f build/e2e/nx-24.0.6/installed ] || bash tests/e2e/workspace.sh 24 "$PWD/build/e2e/workspace-24"
[ $# -eq 0 ] || exec "$@"
