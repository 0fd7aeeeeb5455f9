# SPDX-License-Identifier: MIT
"""The pages say the truth: code that compiles, output that is printed, links that lead somewhere.

A comment on the line before a fenced block says what the block is:
    <!-- example: NAME -->  a whole program; it is compiled and run
    <!-- output: NAME -->   exactly what the program of that name prints
    <!-- from: PATH -->     lines that stand so, indentation apart, in that file of the project
    <!-- sketch -->         not checked: notation, or code that is wrong on purpose
A ```cpp block without such a comment fails. The programs compile with what they include themselves; the layers and the
engine come from the library of instances if one is named, which halves the time.
usage: docs_examples.py BUILD_FOLDER [LIBRARY]
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap

from report import ROOT, Compiler, Report, in_parallel

BLOCK = re.compile(
    r"(?:^<!-- *(?P<mark>\w+)(?:: *(?P<name>[^ ]+))? *-->\n\n?)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?!\w+:)([^)#\s]+)[^)]*\)")


def pages():
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def stands_in(text, path):
    """Whether these lines stand in that file one after the other; their common indentation is free."""
    wanted = textwrap.dedent(text).rstrip().splitlines()
    lines = path.read_text(encoding="utf-8").splitlines()
    return any(textwrap.dedent("\n".join(lines[i : i + len(wanted)])).splitlines() == wanted for i in range(len(lines)))


def read_page(report, page, programs, outputs):
    where = page.relative_to(ROOT)
    text = page.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        line = f"{where}:{text.count(chr(10), 0, block.start('language')) + 1}"
        mark, name, body = block["mark"], block["name"], block["text"]
        if mark == "example":
            report.check(name not in programs, f"{line}: the name {name} is used once")
            programs[name] = body
        elif mark == "output":
            outputs[name] = body
        elif mark == "from":
            path = ROOT / name
            report.check(path.is_file() and stands_in(body, path), f"{line}: these lines stand in {name}", body)
        else:
            report.check(mark == "sketch" or block["language"] != "cpp", f"{line}: a cpp block says what it is", body)
    for link in LINK.findall(BLOCK.sub("", text)):
        report.check((page.parent / link).exists(), f"{where}: the link to {link} leads somewhere")


def run_program(compiler, library, name, source):
    """What the program prints, or a complaint."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"{name}.cpp")
        # At the end of the file: there it brings in nothing that the program forgot to include.
        last = "#include <unfold/instances.hpp>\n" if library else ""
        pathlib.Path(path).write_text(source + last, encoding="utf-8")
        program = os.path.join(folder, name)
        linked = [library, f"-Wl,-rpath,{library.parent}"] if library else []
        built = compiler.run("-O1", path, "-o", program, *linked)
        if built.returncode != 0:
            return "", built.stdout
        done = subprocess.run(
            [program], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=120)
        return done.stdout, done.stderr if done.returncode == 0 else f"exit status {done.returncode}\n{done.stderr}"


def main(build, library=None):
    report = Report()
    programs, outputs = {}, {}
    for page in pages():
        read_page(report, page, programs, outputs)
    for name in outputs:
        report.check(name in programs, f"the output {name} has its program")

    compiler = Compiler(build)
    library = library and pathlib.Path(build, library)
    for name, (printed, complaint) in zip(
        programs, in_parallel(lambda n: run_program(compiler, library, n, programs[n]), programs)):
        report.check(not complaint, f"the program {name} compiles and runs", complaint)
        if name in outputs and not complaint:
            expected = outputs[name]
            report.check(printed.rstrip() == expected.rstrip(), f"the program {name} prints what the page says",
                         f"printed:\n{printed}\nthe page says:\n{expected}")
    return report.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
