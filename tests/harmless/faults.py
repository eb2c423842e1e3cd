#!/usr/bin/env python3
"""What can fail does: the watched program's behaviour is as without the library, and no figure is wrong.

    faults.py BUILD [inject|places|kills...]

inject: each call that the library makes to the kernel or the allocator fails once, in turn (libfault.c): in the runner by
        each way of starting a task, with shares, with every child a task, with orphans and tasks that a signal ends, and
        with HEAPLOG_EXACT=1 in the runner and in the task. Prints from how many places of the library these calls came.
        FAULT_EVERY=N: each N-th call only.
places: no /proc, hidepid=2, another pid namespace; results on a full, a read-only and no file system, a symbolic link, a fifo,
        a directory; no runtime directory; limits of processes, descriptors and memory. Needs root for its mount namespaces; without it these are named as left out.
kills:  1000 runners and tasks killed at random moments (FAULT_KILLS): what was shown is in the results file.
[req: H-52] [req: H-83] [req: H-84]"""
import concurrent.futures
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ERRORS = {"EPERM": 1, "ENOMEM": 12, "ENFILE": 23, "EMFILE": 24, "ENOSYS": 38}
FEW_ERRORS = {"EPERM": 1, "ENOMEM": 12}
# What the library imports from libc and libfault.c does not let fail, since it cannot: text, sets of signals, what the kernel
# always answers; and the look-up of names, of which symbols.sh and tests/test_command.c know.
CANNOT_FAIL = set("""mem[a-z]+ str[a-z]+ sigaddset sigemptyset sigfillset sigismember getpid getppid getpgrp geteuid getauxval
clock_gettime sched_yield secure_getenv pthread_sigmask pthread_testcancel pthread_attr_init pthread_attr_destroy dl_iterate_phdr dlerror dlsym dlvsym
environ __environ __errno_location _ITM_.* __gmon_start__ __cxa_finalize""".split())
SUFFIX = re.compile(rb" \(peak: (\d+(?:\.\d)?)(KB|MB|GB)(?: pss)?(, [\w-]+)?\)")
failures = []


def fail(text):
    failures.append(text)
    print("  FAILED " + text, flush=True)


