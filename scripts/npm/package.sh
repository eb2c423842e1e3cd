#!/bin/sh
# The npm package from what `make cross` has built.   package.sh VERSION CROSS DIRECTORY
# The same commit gives the same bytes: times are the commit's, order and owners are fixed.
set -eu
umask 022
version=$1
cross=$2
out=$3
root=$(cd "$(dirname "$0")/../.." && pwd)
limit=2097152
epoch=$(git -C "$root" log -1 --format=%ct)
examples=$(cd "$root" && git ls-files examples)

rm -rf "$out/npm"
mkdir -p "$out/npm/package/bin" "$out/npm/package/include"
package=$out/npm/package
place() { # place TARGET DIRECTORY LIBRARY
	mkdir -p "$package/$2"
	install -m 755 "$cross/$1/heaplog" "$cross/$1/$3" "$package/$2/"
}
place x86_64-linux-gnu.2.17 linux-x64-glibc libheaplog.so
place x86_64-linux-musl linux-x64-musl libheaplog.so
place aarch64-linux-gnu.2.17 linux-arm64-glibc libheaplog.so
place aarch64-linux-musl linux-arm64-musl libheaplog.so
systems='"linux"'
if [ -e "$cross/macos/libheaplog.dylib" ]; then
	place macos darwin libheaplog.dylib
	systems='"linux", "darwin"'
fi
# .bin: yarn 4 takes a program of any other name for JavaScript, unless it is one of the machine's own.
install -m 755 "$root/scripts/npm/heaplog.sh" "$package/bin/heaplog.bin"
install -m 644 "$root/include/heaplog.h" "$package/include/heaplog.h"
install -m 644 "$root/LICENSE" "$root/CHANGELOG.md" "$package/"
for file in $examples; do
	mode=644
	[ ! -x "$root/$file" ] || mode=755
	install -D -m $mode "$root/$file" "$package/$file"
done
# What is for those who have the source is no link here.
sed 's/\[CONTRIBUTING\.md\](CONTRIBUTING\.md)/CONTRIBUTING.md of the source/' "$root/README.md" >"$package/README.md"
chmod 644 "$package/README.md"
grep -o ']([^)#]*)' "$package/README.md" | sed 's/^](//; s/)$//' | while read -r link; do
	[ -e "$package/$link" ] || {
		echo "package.sh: README.md has a link to $link, which is not in the package" >&2
		exit 1
	}
done
mkdir -p "$package/man"
install -m 644 "$root"/src/cli/man/*.[17] "$package/man/"
pages=$(cd "$package" && printf ', "%s"' man/*)
cat >"$package/package.json" <<EOF
{
  "name": "heaplog",
  "version": "$version",
  "description": "Peak memory of every task of a task runner, first of all Nx",
  "keywords": ["nx", "memory", "peak", "rss", "monorepo", "ci"],
  "license": "MIT",
  "os": [$systems],
  "cpu": ["x64", "arm64"],
  "bin": { "heaplog": "bin/heaplog.bin" },
  "man": [${pages#, }],
  "preferUnplugged": true
}
EOF
tarball=$out/heaplog-$version.tgz
tar --sort=name --owner=0 --group=0 --numeric-owner --mode=go-w --mtime="@$epoch" \
	-C "$out/npm" -cf - package | gzip -9n >"$tarball"
size=$(wc -c <"$tarball")
echo "$tarball: $size bytes"
if [ "$size" -ge $limit ]; then
	echo "package.sh: larger than $limit bytes" >&2
	exit 1
fi
sha256sum "$tarball"
