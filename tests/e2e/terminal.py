"""Runs a program on pipes or on a pseudo-terminal and gives back what it wrote."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

# What a terminal answers when it is asked for its colours, its kind and the cursor; Nx's TUI waits for some of it.
ANSWERS = ((b'\x1b]10;?', b'\x1b]10;rgb:ffff/ffff/ffff\x1b\\'), (b'\x1b]11;?', b'\x1b]11;rgb:0000/0000/0000\x1b\\'),
           (b'\x1b[c', b'\x1b[?62c'), (b'\x1b[6n', b'\x1b[1;1R'))
LIMIT = 120  # seconds after which a run is given up; a good one takes two


def end(child):
    """Leave nothing behind, whatever ended us: the runner, and its tasks in the same group."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


class Output:
    """status: exit code, or minus the signal; stdout and stderr: bytes (a terminal has only stdout)."""

    def __init__(self, status, stdout, stderr=b''):
        self.status, self.stdout, self.stderr = status, stdout, stderr


def on_pipes(command, cwd, env, interrupt=None, slow=False):
    """interrupt(): what to do to the runner, asked again and again: a signal, or None. slow: stdout is read late."""
    child = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, start_new_session=True)
    try:
        if slow:
            time.sleep(3)
        until = time.time() + LIMIT
        while interrupt and child.poll() is None and time.time() < until:
            number = interrupt()
            if number:
                # As a terminal does it: Ctrl-C is for the whole foreground group.
                os.killpg(child.pid, number) if number == signal.SIGINT else child.send_signal(number)
                break
            time.sleep(0.05)
        stdout, stderr = child.communicate(timeout=LIMIT)
    except SystemExit:
        end(child)
        raise
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        stdout, stderr = child.communicate()
        stderr += b'\n(run given up)\n'
    return Output(child.returncode, stdout, stderr)


def on_file(command, cwd, env, path):
    """stdout is a regular file."""
    with open(path, 'wb') as out:
        child = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE,
                               start_new_session=True, timeout=LIMIT)
    with open(path, 'rb') as written:
        return Output(child.returncode, written.read(), child.stderr)


def on_terminal(command, cwd, env, keys=lambda written: None, columns=120, rows=40):
    """keys(written): what is typed, asked again and again: bytes, or None."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def own_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    child = subprocess.Popen(command, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                             preexec_fn=own_terminal)
    os.close(slave)
    written = b''
    asked = 0  # up to here the questions are answered
    until = time.time() + LIMIT
    while True:
        if select.select([master], [], [], 0.1)[0]:
            try:
                piece = os.read(master, 65536)
            except OSError:  # EIO: the last one has closed it
                break
            if not piece:
                break
            written += piece
            questions = [(written.find(question, asked), question, answer) for question, answer in ANSWERS]
            for at, question, answer in sorted(found for found in questions if found[0] >= 0):
                os.write(master, answer)
                asked = max(asked, at + len(question))
        typed = keys(written)
        if typed:
            os.write(master, typed)
        if time.time() > until:
            os.killpg(child.pid, signal.SIGKILL)
            written += b'\r\n(run given up)\r\n'
            break
    os.close(master)
    return Output(child.wait(), written)
