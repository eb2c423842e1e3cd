#!/usr/bin/env python3
"""Requirement -> test -> result.

    requirements.py BUILD

A test says what it shows by "[req: H-nn]" in the comment above it (cmocka programs), or anywhere in a script, whose result is
then its last one under BUILD/harmless (NAME.result). All cmocka programs that show something are run. Ends with 1 when an item
is not covered, or a test that covers one fails."""
import glob
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
    return {name: what.strip() == "OK" for what, name in re.findall(r"\[ *(OK|FAILED) *\] (test_\w+)", text)}


def main():
    build = os.path.abspath(sys.argv[1])
    shown, scripted = programs(), scripts()
    results = {program: run(program, build) for program in sorted({p for tests in shown.values() for p, _ in tests})}
    bad = covered = 0
    for key, text, reason in items():
        lines = []
        for program, test in shown.get(key, []):
            outcome = results[program].get(test)
            lines.append("%s:%s %s" % (program, test, "ok" if outcome else "FAILED" if outcome is False else "not run"))
            bad += outcome is not True
        for name, _ in scripted.get(key, []):
            path = os.path.join(build, "harmless", name + ".result")
            outcome = open(path).read().strip() if os.path.exists(path) else "not run here: make " + name
            lines.append("%s %s" % (name, outcome))
            bad += outcome.startswith("FAILED")
        if lines:
            covered += 1
        elif not reason:
            lines.append("NOT COVERED")
            bad += 1
        print("%s  %s\n        %s" % (key, text, "\n        ".join(lines + ([reason] if reason else []))))
    print("requirements: %d covered, %d problems" % (covered, bad))
    return 1 if bad else 0


sys.exit(main())
