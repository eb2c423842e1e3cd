#!/usr/bin/env python3
"""Every output mode of Nx, with every outcome of a task, each run without the library and with it.

    matrix.py [--modes PATTERN] [--keep DIRECTORY] LIBRARY WORKSPACES MAJOR...

A cell is (major, mode, outcome). It is right when
  - each task that was executed has exactly one figure, on Nx's own result line where the mode prints one after the end
    ("inline"), otherwise on a line of its own ("own"), and nowhere else; the cause stands with it where it was killed;
  - a cached task has "last peak" where HEAPLOG_RESULTS has it, and nothing where not;
  - the suffix is dim on a coloured line and plain on a plain one;
  - nothing of ours was written while the alternate screen was open;
  - each executed task is in HEAPLOG_RESULTS with a peak;
and the bytes of the run without our insertions equal those of the run without the library, and the exit status as well.
"""
import argparse
import difflib
import glob
import json
import os
import re
import shutil
import signal
import sys
import time

import terminal

# ---- What a run's output is compared as ------------------------------------------------------------------------------

SGR = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]')
FIGURE = r'\((?:last )?peak: \d+(?:\.\d)?(?:KB|MB|GB)(?:, [A-Za-z0-9. -]+)?\)'
SUFFIX = re.compile(rf'(\x1b\[2m)? ({FIGURE})(?:\x1b\[22m)?')
OWN = re.compile(rf'^(?P<prefix>\S+: )?[✔✖◼]  (?:nx run )?(?P<name>\S+(?: \d+)?) {FIGURE}$')
MOVE = re.compile(r'\x1b\[[0-9;?]*[A-LN-Za-ln-z]')  # any but a colour
LEAD = re.compile(rf'(?:{MOVE.pattern})*')
ALTERNATE = re.compile(r'\x1b\[\?1049h(.*?)\x1b\[\?1049l', re.S)

NORMAL = (
    # What no two runs have in common: durations, and the report that is made of them (23 and later).
    (re.compile(r'(Run duration|Critical path|Recoverable time|Cache|Wall time|Saved):? .*'), 'REPORT'),
    (re.compile(r'<?\b\d+(?:\.\d+)?(?:ms|s|μs)\b'), 'TIME'),
    # Debug lines of Nx's plugin workers (--verbose, 22 and later), in any order.
    (re.compile(r'^\[(?:isolated-plugin|plugin-worker)\].*\n', re.M), ''),
    # Node's warnings name the process.
    (re.compile(r'\(node:\d+\)'), '(node:PID)'),
    # Spinners.
    (re.compile(r'[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]'), '⠋'),
    # The file of a task's full output (summary style, 23 and later).
    (re.compile(r'full log: \S+'), 'full log: FILE'),
)


def plain(text):
    return SGR.sub('', text)


def normal(text):
    for pattern, by in NORMAL:
        text = pattern.sub(by, text)
    return text


# Rows of the dynamic display's block, which is drawn again and again.
LIVE = re.compile(r'|—{10,}|NX   Running targets? .*|→  (?:Executing|Waiting).*|⠋.*|[✔✖]  \d+/\d+ .*|\d+/\d+ dependent .*')


def is_live(row):
    return LIVE.fullmatch(plain(row).strip()) is not None


def last_block(text):
    """Of the block only its last state: which states are drawn in between, and how often, depends on the clock. A state
    begins where the cursor goes up; what stays above the block is kept."""
    states = re.split(r'\x1b\[\d+A', text)
    for i, state in enumerate(states[:-1]):
        states[i] = '\n'.join(MOVE.sub('', row) for row in state.split('\n') if not is_live(row))
    return '\n'.join(filter(None, states))


# Of a task that Nx ends itself, if it lives long enough to say so.
LAST_WORDS = re.compile(r'^Warning: command ".*" exited with non-zero status code.*(?:\n|\Z)', re.M)


# Of a run that is interrupted, if its tasks end before Nx has ended itself.
LAST_TITLE = re.compile(r'^ NX +(?:Successfully ran|Ran) targets? .*(?:\n|\Z)|^ NX +Running targets? .* failed\r?(?:\n|\Z)', re.M)


def lines_of(text):
    """The distinct lines, cursor movements taken for their ends."""
    return {plain(line).strip() for line in re.split(r'\r?\n|\x1b\[\d*[AGJK]', text) if not is_live(line)}


