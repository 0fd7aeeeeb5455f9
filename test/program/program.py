# SPDX-License-Identifier: MIT
"""What the tests of the program from outside share: running it, and files for it to read."""

import os
import pathlib
import random
import re
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "structure"))
from report import Report  # noqa: E402,F401

PROGRAM = os.environ.get("UNFOLD_PROGRAM", "unfold")


def start(*arguments, **options):
    """The program, running, its output to be read as text."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([PROGRAM, *map(str, arguments)], text=True, **options)


class Run:
    """The program's status and output."""

    def __init__(self, *arguments, **options):
        process = start(*arguments, **options)
        self.out, self.err = process.communicate(timeout=300)
        self.status = process.returncode

    def good(self):
        return self.status == 0 and self.err == ""

    def __str__(self):
        return f"status {self.status}\nstdout: {self.out}\nstderr: {self.err}"


def refused(report, status, message, *arguments, **options):
    """Checks that the program says one line on stderr, that matches `message` whole, and nothing else."""
    run = Run(*arguments, **options)
    one_line = re.fullmatch("unfold: " + message + "\n", run.err)
    holds = run.status == status and one_line is not None and "\n" not in run.err[:-1]
    report.check(holds, f"unfold {' '.join(map(str, arguments))}: status {status}, {message}", str(run))


def idx(shape, elements):
    """The bytes of an IDX file of uint8."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + bytes(elements)


def write_images(folder, count, extent=16, seed=1):
    """A lone t10k of `count` images in ten classes: a bar at a height, or at a column, that the class says."""
    rng = random.Random(seed)
    pixels = bytearray()
    for i in range(count):
        label, image = i % 10, bytearray(rng.randrange(60) for _ in range(extent * extent))
        at = 2 + 2 * (label % 5) + rng.randrange(2)
        for k in range(extent):
            image[at * extent + k if label < 5 else k * extent + at] = 200 + rng.randrange(56)
        pixels += image
    folder.mkdir()
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx((count, extent, extent), pixels))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx((count,), (i % 10 for i in range(count))))
    return folder
