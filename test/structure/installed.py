# SPDX-License-Identifier: MIT
"""What is installed serves a user: through pkg-config, through CMake, and as a Meson subproject.

usage: installed.py BUILD_FOLDER
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

from report import INCLUDE, ROOT, Compiler, Report, in_parallel

CONSUMER = ROOT / "test/structure/consumer"
PRINTS = "[1, 2, 3, 5]\n"


class Failed(Exception):
    pass


def run(*command, **environment):
    done = subprocess.run(
        list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **{name: str(value) for name, value in environment.items()}})
    if done.returncode != 0:
        raise Failed(shlex.join(map(str, command)) + "\n" + done.stdout)
    return done.stdout


def headers(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.hpp"))


def through_pkg_config(folder, prefix, compiler):
    if not shutil.which("pkg-config"):
        return None
    flags = run("pkg-config", "--cflags", "--libs", "unfold", PKG_CONFIG_PATH=prefix / "share/pkgconfig")
    run(*compiler, "-std=c++20", CONSUMER / "main.cpp", "-o", folder / "by-pkg-config", *shlex.split(flags))
    return run(folder / "by-pkg-config")


def through_cmake(folder, prefix, compiler):
    if not shutil.which("cmake"):
        return None
    # The tree is moved first: the CMake files may not remember where it was installed.
    moved = shutil.copytree(prefix, folder / "moved")
    build = folder / "by-cmake"
    run("cmake", "-S", CONSUMER, "-B", build, f"-DCMAKE_PREFIX_PATH={moved}", CXX=shlex.join(compiler))
    run("cmake", "--build", build)
    return run(build / "consumer")


def as_subproject(folder, _, compiler):
    user = shutil.copytree(CONSUMER, folder / "user")
    (user / "subprojects").mkdir()
    (user / "subprojects/unfold").symlink_to(ROOT, target_is_directory=True)
    build = folder / "by-meson"
    run("meson", "setup", build, user, "-Dforce_fallback_for=unfold", CXX=shlex.join(compiler))
    run("ninja", "-C", build)
    if list(build.rglob("test-*")) or (build / "subprojects/unfold/src/unfold").exists():
        raise Failed("a subproject builds more than its headers")
    return run(build / "consumer")


def main(build):
    report = Report()
    compiler = Compiler(build).command
    with tempfile.TemporaryDirectory(prefix="unfold installed ") as name:  # a path with spaces
        folder = pathlib.Path(name)
        prefix = folder / "prefix"
        nothing_else = [f"-D{option}=disabled" for option in ("tests", "program", "benchmarks", "library")]
        run("meson", "setup", folder / "build", ROOT, f"--prefix={prefix}", *nothing_else, CXX=shlex.join(compiler))
        run("meson", "install", "-C", folder / "build")
        report.check(headers(prefix / "include") == headers(INCLUDE), "every header is installed in its folder",
                     run("find", prefix))

        def use(way):
            try:
                return way(folder, prefix, compiler)
            except Failed as failure:
                return str(failure)

        ways = (through_pkg_config, through_cmake, as_subproject)
        for way, printed in zip(ways, in_parallel(use, ways)):
            name = f"a user {way.__name__.replace('_', ' ')} builds and runs"
            if printed is None:
                report.skip(name, "the tool is not on this machine")
            else:
                report.check(printed == PRINTS, name, printed)
    return report.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
