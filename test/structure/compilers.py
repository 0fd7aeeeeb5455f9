# SPDX-License-Identifier: MIT
"""The library under every g++ and clang++ of this machine: what a user's compiler must get right.

For each, Debug and Release: integers.cpp compiles without a warning and gives what it must, under every instruction
set. Then every header compiles alone, two translation units link, and what must not compile does not. A g++ that is too
old must be refused in words.
usage: compilers.py BUILD_FOLDER [COMPILER...]
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import compile_fail
from report import INCLUDE, ROOT, Compiler, Report, in_parallel

FAMILIES = {"g++": "gcc", "clang++": "clang"}
OLDEST = {"g++": 12, "clang++": 14}
TOO_OLD = "unfold needs g++ 12 or clang++ 14"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
KINDS = {"Debug": ["-O0", "-g", "-D_GLIBCXX_ASSERTIONS"], "Release": ["-O3", "-DNDEBUG"]}
NOT_OF_THIS_MACHINE = "UNFOLD_ISA must be"  # the error of an instruction set that it lacks
STRUCTURE = ROOT / "test/structure"


def installed():
    """g++-9 to g++-30 and clang++-9 to clang++-30, where they are there."""
    names = (f"{family}-{version}" for family in FAMILIES for version in range(9, 31))
    return [name for name in names if shutil.which(name)]


def version_of(path):
    return subprocess.run([path, "-dumpfullversion", "-dumpversion"], capture_output=True, text=True).stdout.strip()


def family_of(path):
    text = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
    return "clang++" if "clang" in text else "g++"


class Matrix:
    def __init__(self, build, name, folder):
        self.name, self.folder = name, folder
        self.family, self.version = family_of(name), version_of(name)
        self.compiler = Compiler(build, [shutil.which(name)])
        known = self.known_faults(int(self.version.split(".")[0]))
        self.strict = [*STRICT, *known]
        self.includes = ["-I", INCLUDE, "-I", ROOT / "test"]
        self.results = []

    def known_faults(self, major):
        """The options against warnings that are not the library's."""
        if self.family == "g++" and major < 13:
            return ["-Wno-restrict"]  # as in meson.build: GCC bug 105651
        if self.family == "clang++" and major >= 17:
            return ["-Wno-deprecated-declarations"]  # libstdc++ 12's stable_sort calls what it deprecates itself
        return []

    def note(self, name, complaint):
        self.results.append((f"{self.name} {self.version}: {name}", complaint))

    def build_program(self, name, sources, options):
        """The program, or None if it does not compile; noted either way."""
        program = self.folder / f"{self.name}-{name.replace(' ', '-')}"
        sources = [STRUCTURE / source for source in sources]
        done = self.compiler.run(*self.strict, *options, *self.includes, *sources, "-pthread", "-o", program)
        self.note(f"{name} compiles without a warning", "" if done.returncode == 0 else done.stdout or "no message")
        return program if done.returncode == 0 else None

    def check_integers(self, kind):
        program = self.build_program(f"integers, {kind}", ["integers.cpp"], KINDS[kind])
        for isa in ("baseline", "avx2", "avx512") if program else ():
            environment = {**os.environ, "UNFOLD_ISA": isa}
            done = subprocess.run([program], env=environment, capture_output=True, text=True)
            if NOT_OF_THIS_MACHINE in done.stderr:
                print(f"skipped: {self.name}: {kind}, {isa}: not on this machine")
                continue
            self.note(f"integers, {kind}, {isa}", "" if done.returncode == 0 else done.stdout + done.stderr)

    def check_two_units(self):
        program = self.build_program("two units", ["one.cpp", "two.cpp"], KINDS["Debug"])
        if program:
            done = subprocess.run([program])
            self.note("two units link and run", "" if done.returncode == 0 else f"status {done.returncode}")

    def check_headers(self):
        source = self.folder / f"{self.name}-alone.cpp"
        for header in sorted(p.relative_to(INCLUDE).as_posix() for p in INCLUDE.rglob("*.hpp")):
            source.write_text(f"#include <{header}>\n#include <{header}>\n", encoding="utf-8")
            done = self.compiler.check_syntax(source, *self.strict)
            self.note(f"{header} alone", "" if done.returncode == 0 else done.stdout)

    def check_wrong_programs(self):
        for source in sorted((ROOT / "test/compile_fail").glob("*.cpp")):
            self.results += [
                (f"{self.name} {self.version}: {name}", complaint)
                for name, complaint in compile_fail.check_case(FAMILIES[self.family], self.compiler, source)
            ]

    def check_refused(self):
        done = self.compiler.check_syntax(STRUCTURE / "one.cpp")
        self.note("refused as too old", "" if TOO_OLD in done.stdout else done.stdout or "it compiles")

    def run(self):
        if int(self.version.split(".")[0]) < OLDEST[self.family]:
            self.check_refused()
        else:
            for kind in KINDS:
                self.check_integers(kind)
            self.check_two_units()
            self.check_headers()
            self.check_wrong_programs()
        failed = sum(1 for _, complaint in self.results if complaint)
        print(f"{self.name:12} {self.version:8} {len(self.results) - failed:4} passed, {failed} failed", flush=True)
        return self.results


def main(build, names):
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        matrices = [Matrix(build, name, pathlib.Path(folder)) for name in names or installed()]
        for results in in_parallel(Matrix.run, matrices):
            for name, complaint in results:
                report.check(not complaint, name, complaint)
    return report.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
