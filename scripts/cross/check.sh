#!/bin/sh
# What the command needs of the machine where it is to run.   check.sh TARGET COMMAND
set -eu
needed=$(readelf -d "$2" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')
case $1 in
*-gnu.*)
	oldest=${1#*gnu.}
	newest=$(nm -D "$2" | sed -n 's/.*@GLIBC_//p' | sort -uV | tail -1)
	if [ "$(printf '%s\n' "$newest" "$oldest" | sort -V | tail -1)" != "$oldest" ]; then
		echo "$2: needs glibc $newest, more than $oldest" >&2
		exit 1
	fi
	for library in $needed; do
		case $library in
		libc.so.6 | libm.so.6 | libpthread.so.0 | libdl.so.2 | libutil.so.1 | librt.so.1) ;;
		*)
			echo "$2: needs $library, which not every machine has" >&2
			exit 1
			;;
		esac
	done
	echo "$1: heaplog needs ${needed}of glibc $newest or later"
	;;
*-musl)
	if [ -n "$needed" ]; then
		echo "$2: is not static: needs $needed" >&2
		exit 1
	fi
	echo "$1: heaplog is static"
	;;
esac
