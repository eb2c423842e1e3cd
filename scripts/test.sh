#!/bin/bash
# From a bare machine to all tests: install what is missing, build, and run every suite.
set -u
cd "$(dirname "$0")/.." || exit 1
export HEAPLOG_INSTALL="$PWD/scripts/test.sh"
# shellcheck source=scripts/install.sh
. scripts/install.sh
passed=0
failed=0
run() {
	echo "==== $*"
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "==== FAILED: $*"
	fi
}
run make -s -j2 test-build
run make -s check
run make -s symbols
run make -s check-asan
run make -s check-ubsan
run make -s check-tsan
run make -s check-valgrind
run make -s e2e
run make -s matrix-quick
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
