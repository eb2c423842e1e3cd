#!/bin/sh
# matrix.sh LIBRARY MODES MAJOR…   A workspace per major, then the table (matrix.py says what is checked).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
library=$1
modes=$2
shift 2
for major; do
	bash tests/e2e/matrix_workspace.sh "$major" "$root/build/e2e/matrix-$major"
done
exec python3 tests/e2e/matrix.py --modes "$modes" --keep build/e2e/matrix-failed "$library" build/e2e "$@"
