#!/bin/bash
# Install the package managers and Nodes, make the workspaces, and drive them.   entry-points.sh [CASE…]
# CASE: only the cases whose name contains it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
library=$(cd "${BUILD:-build}" && pwd)/libheaplog.so
tools=$root/build/e2e/tools

tool() { # tool DIRECTORY PACKAGE
	[ ! -f "$tools/$1/installed" ] || return 0
	echo "installing the npm package $2 into build/e2e/tools/$1"
	rm -rf "${tools:?}/$1"
	mkdir -p "$tools/$1"
	(cd "$tools/$1" && echo '{"private":true}' >package.json &&
		NX_SKIP_POSTINSTALL=1 npm install --silent --no-audit --no-fund "$2" && touch installed)
}
tool node-20 node@20
tool node-22 node@22
tool node-24 node@24
tool pnpm-10 pnpm@10
tool pnpm-12 pnpm@12
tool yarn-1 yarn@1
tool yarn-4 @yarnpkg/cli-dist@4
tool wireit wireit@0.14
tool lerna lerna@10
tool turbo turbo@2

for major in 20 24; do
	bash tests/e2e/workspace.sh $major "$root/build/e2e/entry-$major"
done
exec node tests/e2e/entry-points.mjs "$root/build/e2e" "$library" "$@"
