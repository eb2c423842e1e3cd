#!/bin/sh
# The rows of FILE.skip.   skip.sh programs FILE    whole programs, "test_runners test_oom"
#                          skip.sh tests FILE       single tests
# A row whose test is not there any more is an error.
set -eu
cd "$(dirname "$0")/../.."
sed '/^#/d; s/ .*//' "$2" | while read -r name; do
	case $name in
	*/\*)
		name=${name%/*}
		[ -e "tests/$name.c" ] || echo "skip.sh: $2: there is no $name" >&2
		[ "$1" = tests ] || echo "$name"
		;;
	*)
		grep -qw -- "$name" tests/test_*.c || echo "skip.sh: $2: there is no $name" >&2
		[ "$1" = programs ] || echo "$name"
		;;
	esac
done
