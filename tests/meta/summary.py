#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""summary.py TESTLOG.JSON...: the plain closing line of ./dev test.

Counts each test function where a program prints TAP, and each program otherwise."""

import json
import re
import sys

POINT = re.compile(r"^(not )?ok\b[^#\n]*(#\s*skip)?", re.IGNORECASE | re.MULTILINE)
PASSED = ("OK", "EXPECTEDFAIL")


def count(entry):
    """(passed, failed, skipped) of one program."""
    result = entry["result"]
    points = POINT.findall(entry.get("stdout") or "")
    if result == "EXPECTEDFAIL" or not points:
        return result in PASSED, result not in (*PASSED, "SKIP"), result == "SKIP"
    skipped = sum(1 for _, skip in points if skip)
    failed = sum(1 for no, skip in points if no and not skip)
    passed = len(points) - skipped - failed
    # a crash or a time limit after the last line that it printed
    return passed, failed or result not in (*PASSED, "SKIP"), skipped


def main():
    totals = [0, 0, 0]
    complete = True
    for path in sys.argv[1:]:
        try:
            with open(path, encoding="utf-8") as log:
                entries = [json.loads(line) for line in log]
        except OSError:
            entries = []
        complete = complete and bool(entries)
        for entry in entries:
            totals = [total + n for total, n in zip(totals, count(entry))]
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 0 if complete and not totals[1] else 1


if __name__ == "__main__":
    sys.exit(main())
