"""make bench: what heaplog costs, each figure against its counterpart, measured in turns in the same run."""
import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from trees import RARE_MS, ROOT, SETTLE, alone, descendants, orphans, runner, sampler_ns, see_to, tree, wait_until, watch

lines, results, missed = [], {}, []


def say(line):
    lines.append(line)
    print(line, flush=True)


def quartiles(values):
    if len(values) < 4:
        return min(values), max(values)
    low, _, high = statistics.quantiles(values, n=4)
    return low, high


def row(name, values, unit, budget=None, note=""):
    """One figure: the median with its quartiles, and whether it is within the budget."""
    middle = statistics.median(values)
    low, high = quartiles(values)
    met = budget is None or middle <= budget
    digits = 3 if unit == "" else 2 if middle < 20 else 0
    verdict = "" if budget is None else f"{'≤':>3} {budget:<6g} {'met' if met else 'MISSED'}"
    say(f"  {name:52}{middle:10.{digits}f} {unit:9} ({low:.{digits}f} to {high:.{digits}f}){verdict:16} {note}".rstrip())
    results[name] = {"median": middle, "low": low, "high": high, "unit": unit, "budget": budget, "met": met}
    if not met:
        missed.append(name)
    return middle


def at_least(name, ratio, budget):
    """So many times less than a peer."""
    met = ratio >= budget
    say(f"  {name:52}{ratio:10.1f} {'times':9} {'≥':>3} {budget:<6g} {'met' if met else 'MISSED'}")
    results[name] = {"median": ratio, "unit": "times", "budget": budget, "met": met}
    if not met:
        missed.append(name)


def must_say(text, word):
    """A library that does nothing costs nothing: what is measured must have said this, outside of the measured time."""
    if word not in text:
        sys.exit(f"bench: the library does not work here: no '{word}' in what was said:\n{text[-500:]}")


def blocks(samples, size):
    return [statistics.median(samples[at:at + size]) for at in range(0, len(samples) - size + 1, size)]


def ratios(ours, theirs):
    return [a / b for a, b in zip(ours, theirs)]


def start():
    """A program that does nothing: with nothing preloaded, with an empty library, with ours off, and on."""
    on = {"LD_PRELOAD": f"{build}/libheaplog.so", "NX_LOG_HEAP_USAGE": "true"}
    must_say(subprocess.run(["/bin/true"], env={**on, "HEAPLOG_INTERVAL_MS": "no"}, capture_output=True, text=True).stderr,
             "HEAPLOG_INTERVAL_MS=no")
    rounds, size = 3000, 150
    path = f"PATH={os.environ['PATH']}"
    kinds = [path, f"{path},LD_PRELOAD={build}/tests/bench/empty.so", f"{path},LD_PRELOAD={build}/libheaplog.so",
             f"{path},LD_PRELOAD={build}/libheaplog.so,NX_LOG_HEAP_USAGE=true"]
    output = subprocess.run([f"{build}/tests/bench/start", str(rounds), "/bin/true", *kinds], check=True,
                            capture_output=True, text=True).stdout
    times = [[] for _ in kinds]
    for line in output.splitlines():
        kind, ns = line.split()
        times[int(kind)].append(int(ns))
    bare, empty, off, on = (blocks(one, size) for one in times)
    row("process start, empty library", [ns / 1000 for ns in empty], "us")
    row("process start, heaplog off, against it", ratios(off, empty), "", 1.02)
    row("process start, heaplog on, against it", ratios(on, empty), "", 1.05)
    for name, ours in ("an empty library", empty), ("heaplog off", off), ("heaplog on", on):
        row(f"process start, {name}, against nothing preloaded", ratios(ours, bare), "")


def calls(kind, count, library, state, settings):
    variables = {"PATH": os.environ["PATH"]}
    if library:
        variables |= {"LD_PRELOAD": f"{build}/libheaplog.so", "NX_LOG_HEAP_USAGE": "true", **settings}
    words = [f"{build}/tests/bench/calls", kind, str(count), state]
    said = subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=variables).stderr
    return float(said.split()[0])


