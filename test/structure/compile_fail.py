# SPDX-License-Identifier: MIT
"""What must not compile, does not, and says so at the user's line.

Each file of test/compile_fail is compiled twice: as it is (the control: it must compile), and with
-DWRONG (it must not, every `error:` line must point into the file itself, none into a header, and the messages must
contain the words of the file's line `// expected: words`, or of `// expected by gcc: words` and
`// expected by clang: words` where the two say it differently). A line `// refused with: -option` puts that option
in the place of -DWRONG; the library refuses it with an #error of its own, which may stand in a header.
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


def complaint_about(wrong, words, anywhere, source):
    """What is not as it should be in the messages of a wrong program."""
    errors = [line for line in wrong.stdout.splitlines() if re.search(r"\berror:", line)]
    elsewhere = [line for line in errors if not line.startswith(f"{source}:") and not anywhere]
    absent = [w for w in words if w not in wrong.stdout]
    if wrong.returncode == 0:
        return "it compiles"
    if not words:
        return "the file says no expected words"
    if elsewhere:
        return "an error is not at the user's line:\n" + "\n".join(elsewhere)
    return "\n".join([*(f"not said: {w}" for w in absent), wrong.stdout] if absent else [])


def check_case(family, compiler, source):
    """(case, complaint) of the control and of the wrong programs; no complaint: as it should be."""
    name = f"{family}: {source.relative_to(ROOT)}"
    control = compiler.check_syntax(source, "-Werror")
    if control.returncode != 0:
        return [(f"{name}, control: must compile", control.stdout)]
    words = expected_words(source, family)
    refused = re.findall(r"^// refused with: (\S+)$", source.read_text(encoding="utf-8"), re.MULTILINE)
    results = [(f"{name}, control", "")]
    for option in refused or ["-DWRONG"]:
        wrong = compiler.check_syntax(source, option, f"-fno-{CARET[family]}")
        results.append((f"{name}: must fail with {option}", complaint_about(wrong, words, bool(refused), source)))
    return results


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