def without_tui(text):
    """The TUI's frames depend on the clock; what is inside is looked at on its own. Two threads
    give the terminal back, in any order."""
    return re.sub(r'\(TUI\)(?:\x1b\[[^m\x1b]*[A-Za-ln-z]|\x1b\]9;[^\x1b]*\x1b\\)*', '(TUI)', ALTERNATE.sub('(TUI)', text))


class Insertion:
    def __init__(self, kind, name, line, figure, coloured, line_coloured):
        self.kind, self.name, self.line, self.figure = kind, name, line, figure
        self.coloured, self.line_coloured = coloured, line_coloured


TITLE = re.compile(r'^ NX .*(?:ran target|failed\b|tasks?: |Ran target)', re.M)
BLOCK = re.compile(rf'^(?:\^C)?heaplog: (.*) ({FIGURE})')
NAMED = re.compile(r'nx run (\S+)')


def take_out(text, reference):
    """(text without our insertions, the insertions). A line with a figure is our own when the reference, the run
    without the library, has no such line without the figure."""
    known = {plain(normal(line)).strip('\r') for line in reference.split('\n')}
    kept, insertions, carried = [], [], ''
    for line in text.split('\n'):
        line, carried = carried + line, ''
        found = SUFFIX.search(line)
        bare = plain(line).strip('\r')
        if re.match(r'(\^C)?heaplog: ', bare):  # the terminal's echo of Ctrl-C is no line of its own
            found_name = BLOCK.match(bare)
            name = found_name.group(1) if found_name else bare
            figure = found_name.group(2) if found_name else None
            insertions.append(Insertion('block', name, line, figure, '\x1b[2m' in line, '\x1b[2m' in line))
            before = line[:line.index('heaplog: ')]
            if insertions[-2:-1] == [] or insertions[-2].kind != 'block':  # the first row begins anew on a terminal
                kept[-1:] = [] if kept[-1:] == ['\r'] else kept[-1:]
            kept += [before] if before else []
            continue
        if not found:
            kept.append(line)
            continue
        figure, rest = found.group(2), SUFFIX.sub('', line, count=1)
        name = NAMED.search(plain(rest))
        name = name.group(1).replace('"', '') if name else plain(rest).strip()
        own = OWN.match(bare)
        if own and plain(normal(rest)).strip('\r') not in known:
            kind = 'own'
            name = own.group('name')
            if own.group('prefix'):
                kind = 'prefixed'
            carried = LEAD.match(line).group()  # the cursor was moved for the line that follows ours
        else:
            kind = 'inline'
            kept.append(rest)
        insertions.append(Insertion(kind, name, line, figure, found.group(1) is not None,
                                    SGR.search(MOVE.sub('', rest)) is not None))
    if carried:
        kept.append(carried)
    return '\n'.join(kept), insertions


# Between our own lines and a title that Nx prints without a blank line before it we put one.
BLANK = re.compile(r'\r?\n(\r?\n(?:\x1b\[[0-9;]*m)* NX )')


def same(with_it, reference):
    """Byte equality after the normalisation; with our own lines above the title also with one blank line less."""
    return with_it == reference or any(
        with_it[:at.start()] + at.group(1) + with_it[at.end():] == reference for at in BLANK.finditer(with_it))


# ---- The modes -------------------------------------------------------------------------------------------------------

MANY = ('run-many', '-t', 'work', '--parallel=1')
TASKS = {'success': ('@acme/ok-script:work', '@acme/ok-command:work'), 'failure': ('@acme/bad:work',), 'killed': ('@acme/shot:work',),
         'cached': ('@acme/hit:work', '@acme/miss:work')}
DEP, HIT = '@acme/ok-command:solo', '@acme/hit:work'


class Run:
    """One run of Nx. expect: {task: kind}; kind: inline, own, streamed (own, with the prefix where the run's
    output has it), batch; cached tasks: last, none. sort: the order of lines depends on the clock. mixed: the dynamic
    display and the output of tasks come in pieces between each other, as the clock has it: the set of lines is compared.
    interrupt: a signal for the runner (SIGINT: for all of its foreground group) when so many tasks have said a word:
    after. Then a task may have its figure on any line (any), or, if the last lines are muted, on stderr."""

    def __init__(self, args, expect, outcome=None, env=None, where='pipe', sort=False, mixed=False, keys=0, slow=False, interrupt=None, after=1,
                 daemon=False):
        self.args, self.expect, self.outcome, self.env, self.where = args, expect, outcome, env or {}, where
        self.sort, self.mixed, self.keys, self.slow = sort, mixed, keys, slow
        self.interrupt, self.after, self.daemon = interrupt, after, daemon


