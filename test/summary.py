# SPDX-License-Identifier: MIT
"""Adds up what the tests of one `meson test` run reported.

A program that closes with `cases: N passed, N failed, N skipped` counts with those numbers, any
other as one. Exit status 1 if anything failed or nothing ran.
"""

import json
import re
import sys

CASES = re.compile(r"^cases: (\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)


def count(test):
    """(passed, failed, skipped) of one line of meson's log."""
    good = test["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
    found = CASES.findall(test.get("stdout") or "")
    if found:
        passed, failed, skipped = map(int, found[-1])
        return passed, failed if good else max(failed, 1), skipped
    if test["result"] == "SKIP":
        return 0, 0, 1
    return (1, 0, 0) if good else (0, 1, 0)


def main(path):
    try:
        with open(path, encoding="utf-8") as log:
            counts = [count(json.loads(line)) for line in log]
    except FileNotFoundError:
        counts = []
    passed, failed, skipped = (sum(c[i] for c in counts) for i in range(3))
    print(f"test cases of {len(counts)} test programs:")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed + failed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
