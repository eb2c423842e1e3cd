"""make accuracy: every case N times, its truth, what heaplog and the peers say of it, and whether the bars are met."""
import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import mmap
import os
import random
import re
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.append(f"{ROOT}/tests/bench")

from trees import descendants  # noqa: E402
from judge import CASES, MB, TRUE, check_truth, judge, judge_true, self_check, verdict  # noqa: E402

STAGE_SIZE = 64 + 3 * 4 * 1000 + 8  # stage.h
PERIOD_MS = 500  # heaplog's period, and the slowest peer's: a case that they watch begins anywhere in it
SLOWEST_MS = 1000
START = ["-t"], ["-t", "-v"], ["-t", "-p"]  # fork, vfork and posix_spawn in turn, with a thread as node has them

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


def size(count):
    """Bytes as size.c prints them: rounded half up, and the rounded value decides the unit."""
    for unit, letter, scale in (1024, "K", 1), (MB, "M", 1), (1024 * MB, "G", 10), (MB * MB, "T", 10):
        value = (2 * count * scale + unit) // (2 * unit)
        if value < 1024 * scale:
            break
    return f"{value}{letter}B" if scale == 1 else f"{value // 10}.{value % 10}{letter}B"


def said_of(directory, tasks):
    """What the records say of these tasks, and where that is not one record of each, with the figure of its line."""
    with open(f"{directory}/output") as file:
        lines = re.findall(r"nx run (\S+)(?: \(peak: ([^)]*)\))?", file.read())
    found = records(directory)
    others = sorted({record["task"] for record in found} - set(tasks))
    said = []
    for task in tasks:
        own = [record for record in found if record["task"] == task]
        last = own[-1] if own else {}
        peak = last.get("peak_bytes") or None
        shown = size(peak) + (" pss" if last["metric"] == "pss" else "") if peak else ""
        fault = None
        if others or len(own) > 1:
            fault = f"{len(own)} records of {task}" + "".join(f", one of {other}" for other in others)
        elif [line[1] for line in lines if line[0] == task] != [shown]:
            fault = f"the record of {task} says ({shown}), its line {[line[1] for line in lines if line[0] == task]}"
        said.append({"heaplog": peak, "upper": last.get("peak_upper_bytes"), "exact": last.get("exact"), "fault": fault})
    return said


def tell(name, peer, word):
    try:
        peer.stdin.write(f"{word}\n")
        peer.stdin.flush()
    except BrokenPipeError:
        sys.exit(f"accuracy: the peer {name} has ended, with {peer.wait()}")


def answer(name, peer):
    tell(name, peer, "stop")
    line = peer.stdout.readline()
    if not line:
        sys.exit(f"accuracy: the peer {name} has ended, with {peer.wait()}")
    return int(line)


def kill_children():
    """What a run has started. Orphans of a case, which are nobody's children, end by themselves."""
    for pid in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def interrupted(number, _):
    """The runs that go on then end, and remove their directories."""
    kill_children()
    sys.exit(128 + number)


def run(name, mode, number, peers=None):
    """One run of a case. peers: programs that watch it as well; with peers={} GNU time wraps it, in heaplog's place."""
    with tempfile.TemporaryDirectory(prefix="accuracy-", dir=build) as directory:
        stage = Stage(f"{directory}/stage")
        delay = random.Random(f"{name} {number}").uniform(0, SLOWEST_MS if peers else PERIOD_MS)
        case = [f"{build}/tests/accuracy/cases", name]
        more = {"ACCURACY_STAGE": stage.path, "ACCURACY_DELAY_MS": f"{delay:.3f}"}
        reference = subprocess.Popen([f"{build}/tests/accuracy/reference", stage.path, str(os.getpid())])
        task_name = f"{name}-{os.getpid()}-{number}"
        try:
            if peers == {}:
                task = subprocess.Popen(["/usr/bin/time", "-f", "%M", "-o", f"{directory}/time", *case], env={**os.environ, **more})
            else:
                if name.endswith("-pss"):
                    more["HEAPLOG_METRIC"] = "pss"
                with open(f"{directory}/output", "w") as output:
                    task = subprocess.Popen(
                        [f"{build}/tests/helper_runner", *START[number % 3], task_name, "build", "-", *case],
                        env=environment(directory, mode, **more), stdout=output)
            if peers:
                while not stage.get(6) and task.poll() is None:
                    time.sleep(.001)
                for peer_name, peer in peers.items():
                    tell(peer_name, peer, stage.get(6))
                time.sleep(.2)  # they have begun
            stage.set(0)
            status = task.wait()
            said = {peer_name: answer(peer_name, peer) for peer_name, peer in (peers or {}).items()}
        finally:
            stage.set(1)
            reference.wait()
        if status != 0:
            sys.exit(f"accuracy: {name} ended with {status}")
        result = {"truth": stage.get(2), "reference": stage.get(4), "looks": stage.get(5), "peers": said}
        if name.endswith("-pss"):
            result["truth"] = stage.get(3)
        if peers == {}:
            with open(f"{directory}/time") as file:
                return {**result, "peers": {"GNU time": int(file.read().split()[-1]) * 1024}}
        return {**result, **said_of(directory, [f"{task_name}:build"])[0]}


