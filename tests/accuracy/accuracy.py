"""make accuracy: every case N times, its truth, what heaplog and the peers say of it, and whether the bars are met."""
import argparse
import concurrent.futures
import hashlib
import json
import math
import mmap
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time

MB = 1048576
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
STAGE_SIZE = 64 + 3 * 4 * 1000  # stage.h
START = ["-t"], ["-t", "-v"], ["-t", "-p"]  # fork, vfork and posix_spawn in turn, with a thread as node has them

# A bar: within so much of the truth, in that share of the runs. "above": more than the truth is a miss in any run.
ALL = 1.0
CASES = {
    # name: what, bars {mode: (tolerance, share)}, at once, nominal MB
    "hold": ("one process holding 200 MB for 2 s", {"default": (.01, ALL), "exact": (.01, ALL)}, 8, 200),
    "hold-short": ("the same for 0.2 s", {"default": (.01, ALL), "exact": (.01, ALL)}, 4, 200),
    "spike": ("a spike of 300 MB for 50 ms in 3 s", {"default": (.01, ALL), "exact": (.01, ALL)}, 8, 300),
    "four": ("four children of 100 MB, all four together for 400 ms",
             {"default": (.02, .95), "exact": (.01, ALL)}, 3, 400),
    "three": ("four children of 100 MB, three of them together for 200 ms",
              {"default": (.02, .90), "exact": (.02, .99)}, 3, 300),
    "churn": ("200 children of 30 MB, 20 ms each, one after another",
              {"default": (.03, ALL), "exact": (.02, ALL)}, 3, 30),
    "orphan": ("an orphan (double fork) holding 200 MB for 2 s",
               {"default": (.02, ALL), "exact": (.01, ALL)}, 8, 200),
    "orphan-setsid": ("the same with setsid", {"default": (.02, ALL), "exact": (.01, ALL)}, 8, 200),
    "orphan-short": ("an orphan of 50 MB that lives 60 ms", {"exact": (.02, ALL)}, 3, 50),
    "shared": ("a process of 200 MB and four forked children, rss", {"default": (.01, ALL), "exact": (.01, ALL)}, 3, 1000),
    "shared-pss": ("the same, HEAPLOG_METRIC=pss", {"default": (.05, ALL), "exact": (.05, ALL)}, 3, 200),
}
TRUE = {
    "true-fork": ("true from a runner of 1 GB, by fork", []),
    "true-vfork": ("the same by vfork", ["-v"]),
    "true-spawn": ("the same by posix_spawn", ["-p"]),
}
TRUE_BAR = 8 * MB
TRUE_LEAST = MB // 4  # less was seen in the midst of the exec
NEVER_ABOVE = .005  # what counts as more than the truth: processes touch some pages after they have been read
PEERS = {
    "GNU time": None,
    "pidusage": ["node", f"{HERE}/peers.js", "pidusage", "{build}/peers/node"],
    "psutil": ["{build}/peers/venv/bin/python", f"{HERE}/peers.py", "psutil"],
    "memory_profiler": ["{build}/peers/venv/bin/python", f"{HERE}/peers.py", "memory_profiler"],
    "psrecord": ["{build}/peers/venv/bin/python", f"{HERE}/peers.py", "psrecord"],
    "Nx's collector": ["node", f"{HERE}/peers.js", "nx", "{root}/build/e2e/nx-24.0.6"],
}
NOTES = {"GNU time": "wraps the task", "pidusage": "with pidtree, each 500 ms", "psutil": "each 500 ms",
         "memory_profiler": "each 100 ms", "psrecord": "each 500 ms", "Nx's collector": "Nx 24, about each second"}


