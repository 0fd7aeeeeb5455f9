# SPDX-License-Identifier: MIT
"""The floors: the umbrella lists every header once, in the order in which they may include one another.

Also here, since it needs no compiler: what a header may include from outside, the head of every
file, and that no test or source file was forgotten in its meson.build.
"""

import re
import sys

from report import INCLUDE, ROOT, Report

FLOORS = ["core", "engine", "lowering", "nn", "verify", "io"]
UMBRELLA = INCLUDE / "unfold/unfold.hpp"
REFERENCE = "unfold/verify/reference.hpp"  # judges the engine, so it may share nothing with it
CORE_OF_REFERENCE = ("shape", "view", "tensor", "conv2d_options", "geometry", "error")
ERROR = "unfold/core/error.hpp"  # refuses compilers and options for all
PRINT = "unfold/core/print.hpp"  # the one header that needs fmt; listed only where fmt is

# What may be included besides the library itself, the standard library and Eigen.
OTHERS = {
    "core": {"sys/mman.h"},  # large pages, on Linux alone
    "engine": {"immintrin.h"},
    "io": {"fcntl.h", "sys/file.h", "sys/stat.h", "unistd.h"},  # fsync, locks
}
REFERENCE_MAY_INCLUDE = {f"unfold/core/{name}.hpp" for name in CORE_OF_REFERENCE} | OTHERS["core"]
LINES_OF_HEADER = 300
LINES_OF_TEST = 250


def includes(path):
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', path.read_text(encoding="utf-8"), re.MULTILINE)


def floor(header):
    return header.split("/")[1]


def reachable(header):
    """What `header` includes, directly or not."""
    found, left = set(), [header]
    while left:
        path = INCLUDE / left.pop()
        new = set(includes(path)) - found if path.is_file() else set()
        found |= new
        left += new
    return found


def out_of_order(listed):
    for place, header in enumerate(listed):
        if (INCLUDE / header).is_file():
            for other in includes(INCLUDE / header):
                if other.startswith("unfold/") and other not in listed[:place]:
                    yield f"{header} includes {other}"


def check_umbrella(report, headers):
    listed = includes(UMBRELLA)
    report.check(sorted(listed) == headers, "the umbrella lists every header once", [
        *(f"missing: {h}" for h in headers if h not in listed),
        *(f"no such header: {h}" for h in listed if h not in headers),
        *(f"listed twice: {h}" for h in sorted(set(listed)) if listed.count(h) > 1),
    ])
    floors = [FLOORS.index(floor(h)) for h in listed]
    report.check(floors == sorted(floors), "the umbrella goes through the floors in order", listed)
    report.check_none(out_of_order(listed), "a header includes only what the umbrella lists before it")
    print_where_fmt_is = f"#if __has_include(<fmt/core.h>)\n#include <{PRINT}>\n#endif"
    report.check(PRINT not in headers or print_where_fmt_is in UMBRELLA.read_text(encoding="utf-8"),
                 "the umbrella includes core/print.hpp only where fmt is", [print_where_fmt_is])


def foreign(headers):
    for header in headers:
        for name in includes(INCLUDE / header):
            ours = name.startswith(("unfold/", "Eigen/", "unsupported/Eigen/")) or re.fullmatch(r"[a-z_]+", name)
            allowed = name in OTHERS.get(floor(header), ()) or header == PRINT and name.startswith("fmt/")
            if not ours and not allowed:
                yield f"{header} includes {name}"


def above_core(headers):
    for header in headers:
        for name in includes(INCLUDE / header) if floor(header) == "io" else ():
            if "Eigen" in name or name.startswith("unfold/") and floor(name) not in ("core", "io"):
                yield f"{header} includes {name}"


def shared_with_reference(headers):
    if REFERENCE in headers:
        yield from (h for h in sorted(reachable(REFERENCE)) if "/" in h and h not in REFERENCE_MAY_INCLUDE)


def without_error(headers):
    return (h for h in headers if h != ERROR and ERROR not in reachable(h))


def wrong_heads(paths):
    for path in paths:
        name = path.relative_to(ROOT)
        lines = path.read_text(encoding="utf-8").splitlines()
        head = next((i for i, line in enumerate(lines) if not line.startswith("//")), len(lines))
        if lines[:1] != ["// SPDX-License-Identifier: MIT"]:
            yield f"{name} does not open with its licence"
        elif path.suffix == ".hpp" and not 2 <= head <= 7:
            yield f"{name} says in {head - 1} lines what it is"
        elif path.suffix == ".hpp" and lines[head : head + 1] != ["#pragma once"]:
            yield f"{name} has no #pragma once below its head comment"


def macros(headers):
    for header in headers:
        for line in (INCLUDE / header).read_text(encoding="utf-8").splitlines():
            if re.match(r"\s*#\s*define", line):
                yield f"{header}: {line}"


def forgotten(pattern, build_file):
    """The files that match and are not named in that meson.build."""
    text = (ROOT / build_file).read_text(encoding="utf-8")
    names = (p.relative_to((ROOT / build_file).parent).as_posix() for p in sorted(ROOT.glob(pattern)))
    return (f"{build_file} does not name {name}" for name in names if f"'{name}'" not in text)


def note_lengths(paths):
    """The budgets are soft: what passes them is only said."""
    for path in paths:
        count = len(path.read_text(encoding="utf-8").splitlines())
        budget = LINES_OF_HEADER if path.suffix == ".hpp" else LINES_OF_TEST
        if count > budget:
            print(f"note: {path.relative_to(ROOT)} has {count} lines, the budget is {budget}")


def main():
    report = Report()
    headers = sorted(p.relative_to(INCLUDE).as_posix() for p in INCLUDE.glob("unfold/*/*.hpp"))
    sources = [p for f in ("include", "src", "test", "bench", "docs") for p in sorted((ROOT / f).rglob("*.[hc]pp"))]
    tests = sorted(ROOT.glob("test/**/*.test.cpp"))
    check_umbrella(report, headers)
    report.check_none(foreign(headers), "a header needs nothing but the standard library and Eigen")
    report.check_none(above_core(headers), "io stands on core alone")
    report.check_none(shared_with_reference(headers), f"{REFERENCE} shares no code with what it judges")
    report.check_none(without_error(headers), f"every header includes {ERROR}, which refuses compilers and options")
    report.check_none(macros(headers), "a header defines no macro")
    report.check_none(wrong_heads(sources), "a file says its licence, and a header what it is, in one to six lines")
    report.check_none(forgotten("test/**/*.test.cpp", "test/meson.build"), "every test is built")
    report.check_none(forgotten("src/*.cpp", "src/meson.build"), "every source of the program is built")
    note_lengths([*sorted(INCLUDE.rglob("*.hpp")), *tests])
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