def outcome_of(task):
    for outcome, tasks in TASKS.items():
        if task in tasks:
            return outcome
    return {'hit': 'cached', 'bad': 'failure', 'dep-bad': 'failure', 'shot': 'killed'}.get(task.split(':')[1], 'success')


def many(flags=(), executed='inline', bad=None, hit='last', env=None, where='pipe', **more):
    expect = {task: executed for task in TASKS['success']}
    expect.update({'@acme/bad:work': bad or executed, '@acme/shot:work': bad or executed, '@acme/hit:work': hit,
                   '@acme/miss:work': 'none'})
    return [Run(MANY + tuple(flags), expect, env=env, where=where, **more)]


def one(flags=(), own='own', bad=None, dep='inline', cached='last', hit='last', dep_bad='inline', env=None, where='pipe', **more):
    """run-one: own: the asked task's line; dep: a dependency's; cached: a cached dependency's; hit: the task itself."""
    def run(target, expect):
        return Run(('run', f'@acme/app:{target}', *flags), expect, env=env, where=where, **more)
    return [run('ok', {'@acme/app:ok': own, DEP: dep, HIT: cached}), run('bad', {'@acme/app:bad': bad or own}),
            run('shot', {'@acme/app:shot': bad or own}), run('hit', {'@acme/app:hit': hit}),
            run('dep-bad', {'@acme/bad:work': dep_bad})]


