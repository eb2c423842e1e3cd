#!/bin/sh
# sh, env, grep and the like for another machine or another C library, dynamically linked, from Debian's source of busybox:
# the programs that tests run beside their own; and a sleep of our own (sleep.c).
#   busybox.sh DIRECTORY COMPILER...     leaves DIRECTORY/bin
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
applets="ash awk basename cat chmod cmp cp cut dd dirname echo egrep env expr false find grep head id kill ln ls mkdir mktemp mv
	od printf pwd readlink rm rmdir sed seq sort stat tail test timeout touch tr true uname uniq unshare wc which xargs"
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
[ ! -e "$out/bin/sleep" ] || exit 0
bzip2 --version >/dev/null 2>&1 || {
	echo "installing Debian packages: bzip2"
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -qq
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends bzip2 >/dev/null
}
sh "$root/scripts/cross/source.sh" busybox "$root/build/cross/source"
# zig's linker does not know some of the options that are given.
cat >"$out/cc" <<EOF
#!/bin/sh
for argument; do
	shift
	case \$argument in
	-Wl,--warn-common | -Wl,-Map,* | -Wl,--verbose | -Wl,--sort-*) ;;
	*) set -- "\$@" "\$argument" ;;
	esac
done
exec $* -w "\$@"
EOF
chmod +x "$out/cc"
mkdir -p "$out/objects"
make -s -C "$root/build/cross/source/busybox" O="$out/objects" allnoconfig >/dev/null
for option in LONG_OPTS LFS FLOAT_DURATION FEATURE_FANCY_SLEEP FEATURE_READLINK_FOLLOW ASH_ECHO ASH_PRINTF ASH_TEST ASH_GETOPTS \
	ASH_CMDCMD ASH_INTERNAL_GLOB $(echo "$applets" | tr '[:lower:]' '[:upper:]'); do
	sed -i "/CONFIG_${option}[ =]/d" "$out/objects/.config"
	echo "CONFIG_$option=y" >>"$out/objects/.config"
done
yes '' | make -s -C "$out/objects" oldconfig >/dev/null
make -s -C "$out/objects" CC="$out/cc" HOSTCC="${HOSTCC:-cc}" SKIP_STRIP=y >/dev/null
mkdir -p "$out/bin"
cp "$out/objects/busybox" "$out/bin/busybox"
for applet in $applets; do ln -sf busybox "$out/bin/$applet"; done
rm -r "$out/objects"
ln -sf busybox "$out/bin/sh"
"$@" -O2 -o "$out/bin/sleep" "$root/scripts/cross/sleep.c"
