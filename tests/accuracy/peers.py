"""Peers from PyPI, as a program that watches one process after another.   peers.py psutil|memory_profiler|psrecord
A line with a process id: watch it. The line "stop": print the largest sum of resident bytes that was seen."""
import io
import os
import sys
import tempfile
import threading
import time

import psutil

seen = 0
stopped = False


def watch_psutil(pid):
    global seen
    root = psutil.Process(pid)
    while not stopped:
        total = 0
        for process in [root, *root.children(recursive=True)]:
            try:
                total += process.memory_info().rss
            except psutil.Error:
                pass
        seen = max(seen, total)
        time.sleep(0.5)


def watch_memory_profiler(pid):
    global seen
    from memory_profiler import memory_usage
    stream = io.StringIO()
    try:
        memory_usage(pid, interval=0.1, timeout=60, include_children=True, stream=stream)
    except psutil.Error:
        pass
    for line in stream.getvalue().splitlines():
        seen = max(seen, int(float(line.split()[1]) * 1048576))


def watch_psrecord(pid):
    global seen
    from psrecord.main import monitor
    with tempfile.NamedTemporaryFile("r") as log:
        monitor(pid, logfile=log.name, interval=0.5, include_children=True)
        for line in log:
            if not line.startswith("#"):
                seen = max(seen, int(float(line.split()[2]) * 1048576))


def guarded(watch, pid):
    try:
        watch(pid)
    except psutil.Error:
        pass  # it has ended


answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # psrecord talks
watch = globals()["watch_" + sys.argv[1]]
if sys.argv[1] == "memory_profiler":
    import memory_profiler  # noqa: F401  before the first case, it is slow
thread = None
for line in sys.stdin:
    if line.strip() == "stop":
        stopped = True
        thread.join()
        print(seen, file=answers, flush=True)
        seen, stopped = 0, False
    else:
        thread = threading.Thread(target=guarded, args=(watch, int(line)))
        thread.start()
