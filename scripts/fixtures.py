#!/usr/bin/env python3
"""Make tests/fixtures/vNN.txt from recordings of Nx (vNN/[ptu]-*.jsonl.gz: pipes, terminal, terminal with the TUI).

usage: fixtures.py RECORDINGS tests/fixtures

One file per version, ASCII, one event a line, so that C reads it without JSON or zlib:

  N NAME                                          a recording begins
  E PID<TAB>PROJECT<TAB>TARGET<TAB>CONFIG<TAB>AFTER  first exec of a child of a task (CONFIG may be empty)
  R PID STATUS                                    the child was reaped
  C FD<TAB>LENGTH<TAB>TEXT                        the runner writes one chunk for the first time; what it tried again
                                                  after a short write or EAGAIN is left out. TEXT shorter than LENGTH:
                                                  filled up with 'x', and a newline at the end where LENGTH has an 'n'
  c NUMBER                                        the same chunk, fd included, as the file's chunk NUMBER (from 0)

TEXT is escaped (\\n \\r \\e \\\\ \\t \\xHH). AFTER: does a result line of the task follow its end? A where the regular
expressions below find one, - where not: an implementation of its own against which the library's is checked.
Output of tasks that holds no "nx run" is cut short; paths of the recording machine are replaced by ones of equal length.
"""

import glob
import gzip
import json
import os
import re
import sys

KEEP = 24
ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
CACHE = rb"(?:  \[(?:local cache|remote cache|existing outputs match the cache, left as is)\])?"
DURATION = "(?: \\(\\d+(?:\\.\\d+)?(?:w|d|h|m|s|ms|μs|ns)\\))?".encode()
ICON = "(?:✔|✖|◼)".encode()
LINES = [
    re.compile(rb"(?:::group::\S* ?)?> nx run ([^\n]+?)" + CACHE),
    re.compile(ICON + rb"  nx run ([^\n]+?)" + CACHE + rb"\n"),
    re.compile(rb"   " + ICON + rb"  nx run ([^\n]+?)" + DURATION + CACHE),
    re.compile(rb"   " + ICON + rb"  nx run ([^\n]+?)" + CACHE + rb"\n"),
    re.compile("✖ nx run ([^\n]+)\n".encode()),
]


def scrub(data):
    def same_length(match):
        text = b"/workspace/monorepo"
        return (text + b"-" * len(match[0]))[: len(match[0])]

    data = re.sub(rb"/srv/monorepos/\w+", same_length, data)
    return re.sub(rb"/(?:home|root|tmp|work)/[\w./-]*", same_length, data)


def escape(data):
    named = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x1B: "\\e", 0x5C: "\\\\"}
    return "".join(named.get(b) or (chr(b) if 0x20 <= b < 0x7F else "\\x%02x" % b) for b in data)


def parts_of(event):
    """The iovecs of a write as (bytes, true length); a cut one is longer than any result line."""
    parts = [text.encode("latin-1") for text in event["iov"]]
    lengths = [len(part) for part in parts]
    if event.get("cut"):
        cut = [i for i, part in enumerate(parts) if len(part) > 3500]
        whole = event["n"] - sum(lengths)
        for i in cut[1:]:
            parts[i] = parts[i][:3500]
        lengths[cut[0]] += whole
    assert sum(lengths) == event["n"], event["n"]
    return list(zip(parts, lengths))


def logical(events):
    """Replace writes by the chunks that they present for the first time. After a short write, or EAGAIN, the rest
    comes again at the head of the next one on the same descriptor."""
    waiting = {}
    for event in events:
        if event["ev"] != "write":
            yield event, None
            continue
        fd = event["fd"]
        parts = parts_of(event)
        again = waiting.get(fd, [])
        fresh = parts
        if again:
            same = [length for _, length in parts[: len(again)]]
            assert same == again[: len(same)], (fd, same, again)
            fresh = parts[len(again):]
        for part in fresh:
            yield event, part
        queue = again + [length for _, length in fresh]
        if len(parts) < len(again):  # IOV_MAX, or not all of them this time
            queue = again
        taken = max(event["ret"], 0)
        while queue and taken >= queue[0]:
            taken -= queue.pop(0)
        if queue and taken:
            queue[0] -= taken
        waiting[fd] = queue


def names(event):
    target = event["target"]
    tail = ":" + event["configuration"] if event["configuration"] else ""
    yield f'{event["project"]}:{target}{tail}'.encode()
    if ":" in target:
        yield f'{event["project"]}:"{target}"{tail}'.encode()


def is_after(events, position):
    """Does a line of this task come once all its children are reaped?"""
    task = events[position]
    key = (task["project"], task["target"], task["configuration"])
    live = set()
    started = False
    for event in events:
        if event["ev"] == "exec" and (event["project"], event["target"], event["configuration"]) == key:
            live.add(event["pid"])
            started = True
        elif event["ev"] == "reap":
            live.discard(event["pid"])
        elif event["ev"] == "write" and started and not live:
            for part, _ in parts_of(event):
                plain = ESCAPE.sub(b"", part)
                for line in LINES:
                    match = line.fullmatch(plain)
                    if match and any(match[1] == name or match[1].startswith(name + b" ") for name in names(task)):
                        return True
    return False


def convert(path, out, chunks):
    out.write("N %s\n" % os.path.basename(path).split(".")[0])
    events = [json.loads(line) for line in gzip.open(path, "rt", encoding="utf-8")]
    frames = [at for at, event in enumerate(events) if event["ev"] == "tui-writes"]
    if frames:
        # The recorder counted what the TUI's own thread wrote, and did not keep it: its last is this (seen by strace).
        events[frames[-1]] = {"ev": "write", "fd": 2, "iov": ["\x1b[?1049l"], "n": 8, "ret": 8}
    events = [event for event in events if event["ev"] in ("exec", "reap", "write")]
    for position, (event, part) in enumerate(logical(events)):
        if event["ev"] == "exec":
            at = events.index(event)
            fields = (event["project"], event["target"], event["configuration"] or "", "A" if is_after(events, at) else "-")
            out.write("E %d\t%s\n" % (event["pid"], "\t".join(fields)))
        elif event["ev"] == "reap":
            out.write("R %d %d\n" % (event["pid"], event["status"]))
        else:
            text, length = part
            end = "n" if text.endswith(b"\n") else ""
            if len(text) != length or (b"nx run" not in text and len(text) > KEEP and b" NX " not in text
                                       and "————".encode() not in text):
                text = text[:KEEP]
            if "————".encode() in text:  # a rule is as wide as the terminal; its colours and a part of it suffice
                short = text.replace("—".encode() * 40, b"")
                length -= len(text) - len(short)
                text = short
            line = "%d\t%d%s\t%s" % (event["fd"], length, end, escape(scrub(text)))
            if line in chunks:
                out.write("c %d\n" % chunks[line])
            else:
                chunks[line] = len(chunks)
                out.write("C %s\n" % line)


def main():
    source, target = sys.argv[1:]
    for version in sorted(os.listdir(source)):
        paths = sorted(glob.glob(os.path.join(source, version, "[ptu]-*.jsonl.gz")))
        if not paths:
            continue
        chunks = {}
        with open(os.path.join(target, version + ".txt"), "w", encoding="ascii") as out:
            for path in paths:
                convert(path, out, chunks)


main()