def modes(major):
    """{name: runs}, after what NX.md's table calls before only, after and none, for this major."""
    gha = {'GITHUB_ACTIONS': 'true', 'CI': 'true'}
    color = {'FORCE_COLOR': '1'}
    no_tui = {'NX_TUI': 'false'}
    tty = {'where': 'terminal', 'env': no_tui}
    # Up to 22 the worker still runs when Nx prints its last line and ends.
    batch = 'batch' if major >= 23 else 'block'
    static_one = 'own' if major == 18 else 'inline'
    table = {
        'pipe: run-many': many(),
        'pipe: CI': many(env={'CI': 'true'}),
        'pipe: --verbose': many(('--verbose',)),
        'pipe: NX_VERBOSE_LOGGING': many(env={'NX_VERBOSE_LOGGING': 'true'}),
        'pipe: FORCE_COLOR': many(env=color),
        'pipe: NO_COLOR, CI': many(env={'NO_COLOR': '1', 'CI': 'true'}),
        'pipe: GitHub Actions': many(env=gha),
        'pipe: GitHub Actions, static': many(('--output-style=static',), env=gha),
        'pipe: static': many(('--output-style=static',)),
        'pipe: dynamic': many(('--output-style=dynamic',)),
        'pipe: stream': many(('--output-style=stream',), executed='streamed'),
        'pipe: stream, FORCE_COLOR': many(('--output-style=stream',), executed='streamed', env=color),
        'pipe: stream-without-prefixes': many(('--output-style=stream-without-prefixes',), executed='own'),
        'pipe: NX_STREAM_OUTPUT': many(env={'NX_STREAM_OUTPUT': 'true'}, executed='streamed'),
        'pipe: parallel=3': [Run(('run-many', '-t', 'work', '--parallel=3'), many()[0].expect, sort=True)],
        'pipe: stream, parallel=3': [Run(('run-many', '-t', 'work', '--parallel=3', '--output-style=stream'),
                                         many(executed='streamed')[0].expect, sort=True)],
        'pipe: slow reader': many(('--output-style=static',), slow=True),
        'file: run-many': many(where='file'),
        'pipe: quoted target': [Run(('run-many', '-t', 'col:on'), {'@acme/ok-command:col:on': 'inline'})],
        'pipe: several commands': [Run(('run-many', '-t', 'par,ser', '--parallel=1'),
                                       {'@acme/ok-command:par': 'inline', '@acme/ok-command:ser': 'inline'}, sort=True)],
        'pipe: nested nx': [Run(('run-many', '-t', 'nested', '--output-style=static'),
                                {'@acme/ok-command:nested': 'inline'})],
        'pipe: batch': [Run(('run-many', '-t', 'batched', '--batch'), {'batch 1': batch}, outcome='success')],
        'pipe: batch, GitHub Actions': [Run(('run-many', '-t', 'batched', '--batch'), {'batch 1': batch}, outcome='success', env=gha)],
        'pipe: affected': [Run(('affected', '-t', 'solo', '--files=packages/ok-command/package.json'),
                               {DEP: 'inline'})],
        'pipe: run-one': one(),
        'pipe: run-one, static': one(('--output-style=static',), own=static_one),
        'pipe: run-one, stream': one(('--output-style=stream',), own='streamed', dep='streamed', dep_bad='streamed'),
        'pipe: run-one, CI': one(env={'CI': 'true'}),
        'pipe: run-one, GitHub Actions': one(env=gha),
        'pipe: run-one, --verbose': one(('--verbose',)),
        'terminal: run-many': many(**tty),
        'terminal: stream': many(('--output-style=stream',), executed='streamed', **tty),
        'terminal: stream-without-prefixes': many(('--output-style=stream-without-prefixes',),
                                                  executed='inline' if major < 22 else 'own', mixed=major < 22, **tty),
        'terminal: static': many(('--output-style=static',), **tty),
        'terminal: --verbose': many(('--verbose',), **tty),
        'terminal: CI': many(where='terminal', env={**no_tui, 'CI': 'true'}),
        'terminal: NO_COLOR': many(where='terminal', env={**no_tui, 'NO_COLOR': '1'}),
        'terminal: run-one': one(dep='own', cached='none', dep_bad='inline', mixed=True, **tty),
        'terminal: run-one, static': one(('--output-style=static',), own=static_one, **tty),
    }
    serve = '@acme/server:serve'
    # What Nx says upon a signal, and whether it gets to say it, depends on the clock.
    served = ('run-many', '-t', 'solo,serve', '--parallel=3')
    table.update({
        'pipe: Ctrl-C': [Run(served, {DEP: 'any', serve: 'any'}, interrupt=signal.SIGINT, after=2, mixed=True)],
        'pipe: run-one, Ctrl-C': [Run(('run', serve), {serve: 'any'}, interrupt=signal.SIGINT, mixed=True)],
        'terminal: Ctrl-C': [Run(served, {DEP: 'any', serve: 'any'}, interrupt=signal.SIGINT, after=2, mixed=True, **tty)],
        'terminal: run-one, Ctrl-C': [Run(('run', serve), {serve: 'any'}, interrupt=signal.SIGINT, mixed=True, **tty)],
    })
    if major >= 19 or not os.path.exists('/.dockerenv'):  # 18 starts none in a container, whatever NX_DAEMON says
        table['pipe: daemon'] = many(daemon=True)
    if major >= 20:  # before, SIGTERM does not end the runner as long as a task runs
        table['pipe: SIGTERM'] = [Run(served, {DEP: 'any', serve: 'any'}, interrupt=signal.SIGTERM, after=2, mixed=True)]
        table['pipe: run-one, SIGTERM'] = [Run(('run', serve), {serve: 'any'}, interrupt=signal.SIGTERM, mixed=True)]
    if major >= 21:  # continuous tasks, which Nx ends when nobody needs them any more
        table['pipe: run-one, continuous dependency'] = [Run(('run', '@acme/app:e2e'), {'@acme/app:e2e': 'any', serve: 'any'},
                                                             mixed=True)]
        table['TUI: Ctrl-C'] = [Run(served, {DEP: 'any', serve: 'any'}, interrupt=signal.SIGINT, after=2, mixed=True,
                                    where='terminal', env={'NX_TUI': 'true'})]
    if major >= 23:
        agent = {'CLAUDECODE': '1'}
        summary = {'executed': 'own', 'bad': 'inline', 'hit': 'none'}
        table['pipe: summary'] = many(('--output-style=summary',), **summary)
        table['pipe: under an AI agent'] = many(env=agent, **summary)
        table['pipe: run-one, under an AI agent'] = one(dep='own', bad='inline', cached='none', hit='none', env=agent)
        table['terminal: summary'] = many(('--output-style=summary',), **summary, **tty)
        table['pipe: run-one, summary'] = one(('--output-style=summary',), dep='own', bad='inline', cached='none', hit='none')
        table['pipe: static-failures-only'] = many(('--output-style=static-failures-only',))
        table['terminal: static-failures-only'] = many(('--output-style=static-failures-only',), where='terminal')
        table['pipe: run-one, static-failures-only'] = one(('--output-style=static-failures-only',), own='inline')
    if major >= 21:
        tui = {'NX_TUI': 'true'}
        table['terminal: dynamic-legacy'] = many(('--output-style=dynamic-legacy',), where='terminal')
        table['TUI: --output-style=tui'] = many(('--output-style=tui',), where='terminal', keys=6)
        table['TUI: run-many'] = many(where='terminal', env=tui, keys=6)
        # 21 shows no TUI for a task without dependencies, whatever is asked.
        table['TUI: run-one'] = one(own='inline', bad='own' if major == 21 else None, mixed=major == 21, where='terminal',
                                    env=tui, keys=1)
    return table


