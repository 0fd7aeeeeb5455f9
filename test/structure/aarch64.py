# SPDX-License-Identifier: MIT
"""The products on AArch64: compiled with Debian's cross compiler and run under qemu-user, where both are.
usage: aarch64.py BUILD_FOLDER"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

from report import INCLUDE, ROOT, Compiler, Report

SKIPPED = 77  # to meson
PACKAGES = {"aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu", "qemu-aarch64": "qemu-user"}


def main(build):
    report = Report()
    for program, package in PACKAGES.items():
        if not shutil.which(program):
            report.skip("the products on AArch64", f"{program} is not there (Debian: {package})")
            report.close()
            return SKIPPED
    eigen = [flag.removeprefix("-isystem").removeprefix("-I") for flag in Compiler(build).flags if flag.endswith("eigen3")]
    with tempfile.TemporaryDirectory() as folder:
        binary = pathlib.Path(folder) / "products"
        compiled = subprocess.run(
            ["aarch64-linux-gnu-g++", "-std=c++20", "-O2", "-static", "-Wall", "-Wextra", f"-I{INCLUDE}",
             f"-I{ROOT / 'test'}", *(f"-isystem{path}" for path in eigen),
             str(ROOT / "test/structure/aarch64.cpp"), "-o", str(binary), "-pthread"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        report.check(compiled.returncode == 0 and not compiled.stdout, "compiles without a warning", compiled.stdout)
        if compiled.returncode == 0:
            run = subprocess.run(["qemu-aarch64", str(binary)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            print(run.stdout, end="")
            report.check(run.returncode == 0, "every product is right", run.stdout)
    return report.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
