#!/bin/bash
# From a bare machine to the main job: install what is missing, build, make a small Nx workspace in build/quickstart and run
# its tasks with the library. Shows the command that it runs.
set -eu
cd "$(dirname "$0")/.."
export HEAPLOG_INSTALL="$PWD/scripts/quickstart.sh"
# shellcheck source=scripts/install.sh
. scripts/install.sh quickstart
make -s -j2
library=$PWD/build/libheaplog.so
bash tests/e2e/workspace.sh 24 "$PWD/build/quickstart"
cd build/quickstart
echo
echo "\$ NX_LOG_HEAP_USAGE=true LD_PRELOAD=$library nx run-many -t demo"
# A clean environment: Nx prints less when it believes that a program, not a person, reads.
env -i PATH="$PATH" HOME="$HOME" LANG=C.UTF-8 NX_DAEMON=false CI=true \
	NX_LOG_HEAP_USAGE=true LD_PRELOAD="$library" node node_modules/nx/dist/bin/nx.js run-many -t demo --skip-nx-cache