# ---- Driving ---------------------------------------------------------------------------------------------------------

class Workspace:
    def __init__(self, major, directory, library):
        self.major, self.directory = major, directory
        # A copy: a build meanwhile must not change what is tested.
        self.library = shutil.copy(library, os.path.join(directory, 'libheaplog.so'))
        self.results = os.path.join(directory, 'results.jsonl')
        self.log = os.path.join(directory, 'matrix.log')
        self.nx = [shutil.which('node'),
                   os.path.join(directory, 'node_modules/nx', 'dist/bin/nx.js' if major >= 22 else 'bin/nx.js')]
        # Nothing of our own environment: Nx looks for CI systems and for programs that read in a person's place.
        self.base = {'PATH': os.environ['PATH'], 'HOME': os.path.join(directory, 'home'), 'LANG': 'C.UTF-8',
                     'TERM': 'xterm-256color', 'NX_DAEMON': 'false', 'npm_config_update_notifier': 'false',
                     'MATRIX_LOG': self.log}
        os.makedirs(self.base['HOME'], exist_ok=True)
        self.state = [os.path.join(directory, '.nx'), os.path.join(self.base['HOME'], '.nx')]
        self.records = self.fill_cache()

    def fill_cache(self):
        """Fills Nx's cache, and returns the records of what "last peak" is then known of."""
        lines = []
        for name in self.state:
            shutil.rmtree(name, ignore_errors=True)
        for target in ('@acme/hit:work', '@acme/app:hit', '@acme/miss:work'):
            if os.path.exists(self.results):
                os.remove(self.results)
            done = terminal.on_pipes(self.nx + ['run', target], self.directory, self.on())
            if done.status or not os.path.exists(self.results):
                sys.exit(f'matrix: nx {self.major} run {target}: {done.status}\n{done.stdout.decode()}{done.stderr.decode()}')
            with open(self.results) as file:
                lines += file.readlines() if target != '@acme/miss:work' else []
        for name in self.state:
            shutil.rmtree(name + '.filled', ignore_errors=True)
            if os.path.isdir(name):
                shutil.copytree(name, name + '.filled', symlinks=True)
        return ''.join(lines)

    def restore(self):
        """Nx as it was when the cache had been filled: it orders tasks by what they took before."""
        for name in self.state:
            shutil.rmtree(name, ignore_errors=True)
            if os.path.isdir(name + '.filled'):
                shutil.copytree(name + '.filled', name, symlinks=True)

    def begin(self):
        """As before the first run."""
        with open(self.results, 'w') as file:
            file.write(self.records)
        os.chmod(self.results, 0o600)
        open(self.log, 'w').close()
        self.restore()

    def on(self):
        return {**self.base, 'NX_LOG_HEAP_USAGE': 'true', 'LD_PRELOAD': self.library, 'HEAPLOG_RESULTS': self.results}

    def keys(self, tasks):
        """Leaves the TUI when the tasks have said that they end, and again when it did not."""
        last = [0.0]

        def ask(written):
            is_open = written.rfind(b'\x1b[?1049h') > written.rfind(b'\x1b[?1049l')
            with open(self.log) as log:
                ended = len(log.readlines()) >= tasks
            if not tasks or not is_open or not ended or time.time() < os.stat(self.log).st_mtime + 1.5 or time.time() < last[0] + 1:
                return None
            last[0] = time.time()
            return b'q'
        return ask

    def interrupt(self, run):
        """When the tasks run: the signal, once; on a terminal the key."""
        sent = []

        def ask(_written=b''):
            with open(self.log) as log:
                if sent or len(log.readlines()) < run.after or time.time() < os.stat(self.log).st_mtime + 1:
                    return None
            sent.append(True)
            return b'\x03' if run.where == 'terminal' else run.interrupt
        return ask

    def end_daemon(self):
        """Ends Nx's daemon, and returns what is wrong with it."""
        problems = ['no daemon was started']
        for path in glob.glob(os.path.join(self.directory, '.nx/**/server-process.json'), recursive=True):
            with open(path) as file:
                daemon = json.load(file)['processId']
            with open(f'/proc/{daemon}/maps') as maps:
                problems = ['the daemon has the library'] if self.library in maps.read() else []
            os.kill(daemon, signal.SIGTERM)
            while os.path.exists(f'/proc/{daemon}/exe'):
                time.sleep(0.05)
        return problems

    def run(self, run, with_library):
        env = {**(self.on() if with_library else self.base), **run.env}
        self.begin()
        command = self.nx + list(run.args)
        if run.daemon:
            env['NX_DAEMON'] = 'true'
        if run.where == 'terminal':
            tasks = sum(kind not in ('last', 'none') for kind in run.expect.values())
            return terminal.on_terminal(command, self.directory, env,
                                        self.keys(tasks) if run.keys else self.interrupt(run) if run.interrupt else lambda _written: None)
        if run.where == 'file':
            return terminal.on_file(command, self.directory, env, os.path.join(self.directory, 'stdout'))
        return terminal.on_pipes(command, self.directory, env, self.interrupt(run) if run.interrupt else None, run.slow)

    def recorded(self):
        with open(self.results) as file:
            return [json.loads(line) for line in file.read()[len(self.records):].splitlines()]


