#!/bin/sh
# matrix.sh LIBRARY MODES MAJOR…     A workspace per major, then the table (matrix.py says what is checked).
# matrix.sh LIBRARY screens MAJOR…   the screens instead (screens.py)
# matrix.sh LIBRARY pty-loss 24      what gets lost under load (pty_loss.py)
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
library=$1
modes=$2
shift 2
for major; do
	bash tests/e2e/matrix_workspace.sh "$major" "$root/build/e2e/matrix-$major"
done
[ "$modes" != pty-loss ] || exec python3 tests/e2e/pty_loss.py "$library" build/e2e
[ "$modes" != screens ] || exec python3 tests/e2e/screens.py "$library" build/e2e "$@"
exec python3 tests/e2e/matrix.py --modes "$modes" --keep build/e2e/matrix-failed "$library" build/e2e "$@"