class Stage:
    """The file that cases.c and reference.c map."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.truncate(STAGE_SIZE)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), STAGE_SIZE)

    def get(self, index):
        return struct.unpack_from("Q", self.memory, index * 8)[0]

    def set(self, index):
        struct.pack_into("Q", self.memory, index * 8, 1)


def environment(directory, mode, **more):
    variables = {"PATH": os.environ["PATH"], "NX_LOG_HEAP_USAGE": "true", "XDG_RUNTIME_DIR": directory,
                 "HEAPLOG_RESULTS": f"{directory}/results", "LD_PRELOAD": f"{build}/libheaplog.so", **more}
    if mode == "exact":
        variables["HEAPLOG_EXACT"] = "1"
    return variables


def records(directory):
    try:
        with open(f"{directory}/results") as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        return []


def run(name, mode, number, peers=None):
    """One run of a case. peers: programs that watch it as well; with peers={} GNU time wraps it, in heaplog's place."""
    with tempfile.TemporaryDirectory(prefix="accuracy-", dir=build) as directory:
        stage = Stage(f"{directory}/stage")
        delay = random.Random(f"{name} {number}").uniform(0, 500)
        case = [f"{build}/tests/accuracy/cases", name]
        more = {"ACCURACY_STAGE": stage.path, "ACCURACY_DELAY_MS": f"{delay:.3f}"}
        reference = subprocess.Popen([f"{build}/tests/accuracy/reference", stage.path])
        if peers == {}:
            task = subprocess.Popen(["/usr/bin/time", "-f", "%M", "-o", f"{directory}/time", *case], env={**os.environ, **more})
        else:
            if name.endswith("-pss"):
                more["HEAPLOG_METRIC"] = "pss"
            task = subprocess.Popen(
                [f"{build}/tests/helper_runner", *START[number % 3], f"{name}-{os.getpid()}-{number}", "build", "-", *case],
                env=environment(directory, mode, **more), stdout=subprocess.DEVNULL)
        if peers:
            while not stage.get(6) and task.poll() is None:
                time.sleep(.001)
            for peer in peers.values():
                peer.stdin.write(f"{stage.get(6)}\n")
                peer.stdin.flush()
            time.sleep(.2)  # they have begun
        stage.set(0)
        status = task.wait()
        said = {}
        for peer_name, peer in (peers or {}).items():
            peer.stdin.write("stop\n")
            peer.stdin.flush()
            said[peer_name] = int(peer.stdout.readline())
        stage.set(1)
        reference.wait()
        if status != 0:
            sys.exit(f"accuracy: {name} ended with {status}")
        result = {"truth": stage.get(2), "reference": stage.get(4), "looks": stage.get(5), "peers": said, "heaplog": None, "upper": None}
        if name.endswith("-pss"):
            result["truth"] = stage.get(3)
        if peers == {}:
            with open(f"{directory}/time") as file:
                result["peers"] = {"GNU time": int(file.read().split()[-1]) * 1024}
        else:
            found = records(directory)
            if found:
                result["heaplog"] = found[-1]["peak_bytes"]
                result["upper"] = found[-1]["peak_upper_bytes"]
        return result


def run_true(arguments, mode, count):
    """`true` so many times from one runner that holds 1 GB. Where nothing was measured there is no figure: None."""
    with tempfile.TemporaryDirectory(prefix="accuracy-", dir=build) as directory:
        words = []
        for number in range(count):
            words += [f"t{number}", "true", "-", "true", "--"]
        subprocess.run([f"{build}/tests/helper_runner", "-t", "-b", "1024", *arguments, *words[:-1]], check=True,
                       env=environment(directory, mode), stdout=subprocess.DEVNULL)
        figures = {record["task"]: record["peak_bytes"] or None for record in records(directory)}
        return [figures.get(f"t{number}:true") for number in range(count)]


def spread(values):
    values = [value for value in values if value is not None]
    if not values:
        return ["-"] * 3
    return [f"{value / MB:.1f}" for value in (min(values), statistics.median(values), max(values))]


def judge(name, mode, runs):
    """Counts how many are within the bar. Returns (within, text, met); met is None where there is no bar."""
    bar = CASES[name][1].get(mode)
    tolerance, share = bar or (.02, 0)
    truths = [max(run["truth"], run["reference"] if not name.endswith("-pss") else 0) for run in runs]
    within = sum(run["heaplog"] is not None and abs(run["heaplog"] / run["truth"] - 1) <= tolerance for run in runs)
    above = sum(run["heaplog"] is not None and run["heaplog"] > truth * (1 + NEVER_ABOVE) for run, truth in zip(runs, truths))
    bounded = sum(run["upper"] is not None and run["upper"] >= run["truth"] * (1 - NEVER_ABOVE) for run in runs)
    need = math.ceil(share * len(runs) - 1e-9)
    text = f"{within} of {len(runs)} within {tolerance:.0%}, {above} above, upper bound holds in {bounded}"
    if name.endswith("-pss"):
        above = 0  # its bar has two sides
    return text, None if not bar else within >= need and above == 0, need


