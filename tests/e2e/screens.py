#!/usr/bin/env python3
"""The screen of a TUI run and of a dynamic run in tmux, at 80 and at 44 columns, with and without the library.

    screens.py [--show] LIBRARY WORKSPACES MAJOR...

The two screens, with what scrolled away above, must be the same but for our suffixes and lines: no row is drawn over,
none is left behind. Lines that tmux wrapped are joined again. --show prints the screens with the library.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time

import matrix

class Screen:
    """A terminal of its own: a tmux server that ends with it."""

    def __init__(self, columns, environment, directory, command):
        self.tmux = ['tmux', '-L', f'heaplog-screens-{os.getpid()}', '-f', '/dev/null']
        environment = {**environment, 'TERM': 'xterm-256color'}
        # The program's environment stands before its command, since tmux's own is for the server.
        inside = ['env', '-i', *(f'{name}={value}' for name, value in environment.items() if name != 'TERM'), 'TERM=screen-256color', *command]
        quoted = ' '.join("'" + word.replace("'", "'\\''") + "'" for word in inside)
        subprocess.run([*self.tmux, 'new-session', '-d', '-x', str(columns), '-y', '40', '-s', 'screen', 'sleep 1000000'],
                       check=True, env={'PATH': os.environ['PATH'], 'LANG': 'C.UTF-8', 'TERM': 'xterm-256color', 'HOME': directory})
        self.do('set-option', '-g', 'status', 'off')
        self.do('set-option', '-g', 'remain-on-exit', 'on')
        self.do('set-option', '-g', 'history-limit', '5000')
        self.do('respawn-pane', '-k', '-t', 'screen', '-c', directory, quoted)

    def do(self, *command):
        return subprocess.run([*self.tmux, *command], check=True, stdout=subprocess.PIPE).stdout.decode()

    def ended(self):
        return self.do('display-message', '-p', '-t', 'screen', '#{pane_dead}').strip() == '1'

    def alternate(self):
        return self.do('display-message', '-p', '-t', 'screen', '#{alternate_on}').strip() == '1'

    def text(self):
        # tmux itself says that the pane is dead.
        return re.sub(r'\n*Pane is dead.*', '', self.do('capture-pane', '-p', '-J', '-t', 'screen', '-S', '-')).rstrip('\n')

    def raw(self):
        return self.do('capture-pane', '-p', '-t', 'screen', '-S', '-').rstrip('\n')

    def close(self):
        subprocess.run([*self.tmux, 'kill-server'], check=False)


def wait(condition, seconds=90):
    until = time.time() + seconds
    while not condition():
        if time.time() > until:
            raise TimeoutError
        time.sleep(0.1)


def said(workspace):
    with open(workspace.log) as log:
        return len(log.readlines())


def screens_of(workspace, columns, tui, with_library):
    """(the screen while the TUI stands still, or None; the screen after the end, joined; the same as it is)"""
    env = {**(workspace.on() if with_library else workspace.base), 'NX_TUI': 'true' if tui else 'false'}
    workspace.begin()
    screen = Screen(columns, env, workspace.directory, workspace.nx + list(matrix.MANY))
    during = None
    try:
        if tui:
            wait(lambda: screen.alternate() and said(workspace) >= 4)
            wait(lambda: time.time() > os.stat(workspace.log).st_mtime + 2)
            during = screen.raw()
            while screen.alternate():
                screen.do('send-keys', '-t', 'screen', 'q')
                time.sleep(1)
        wait(screen.ended)
        return during, screen.text(), screen.raw()
    finally:
        screen.close()


def settle(text):
    """Durations; and, in the columns of the TUI, the spaces before them."""
    return re.sub(r' +\(?TIME\)?', ' TIME', matrix.normal(text))


def tui_rows(text):
    """The rows of the TUI. Which of two tasks of about the same duration stands first, and so which one's output is
    shown, is the clock's; the frame around the output is compared, what is in it is not."""
    rows = [re.sub(r'│.*│$', '│ │', re.sub(r'┌.*┐$', '┌ ┐', row.rstrip())) for row in settle(text).split('\n')]
    return sorted(row.replace('>', ' ', 1).rstrip() for row in rows)


def compare(workspace, columns, tui, show):
    off = screens_of(workspace, columns, tui, False)
    on = screens_of(workspace, columns, tui, True)
    problems = []
    text, insertions = matrix.take_out(on[1], off[1])
    # A line that reaches the right edge has no end for tmux: what is joined after our suffix is as long as that.
    before, after = ([' '.join(line.split()) for line in settle(each).split('\n')] for each in (off[1], text))
    if before != after:
        problems += matrix.diff('the screen after the end differs', '\n'.join(before), '\n'.join(after))
    if tui and tui_rows(off[0]) != tui_rows(on[0]):
        problems += matrix.diff('the TUI differs', '\n'.join(tui_rows(off[0])), '\n'.join(tui_rows(on[0])))
    if tui and 'peak' in on[0]:
        problems.append('written into the TUI')
    executed = [task for outcome in ('success', 'failure', 'killed') for task in matrix.TASKS[outcome]]
    for task in executed:
        count = sum(each.name == task and each.kind == 'inline' for each in insertions)
        if count != 1:
            problems.append(f'{task}: {count} figures')
    if show:
        for each in (on[0], on[2]):
            if each:
                print('\n'.join(f'    |{line}' for line in each.split('\n')))
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--show', action='store_true')
    parser.add_argument('library')
    parser.add_argument('workspaces')
    parser.add_argument('major', type=int, nargs='+')
    options = parser.parse_args()
    if not shutil.which('tmux'):
        sys.exit('screens: tmux is needed (Debian: apt-get install tmux)')
    failed = passed = 0
    for major in options.major:
        directory = os.path.join(os.path.abspath(options.workspaces), f'matrix-{major}')
        workspace = matrix.Workspace(major, directory, options.library)
        for tui in (False, True) if major >= 21 else (False,):
            for columns in (80, 44):
                problems = compare(workspace, columns, tui, options.show)
                passed, failed = passed + (not problems), failed + bool(problems)
                print(f'{"not ok" if problems else "ok"} nx{major} {"TUI" if tui else "dynamic"} {columns} columns', flush=True)
                for problem in problems:
                    print(f'    {problem}')
    print(f'{passed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
