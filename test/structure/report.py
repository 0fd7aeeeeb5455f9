# SPDX-License-Identifier: MIT
"""What the structure tests share: the tally they close with, and the compiler the build uses."""

import concurrent.futures
import json
import os
import pathlib
import shlex
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"


class Report:
    """Counts checks, prints those that fail, closes with the line that test/summary.py reads."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, holds, name, detail=""):
        if holds:
            self.passed += 1
            return
        self.failed += 1
        lines = detail.rstrip().splitlines() if isinstance(detail, str) else detail
        print("\n    ".join([f"FAILED: {name}", *lines]))

    def check_none(self, complaints, name):
        complaints = list(complaints)
        self.check(not complaints, name, complaints)

    def skip(self, name, reason):
        self.skipped += 1
        print(f"skipped: {name}: {reason}")

    def close(self):
        print(f"cases: {self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed or self.passed == 0 else 0


class Compiler:
    """A compiler, and the flags with which this build compiles a user of unfold.

    They are read from the build's own compile command of test/structure/one.cpp.
    """

    def __init__(self, build, command=None):
        with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as database:
            entry = next(e for e in json.load(database) if e["file"].endswith("structure/one.cpp"))
        self.directory = entry["directory"]
        words = shlex.split(entry["command"])
        flags = next(i for i, word in enumerate(words) if word.startswith("-"))
        self.command = command or words[:flags]
        self.flags = []
        words = iter(words[flags:])
        for word in words:
            if word in ("-o", "-c", "-MF", "-MQ"):
                next(words)
            elif word in ("-isystem", "-I"):
                self.flags += [word, next(words)]
            elif not word.startswith(("-MD", "-O", "-g", "-fdiagnostics-color", "-Wno-")):  # -Wno-: of one compiler alone
                self.flags.append(word)

    def without(self, part):
        """The same without the include paths that contain `part`."""
        kept = []
        words = iter(self.flags)
        for word in words:
            group = [word, next(words)] if word in ("-isystem", "-I") else [word]
            if part not in group[-1]:
                kept += group
        self.flags = kept
        return self

    def run(self, *arguments):
        """Runs it with its flags; gives the finished process, its messages in `stdout`."""
        return subprocess.run(
            [*self.command, *self.flags, *map(str, arguments)],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
        )

    def check_syntax(self, source, *arguments):
        return self.run("-fsyntax-only", *arguments, source)


def find_clang():
    """The newest clang++ of this machine, or None."""
    names = ["clang++", *(f"clang++-{version}" for version in range(30, 13, -1))]
    return next(filter(None, map(shutil.which, names)), None)


def in_parallel(function, items):
    """[function(item) for item in items], in as many threads as the machine has cores."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, items))