def run_true(arguments, mode, count):
    """`true` so many times from one runner that holds 1 GB. Where nothing was measured there is no figure: None."""
    with tempfile.TemporaryDirectory(prefix="accuracy-", dir=build) as directory:
        words = []
        for number in range(count):
            words += [f"t{number}", "true", "-", "true", "--"]
        with open(f"{directory}/output", "w") as output:
            subprocess.run([f"{build}/tests/helper_runner", "-t", "-b", "1024", *arguments, *words[:-1]], check=True,
                           env=environment(directory, mode), stdout=output)
        return said_of(directory, [f"t{number}:true" for number in range(count)])


def spread(values):
    values = [value for value in values if value is not None]
    if not values:
        return ["-"] * 3
    return [f"{value / MB:.1f}" for value in (min(values), statistics.median(values), max(values))]


def start_peers():
    peers = {}
    for name, command in PEERS.items():
        if command:
            command = [word.format(build=build if "{build}/peers" not in word else f"{ROOT}/build", root=ROOT) for word in command]
            peers[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return peers


def hash_of(*paths):
    content = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            content.update(file.read())
    return content.hexdigest()[:12]


def commit():
    """The commit that is measured, and whether something of it was changed."""
    said = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty=-dirty", "--abbrev=7", "--exclude=*"],
                          capture_output=True, text=True)
    return said.stdout.strip() or "unknown"


def load(keep, count):
    """The rows that were measured before, where they are to be kept: of this very library, by these programs, and of as
    many runs."""
    report = {"library": hash_of(f"{build}/libheaplog.so"), "commit": commit(), "runs": count, "rows": {},
              "programs": hash_of(*(f"{HERE}/{name}" for name in sorted(os.listdir(HERE))
                                    if name.endswith((".c", ".h", ".py", ".js"))))}
    if keep:
        try:
            with open(f"{build}/accuracy.json") as file:
                before = json.load(file)
            if all(before[key] == report[key] for key in ("library", "programs", "runs")):
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


def rows_of(name, rows):
    """The lines of one case, and what of it is missed."""
    yield f"\n{name}: {TRUE[name][0] if name in TRUE else CASES[name][0]}", None
    for mode in "default", "exact":
        runs = rows.get(f"{name} {mode}")
        if runs is None:
            continue
        if name in TRUE:
            text, met = judge_true(mode, runs)
        else:  # each mode has runs, and so a truth, of its own
            text, met = check_truth(name, runs)
            yield row("truth", [one["truth"] for one in runs]), None
            yield row("reference, 1 ms", [one["reference"] for one in runs], text + ("" if met else "   MISSED")), met
            text, met = judge(name, mode, runs)
        yield row(f"heaplog {mode}", [one["heaplog"] for one in runs], text + verdict(met)), met
    runs = rows.get(f"{name} peers")
    for peer in PEERS if runs else []:
        figures = [one["peers"].get(peer) for one in runs["watched" if PEERS[peer] else "timed"]]
        yield row(peer, figures, f"{NOTES[peer]}, {len(figures)} runs"), None


def main():
    global build
    self_check()
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
    if options.runs < 1:
        sys.exit(f"accuracy: {options.runs} runs: at least one is needed (N=20)")
    if options.peers < 0:
        sys.exit(f"accuracy: {options.peers} runs of the peers: 0 is the least (PEERS=5)")
    report = load(options.keep, options.runs)
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
        signal.signal(number, interrupted)
    try:
        peers = start_peers() if options.peers else {}
        for name in options.cases or [*CASES, *TRUE]:
            for mode in modes:
                report["rows"][f"{name} {mode}"] = measure(name, mode, options.runs, None)
                save(report)
            if options.peers and name in CASES and not name.endswith("-pss"):
                report["rows"][f"{name} peers"] = measure(name, "peers", options.peers, peers)
                save(report)
    finally:
        kill_children()
    barred = False
    lines, missed = [f"peak in MB: smallest, median, largest of {options.runs} runs; "
                     f"commit {report.get('commit', 'unknown')}, library {report['library']}"], []
    for name in [*CASES, *TRUE]:
        if any(key.split()[0] == name for key in report["rows"]):
            for line, met in rows_of(name, report["rows"]):
                lines.append(line)
                barred = barred or met is not None
                if met is False:
                    missed.append(f"{name} {line[:20].strip().split(',')[0].removeprefix('heaplog ')}")
    lines.append("\n" + (f"missed: {', '.join(missed)}" if missed else "every bar met" if barred else "no bar was measured"))
    print("\n".join(lines))
    with open(f"{build}/accuracy.txt", "w") as file:
        file.write("\n".join(lines) + "\n")
    sys.exit(1 if missed else 0)


main()
