#!/usr/bin/env python3
"""Real programs under the library, compared test by test with a run without it.

    conformance.py LIBRARY WORK [SUITE...]

Each suite yields outcomes, {name: result}. It is run without the library and then in each state; every name whose result
differs is printed. That the library was where each state says is asked first (probe), and of the states with tasks it is
counted how many were recorded. What a suite does not do twice alike without the library (found by a second run) is left out, and
counted. WORK: a directory for sources and results. Ends with 1 when anything differs."""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

STATES = {
    "off": {"NX_LOG_HEAP_USAGE": "false"},
    # Nx's own rule: no process here is a task of Nx, so that the library is at work in every process of the tree.
    "on": {"NX_LOG_HEAP_USAGE": "true"},
    # Each child of the outermost process is a task: sampled, and the library is taken out of its LD_PRELOAD.
    "stripping": {"NX_LOG_HEAP_USAGE": "true", "HEAPLOG_TASK": "all"},
    "exact": {"NX_LOG_HEAP_USAGE": "true", "HEAPLOG_TASK": "all", "HEAPLOG_EXACT": "1"},
}
# In the outermost process, and in what it starts: is the library mapped there?
PLACES = {"off": "True True", "on": "True True", "stripping": "True False", "exact": "True True"}
PROBE = """
import subprocess, sys
have = "libheaplog" in open("/proc/self/maps").read()
print(have, flush=True)
subprocess.run("sleep 0.2; grep -q libheaplog /proc/$$/maps && echo True || echo False", shell=True)
"""
PYTHON = "/usr/bin/python3.11"
PYTHON_TESTS = ["test_subprocess", "test_posix", "test_popen", "test_fork1", "test_os", "test_signal"]
# Run inside Python: outcomes by the test's own id, without any guess at printed text.
PYTHON_RUNNER = r"""
import json, sys, unittest
class Result(unittest.TestResult):
    outcomes = {}
    def note(self, test, what): self.outcomes[test.id()] = what
    def addSuccess(self, test): self.note(test, "ok")
    def addFailure(self, test, error): self.note(test, "failure: %s" % error[0].__name__)
    def addError(self, test, error): self.note(test, "error: %s" % error[0].__name__)
    def addSkip(self, test, reason): self.note(test, "skipped")
    def addExpectedFailure(self, test, error): self.note(test, "expected failure")
    def addUnexpectedSuccess(self, test): self.note(test, "unexpected success")
    def addSubTest(self, test, subtest, error):
        if error: self.note(subtest, "subtest: %s" % error[0].__name__)
from test import support
support.verbose = 0
result = Result()
suite = unittest.defaultTestLoader.loadTestsFromName("test." + sys.argv[1])
try:
    with open(sys.argv[2], "w") as out:
        suite.run(result)
        json.dump(result.outcomes, out)
except SystemExit as end:
    sys.exit("ended by %r" % end)
"""


records = None  # the results file: without the library nobody writes it


def run(command, where, extra, seconds=900, **more):
    """One command in a clean environment: status, stdout and stderr."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": where, "LANG": "C.UTF-8", "TMPDIR": where,
                   "HEAPLOG_RESULTS": records}
    environment.update(extra)
    environment.update(more)
    try:
        done = subprocess.run(command, cwd=where, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=seconds)
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        return "hangs", b"", b""


def recorded():
    """How many tasks were recorded since the last question."""
    if not os.path.exists(records):
        return 0
    with open(records, "rb") as file:
        count = sum(1 for line in file if line.endswith(b"}\n"))
    os.unlink(records)
    return count


def probe(work, library):
    for state, settings in STATES.items():
        have = run([PYTHON, "-c", PROBE], work, dict(settings, LD_PRELOAD=library))[1].decode().replace("\n", " ").strip()
        if have != PLACES[state]:
            sys.exit("conformance: %s: the library is mapped: %s, not %s" % (state, have, PLACES[state]))
        if (recorded() > 0) != (settings.get("HEAPLOG_TASK") == "all"):
            sys.exit("conformance: %s: tasks are recorded where there are none, or the other way round" % state)


def without_ours(text):
    """The table at the end is the library's only word."""
    return re.sub(rb"heaplog: peak memory of .*(\n   ?.*)*\n?|heaplog: .* \(peak: [^)]*\)\n", b"", text)


def fresh(path):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def digest(root, leave=()):
    """Every file below root: mode, size and content."""
    found = {}
    for directory, names, files in os.walk(root):
        names.sort()
        for name in files + [n for n in names if os.path.islink(os.path.join(directory, n))]:
            path = os.path.join(directory, name)
            key = os.path.relpath(path, root)
            if any(re.search(pattern, key) for pattern in leave):
                continue
            if os.path.islink(path):
                found[key] = "-> " + os.readlink(path)
            else:
                with open(path, "rb") as file:
                    found[key] = "%o %s" % (os.stat(path).st_mode, hashlib.sha256(file.read()).hexdigest()[:16])
    return found


