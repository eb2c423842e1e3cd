#!/bin/bash
# Build the Debian package from the source archive and let lintian look at it.   deb.sh ARCHIVE VERSION DIRECTORY
set -eu
archive=$(realpath "$1")
version=$2
out=$(realpath "$3")
root=$(cd "$(dirname "$0")/../.." && pwd)

missing=
need() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed || missing="$missing $1"
}
for package in lintian dpkg-dev fakeroot debhelper $(sed -n 's/^Build-Depends: debhelper-compat (= 13), //p' "$root/scripts/package/debian/control" | tr -d ','); do
	need "$package"
done
if [ -n "$missing" ]; then
	echo "installing Debian packages:$missing"
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -qq
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

work=$out/deb
rm -rf "$work"
mkdir -p "$work"
tar -xzf "$archive" -C "$work"
tree=$work/heaplog-$version
cp -r "$tree/scripts/package/debian" "$tree/debian"
# The version stands in include/heaplog.h alone; the date is the commit's, so that the same commit gives the same bytes.
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct)
export SOURCE_DATE_EPOCH
sed -i "s/@VERSION@/$version/; s/@DATE@/$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")/" "$tree/debian/changelog"
(cd "$tree" && dpkg-buildpackage -us -uc -b -rfakeroot >"$work/build.log" 2>&1) || {
	tail -40 "$work/build.log"
	exit 1
}
mv "$work"/heaplog_*.deb "$out"
lintian --allow-root --fail-on warning --tag-display-limit 0 "$out/heaplog_${version}"_*.deb
sha256sum "$out/heaplog_${version}"_*.deb
