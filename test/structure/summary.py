# SPDX-License-Identifier: MIT
"""test/summary.py: what each kind of line in meson's log counts as."""

import sys

from report import ROOT, Report

sys.path.insert(0, str(ROOT / "test"))
from summary import count  # noqa: E402

CLOSING = "words\ncases: 3 passed, {} failed, 2 skipped\n"
COUNTED = [  # the result, the output, and (passed, failed, skipped)
    ("OK", "", (1, 0, 0)),
    ("OK", CLOSING.format(0), (3, 0, 2)),
    ("OK", CLOSING.format(1), (3, 1, 2)),
    ("EXPECTEDFAIL", "", (1, 0, 0)),
    ("SKIP", "", (0, 0, 1)),
    ("SKIP", CLOSING.format(0), (3, 0, 2)),
    ("FAIL", "", (0, 1, 0)),
    ("FAIL", CLOSING.format(4), (3, 4, 2)),
    ("FAIL", CLOSING.format(0), (3, 1, 2)),
    ("TIMEOUT", CLOSING.format(0), (3, 1, 2)),
]


def main():
    report = Report()
    for result, output, expected in COUNTED:
        counted = count({"result": result, "stdout": output})
        report.check(counted == expected, f"{result} with {output!r}", f"expected {expected}, counted {counted}")
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
