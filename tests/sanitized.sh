#!/bin/sh
# The test programs under a sanitizer or valgrind: `make check-asan|check-ubsan|check-tsan|check-valgrind`.
# A sanitizer's runtime must come before every preloaded library, so that in these builds helper_runner is linked with
# libheaplog instead (interposition works the same way); tests of LD_PRELOAD itself are left to `make check`.
set -eu
: "${BUILD:?}" "${SANITIZER:?}"
case $SANITIZER in
valgrind)
	export BUILD
	RUN_UNDER="valgrind -q --error-exitcode=9 --leak-check=full --trace-children=no" \
		sh tests/run.sh "$BUILD"/tests/test_environment "$BUILD"/tests/test_nx "$BUILD"/tests/test_annotate \
		"$BUILD"/tests/test_size "$BUILD"/tests/test_peak "$BUILD"/tests/test_schedule
	# A whole run with three tasks. Open at the end: the three standard descriptors and one result fd for each task.
	build=$(cd "$BUILD" && pwd)
	log=$build/valgrind.log
	NX_LOG_HEAP_USAGE=true LD_PRELOAD=$build/libheaplog.so valgrind --error-exitcode=9 --track-fds=yes \
		--leak-check=full --errors-for-leak-kinds=definite --trace-children=no --log-file="$log" "$build/tests/helper_runner" -ta \
		a build - "$build/tests/helper_task" hold 30 100 -- b build - "$build/tests/helper_task" hold 30 100 -- \
		c build - false </dev/null >"$build/valgrind.out" && status=0 || status=$?
	cat "$log"
	ours=$(grep -c 'memfd:heaplog:' "$log" || true)
	suffixes=$(grep -c '(peak: ' "$build/valgrind.out" || true)
	# What a sampler keeps open stands in its own table, of which valgrind does not know; the program's has nothing in /proc
	# or in the control groups.
	others=$(grep -E 'Open (file descriptor|AF_)' "$log" | grep -cvE 'memfd:heaplog:|descriptor [012]:|: /(proc|sys/fs/cgroup)/' || true)
	echo "valgrind: status $status (1 expected: a task fails), $suffixes peaks, $ours result fds, $others other descriptors, $(grep -o 'ERROR SUMMARY: [0-9]* errors' "$log")"
	[ "$status" -eq 1 ] && [ "$ours" -eq "$suffixes" ] && [ "$suffixes" -ge 2 ] && [ "$others" -eq 0 ]
	;;
*)
	# Several builds in one tree would fight over the flags: each has its own directory.
	make -s BUILD="$BUILD" SANITIZE="$SANITIZE" LINK_RUNNER=1 test-build
	HEAPLOG_SANITIZER=$SANITIZER
	ASAN_OPTIONS=detect_stack_use_after_return=0:detect_leaks=0
	TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/tests/tsan.supp die_after_fork=0"
	export HEAPLOG_SANITIZER ASAN_OPTIONS TSAN_OPTIONS
	# Without address randomisation: TSan's fixed layout does not fit all of it.
	# shellcheck disable=SC2046
	BUILD=$BUILD RUN_UNDER="setarch -R" sh tests/run.sh $(find "$BUILD"/tests -name 'test_*' -type f -perm -u+x | sort)
	;;
esac
