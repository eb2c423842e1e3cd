#!/bin/sh
# run.sh long|short SECONDS TARGET...   short: from the kept corpus, nothing new is kept; long: new inputs go to
# build/fuzz/corpus. A finding is kept as build/fuzz/crash-*, and named.
set -u
mode=$1
seconds=$2
shift 2
build=${BUILD:-build}/fuzz
failed=0
for target; do
	new=$build/corpus/$target
	kept=tests/fuzz/corpus/$target
	log=$build/$target.log
	if [ "$mode" = short ]; then
		new=$build/short/$target
		rm -rf "$new"
	fi
	mkdir -p "$new"
	if "$build/$target" -max_total_time="$seconds" -runs="$([ "$mode" = short ] && echo 20000 || echo -1)" -max_len=8192 \
		-timeout=10 -rss_limit_mb=1024 -close_fd_mask=1 -artifact_prefix="$build/" -print_final_stats=1 \
		"$new" "$kept" >"$log" 2>&1; then
		echo "$target: $(sed -n 's/.*number_of_executed_units: *//p' "$log") runs, no finding"
	else
		failed=$((failed + 1))
		echo "$target: FOUND SOMETHING, see $log"
		grep -E 'ERROR|SUMMARY|fuzz_|Test unit' "$log" | head -8
	fi
done
echo "fuzz targets with findings: $failed"
[ "$failed" -eq 0 ]
