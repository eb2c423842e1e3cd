"""Trees of sleeping processes, and what it costs to watch them."""
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RARE_MS = 600  # looks that are rarer than this are not each 500 ms; a busy machine makes 535 of them
SETTLE = 4.0  # seconds until the early looks are over


def reap_orphans():
    """Go on in a child, and reap as pid 1 what the dead leave behind, as init does: thousands of zombies of one part's trees
    are children of pid 1, which the next part's samplers look through for orphans."""
    main = os.fork()
    if main == 0:
        return
    while True:
        pid, status = os.wait()
        if pid == main:
            os._exit(os.waitstatus_to_exitcode(status) % 256)


def alone():
    """Begin anew in a process namespace of our own, where that is allowed: there, what starts elsewhere on the machine has
    no number, and is nothing that a sampler would look at."""
    if os.environ.get("BENCH_ALONE"):
        if os.getpid() == 1:
            reap_orphans()
        return
    command = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() == 0:
        command = [word for word in command if "user" not in word]
    if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL).returncode == 0:
        os.environ["BENCH_ALONE"] = "1"
        os.execvp(command[0], [*command, sys.executable, *sys.argv])
    print("not in a process namespace of its own: what else starts on this machine is measured as well")


def children(pid):
    found = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
                found += [int(word) for word in file.read().split()]
    return found


def descendants(pid):
    found = children(pid)
    for one in found:
        found += children(one)
    return found


def wait_until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"waited in vain for {what}")
        time.sleep(.02)


@contextlib.contextmanager
def tree(build, size):
    """A tree that nobody watches."""
    root = subprocess.Popen([f"{build}/tests/bench/tree", str(size)])
    try:
        wait_until(lambda: len(descendants(root.pid)) == size - 1, f"{size} processes")
        yield root.pid
    finally:
        root.kill()
        root.wait()


@contextlib.contextmanager
def orphans(count):
    """So many children of init."""
    script = 'while [ $((n += 1)) -le "$1" ]; do sleep 1000 & done'
    leader = subprocess.Popen(["sh", "-c", script, "-", str(count)], start_new_session=True)
    leader.wait()
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader.pid, signal.SIGKILL)


@contextlib.contextmanager
def runner(build, commands, on=True, **more):
    """A runner whose tasks are these commands, all at once. All of them must sleep until they are killed."""
    words = []
    for number, command in enumerate(commands):
        words += [f"p{number}", "build", "-", *command, "--"]
    variables = {"PATH": os.environ["PATH"], **more}
    if on:
        variables |= {"NX_LOG_HEAP_USAGE": "true", "LD_PRELOAD": f"{build}/libheaplog.so"}
    process = subprocess.Popen([f"{build}/tests/helper_runner", "-t", "-a", *words[:-1]], env=variables,
                               stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: len(children(process.pid)) == len(commands), f"{len(commands)} tasks")
        yield process.pid
    finally:
        for pid in children(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def sampler_ns(pid):
    """The CPU time of heaplog's threads in a runner, in ns; and how many they are."""
    total = count = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm") as file:
            if file.read().strip() != "heaplog":
                continue
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
            count += 1
    return total, count


def see_to(pid):
    """A library that does nothing costs nothing: there must be a sampler where something of ours is measured."""
    if not sampler_ns(pid)[1]:
        sys.exit("bench: no thread of heaplog is in the runner: the library does not work here")


def looks(build, directory, pid):
    """How often it has looked so far at the tasks of a runner."""
    board = f"{directory}/heaplog/{pid}"
    said = subprocess.run([f"{build}/tests/bench/looks", board], capture_output=True, text=True)
    if said.returncode != 0:
        sys.exit(f"bench: the runner's board, {board}, cannot be read: the library does not work here")
    return int(said.stdout)


def process_ns(pid):
    """The CPU time of a process and of what it has run, in ns: its own to the ns, its children's in ticks."""
    own = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            own += int(file.read().split()[0])
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return own + (int(fields[13]) + int(fields[14])) * 1000000000 // os.sysconf("SC_CLK_TCK")


def peers():
    store = f"{ROOT}/build"
    node = ["node", f"{ROOT}/tests/accuracy/peers.js"]
    return {
        "pidusage": [*node, "pidusage", f"{store}/peers/node"],
        "psutil": [f"{store}/peers/venv/bin/python", f"{ROOT}/tests/accuracy/peers.py", "psutil"],
        "Nx's collector": [*node, "nx", f"{store}/e2e/nx-24.0.6"],
    }


def tell(peer, word):
    peer.stdin.write(f"{word}\n".encode())
    peer.stdin.flush()


def read(pid, watched):
    return {"heaplog": sampler_ns(pid)[0], **{name: process_ns(peer) for name, peer in watched.items()}}


def watch(build, size, seconds=2.0, rounds=3):
    """ms of CPU time per second that each of them takes to watch a tree: {name: [ms, ...]}, and the interval in ms at
    which heaplog really looked meanwhile. In turns: heaplog alone,
    since pidusage starts a process for each look, which costs whoever looks for new ones; pidusage; the other two."""
    started = {name: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
               for name, command in peers().items()}
    result = {name: [] for name in ["heaplog", *started]}
    try:
        with tempfile.TemporaryDirectory(dir=build) as directory, \
                runner(build, [[f"{build}/tests/bench/tree", str(size)]], XDG_RUNTIME_DIR=directory) as pid:
            wait_until(lambda: len(descendants(pid)) == size, f"{size} processes")
            root = children(pid)[0]
            time.sleep(SETTLE)
            see_to(pid)
            had, first = looks(build, directory, pid), time.monotonic()
            for _ in range(rounds):
                for turn in [], ["pidusage"], [name for name in started if name != "pidusage"]:
                    for name in turn:
                        tell(started[name], root)
                    time.sleep(1)
                    watched = {name: started[name].pid for name in turn}
                    before, begin = read(pid, watched), time.monotonic()
                    time.sleep(seconds)
                    after, took = read(pid, watched), time.monotonic() - begin
                    for name in watched or ["heaplog"]:
                        result[name].append((after[name] - before[name]) / 1e6 / took)
                    for name in turn:
                        tell(started[name], "stop")
            interval = (time.monotonic() - first) * 1000 / max(looks(build, directory, pid) - had, 1)
    finally:
        for peer in started.values():
            peer.kill()
            peer.wait()
    return result, interval
