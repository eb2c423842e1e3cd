#!/bin/sh
# The rows of FILE.skip.   skip.sh programs FILE    whole programs, "test_runners test_oom"
#                          skip.sh tests FILE       single tests, "test_start/test_off test_exact/test_bounds"
# A row whose test is not there any more is an error.
set -eu
cd "$(dirname "$0")/../.."
sed '/^#/d; s/ .*//' "$2" | while read -r row; do
	program=${row%/*} test=${row#*/}
	if [ "$test" = '*' ]; then
		[ -e "tests/$program.c" ] || { echo "skip.sh: $2: there is no $program" >&2 && exit 1; }
		[ "$1" = tests ] || echo "$program"
	else
		grep -q "^static void $test(" "tests/$program.c" || { echo "skip.sh: $2: there is no $row" >&2 && exit 1; }
		[ "$1" = programs ] || echo "$row"
	fi
done
