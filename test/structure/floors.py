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
REFERENCE_MAY_INCLUDE = {f"unfold/core/{name}.hpp" for name in "shape view tensor conv2d_options geometry error".split()}
PRINT = "unfold/core/print.hpp"  # the one header that needs fmt; listed only where fmt is

# What may be included besides the library itself, the standard library and Eigen.
OTHERS = {
    "core": set(),
    "engine": {"immintrin.h"},
    "io": {"fcntl.h", "unistd.h"},  # fsync
}
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


def check_order(report, listed, headers):
    report.check(sorted(listed) == headers, "the umbrella lists every header once", "\n".join(
        [f"missing: {h}" for h in headers if h not in listed]
        + [f"no such header: {h}" for h in listed if h not in headers]
        + [f"listed twice: {h}" for h in sorted(set(listed)) if listed.count(h) > 1]))
    floors = [FLOORS.index(floor(h)) for h in listed]
    report.check(floors == sorted(floors), "the umbrella goes through the floors in order", "\n".join(listed))
    for place, header in enumerate(listed):
        if not (INCLUDE / header).is_file():
            continue
        later = [h for h in includes(INCLUDE / header) if h.startswith("unfold/") and h not in listed[:place]]
        report.check(not later, f"{header} includes only what the umbrella lists before it", "\n".join(later))
    fmt = re.search(r"#if __has_include\(<fmt/core\.h>\).*\n#include <unfold/core/print\.hpp>.*\n#endif",
                    UMBRELLA.read_text(encoding="utf-8"))
    report.check(fmt or PRINT not in headers, "the umbrella includes core/print.hpp only where fmt is")


def check_outside(report, headers):
    for header in headers:
        foreign = [
            name for name in includes(INCLUDE / header)
            if not name.startswith(("unfold/", "Eigen/", "unsupported/Eigen/"))
            and not re.fullmatch(r"[a-z_]+", name)
            and name not in OTHERS.get(floor(header), ())
            and not (header == PRINT and name.startswith("fmt/"))
        ]
        report.check(not foreign, f"{header} needs nothing but the standard library and Eigen", "\n".join(foreign))
    for header in headers:
        if floor(header) == "io":
            above = [h for h in includes(INCLUDE / header)
                     if h.startswith("unfold/") and floor(h) not in ("core", "io") or "Eigen" in h]
            report.check(not above, f"{header} stands on core alone", "\n".join(above))
    if REFERENCE in headers:
        shared = [h for h in reachable(REFERENCE) if "/" in h and h not in REFERENCE_MAY_INCLUDE]
        report.check(not shared, f"{REFERENCE} shares no code with what it judges", "\n".join(sorted(shared)))


def check_head(report, path):
    name = path.relative_to(ROOT)
    lines = path.read_text(encoding="utf-8").splitlines()
    report.check(lines[0] == "// SPDX-License-Identifier: MIT", f"{name} opens with its licence", lines[0])
    if path.suffix != ".hpp":
        return
    head = next((i for i, line in enumerate(lines) if not line.startswith("//")), len(lines))
    report.check(2 <= head <= 7, f"{name} says in one to six lines what it is", f"{head - 1} lines")
    report.check(lines[head : head + 1] == ["#pragma once"], f"{name} has #pragma once below its head comment")
    if INCLUDE in path.parents:
        macros = [line for line in lines if re.match(r"\s*#\s*define", line)]
        report.check(not macros, f"{name} defines no macro", "\n".join(macros))


def check_listed(report, pattern, build_file):
    """Every file that matches is named in that meson.build."""
    text = (ROOT / build_file).read_text(encoding="utf-8")
    for path in sorted(ROOT.glob(pattern)):
        name = path.relative_to((ROOT / build_file).parent).as_posix()
        report.check(f"'{name}'" in text, f"{build_file} names {name}")


def note_lengths(paths):
    """The budgets are soft: what passes them is only said."""
    for path in paths:
        count = len(path.read_text(encoding="utf-8").splitlines())
        budget = LINES_OF_HEADER if path.suffix == ".hpp" else LINES_OF_TEST
        if count > budget:
            print(f"note: {path.relative_to(ROOT)} has {count} lines, the budget is {budget}")


def main():
    report = Report()
    headers = sorted(p.relative_to(INCLUDE).as_posix() for p in INCLUDE.rglob("*.hpp") if p != UMBRELLA)
    if UMBRELLA.is_file():
        check_order(report, includes(UMBRELLA), headers)
    else:
        report.check(False, "include/unfold/unfold.hpp exists")
    check_outside(report, headers)
    for folder in ("include", "src", "test", "bench", "docs"):
        for path in sorted((ROOT / folder).rglob("*.[hc]pp")):
            check_head(report, path)
    check_listed(report, "test/**/*.test.cpp", "test/meson.build")
    check_listed(report, "src/*.cpp", "src/meson.build")
    note_lengths([*sorted(INCLUDE.rglob("*.hpp")), *sorted(ROOT.glob("test/**/*.test.cpp"))])
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
