#!/usr/bin/env python3
"""Make tests/fixtures/vNN.txt from recordings of Nx (vNN/p-*.jsonl.gz).

usage: fixtures.py RECORDINGS tests/fixtures

One file per version, ASCII, one event a line, so that C reads it without JSON or zlib:

  N NAME                                      a recording begins
  E PID<TAB>PROJECT<TAB>TARGET<TAB>CONFIG     first exec of a child of a task (CONFIG may be empty)
  R PID STATUS                                the child was reaped
  W FD RETURNED COUNT                         a write of COUNT iovecs; RETURNED as the kernel answered (-1: EAGAIN)
  I LENGTH VERDICT TEXT                       one iovec; TEXT shorter than LENGTH: filled up with 'x'
  =                                           one iovec equal to the one at the same index of the write before

TEXT is escaped (\\n \\r \\e \\\\ \\xHH). VERDICT is the answer of regular expressions, an implementation of its own against
which the matcher is checked: s static, c collapsed, S and C the same from the cache, - none.
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
CACHE = rb"(  \[(?:local cache|remote cache|existing outputs match the cache, left as is)\])?"
STATIC = re.compile(rb"(?:::group::\S* ?)?> nx run ([^\n]+?)" + CACHE)
COLLAPSED = re.compile("(?:✔|✖|◼)".encode() + rb"  nx run ([^\n]+?)" + CACHE + rb"\n")


def scrub(data):
    def same_length(match):
        text = b"/workspace/monorepo"
        return (text + b"-" * len(match[0]))[: len(match[0])]

    data = re.sub(rb"/srv/monorepos/\w+", same_length, data)
    return re.sub(rb"/(?:home|root|tmp|work)/[\w./-]*", same_length, data)


def verdict(data):
    plain = ESCAPE.sub(b"", data)
    for pattern, letter in ((STATIC, "s"), (COLLAPSED, "c")):
        match = pattern.fullmatch(plain)
        if match:
            return letter.upper() if match[2] else letter
    return "-"


def escape(data):
    named = {0x0A: "\\n", 0x0D: "\\r", 0x1B: "\\e", 0x5C: "\\\\"}
    return "".join(named.get(b) or (chr(b) if 0x20 <= b < 0x7F else "\\x%02x" % b) for b in data)


def iovecs(event):
    parts = [text.encode("latin-1") for text in event["iov"]]
    lengths = [len(part) for part in parts]
    if event.get("cut"):
        # Only the total is recorded; what the parts lack belongs to the one that was cut.
        cut = [i for i, part in enumerate(parts) if len(part) > 3500]
        whole = event["n"] - sum(lengths)
        for i in cut[1:]:
            parts[i] = parts[i][:3500]
        lengths[cut[0]] += whole
    assert sum(lengths) == event["n"], event["n"]
    for part, length in zip(parts, lengths):
        if len(part) != length or (b"nx run" not in part and len(part) > KEEP):
            # A cut part is longer than any result line.
            assert len(part) == length or length > 4096 or b"nx run" not in part
            yield length, "-", scrub(part)[:KEEP]
        else:
            yield length, verdict(part), scrub(part)


def convert(path, out):
    out.write("N %s\n" % os.path.basename(path).split(".")[0])
    before = []
    for line in gzip.open(path, "rt", encoding="utf-8"):
        event = json.loads(line)
        if event["ev"] == "exec":
            fields = (event["project"], event["target"], event["configuration"] or "")
            out.write("E %d\t%s\n" % (event["pid"], "\t".join(fields)))
        elif event["ev"] == "reap":
            out.write("R %d %d\n" % (event["pid"], event["status"]))
        elif event["ev"] == "write":
            parts = list(iovecs(event))
            out.write("W %d %d %d\n" % (event["fd"], event["ret"], len(parts)))
            for i, part in enumerate(parts):
                if i < len(before) and before[i] == part and len(parts) > 1:
                    out.write("=\n")
                else:
                    out.write("I %d %s %s\n" % (part[0], part[1], escape(part[2])))
            before = parts


def main():
    source, target = sys.argv[1:]
    for version in sorted(os.listdir(source)):
        paths = sorted(glob.glob(os.path.join(source, version, "p-*.jsonl.gz")))
        if not paths:
            continue
        with open(os.path.join(target, version + ".txt"), "w", encoding="ascii") as out:
            for path in paths:
                convert(path, out)


main()
