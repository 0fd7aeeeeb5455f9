# SPDX-License-Identifier: MIT
"""Every public header compiles alone, with the build's own compiler and warnings; the loop reference
even without Eigen's include path. usage: headers_alone.py BUILD_FOLDER"""

import os
import sys
import tempfile

from report import INCLUDE, Compiler, Report, in_parallel


def main(build):
    report = Report()
    compiler = Compiler(build)
    with tempfile.TemporaryDirectory() as folder:

        def compile_alone(header, compiler=compiler):
            source = os.path.join(folder, header.replace("/", "_") + ".cpp")
            with open(source, "w", encoding="utf-8") as text:
                text.write(f"#include <{header}>\n#include <{header}>\n")
            return compiler.check_syntax(source)

        headers = sorted(p.relative_to(INCLUDE).as_posix() for p in INCLUDE.rglob("*.hpp"))
        for header, done in zip(headers, in_parallel(compile_alone, headers)):
            report.check(done.returncode == 0, f"{header} compiles alone", done.stdout)

        reference = "unfold/verify/reference.hpp"
        if reference in headers:
            done = compile_alone(reference, Compiler(build).without("eigen"))
            report.check(done.returncode == 0, f"{reference} compiles without Eigen", done.stdout)
    return report.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