def see_to_calls():
    """It has a figure of a task whose line has not come when the program ends."""
    more = {"LD_PRELOAD": f"{build}/libheaplog.so", "NX_LOG_HEAP_USAGE": "true"}
    must_say(subprocess.run([f"{build}/tests/bench/calls", "write", "1", "waiting"], check=True, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"], **more}).stderr, "(peak: ")


def write():
    """A chunk without a result line, to /dev/null, in a runner that has had a task."""
    see_to_calls()
    # While a line is awaited, or one of the cache may come that HEAPLOG_RESULTS knows more about, what goes to the runner's
    # output is looked at before the kernel has it, and can be only where it can be read. That takes one question to the
    # kernel (a crash would be ours where its answer is EFAULT), and no system call takes less than the 100 ns of the others;
    # two questions where the text lies on two pages.
    results = f"{build}/bench-results.jsonl"
    for kind, state, settings, what, budget in (
            ("write", "task", {}, "80 bytes", 100),
            ("write-4k", "task", {}, "4096 bytes", 100),
            ("write-other", "waiting", {}, "80 bytes elsewhere while a line is awaited", 100),
            ("write", "waiting", {}, "80 bytes while a line is awaited", 250),
            ("write-4k", "waiting", {}, "4096 bytes while a line is awaited", 400),
            ("write", "task", {"HEAPLOG_RESULTS": results}, "80 bytes with HEAPLOG_RESULTS", 250)):
        more = [calls(kind, 100000, True, state, settings) - calls(kind, 100000, False, state, settings) for _ in range(9)]
        row(f"write of {what}, more", more, "ns", budget)
    os.unlink(results)


def reap():
    """waitpid when it returns a task's child, in a runner with threads; with an empty library in turns."""
    def once(at_once, on):
        more = {"LD_PRELOAD": f"{build}/libheaplog.so", "NX_LOG_HEAP_USAGE": "true"} if on else \
            {"LD_PRELOAD": f"{build}/tests/bench/empty.so"}
        words = [f"{build}/tests/bench/reap", "60", str(at_once)]
        said = subprocess.run(words, check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"], **more})
        if on:
            must_say(said.stderr, "peak memory of 60 tasks")
        return statistics.median(int(line) for line in said.stdout.splitlines()) / 1000
    for at_once in 1, 6:
        pairs = [(once(at_once, True), once(at_once, False)) for _ in range(7)]
        row(f"waitpid of a task's child, {at_once} at once, more", [on - off for on, off in pairs], "us")


def nx():
    """Real Nx with three tasks, on against off in turns."""
    workspace = f"{ROOT}/build/bench-nx"
    subprocess.run(["bash", f"{ROOT}/tests/e2e/workspace.sh", "24", workspace], check=True, stdout=subprocess.DEVNULL)
    os.makedirs(f"{workspace}/home", exist_ok=True)
    base = {"PATH": os.environ["PATH"], "HOME": f"{workspace}/home", "LANG": "C.UTF-8", "NX_DAEMON": "false"}
    command = ["node", f"{workspace}/node_modules/nx/dist/bin/nx.js", "run-many", "-t", "demo", "--skip-nx-cache"]

    def once(on):
        more = {"NX_LOG_HEAP_USAGE": "true", "LD_PRELOAD": f"{build}/libheaplog.so"} if on else {}
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        output = subprocess.run(command, cwd=workspace, env=base | more, check=True, capture_output=True, text=True).stdout
        wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        if output.count("(peak: ") != (3 if on else 0):
            sys.exit("bench: Nx's lines are not what they should be:\n" + output)
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    once(True)
    on, off = [], []
    # One pair is some 2 % from the next: with 60 of them the median is known to a third of the budget.
    for pair in range(60):
        first = once(pair % 2 == 0)
        second = once(pair % 2 == 1)
        on.append(first if pair % 2 == 0 else second)
        off.append(second if pair % 2 == 0 else first)
    row("nx run-many of 3 tasks, off, wall", [wall for wall, _ in off], "s")
    row("nx run-many of 3 tasks, on against off, wall", ratios([one[0] for one in on], [one[0] for one in off]), "", 1.01)
    row("nx run-many of 3 tasks, on against off, CPU time", ratios([one[1] for one in on], [one[1] for one in off]), "")


def trees():
    """A tree that sleeps, at 500 ms (Nx's collector: a second)."""
    for size, budget in (10, .8), (100, 2.5), (1000, 9):
        costs, interval = watch(build, size)
        ours = row(f"watching a tree of {size}, heaplog", costs["heaplog"], "ms/s", budget, f"each {interval:.0f} ms")
        if interval > RARE_MS:
            missed.append(f"looks at a tree of {size}: each {interval:.0f} ms instead of 500")
        for name in costs:
            if name != "heaplog":
                theirs = row(f"watching a tree of {size}, {name}", costs[name], "ms/s")
                if size == 1000:
                    at_least(f"  heaplog takes less than {name}", theirs / ours,
                             {"pidusage": 15, "psutil": 12, "Nx's collector": 3}[name])


def rss(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1024


def memory():
    """What the runner holds more for each task that runs."""
    few, many = 1, 51

    def held(count, on):
        with runner(build, [["sleep", "1000"]] * count, on) as pid:
            time.sleep(1.5)
            if on:
                see_to(pid)
            return rss(pid)
    values = [(held(many, True) - held(few, True) - held(many, False) + held(few, False)) / (many - few) for _ in range(3)]
    row("memory of the runner per running task, more", values, "KiB", 128)


def rate(pid, seconds=5.0, parts=3):
    """ms of CPU time per second of heaplog's threads, once they have settled."""
    time.sleep(SETTLE)
    see_to(pid)
    values = []
    for _ in range(parts):
        before, begin = sampler_ns(pid)[0], time.monotonic()
        time.sleep(seconds / parts)
        values.append((sampler_ns(pid)[0] - before) / 1e6 / (time.monotonic() - begin))
    return values


def tasks():
    """So many tasks of one process at once, the cost of one; and how long it takes until all of a thousand run."""
    for count, budget in (1, None), (10, None), (100, .5), (1000, .4):
        commands, begin = [["sleep", "1000"]] * count, time.monotonic()
        with runner(build, commands) as pid:
            took = time.monotonic() - begin
            values = [value / count for value in rate(pid)]
            row(f"{count} tasks at once, for each", values, "ms/s", budget, f"{sampler_ns(pid)[1]} threads")
    begin = time.monotonic()
    with runner(build, commands, False):
        row(f"until {count} tasks run, heaplog off", [time.monotonic() - begin], "s")
    row(f"until {count} tasks run, heaplog on", [took], "s")


def machine():
    """A tree of ten, and so many processes on the machine that are none of it."""
    for others in 0, 100, 2000:
        with tree(build, others + 1), runner(build, [[f"{build}/tests/bench/tree", "10"]]) as pid:
            wait_until(lambda: len(descendants(pid)) == 10, "the tree")
            row(f"a tree of 10, {others} other processes", rate(pid), "ms/s")
    for others in 0, 2000:
        with orphans(others), runner(build, [[f"{build}/tests/bench/tree", "10"]]) as pid:
            busy = subprocess.Popen(["sh", "-c", "while :; do /bin/true; sleep 0.01; done"])
            try:
                row("a tree of 10, about 150 processes a second start" + (f", init has {others}" if others else ""),
                    rate(pid), "ms/s")
            finally:
                busy.kill()
                busy.wait()


def busy():
    """A task of sixty that sleep, in which about 150 programs a second start and end. Looks may take 2, 4, 10 and 20 % of a
    core; a quarter more for what is no look in the first two, which reach that."""
    command = ["sh", "-c", '"$0" 60 & while :; do /bin/true; sleep 0.005; done', f"{build}/tests/bench/tree"]
    for name, budget, variables in (
            ("default", 25, {}), ("pss", 50, {"HEAPLOG_METRIC": "pss"}), ("HEAPLOG_EXACT", 100, {"HEAPLOG_EXACT": "1"}),
            ("HEAPLOG_EXACT, pss", 200, {"HEAPLOG_EXACT": "1", "HEAPLOG_METRIC": "pss"})):
        with runner(build, [command], **variables) as pid:
            wait_until(lambda: len(descendants(pid)) > 60, "the tree")
            row(f"a busy tree of 60, {name}", rate(pid), "ms/s", budget)


def instructions(kind, library, off=False):
    """Instructions of one call: the difference between 200 and 1200 of them, divided."""
    counts = []
    for count in 200, 1200:
        variables = {"PATH": os.environ["PATH"]}
        if library:
            variables |= {"LD_PRELOAD": f"{build}/libheaplog.so", "NX_LOG_HEAP_USAGE": "false" if off else "true"}
        said = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                               f"{build}/tests/bench/calls", kind, str(count)], check=True, env=variables,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True).stderr
        counts.append(next(int(line.split()[-1]) for line in said.splitlines() if "Collected" in line))
    return (counts[1] - counts[0]) / 1000


def wrappers():
    """Instructions that a call takes more, by callgrind (without the kernel's)."""
    see_to_calls()
    for kind in "write", "writev", "waitpid", "kill", "execve":
        without = instructions(kind, False)
        for off in True, False:
            row(f"{kind}, {'off' if off else 'on'}: instructions more", [instructions(kind, True, off) - without], "")


def see_to_exact(command):
    """A task's record says that its figure is exact: in the exact mode alone, and where the library is in it."""
    with tempfile.TemporaryDirectory(dir=build) as directory:
        more = {"HEAPLOG_EXACT": "1", "LD_PRELOAD": f"{build}/libheaplog.so", "NX_LOG_HEAP_USAGE": "true"}
        subprocess.run([f"{build}/tests/helper_runner", "-t", "p", "build", "-", *command], check=True, stdout=subprocess.DEVNULL,
                       env={"PATH": os.environ["PATH"], "HEAPLOG_RESULTS": f"{directory}/results", **more})
        with contextlib.suppress(FileNotFoundError), open(f"{directory}/results") as file:
            return must_say(file.read(), '"exact":true')
        must_say("", '"exact":true')


def exact():
    """HEAPLOG_EXACT=1: what a process of a task costs more than with an empty library."""
    rounds = 400

    def children_cost(exactly):
        more = {"HEAPLOG_EXACT": "1", "LD_PRELOAD": f"{build}/libheaplog.so", "NX_LOG_HEAP_USAGE": "true"} if exactly else \
            {"LD_PRELOAD": f"{build}/tests/bench/empty.so"}
        output = f"{build}/bench-exact"
        words = [f"{build}/tests/helper_runner", "-t", "p", "build", "-", "sh", "-c", f'exec "$0" "$@" >{output}',
                 f"{build}/tests/bench/start", str(rounds), "/bin/true", "-"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"], **more}).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if exactly:
            must_say(said, "(peak: ")
        with open(output) as file:
            one = statistics.median(int(line.split()[1]) for line in file) / 1000
        os.unlink(output)
        return one, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e6 / rounds
    see_to_exact(["sleep", "0.1"])  # of many short processes the bounds are too far apart for the word
    pairs = [(children_cost(True), children_cost(False)) for _ in range(7)]
    row("HEAPLOG_EXACT, a process of a task, more", [on[0] - off[0] for on, off in pairs], "us", 80)
    row("  the same with the runner's and the sampler's part", [on[1] - off[1] for on, off in pairs], "us")


def dd():
    """HEAPLOG_EXACT=1: dd of a million writes of 64 bytes, as a task."""
    command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=64", "count=1000000", "status=none"]
    see_to_exact(command)

    def once(exactly):
        more = {"HEAPLOG_EXACT": "1", "LD_PRELOAD": f"{build}/libheaplog.so", "NX_LOG_HEAP_USAGE": "true"} if exactly else \
            {"LD_PRELOAD": f"{build}/tests/bench/empty.so"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = subprocess.run([f"{build}/tests/helper_runner", "-t", "p", "build", "-", *command], check=True, text=True,
                              stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"], **more}).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if exactly:
            must_say(said, "(peak: ")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    pairs = []
    for turn in range(72):
        first = once(turn % 2 == 0)
        second = once(turn % 2 == 1)
        pairs.append((first, second) if turn % 2 == 0 else (second, first))
    row("HEAPLOG_EXACT, dd of a million writes, against empty", [on / off for on, off in pairs], "", 1.03)


def report():
    """heaplog report of a million records."""
    with tempfile.NamedTemporaryFile(dir=build) as file:
        subprocess.run([f"{build}/tests/generate", "1000000", "500"], stdout=file, check=True)
        seconds, peaks = [], []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                os.execv(f"{build}/heaplog", ["heaplog", "report", file.name])
            _, status, usage = os.wait4(pid, 0)
            if status:
                sys.exit("bench: heaplog report failed")
            seconds.append(usage.ru_utime + usage.ru_stime)  # one thread: its wall time where nothing else runs
            peaks.append(usage.ru_maxrss / 1024)
    row("heaplog report of 1,000,000 records of 500 tasks", seconds, "s", 2)
    row("  its memory", peaks, "MB", 32)


PARTS = {"start": start, "write": write, "reap": reap, "nx": nx, "trees": trees, "memory": memory, "tasks": tasks,
         "machine": machine, "busy": busy, "calls": wrappers, "exact": exact, "dd": dd, "report": report}


def main():
    global build
    alone()
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    for name in options.parts:
        if name not in PARTS:
            sys.exit(f"bench: no part {name}; there are {' '.join(PARTS)}")
    for name in options.parts or PARTS:
        say(f"\n{name}: {PARTS[name].__doc__}")
        PARTS[name]()
    say("\n" + (f"missed: {', '.join(missed)}" if missed else "every budget met"))
    with open(f"{build}/bench.txt", "w") as file:
        file.write("\n".join(lines) + "\n")
    with open(f"{build}/bench.json", "w") as file:
        json.dump(results, file, indent=1)
    sys.exit(1 if missed else 0)


main()