class Runner:
    """helper_runner with its tasks, in a clean environment and a process group of its own."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.library = self.build + "/libheaplog.so"
        self.program = self.build + "/tests/helper_runner"
        self.task = self.build + "/tests/helper_task"

    def arguments(self, mode, count=1, hold="20", ms="30", all_at_once=False, names="p"):
        command = [self.program, mode + ("a" if all_at_once else "")]
        for i in range(count):
            command += (["--"] if i else []) + [names + "%d" % i, "build", "-", self.task, "hold", hold, ms]
        return command

    def run(self, command, preload, extra, prefix=(), seconds=60):
        environment = {"PATH": "/usr/bin:/bin", "NX_LOG_HEAP_USAGE": "true"}
        environment.update(extra)
        if preload:
            # By env, so that what stands before (unshare, a shell) is left out of it.
            command = ["/usr/bin/env", "LD_PRELOAD=" + preload, *command]
        try:
            done = subprocess.run([*prefix, *command], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=seconds)
        except subprocess.TimeoutExpired:
            return "hangs", b"", b""
        return done.returncode, done.stdout, done.stderr


def peaks(text):
    units = {b"KB": 1 / 1024, b"MB": 1, b"GB": 1024}
    return [float(match[1]) * units[match[2]] for match in SUFFIX.finditer(text)]


def check(name, base, have, low, high, errors=rb"(heaplog: [^\n]*\n)*"):
    """Status and output as without; figures, where there are any, are true."""
    if have[0] != base[0] or SUFFIX.sub(b"", have[1]) != base[1]:
        fail("%s: %r, without %r" % (name, have, base))
    elif not re.fullmatch(errors, have[2]):
        fail("%s: stderr %r" % (name, have[2]))
    for peak in peaks(have[1]):
        if not low <= peak <= high:
            fail("%s: peak %s MB" % (name, peak))


def sites(library, fault):
    """{return address of each call of the library's that libfault.c can let fail: the function that it stands in}. What else
    the library imports must be known not to fail."""
    def lines(*command):
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    defined = {line.split()[-1].split("@")[0] for line in lines("nm", "-D", "--defined-only", fault)}
    for line in lines("nm", "-D", "--undefined-only", library):
        name = line.split()[-1].split("@")[0]
        if name not in defined and not any(re.fullmatch(known, name) for known in CANNOT_FAIL):
            fail("the library calls %s, and libfault.c does not let it fail" % name)
    found, function, calls = {}, "", False
    for line in lines("objdump", "-d", "--no-show-raw-insn", library):
        match = re.match(r"[0-9a-f]+ <(.*)>:", line)
        function = match[1] if match else function
        match = re.match(r" *([0-9a-f]+):\t(.*)", line)
        if match and calls:
            found[int(match[1], 16)] = function
        match = match and re.search(r"call .*<(\w+)@plt>", match[2])
        calls = bool(match) and match[1] in defined
    return found


def named(command, name):
    """The same with a task of another name: what a runner that fails leaves behind is not to be taken for another's."""
    return [{"p0": "n", "q0": "m"}[part] + name if part in ("p0", "q0") else part for part in command]


def inject(runner, work):
    fault = runner.build + "/harmless/libfault.so"
    total = 0
    reached = os.path.join(work, "sites")
    shell = ["/bin/sh", "-c"]
    orphan = shell + ["(setsid \"$0\" hold 15 60 &); exec \"$0\" hold 20 30", runner.task]
    everything = [runner.program, "-t", "p0", "build", "-", *orphan, "--", "q0", "build", "-", runner.task, "kill", "20", "9"]
    rows = [(mode, runner.arguments(mode), {}, "helper_runner", ERRORS) for mode in ("-t", "-w", "-v", "-p")] + [
        ("-t exact", runner.arguments("-t"), {"HEAPLOG_EXACT": "1"}, "helper_runner", ERRORS),
        ("-p exact", runner.arguments("-p"), {"HEAPLOG_EXACT": "1"}, "helper_runner", ERRORS),
        ("-t exact", runner.arguments("-t"), {"HEAPLOG_EXACT": "1"}, "helper_task", ERRORS),
        ("orphans, a kill", everything, {}, "helper_runner", FEW_ERRORS),
        ("orphans, a kill, exact", everything, {"HEAPLOG_EXACT": "1"}, "helper_task", FEW_ERRORS),
        ("pss", everything, {"HEAPLOG_METRIC": "pss"}, "helper_runner", FEW_ERRORS),
        ("the first thread ends first", [runner.program.replace("helper_runner", "helper_live"), "lastthread", runner.task], {},
         "helper_live", {"EAGAIN": 11}),
        ("all, no threads", runner.arguments("-w", 2), {"HEAPLOG_TASK": "all"}, "helper_runner", FEW_ERRORS)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for row, (mode, command, settings, program, errors) in enumerate(rows):
            base = runner.run(command, None, {})
            count = os.path.join(work, "count")
            extra = {"FAULT_PROGRAM": program, "HEAPLOG_RESULTS": os.path.join(work, "results"), "XDG_RUNTIME_DIR": work,
                     **settings}
            runner.run(command, fault + " " + runner.library, dict(extra, FAULT_COUNT=count, FAULT_SITES=reached))
            with open(count) as file:
                calls = int(int(file.read()) * 1.2)  # the number varies with the time that things take
            jobs = {}
            for name, number in errors.items():
                for at in range(1, calls + 1, int(os.environ.get("FAULT_EVERY", "1"))):
                    fault_settings = dict(extra, FAULT_AT=str(at), FAULT_ERRNO=str(number), FAULT_SITES=reached)
                    who = named(command, "%d%s%d" % (row, name, at))
                    jobs[pool.submit(runner.run, who, fault + " " + runner.library, fault_settings)] = "%s in %s, call %d: %s" % (
                        mode, program, at, name)
            for job in concurrent.futures.as_completed(jobs):
                status, out, said = job.result()
                check("inject " + jobs[job], base, (status, re.sub(rb"run m[^:]*:", b"run q0:", re.sub(rb"run n[^:]*:", b"run p0:", out)), said), 0.001, 40,
                      errors=rb"(heaplog: [^\n]*\n(  [^\n]*\n)*)*")
            total += len(jobs)
            print("  %s in %s: %d" % (mode, program, len(jobs)), flush=True)
    known = sites(runner.library, fault)
    with open(reached) as file:
        came = {int(line, 16) for line in file}
    never = sorted({known[at] for at in set(known) - came})
    print("inject: %d calls failed, one in each run; they came from %d of the library's %d places of such calls" %
          (total, len(came & set(known)), len(known)), flush=True)
    print("  not reached: some in " + " ".join(never), flush=True)


def places(runner, work):
    command = runner.arguments("-t", 2)
    base = runner.run(command, None, {})
    shell = ["unshare", "-m", "sh", "-ec"]
    rooted = subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0
    results = os.path.join(work, "place")
    rows = {
        "no /proc": ("mount -t tmpfs none /proc; exec \"$@\"", {}, None),
        "hidepid=2, as nobody": ("mount -o remount,hidepid=2 /proc 2>/dev/null || mount -t proc -o hidepid=2 proc /proc; exec setpriv --reuid=65534 "
                                 "--clear-groups \"$@\"", {}, None),
        "read-only results": ("mkdir -p %s; mount -t tmpfs -o ro none %s; exec \"$@\"" % (results, results),
                              {"HEAPLOG_RESULTS": results + "/r"}, 2),
        "full file system": ("mkdir -p %s; mount -t tmpfs -o size=4k none %s; head -c 4096 /dev/zero >%s/full; exec \"$@\"" % ((results,) * 3),
                             {"HEAPLOG_RESULTS": results + "/r", "XDG_RUNTIME_DIR": results}, 2),
        "read-only everything": ("mount -o bind / /; mount -o remount,bind,ro /; exec \"$@\"",
                                 {"HEAPLOG_RESULTS": "/r", "XDG_RUNTIME_DIR": "/"}, 2),
        "few processes": ("exec prlimit --nproc=3 setpriv --reuid=61234 --clear-groups \"$@\"", {}, None),
        "few descriptors": ("exec prlimit --nofile=5 \"$@\"", {}, None),
        "little memory": ("exec prlimit --as=80000000 \"$@\"", {}, None),
        "network of its own, no /dev": ("mount -t tmpfs none /dev; exec \"$@\" </", {}, None),
    }
    done = 0
    for name, (script, extra, figures) in rows.items():
        if not rooted:
            print("  left out, no mount namespace: " + name)
            continue
        have = runner.run(command, runner.library, extra, prefix=[*shell, script, "sh"])
        check(name, base, have, 20, 24)
        if figures is not None and len(peaks(have[1])) != figures:
            fail("%s: %d figures, %r" % (name, len(peaks(have[1])), have))
        done += 1
    if rooted:
        have = runner.run(command, runner.library, {}, prefix=["unshare", "-p", "-f"])
        check("another pid namespace, the old /proc", base, have, 20, 24)
        have = runner.run(command, runner.library, {}, prefix=["unshare", "-p", "-f", "--mount-proc"])
        check("another pid namespace", base, have, 20, 24)
        done += 2
    hostile = {
        "symbolic link": lambda path: os.symlink(work + "/elsewhere", path),
        "dangling link": lambda path: os.symlink("/nonexistent/x", path),
        "fifo": os.mkfifo,
        "directory": os.mkdir,
        "unwritable": lambda path: os.close(os.open(path, os.O_CREAT, 0o400)),
        "no such directory": lambda path: None,
    }
    for name, make in hostile.items():
        path = os.path.join(work, "results-" + name.replace(" ", "-"))
        make(path)
        have = runner.run(command, runner.library, {"HEAPLOG_RESULTS": path + "/x" if name.startswith("no such") else path,
                                                    "XDG_RUNTIME_DIR": path})
        check("results: " + name, base, have, 20, 24)
        if len(peaks(have[1])) != 2:
            fail("results: %s: %r" % (name, have))
        if os.path.exists(work + "/elsewhere"):
            fail("results: a link was followed")
        done += 1
    print("places: %d" % done, flush=True)


def one_kill(runner, work, number):
    """Kill the runner, or one of its tasks, at a random moment of its life."""
    chance = random.Random(number)
    results = os.path.join(work, "kill-%d" % number)
    together = number % 2 == 0
    command = runner.arguments("-t" if number % 3 else "-w", 4, "20", "20", all_at_once=together, names="k%d-" % number)
    environment = {"PATH": "/usr/bin:/bin", "NX_LOG_HEAP_USAGE": "true", "LD_PRELOAD": runner.library, "HEAPLOG_RESULTS": results,
                   "XDG_RUNTIME_DIR": work}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True)
    time.sleep(chance.random() * (0.15 if together else 0.3))
    victim = process.pid
    if chance.random() < 0.4:
        try:
            with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as file:
                victim = int(chance.choice(file.read().split()))
        except (OSError, IndexError, ValueError):
            pass
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        pass
    try:
        out, errors = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return "kill %d: hangs" % number
    shown = re.findall(rb"nx run (k\d+-\d):build \(peak: (\d+)MB", out)
    kept = []
    if os.path.exists(results):
        with open(results) as file:
            for line in file:
                try:
                    kept.append(json.loads(line))
                except ValueError:
                    return "kill %d: half a line in the results: %r" % (number, line[-80:])
        os.unlink(results)
    for name, peak in shown:
        if not any(record["project"] == name.decode() for record in kept):
            return "kill %d: %s was shown and is not kept" % (number, name)
    for record in kept:
        if not record["peak_bytes"] or record["peak_bytes"] > 24 << 20 or record["peak_upper_bytes"] < record["peak_bytes"]:
            return "kill %d: wrong figure in %r" % (number, record)
    if any(peak > 24 for peak in peaks(out)):
        return "kill %d: %r" % (number, out)
    if errors:
        return "kill %d: stderr %r" % (number, errors)
    return None


def kills(runner, work):
    count = int(os.environ.get("FAULT_KILLS", "1000"))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for answer in pool.map(lambda number: one_kill(runner, work, number), range(count)):
            if answer:
                fail(answer)
    print("kills: %d" % count, flush=True)


def main():
    runner = Runner(sys.argv[1])
    work = tempfile.mkdtemp(prefix="heaplog-faults.")
    os.chmod(work, 0o700)
    try:
        for name in sys.argv[2:] or ("inject", "places", "kills"):
            {"inject": inject, "places": places, "kills": kills}[name](runner, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print("faults: %d failures" % len(failures))
    return 1 if failures else 0


sys.exit(main())