def diff(title, before, after):
    lines = difflib.unified_diff([ascii(line) if '\x1b' in line else line for line in before.split('\n')],
                                 [ascii(line) if '\x1b' in line else line for line in after.split('\n')],
                                 'without the library', 'with it, less our insertions', lineterm='', n=1)
    return [title, *('    ' + line for line in lines)]


def check(workspace, run):
    """{outcome: [problem, ...]} of one run of Nx without and one with the library."""
    daemon = []
    outputs = []
    for with_library in (False, True):
        try:
            outputs.append(workspace.run(run, with_library))
        finally:  # the daemon outlives the run
            if run.daemon:
                daemon += workspace.end_daemon()
    off, on = outputs
    outcomes = {run.outcome or outcome_of(task) for task in run.expect}
    problems = {outcome: [] for outcome in outcomes}

    def everywhere(*texts):
        for outcome in outcomes:
            problems[outcome] += texts

    everywhere(*daemon)
    if on.status != off.status:
        everywhere(f'exit status {on.status}, without the library {off.status}')
    insertions = []
    for stream in ('stdout', 'stderr'):
        reference, text = (getattr(each, stream).decode(errors='replace') for each in (off, on))
        for tui in ALTERNATE.findall(text):
            if 'peak' in plain(tui) and 'peak' not in plain(reference):
                everywhere('written into the alternate screen')
        reference, text = without_tui(reference), without_tui(text)
        text, found = take_out(text, reference)
        insertions += found
        reference, text = last_block(normal(reference)), last_block(normal(text))
        if run.sort:
            reference, text = ('\n'.join(sorted(filter(str.strip, each.split('\n')))) for each in (reference, text))
        if 'any' in run.expect.values():
            reference, text = LAST_WORDS.sub('', reference), LAST_WORDS.sub('', text)
        if run.interrupt:
            reference, text = LAST_TITLE.sub('', reference), LAST_TITLE.sub('', text)
        if run.mixed:
            reference, text = ('\n'.join(sorted(lines_of(each))) for each in (reference, text))
        if not same(text, reference):
            everywhere('\n'.join(diff(f'{stream} differs', reference, text)))
    records = {record['task']: record for record in workspace.recorded()}
    # Nx 20 ends at once, without a title, when a task on a terminal of its own is killed: the rest stands on stderr.
    said = plain((off.stdout + off.stderr).decode(errors='replace'))
    broke_off = not TITLE.search(said)
    for task, kind in run.expect.items():
        mine = [each for each in insertions if each.name == task]
        where = problems[run.outcome or outcome_of(task)]
        seen = ', '.join(f'{each.kind}: {each.line!r}' for each in mine) or 'nothing'
        if kind in ('last', 'none'):
            if kind == 'none' and mine or kind == 'last' and not (
                    len(mine) == 1 and mine[0].kind == 'inline' and mine[0].figure.startswith('(last peak')):
                where.append(f'{task}: expected {"last peak" if kind == "last" else "nothing"}, seen {seen}')
        else:
            wanted = {'batch': 'own', 'streamed': 'own'}.get(kind, kind)
            if kind == 'streamed' and re.search(rf'^{re.escape(task.split(":")[0])}: ', said, re.M):
                wanted = 'prefixed'
            if broke_off:
                wanted = 'block'
            if len(mine) == 1 and kind == 'any':
                wanted = mine[0].kind
            if len(mine) != 1 or mine[0].kind != wanted or 'last' in (mine[0].figure or ''):
                where.append(f'{task}: expected one figure, {wanted}; seen {seen}')
            if not task.startswith('batch') and not records.get(task, {}).get('peak_bytes'):
                where.append(f'{task}: no record')
            if task.endswith('shot:work') or task.endswith(':shot'):
                # A streamed command runs under a process of Nx's own, which ends with code 1 (up to 22).
                named = kind != 'streamed' or records.get(task, {}).get('exit', {}).get('signal') == 'SIGKILL'
                if not all(('SIGKILL' in (each.figure or '')) == named for each in mine):
                    where.append(f'{task}: SIGKILL is not named: {seen}')
        for each in mine:
            if each.coloured != each.line_coloured:
                where.append(f'{task}: colour of the suffix: {each.line!r}')
    for each in insertions:
        if each.name not in run.expect:
            everywhere(f'not expected: {each.kind}: {each.line!r}')
    return problems, (off, on)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--modes', default='', help='only modes whose name matches this regular expression')
    parser.add_argument('--keep', help='keep the raw output of failing cells in this directory')
    parser.add_argument('library')
    parser.add_argument('workspaces', help='directory of the workspaces, matrix-MAJOR each')
    parser.add_argument('major', type=int, nargs='+')
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended as well
    passed = failed = 0
    details = []
    header = f'{"":42}success   failure   killed    cached'
    summary = {}  # {mode: {major: [right, all]}}
    for major in options.major:
        workspace = Workspace(major, os.path.join(os.path.abspath(options.workspaces), f'matrix-{major}'), options.library)
        print(f'\nNx {major}\n{header}')
        for name, runs in modes(major).items():
            if not re.search(options.modes, name):
                continue
            cell = {}
            for number, run in enumerate(runs):
                problems, outputs = check(workspace, run)
                for outcome, texts in problems.items():
                    cell.setdefault(outcome, []).extend(f'nx {" ".join(run.args)}: {text}' for text in texts)
                if options.keep and any(problems.values()):
                    os.makedirs(options.keep, exist_ok=True)
                    for which, output in zip(('off', 'on'), outputs):
                        base = re.sub(r'\W+', '-', f'{major}-{name}-{number}-{which}')
                        for stream in ('stdout', 'stderr'):
                            with open(os.path.join(options.keep, f'{base}.{stream}'), 'wb') as file:
                                file.write(getattr(output, stream))
            marks = []
            for outcome in ('success', 'failure', 'killed', 'cached'):
                if outcome not in cell:
                    marks.append('-')
                    continue
                right = not cell[outcome]
                passed, failed = passed + right, failed + (not right)
                count = summary.setdefault(name, {}).setdefault(major, [0, 0])
                count[0] += right
                count[1] += 1
                marks.append('ok' if right else 'WRONG')
                details += [(major, name, outcome, text) for text in cell[outcome]]
            print(f'  {name:40}' + ''.join(f'{mark:10}' for mark in marks).rstrip(), flush=True)
    shown = {}
    for major, name, outcome, text in details:  # what is wrong with a whole run is said once
        shown.setdefault((major, name, text), []).append(outcome)
    for (major, name, text), outcomes in shown.items():
        print(f'\nNx {major}, {name}, {"/".join(outcomes)}:\n    ' + text.replace('\n', '\n    '))
    if len(options.major) > 1:
        print(f'\n{"outcomes that are right, of all":42}' + ''.join(f'Nx {major:<4}' for major in options.major).rstrip())
        for name, counts in summary.items():
            row = ('{}/{}'.format(*counts[major]) if major in counts else '-' for major in options.major)
            print(f'  {name:40}' + ''.join(f'{each:7}' for each in row).rstrip())
    print(f'\nNx {", ".join(map(str, options.major))}: of {passed + failed} cells (mode x outcome) {passed} right, {failed} wrong')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
