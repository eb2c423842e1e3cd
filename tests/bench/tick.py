"""make tick: what the sampler asks of the kernel in settled looks, by strace."""
import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile
import time

from trees import alone, descendants, runner, wait_until

SIZE = 10
WHOLE = 8  # looks in 5 s, each 500 ms: the first may have begun before, and one may be late
FORBIDDEN = re.compile(r"open|getdents|statat|statx|^stat|clone|mmap|munmap|readlink|close")


def main():
    alone()
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    build = os.path.abspath(parser.parse_args().build)
    with tempfile.NamedTemporaryFile("r", dir=build) as log, \
            runner(build, [[f"{build}/tests/bench/tree", str(SIZE)]]) as pid:
        wait_until(lambda: len(descendants(pid)) == SIZE, "the tree")
        threads = os.listdir(f"/proc/{pid}/task")
        names = {tid: open(f"/proc/{pid}/task/{tid}/comm").read().strip() for tid in threads}
        sampler = next(tid for tid, name in names.items() if name == "heaplog")
        tracer = subprocess.Popen(["strace", "-p", sampler, "-o", log.name], stderr=subprocess.DEVNULL)
        time.sleep(5)  # until it has settled
        log.seek(0, os.SEEK_END)
        time.sleep(5)
        tracer.terminate()
        tracer.wait()
        looks, now = [], []
        for line in log:
            call = line.split("(")[0]
            if call.startswith("futex") or "restart_syscall" in call:
                looks.append(now)
                now = []
            elif "(" in line:
                now.append((call, line.split("(")[1].split(",")[0], line.strip()))
    looks = [look for look in looks[1:] if look]
    if not looks:
        sys.exit("tick: the sampler was not seen to look")
    problems, kinds = set(), collections.Counter()
    for look in looks:
        counts = collections.Counter(call for call, _, _ in look)
        kinds[" ".join(f"{count} {call}" for call, count in sorted(counts.items()))] += 1
        problems |= {f"{call}: {line}" for call, _, line in look if FORBIDDEN.search(call)}
        reads = collections.Counter(fd for call, fd, _ in look if call.startswith(("pread", "read")))
        problems |= {f"descriptor {fd} read {count} times in one look" for fd, count in reads.items() if count > 1}
        if sum(reads.values()) > 2 * SIZE + 1:
            problems.add(f"{sum(reads.values())} reads in one look")
    fullest = max(looks, key=len)
    print(f"{len(looks)} looks and glances in 5 s at a tree of {SIZE}; the fullest:")
    for _, _, line in fullest[:60]:
        print("  " + (line if len(line) < 110 else line[:107] + "..."))
    print("system calls of a look:")
    for kind, count in kinds.most_common(8):
        print(f"  {count:3} times  {kind}")
    # A look reads the status of every process, which begins with its name. A glance, between two of them, reads of each
    # only what it holds now (statm).
    whole = sum(sum('"Name:' in line for _, _, line in look) >= SIZE for look in looks)
    if whole < WHOLE:
        problems.add(f"{whole} looks in 5 s have read the status of all {SIZE} processes, instead of {WHOLE} at least")
    for problem in sorted(problems)[:10]:
        print("not as it should be: " + problem)
    print("missed" if problems else "met: no open, no getdents, at most one read per process and one per thread")
    sys.exit(1 if problems else 0)


main()
