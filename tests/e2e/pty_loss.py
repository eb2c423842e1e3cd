#!/usr/bin/env python3
"""Does a task on a terminal lose the end of its output more often with the library than without?

    pty_loss.py [--seconds N] [--load N] LIBRARY WORKSPACES

Nx hands a command's output and its end from two threads to a third, and when the machine is busy the end sometimes
comes first: what was still on its way is lost, without the library as well. So it is counted, under a load of our own
(busy loops, niced by 5), in turns with and without. Fails where the difference is more than chance (Fisher's exact
test, one-sided, p below 0.01).
"""
import argparse
import math
import os
import re
import shutil
import subprocess
import sys
import time

import terminal

COMMANDS, PARALLEL = 20, 2


def chance(lost_on, runs_on, lost_off, runs_off):
    """How likely so many or more of all losses fall on the runs with the library."""
    lost, runs = lost_on + lost_off, runs_on + runs_off
    return sum(math.comb(lost, k) * math.comb(runs - lost, runs_on - k)
               for k in range(lost_on, min(lost, runs_on) + 1)) / math.comb(runs, runs_on)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=240, help='how long (240)')
    parser.add_argument('--load', type=int, default=30, help='how many busy loops (30)')
    parser.add_argument('library')
    parser.add_argument('workspaces', help='directory of the workspace matrix-24')
    options = parser.parse_args()
    directory = os.path.join(os.path.abspath(options.workspaces), 'matrix-24')
    os.makedirs(os.path.join(directory, 'home'), exist_ok=True)
    results = os.path.join(directory, 'results.jsonl')
    base = {'PATH': os.environ['PATH'], 'HOME': os.path.join(directory, 'home'), 'LANG': 'C.UTF-8', 'TERM': 'xterm-256color',
            'NX_TUI': 'false'}
    on = {'NX_LOG_HEAP_USAGE': 'true', 'LD_PRELOAD': os.path.abspath(options.library), 'HEAPLOG_RESULTS': results}
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'pty_loss.js')
    lost, runs = {False: 0, True: 0}, {False: 0, True: 0}
    busy = []
    try:
        busy = [subprocess.Popen(['nice', '-n', '5', sys.executable, '-c', 'while True: pass']) for _ in range(options.load)]
        until = time.time() + options.seconds
        while time.time() < until:
            for with_library in (False, True):
                open(results, 'w').close()
                os.chmod(results, 0o600)
                done = terminal.on_terminal([shutil.which('node'), script, str(COMMANDS), str(PARALLEL)], directory,
                                            {**base, **(on if with_library else {})})
                said = re.search(rb'lost (\d+) of (\d+)', done.stdout)
                if not said:
                    sys.exit(f'pty_loss: status {done.status}:\n{done.stdout.decode(errors="replace")}')
                if with_library and b'(peak: ' not in done.stdout:
                    sys.exit('pty_loss: no figures: the library is not at work')
                lost[with_library] += int(said[1])
                runs[with_library] += int(said[2])
    finally:
        for loop in busy:
            loop.kill()
            loop.wait()
    p = chance(lost[True], runs[True], lost[False], runs[False])
    print(f'the end of the output was lost by {lost[False]} of {runs[False]} commands without the library, '
          f'by {lost[True]} of {runs[True]} with it (load average {os.getloadavg()[0]:.0f}; p = {p:.2f})')
    return p < 0.01


if __name__ == '__main__':
    sys.exit(main())
