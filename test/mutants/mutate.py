# SPDX-License-Identifier: MIT
"""Plants the faults of mutants.toml in the library, one at a time, and sees whether the tests notice.

A fault replaces one piece of text, which must stand exactly once in its header. The test file that must catch it is
compiled against the changed header and run until its first failure. A fault is

  caught      the program fails, crashes, does not end, or a static assertion of the test file fails
  SURVIVED    the program passes: a gap in the tests
  INVALID     the text is not there once, or the header does not compile

First every test file must pass with the library as it is. Exit status 1 unless all faults are caught.
usage: mutate.py --check | mutate.py FOLDER [NAME...]
  --check   only see that the list is right: every text stands once, every test file is there
  NAME      of a fault, or the beginning of its header's path: flipped-kernel, engine/, nn/pooling.hpp
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
TEST = HERE.parent
INCLUDE = TEST.parent / "include"
FEWEST = 40  # faults in the list
SECONDS = 300  # of CPU, for one test program: far more than any takes
BYTES = 8 << 30  # of memory, for the same


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    file: str  # under include/unfold/
    breaks: str
    old: str
    new: str
    caught_by: str  # under test/, without ".test.cpp"

    def text(self):
        return (INCLUDE / "unfold" / self.file).read_text(encoding="utf-8")

    def complaint(self):
        """What is wrong with the entry; nothing if it can be planted."""
        if not (INCLUDE / "unfold" / self.file).is_file():
            return f"there is no {self.file}"
        if not (TEST / f"{self.caught_by}.test.cpp").is_file():
            return f"there is no test {self.caught_by}"
        times = self.text().count(self.old)
        return "" if times == 1 else f"the old text stands {times} times in {self.file}"


def read_list():
    """(faults, other sources by floor or test, options of the linker by test, optimised tests) of mutants.toml."""
    with open(HERE / "mutants.toml", "rb") as text:
        table = tomllib.load(text)
    return [Fault(**entry) for entry in table["fault"]], table["sources"], table["links"], set(table["optimised"])


def check(faults):
    complaints = [f"{f.name}: {f.complaint()}" for f in faults if f.complaint()]
    names = [f.name for f in faults]
    complaints += [f"{name} stands twice" for name in set(names) if names.count(name) > 1]
    if len(faults) < FEWEST:
        complaints.append(f"{len(faults)} faults are too few: {FEWEST} at least")
    for complaint in complaints:
        print(f"FAILED: {complaint}")
    print(f"cases: {max(0, len(faults) - len(complaints))} passed, {len(complaints)} failed, 0 skipped")
    return 1 if complaints else 0


def run(*command, **options):
    """The finished process; its messages in `stdout`."""
    return subprocess.run(
        list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", **options,
    )  # fmt: skip


def limit():
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Workshop:
    """Compiles and runs test programs, with or without a fault."""

    def __init__(self, folder, sources, links, optimised):
        self.folder = pathlib.Path(folder)
        self.links = links
        self.optimised = optimised
        eigen = run("pkg-config", "--cflags-only-I", "eigen3").stdout.split()
        self.compiler = ["g++", "-std=c++20", "-w", "-pthread", *(word.replace("-I", "-isystem") for word in eigen)]
        shutil.rmtree(self.folder, ignore_errors=True)
        for level in ("-O0", "-O1"):
            header = self.folder / level / "precompiled.hpp"
            header.parent.mkdir(parents=True)
            shutil.copy(HERE / "precompiled.hpp", header)
            self.must(*self.compiler, level, "-I", TEST, "-x", "c++-header", header, "-o", f"{header}.gch")
        self.others = {name: [self.compile_once(s) for s in sources[name]] for name in sources}
        self.main = self.compile_once("support/catch_main.cpp")

    def must(self, *command):
        done = run(*command)
        if done.returncode != 0:
            sys.exit(f"mutate: {' '.join(map(str, command))} failed:\n{done.stdout}")

    def compile_once(self, source):
        to = self.folder / (source.replace("/", "_") + ".o")
        self.must(*self.compiler, "-O1", "-I", INCLUDE, "-I", TEST, "-c", TEST / source, "-o", to)
        return to

    def try_test(self, test, place, changed_include=None):
        """(outcome, how it was seen) of a test file, in the folder `place`."""
        place.mkdir()
        level = "-O1" if test in self.optimised else "-O0"
        includes = [word for i in (changed_include, INCLUDE, TEST) if i for word in ("-I", i)]
        source, program = TEST / f"{test}.test.cpp", place / "program"
        precompiled = ("-include", self.folder / level / "precompiled.hpp")
        done = run(*self.compiler, level, *precompiled, *includes, "-c", source, "-o", f"{program}.o")
        if done.returncode != 0:
            return judge_compilation(done.stdout)
        others = self.others.get(test, self.others.get(test.split("/")[0], []))
        done = run(*self.compiler, f"{program}.o", self.main, *others, *self.links.get(test, []), "-lfmt", "-o", program)
        if done.returncode != 0:
            return "INVALID", done.stdout
        environment = {**os.environ, "TMPDIR": str(place), "UNFOLD_TEST_DATA": str(TEST / "data")}
        environment.pop("UNFOLD_SHARED", None)
        done = run(program, "--abort", "--reporter", "compact", env=environment, preexec_fn=limit)
        return judge_run(done)

    def plant(self, fault):
        if fault.complaint():
            return "INVALID", fault.complaint()
        place = self.folder / fault.name
        changed = self.folder / "changed" / fault.name
        header = changed / "unfold" / fault.file
        header.parent.mkdir(parents=True)
        header.write_text(fault.text().replace(fault.old, fault.new), encoding="utf-8")
        verdict = self.try_test(fault.caught_by, place, changed)
        shutil.rmtree(place)
        return verdict


def judge_compilation(messages):
    of_test = re.search(r"/([\w.]+\.test\.cpp:\d+):\d+: error: .*static assertion", messages)
    if of_test:
        return "caught", f"{of_test[1]} (static)"
    errors = re.findall(r".*\berror:.*", messages)
    return "INVALID", errors[0] if errors else messages


def judge_run(done):
    if done.returncode == 0 and "cases: 0 passed" not in done.stdout:
        return "SURVIVED", ""
    failed = re.search(r"/([\w.]+:\d+): failed", done.stdout)
    where = failed[1] if failed else "no line"
    if done.returncode >= 0:
        return "caught", where
    return "caught", f"{where} (signal {-done.returncode})"


def cpu_seconds():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))


def main(folder, names):
    faults, sources, links, optimised = read_list()
    if names:
        faults = [f for f in faults if any(f.name == n or f.file.startswith(n) for n in names)]
        if not faults:
            sys.exit(f"mutate: no fault of the list is named {' '.join(names)}")
    start = time.monotonic()
    workshop = Workshop(folder, sources, links, optimised)
    tests = sorted({f.caught_by for f in faults if not f.complaint()})
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        whole = pool.map(lambda t: workshop.try_test(t, workshop.folder / t.replace("/", "_")), tests)
        broken = [f"{t}: {how}" for t, (outcome, how) in zip(tests, whole) if outcome != "SURVIVED"]
        if broken:
            sys.exit("mutate: these tests fail without any fault:\n  " + "\n  ".join(broken))
        print(f"{len(tests)} test files pass with the library as it is", flush=True)
        counts = dict.fromkeys(("caught", "SURVIVED", "INVALID"), 0)
        for fault, (outcome, how) in zip(faults, pool.map(workshop.plant, faults)):
            counts[outcome] += 1
            print(f"{outcome:9} {fault.name:34} {fault.file:31} {how or fault.caught_by}", flush=True)
    for f in faults:
        shutil.rmtree(workshop.folder / "changed" / f.name, ignore_errors=True)
    floors = [f.file.split("/")[0] for f in faults]
    print(", ".join(f"{floors.count(floor)} {floor}" for floor in dict.fromkeys(floors)))
    print(
        f"{len(faults)} faults: {counts['caught']} caught, {counts['SURVIVED']} survived, {counts['INVALID']} invalid; "
        f"{cpu_seconds():.0f} s of CPU, {time.monotonic() - start:.0f} s"
    )
    return 0 if counts["caught"] == len(faults) else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(check(read_list()[0]))
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
