# SPDX-License-Identifier: MIT
"""What must not compile, does not, and says so at the user's line.

Each file of test/compile_fail is compiled twice: as it is (the control: it must compile), and with
-DWRONG (it must not, no `error:` line may point into the library's headers, and the messages must
contain the words of the file's line `// expected: words`, or of `// expected by gcc: words` and
`// expected by clang: words` where the two say it differently).
usage: compile_fail.py BUILD_FOLDER
"""

import re
import shutil
import sys

from report import ROOT, Compiler, Report, find_clang, in_parallel


def expected_words(source, family):
    text = source.read_text(encoding="utf-8")
    return re.findall(rf"^// expected(?: by {family})?: (.+)$", text, re.MULTILINE)


def check_case(family, compiler, source):
    """(case, complaint) of the control and of the wrong program; no complaint: as it should be."""
    name = f"{family}: {source.relative_to(ROOT)}"
    control = compiler.check_syntax(source)
    if control.returncode != 0:
        return [(f"{name}, control: must compile", control.stdout)]
    wrong = compiler.check_syntax(source, "-DWRONG", "-fno-diagnostics-show-caret" if family == "gcc" else "-fno-caret-diagnostics")
    words = expected_words(source, family)
    inside = [line for line in wrong.stdout.splitlines() if "error:" in line and "include/unfold/" in line.split("error:")[0]]
    absent = [w for w in words if w not in wrong.stdout]
    if wrong.returncode == 0:
        complaint = "it compiles"
    elif not words:
        complaint = "the file says no expected words"
    elif inside:
        complaint = "the error points into the library:\n" + "\n".join(inside)
    elif absent:
        complaint = "\n".join(f"not said: {w}" for w in absent) + "\n" + wrong.stdout
    else:
        complaint = ""
    return [(f"{name}, control", ""), (f"{name}: must fail at the user's line", complaint)]


def main(build):
    report = Report()
    compilers = {"gcc": shutil.which("g++"), "clang": find_clang()}
    cases = []
    for family, path in compilers.items():
        if not path:
            report.skip(f"programs that must not compile, with {family}", "not on this machine")
            continue
        compiler = Compiler(build, [path])
        cases += [(family, compiler, s) for s in sorted((ROOT / "test/compile_fail").glob("*.cpp"))]
    for results in in_parallel(lambda case: check_case(*case), cases):
        for name, complaint in results:
            report.check(not complaint, name, complaint)
    return report.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
