#!/bin/sh
# Fetch and unpack a Debian source package, for libraries that have to be built for another machine.
#   source.sh NAME DIRECTORY     leaves DIRECTORY/NAME
# By apt, from the machine's own package sources, in a state directory of its own.
set -eu
name=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
[ ! -d "$out/$name" ] || exit 0
echo "fetching the Debian source package $name into $2"
state=$out/.apt
mkdir -p "$state/parts" "$state/lists/partial" "$state/cache/archives/partial"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
	[ ! -f "$file" ] || sed -n 's/^deb /deb-src /p' "$file" >"$state/parts/${file##*/}"
done
for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/ubuntu.sources; do
	[ ! -f "$file" ] || sed 's/^Types: .*/Types: deb-src/' "$file" >"$state/parts/${file##*/}"
done
apt() {
	apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$state/parts" \
		-o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" -o APT::Sandbox::User= "$@"
}
apt update
cd "$out"
apt source --download-only "$name"
mkdir "$name.part"
tar -xf "$name"_*.orig.tar.* -C "$name.part" --strip-components=1 2>/dev/null ||
	for archive in "$name"_*.orig.tar.?z; do tar -xf "$archive" -C "$name.part" --strip-components=1; done
mv "$name.part" "$name"
rm -rf "$state"
