#!/bin/sh
# Time and peak memory of every format of `heaplog report` over RECORDS records of TASKS tasks, the best of three runs.
#   make bench-report
set -eu
records=$1
tasks=$2
file=$BUILD/bench-report.jsonl
"$BUILD/tests/generate" "$records" "$tasks" >"$file"
trap 'rm -f "$file"' EXIT
cat "$file" >/dev/null # into the page cache: this measures the program, not the disk
echo "$records records of $tasks tasks, $(($(wc -c <"$file") / 1048576)) MB"
printf '%-12s %8s %10s\n' format seconds 'peak RSS'
python3 - "$BUILD/heaplog" "$file" <<'END'
import os, sys, time
program, file = sys.argv[1:]
base = None
for words in ["text"], ["csv"], ["json"], ["markdown"], ["openmetrics"], ["html"], ["trace"]:
    best, memory = 1e9, 0
    for _ in range(3):
        begin = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
            os.execv(program, [program, "report", "--format", *words, file])
        _, status, usage = os.wait4(pid, 0)
        assert status == 0, status
        best, memory = min(best, time.monotonic() - begin), max(memory, usage.ru_maxrss)
    print(f"{words[0]:12} {best:8.2f} {memory / 1024:7.1f} MB", flush=True)
END
