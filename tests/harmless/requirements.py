#!/usr/bin/env python3
"""Requirement -> test -> result.

    requirements.py BUILD

A test says what it shows by "[req: H-nn]" in the comment above it (cmocka programs), or anywhere in a script, whose result is
then its last one under BUILD/harmless (NAME.result, of a short run NAME-short.result), if that was of this very library. All
cmocka programs that show something are run; what they leave out on this machine is named. Ends with 1 when an item is not
covered by a test that ran, or a test that covers one fails or is skipped."""
import glob
import hashlib
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TAG = re.compile(r"\[req: (H-\d\d)\]")


def items():
    with open(os.path.join(ROOT, "tests/harmless/requirements.tsv"), encoding="utf-8") as file:
        for line in file:
            key, text, *reason = line.rstrip("\n").split("\t")
            yield key, text, reason[0] if reason and reason[0] else None


def programs():
    """{item: [(program, test)]} from the comments above the tests."""
    shown = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/test_*.c"))):
        pending = []
        with open(path, encoding="utf-8") as file:
            for line in file:
                pending += TAG.findall(line)
                match = re.match(r"static void (test_\w+)\(void \*\*", line)
                if match:
                    for key in pending:
                        shown.setdefault(key, []).append((os.path.basename(path)[:-2], match[1]))
                    pending = []
    return shown


def scripts():
    shown = {}
    for path in [os.path.join(ROOT, "scripts/symbols.sh"), *sorted(glob.glob(os.path.join(ROOT, "tests/harmless/*")))]:
        name = os.path.basename(path).split(".")[0]
        if name != "requirements":
            with open(path, encoding="utf-8") as file:
                for key in sorted(set(TAG.findall(file.read()))):
                    shown.setdefault(key, []).append((name, None))
    return shown


def run(program, build):
    done = subprocess.run(["sh", os.path.join(ROOT, "tests/run.sh"), os.path.join(build, "tests", program)], cwd=ROOT,
                          env=dict(os.environ, BUILD=build), stdin=subprocess.DEVNULL, capture_output=True)
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    return ({name: what.strip() == "OK" for what, name in re.findall(r"\[ *(OK|FAILED) *\] (test_\w+)", text)},
            re.findall(r"^left out.*", text, re.M))


def outcome_of(name, build):
    """Of a script, with this library; None: it has not been run with it."""
    with open(os.path.join(build, "libheaplog.so"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    for kind, note in ((name, ""), (name + "-short", " (a short run)")):
        path = os.path.join(build, "harmless", kind + ".result")
        words = open(path).read().split() if os.path.exists(path) else []
        if len(words) > 1 and words[1] == digest:
            return words[0] + note
    return None


def main():
    build = os.path.abspath(sys.argv[1])
    shown, scripted = programs(), scripts()
    ran = {program: run(program, build) for program in sorted({p for tests in shown.values() for p, _ in tests})}
    bad = covered = without = 0
    for key, text, reason in items():
        lines = []
        good = False
        for program, test in shown.get(key, []):
            outcome = ran[program][0].get(test)
            lines.append("%s:%s %s" % (program, test, "ok" if outcome else "FAILED" if outcome is False else "NOT RUN"))
            bad += outcome is not True
            good |= outcome is True
        for name, _ in scripted.get(key, []):
            outcome = outcome_of(name, build)
            lines.append("%s %s" % (name, outcome or "not run with this library: make " + name))
            bad += (outcome or "").startswith("FAILED")
            good |= (outcome or "").startswith("ok")
        if good:
            covered += 1
        elif reason:
            without += 1
        else:
            lines.append("NOT COVERED")
            bad += 1
        print("%s  %s\n        %s" % (key, text, "\n        ".join(lines + ([reason] if reason else []))))
    for program, (_, parts) in sorted(ran.items()):
        for part in parts:
            print("%s: %s" % (program, part))
    print("requirements: %d covered, %d with a reason why not, %d problems; %d parts of tests left out on this machine" % (
        covered, without, bad, sum(len(parts) for _, parts in ran.values())))
    return 1 if bad else 0


sys.exit(main())
