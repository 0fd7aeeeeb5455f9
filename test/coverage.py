# SPDX-License-Identifier: MIT
"""What of the headers the tests run: lines and branches, from the counters that clang++ compiles into the programs.

A template is counted once, whatever its instances: a line is run if one of them ran it, a branch was taken if one of
them took it. Conditions that the compiler decides are no branches. (llvm-cov's own summary takes the best instance
instead.) A template that no test instantiates has no counters, and is not seen here.
usage: coverage.py PROFILES_FOLDER REPORT PROGRAM...
"""

import collections
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
INCLUDE = ROOT / "include/unfold"
CODE = 0  # llvm's kind of a region that holds code; the others are expansions, skipped text and gaps


def counters(profile, program):
    """Every instance of a function of the headers in one program, as llvm-cov exports it: (its files, it)."""
    command = ["llvm-cov", "export", "-format=text", "-skip-expansions", f"-instr-profile={profile}", program]
    exported = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    build = pathlib.Path(profile).parents[1]  # whence the compiler was called
    for function in exported["data"][0]["functions"]:
        names = [os.path.normpath(build / name) for name in function["filenames"]]
        if any(name.startswith(f"{INCLUDE}/") for name in names):
            yield names, function


def collect(profile, programs):
    """(regions, branches) of each header: {place: times run}, {place: [times true, times false]}."""
    regions = collections.defaultdict(collections.Counter)
    branches = collections.defaultdict(lambda: collections.defaultdict(lambda: [0, 0]))
    for program in programs:
        for names, function in counters(profile, program):
            for *place, count, file, _, kind in function["regions"]:
                if kind == CODE:
                    regions[names[file]][tuple(place)] += count
            for *place, true, false, file, _, _ in function.get("branches", []):
                taken = branches[names[file]][tuple(place)]
                taken[0] += true
                taken[1] += false
    return regions, branches


class Header:
    """One header: its lines, and how often each character was run (None: no code)."""

    def __init__(self, path, regions, branches):
        self.name = path.relative_to(INCLUDE).as_posix()
        self.text = path.read_text(encoding="utf-8").splitlines()
        self.runs = [[None] * len(line) for line in self.text]
        # The outer regions first, so that the inner ones stand last.
        for place in sorted(regions, key=lambda p: (p[0], p[1], -p[2], -p[3])):
            self.paint(place, regions[place])
        self.lines = {i + 1: max(run) for i in range(len(self.text)) if (run := self.code_of(i))}
        self.branches = {
            place: taken for place, taken in branches.items()
            if max(taken) > 0 or not self.runs[place[0] - 1][place[1] - 1]
        }  # fmt: skip

    def paint(self, place, count):
        first, first_column, last, last_column = place
        for line in range(first, last + 1):
            row = self.runs[line - 1]
            begin = first_column - 1 if line == first else 0
            end = min(last_column - 1, len(row)) if line == last else len(row)
            row[begin:end] = [count] * (end - begin)

    def code_of(self, i):
        """How often the characters of line i were run that are code: no blanks, no comment."""
        line = self.text[i].split("//")[0]
        return [n for c, n in zip(line, self.runs[i]) if n is not None and not c.isspace()]

    def missed_lines(self):
        return [line for line, count in sorted(self.lines.items()) if count == 0]

    def missed_branches(self):
        """(line, column, "true" or "false") of the ways never taken."""
        return [(p[0], p[1], way) for p, taken in sorted(self.branches.items())
                for way, count in zip(("true", "false"), taken) if count == 0]  # fmt: skip


def share(done, all_of_them):
    return 100.0 if all_of_them == 0 else 100.0 * done / all_of_them


def row(name, headers):
    lines, missed_lines = sum(len(h.lines) for h in headers), sum(len(h.missed_lines()) for h in headers)
    ways, missed_ways = 2 * sum(len(h.branches) for h in headers), sum(len(h.missed_branches()) for h in headers)
    return (f"{name:34} {lines:6} {missed_lines:6} {share(lines - missed_lines, lines):7.2f}"
            f" {ways:6} {missed_ways:6} {share(ways - missed_ways, ways):7.2f}")  # fmt: skip


def table(headers):
    """A row for each header, then one for each floor and one for all."""
    yield f"{'header':34} {'lines':>6} {'missed':>6} {'%':>7} {'ways':>6} {'missed':>6} {'%':>7}"
    yield from (row(h.name, [h]) for h in headers)
    floors = [h.name.split("/")[0] for h in headers if "/" in h.name]
    for floor in dict.fromkeys(floors):
        yield row(f"{floor}/", [h for h in headers if h.name.startswith(f"{floor}/")])
    yield row("all", headers)


def details(headers):
    for h in headers:
        for line in h.missed_lines():
            yield f"{h.name}:{line}: not run: {h.text[line - 1].strip()}"
        for line, column, way in h.missed_branches():
            yield f"{h.name}:{line}:{column}: never {way}: {h.text[line - 1].strip()}"


def main(profiles, report, programs):
    merged = pathlib.Path(profiles).resolve() / "all.profdata"
    raw = sorted(str(p) for p in pathlib.Path(profiles).glob("*.profraw"))
    if not raw:
        sys.exit(f"coverage: no test left a profile in {profiles}")
    subprocess.run(["llvm-profdata", "merge", "-sparse", *raw, "-o", merged], check=True)
    regions, branches = collect(merged, programs)
    headers = [Header(path, regions[str(path)], branches[str(path)]) for path in sorted(INCLUDE.rglob("*.hpp"))]
    title = "Lines and ways of branches, and those that no test took."
    text = "\n".join([title, "", *table(headers), "", *details(headers)])
    pathlib.Path(report).write_text(text + "\n", encoding="utf-8")
    print(os.linesep.join(table(headers)))
    print(f"what was missed: {report}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