def python(work, extra):
    outcomes = {}
    for name in PYTHON_TESTS:
        where = fresh(os.path.join(work, "python"))
        out = os.path.join(where, "outcomes.json")
        status, _, errors = run([PYTHON, "-c", PYTHON_RUNNER, name, out], where, extra)
        outcomes[name + " (whole)"] = str(status)
        try:
            with open(out) as file:
                outcomes.update(json.load(file))
        except (OSError, ValueError):
            outcomes[name + " (whole)"] = "no outcomes: %s %r" % (status, errors[-300:])
    return outcomes


def source(work, package):
    """apt-get source, with lists of its own so that the machine's stay as they are."""
    place = os.path.join(work, "source")
    done = os.path.join(place, package)
    if not os.path.isdir(done):
        lists = os.path.join(place, "lists")
        os.makedirs(os.path.join(lists, "partial"), exist_ok=True)
        with open(os.path.join(place, "src.sources"), "w") as file:
            file.write("Types: deb-src\nURIs: http://deb.debian.org/debian\nSuites: bookworm\nComponents: main\n"
                       "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n")
        options = ["-o", "Dir::Etc::sourceparts=" + place, "-o", "Dir::Etc::sourcelist=/dev/null",
                   "-o", "Dir::State::lists=" + lists, "-o", "APT::Sandbox::User=root"]
        subprocess.run(["apt-get", *options, "-qq", "update"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["apt-get", *options, "-qq", "source", "--download-only", package], check=True, cwd=place,
                       stdout=subprocess.DEVNULL)
        archive = next(f for f in sorted(os.listdir(place)) if re.match(re.escape(package) + r"_[^-]*\.orig\.tar", f)
                       and not f.endswith(".asc"))
        os.makedirs(done + ".new")
        subprocess.run(["tar", "xf", os.path.join(place, archive), "-C", done + ".new", "--strip-components=1"], check=True)
        os.rename(done + ".new", done)
    return done


def perl(work, extra):
    """Perl's own tests with the machine's perl; they want its modules in ../lib."""
    outcomes = {}
    modules = os.path.join(work, "source", "perl-lib")
    if not os.path.isdir(modules):
        version = subprocess.run(["/usr/bin/perl", "-e", "printf '%vd', $^V"], check=True, capture_output=True).stdout.decode()
        for part in ("/usr/share/perl/" + version, "/usr/lib/x86_64-linux-gnu/perl/" + version, "/usr/lib/x86_64-linux-gnu/perl-base"):
            shutil.copytree(os.path.realpath(part), modules, dirs_exist_ok=True)
    for name in ("op/fork", "op/exec", "op/waitpid", "op/alarm", "op/kill0", "op/die_exit", "io/closepid", "io/eintr", "io/pipe",
                 "io/openpid"):
        where = fresh(os.path.join(work, "perl"))
        shutil.copytree(os.path.join(source(work, "perl"), "t"), os.path.join(where, "t"), symlinks=True)
        os.symlink(modules, os.path.join(where, "lib"))
        status, out, _ = run(["/usr/bin/perl", name + ".t"], os.path.join(where, "t"), extra)
        outcomes[name + " (whole)"] = str(status)
        for line in out.decode("utf-8", "replace").splitlines():
            match = re.match(r"(not ok|ok) (\d+)", line)
            if match:
                outcomes["%s %s" % (name, match[2])] = match[1]
    return outcomes


def build(work, extra):
    """configure, make -j and make check of GNU hello, by dash and by bash."""
    outcomes = {}
    for shell in ("/bin/dash", "/bin/bash"):
        where = os.path.join(fresh(os.path.join(work, "build")), "hello")
        shutil.copytree(source(work, "hello"), where, symlinks=True)
        for step in (["./configure", "--quiet"], ["make", "-s", "-j4"], ["make", "-s", "-j2", "check"]):
            status, _, errors = run([shell, *step] if step[0] == "./configure" else step + ["SHELL=" + shell], where, extra,
                                    CONFIG_SHELL=shell, FORCE_UNSAFE_CONFIGURE="1")
            outcomes["%s %s" % (shell, step[-1])] = "%s %s" % (status, without_ours(errors).decode("utf-8", "replace"))
        leave = (r"\.log$", r"\.cache$", r"^config\.status$", r"\.trs$", r"\.info$", r"stamp", r"\.1$")
        outcomes.update({shell + " " + key: value for key, value in digest(where, leave).items()})
    return outcomes


def git(work, extra):
    where = fresh(os.path.join(work, "git"))
    with open(os.path.join(where, "script"), "w") as file:
        file.write(r"""
set -e
export GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q -b main origin
cd origin
for i in $(seq 1 40); do seq 1 $((i * 37)) >file$((i % 7)); git add .; git commit -q -m "commit $i"; done
git tag v1
cd ..
git clone -q --no-hardlinks file://$PWD/origin copy
cd copy
git -c gc.auto=0 -c pack.threads=1 gc -q --aggressive
git fsck --full
git rev-parse HEAD v1
git log --format=%H | sha256sum
git count-objects -v
git rebase -q --force-rebase HEAD~3
git rev-parse HEAD^{tree}
git push -q origin HEAD:refs/heads/other
git ls-remote . | sort
git archive HEAD | sha256sum
""")
    status, out, errors = run(["/bin/sh", "script"], where, extra)
    return {"status": str(status), "output": out.decode(), "errors": without_ours(errors).decode(),
            "tree": json.dumps(digest(os.path.join(where, "copy"), (r"^\.git/(index|logs|objects|COMMIT|ORIG|FETCH)",)))}


def npm(work, extra):
    where = fresh(os.path.join(work, "npm"))
    package = fresh(os.path.join(where, "dependency"))
    project = fresh(os.path.join(where, "project"))
    with open(os.path.join(package, "package.json"), "w") as file:
        json.dump({"name": "dependency", "version": "1.0.0", "bin": {"dep": "dep.js"},
                   "scripts": {"postinstall": "node dep.js > made-by-postinstall"}}, file)
    with open(os.path.join(package, "dep.js"), "w") as file:
        file.write("#!/usr/bin/env node\nconsole.log('dependency', process.argv.length)\n")
    with open(os.path.join(project, "package.json"), "w") as file:
        json.dump({"name": "project", "version": "1.0.0", "dependencies": {"dependency": "file:../dependency-1.0.0.tgz"},
                   "scripts": {"say": "dep a b && node -e \"process.exit(3)\""}}, file)
    outcomes = {}
    for step in (["npm", "pack", "--silent", "./dependency"], ["npm", "install", "--prefix", "project", "--package-lock-only", "--offline"],
                 ["npm", "ci", "--prefix", "project", "--offline", "--no-audit"],
                 ["npm", "run", "--prefix", "project", "say"]):
        status, out, errors = run(step, where, extra, npm_config_update_notifier="false", npm_config_fund="false")
        for name, text in (("output", out), ("errors", without_ours(errors))):
            text = re.sub(rb"in \d+m?s|[^ ]*_logs/[^ \n]*", b"", text)
            outcomes["%s %s" % (" ".join(step[:2]), name)] = text.decode("utf-8", "replace")
        outcomes["%s status" % " ".join(step[:2])] = str(status)
    outcomes.update(digest(os.path.join(project, "node_modules"), (r"\.package-lock\.json",)))
    return outcomes


SUITES = {"python": python, "perl": perl, "build": build, "git": git, "npm": npm}


def main():
    library, work, *chosen = sys.argv[1:]
    library = os.path.abspath(library)
    work = os.path.abspath(work)
    os.makedirs(work, exist_ok=True)
    global records
    records = os.path.join(work, "records")
    recorded()
    probe(work, library)
    differences = 0
    for name in chosen or SUITES:
        suite = SUITES[name]
        base = suite(work, {})
        unsteady = {}
        print("%s: %d outcomes without the library" % (name, len(base)), flush=True)
        for state, settings in STATES.items():
            have = suite(work, dict(settings, LD_PRELOAD=library))
            tasks = recorded()
            differ = [key for key in sorted(set(base) | set(have)) if base.get(key) != have.get(key)]
            if settings.get("HEAPLOG_TASK") and not tasks:
                print("  %s: no task was recorded" % state)
                differences += 1
            if differ:
                # Is it we, or is it the test? A difference counts unless the suite also varies without us.
                for again in (suite(work, {}), suite(work, {})):
                    unsteady.update({key: True for key in differ if again.get(key) != base.get(key)})
                have = suite(work, dict(settings, LD_PRELOAD=library))
                differ = [key for key in differ if key not in unsteady and base.get(key) != have.get(key)]
            for key in differ:
                print("  %s: %s: %r, without the library %r" % (state, key, have.get(key), base.get(key)))
            print("  %s: %d outcomes, %d differences, %d left out as unsteady%s, %d tasks recorded" % (
                state, len(have), len(differ), len(unsteady), ": " + ", ".join(sorted(unsteady)) if unsteady else "", tasks),
                  flush=True)
            differences += len(differ)
    print("conformance: %d differences" % differences)
    return 1 if differences else 0


sys.exit(main())
