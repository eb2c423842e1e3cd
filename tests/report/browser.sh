#!/bin/sh
# Sourced: headless Chromium (Debian's), driven by npm's playwright-core in $BUILD/html.
if ! command -v chromium >/dev/null; then
	echo "installing the Debian packages chromium and fonts-dejavu"
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -qq
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends chromium fonts-dejavu >/dev/null
fi
mkdir -p "$BUILD/html"
if [ ! -d "$BUILD/html/node_modules/playwright-core" ]; then
	echo "installing the npm package playwright-core into $BUILD/html"
	(cd "$BUILD/html" && npm install --silent --no-audit --no-fund --prefix . playwright-core)
fi
