#!/bin/bash
# End-to-end tests on real Nx from npm.   run.sh MAJOR…
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 1
library=$(cd "${BUILD:-build}" && pwd)/libheaplog.so
failed=0
for major; do
	workspace=$root/build/e2e/workspace-$major
	bash tests/e2e/workspace.sh "$major" "$workspace" || exit 1
	mkdir -p "$workspace/home"
	node tests/e2e/run.mjs "$major" "$workspace" "$library" || failed=1
done
exit $failed
