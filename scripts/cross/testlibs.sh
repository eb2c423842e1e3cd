#!/bin/sh
# cmocka and jansson for another machine, from Debian's sources: what the tests are linked with.
#   testlibs.sh DIRECTORY COMPILER...     leaves DIRECTORY/include and DIRECTORY/lib
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$1
shift
[ ! -f "$out/lib/libjansson.a" ] || exit 0
source=$root/build/cross/source
sh "$root/scripts/cross/source.sh" cmocka "$source"
sh "$root/scripts/cross/source.sh" jansson "$source"
mkdir -p "$out/include" "$out/lib" "$out/objects"
cp "$source"/cmocka/include/*.h "$source"/jansson/src/jansson.h "$source"/jansson/android/jansson_config.h "$out/include"
: >"$out/include/jansson_private_config.h" # all that it would say is on the command line
# -fPIC: in a program of zig for musl that has a copy of stderr (R_X86_64_COPY) stdout is the same copy.
# What their configure scripts would have found out.
"$@" -O2 -fPIC -w -c -o "$out/objects/cmocka.o" -I"$out/include" -DHAVE_INTTYPES_H -DHAVE_STDINT_H -DHAVE_SIGNAL_H \
	-DHAVE_UNISTD_H -DHAVE_STRINGS_H -DHAVE_TIME_H -DHAVE_STRUCT_TIMESPEC -DHAVE_CLOCK_GETTIME -DHAVE_SETJMP_H \
	-DHAVE_GCC_THREAD_LOCAL_STORAGE -DHAVE_CLOCK_REALTIME -DHAVE_SNPRINTF -DHAVE_VSNPRINTF "$source/cmocka/src/cmocka.c"
for file in "$source"/jansson/src/*.c; do
	name=$(basename "$file" .c)
	"$@" -O2 -fPIC -w -c -o "$out/objects/$name.o" -I"$out/include" -DHAVE_STDINT_H -DHAVE_SYS_TYPES_H -DHAVE_UNISTD_H \
		-DHAVE_SYS_TIME_H -Dutf8_encode=jansson_utf8_encode -DHAVE_GETPID -DHAVE_GETTIMEOFDAY -DHAVE_FCNTL_H "$file"
done
ar rcs "$out/lib/libcmocka.a" "$out/objects/cmocka.o"
rm "$out/objects/cmocka.o"
ar rcs "$out/lib/libjansson.a" "$out"/objects/*.o