def check_truth(name, runs):
    """The truth that a case states must be what it was built to hold, and what the reference sampler saw."""
    nominal = CASES[name][3] * MB
    for one in runs:
        if not nominal <= one["truth"] <= nominal + max(32 * MB, nominal // 50):
            sys.exit(f"accuracy: {name}: the case states {one['truth'] / MB:.1f} MB")
        if not name.endswith("-pss") and not .98 <= one["reference"] / one["truth"] <= 1.01:
            yield one


def start_peers():
    peers = {}
    for name, command in PEERS.items():
        if command:
            command = [word.format(build=build if "{build}/peers" not in word else f"{ROOT}/build", root=ROOT) for word in command]
            peers[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return peers


def bytes_of_library():
    with open(f"{build}/libheaplog.so", "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:12]


def load(keep, count):
    """The rows that were measured before, where they are to be kept: of this very library, and of as many runs."""
    report = {"library": bytes_of_library(), "runs": count, "rows": {}}
    if keep:
        try:
            with open(f"{build}/accuracy.json") as file:
                before = json.load(file)
            if before["library"] == report["library"] and before["runs"] == count:
                report = before
        except (FileNotFoundError, KeyError, ValueError):
            pass
    return report


def save(report):
    with open(f"{build}/accuracy.json", "w") as file:
        json.dump(report, file)


def measure(name, mode, count, peers):
    if name in TRUE:
        return run_true(TRUE[name][1], mode, count)
    if mode == "peers":
        return {"watched": [run(name, "default", number, peers) for number in range(count)],
                "timed": [run(name, "default", number, {}) for number in range(count)]}
    with concurrent.futures.ThreadPoolExecutor(CASES[name][2]) as pool:
        return list(pool.map(lambda number: run(name, mode, number), range(count)))


def row(label, values, text=""):
    return f"  {label:18}" + "".join(f"{value:>9}" for value in spread(values)) + (f"   {text}" if text else "")


def verdict(met):
    return "   no bar" if met is None else "   met" if met else "   MISSED"


def rows_of(name, rows):
    """The lines of one case, and what of it is missed."""
    yield f"\n{name}: {TRUE[name][0] if name in TRUE else CASES[name][0]}", None
    stated = False
    for mode in "default", "exact":
        runs = rows.get(f"{name} {mode}")
        if runs is None:
            continue
        if name in TRUE:
            below = sum(figure is None or TRUE_LEAST <= figure < TRUE_BAR for figure in runs)
            met = below == len(runs)
            yield row(f"heaplog {mode}", runs, f"{below} of {len(runs)} under 8 MB, {runs.count(None)} without a figure{verdict(met)}"), met
            continue
        doubtful = len(list(check_truth(name, runs)))
        text, met, need = judge(name, mode, runs)
        if not stated:
            yield row("truth", [one["truth"] for one in runs]), None
            yield row("reference, 1 ms", [one["reference"] for one in runs], f"differs in {doubtful}" if doubtful else ""), None
            stated = True
        yield row(f"heaplog {mode}", [one["heaplog"] for one in runs], text + (f" (bar {need})" if met is not None else "") + verdict(met)), met
    runs = rows.get(f"{name} peers")
    for peer in PEERS if runs else []:
        figures = [one["peers"].get(peer) for one in runs["watched" if PEERS[peer] else "timed"]]
        yield row(peer, figures, f"{NOTES[peer]}, {len(figures)} runs"), None


def main():
    global build
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--mode", choices=["default", "exact", "both", "none"], default="default")
    parser.add_argument("--peers", type=int, default=5)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    modes = {"both": ["default", "exact"], "none": []}.get(options.mode, [options.mode])
    unknown = set(options.cases) - set(CASES) - set(TRUE)
    if unknown:
        sys.exit(f"accuracy: no case {' '.join(sorted(unknown))}; there are {' '.join([*CASES, *TRUE])}")
    report = load(options.keep, options.runs)
    peers = start_peers() if options.peers else {}
    for name in options.cases or [*CASES, *TRUE]:
        for mode in modes:
            report["rows"][f"{name} {mode}"] = measure(name, mode, options.runs, None)
            save(report)
        if options.peers and name in CASES and not name.endswith("-pss"):
            report["rows"][f"{name} peers"] = measure(name, "peers", options.peers, peers)
            save(report)
    for peer in peers.values():
        peer.stdin.close()
        peer.wait()
    lines, missed = [f"peak in MB: smallest, median, largest of {options.runs} runs; library {report['library']}"], []
    for name in [*CASES, *TRUE]:
        if any(key.split()[0] == name for key in report["rows"]):
            for line, met in rows_of(name, report["rows"]):
                lines.append(line)
                if met is False:
                    missed.append(" ".join([name, line.split()[1]]))
    lines.append("\n" + (f"missed: {', '.join(missed)}" if missed else "every bar met"))
    print("\n".join(lines))
    with open(f"{build}/accuracy.txt", "w") as file:
        file.write("\n".join(lines) + "\n")
    sys.exit(1 if missed else 0)


main()
