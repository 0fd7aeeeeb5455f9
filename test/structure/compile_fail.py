# SPDX-License-Identifier: MIT
"""What must not compile, does not, and says so at the user's line.

Each file of test/compile_fail is compiled twice: as it is (the control: it must compile), and with
-DWRONG (it must not, every `error:` line must point into the file itself, none into a header, and the messages must
contain the words of the file's line `// expected: words`, or of `// expected by gcc: words` and
`// expected by clang: words` where the two say it differently).
usage: compile_fail.py BUILD_FOLDER
"""

import re
import shutil
import sys

from report import ROOT, Compiler, Report, find_clang, in_parallel

CARET = {"gcc": "diagnostics-show-caret", "clang": "caret-diagnostics"}  # the option that prints the user's line


def expected_words(source, family):
    text = source.read_text(encoding="utf-8")
    return re.findall(rf"^// expected(?: by {family})?: (.+)$", text, re.MULTILINE)


def check_case(family, compiler, source):
    """(case, complaint) of the control and of the wrong program; no complaint: as it should be."""
    name = f"{family}: {source.relative_to(ROOT)}"
    control = compiler.check_syntax(source, "-Werror")
    if control.returncode != 0:
        return [(f"{name}, control: must compile", control.stdout)]
    wrong = compiler.check_syntax(source, "-DWRONG", f"-fno-{CARET[family]}")
    words = expected_words(source, family)
    errors = [line for line in wrong.stdout.splitlines() if re.search(r"\berror:", line)]
    elsewhere = [line for line in errors if not line.startswith(f"{source}:")]
    absent = [w for w in words if w not in wrong.stdout]
    if wrong.returncode == 0:
        complaint = "it compiles"
    elif not words:
        complaint = "the file says no expected words"
    elif elsewhere:
        complaint = "an error is not at the user's line:\n" + "\n".join(elsewhere)
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
