#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""one_test.py PROGRAM NAME: with WF_TEST=NAME a test program runs that test function alone; with a
name that it does not have it runs none, fails and says so."""

import os
import re
import subprocess
import sys

STRANGER = "test_that_is_not_there"


def run(program, name):
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "WF_TEST": name}, check=False, timeout=60)
    # as in: ok 1 - line:test_line.c:line:test_is_cut: Passed
    return done, re.findall(r"^(?:not )?ok \d+ - [^:]+:[^:]+:(\w+):", done.stdout, re.MULTILINE)


def main():
    program, name = sys.argv[1:]
    findings = []
    done, ran = run(program, name)
    if done.returncode or ran != [name]:
        findings.append(f"WF_TEST={name} runs {ran}, exit status {done.returncode}")
    done, ran = run(program, STRANGER)
    if done.returncode != 1 or ran:
        findings.append(f"WF_TEST={STRANGER} runs {ran}, exit status {done.returncode}")
    if STRANGER not in done.stderr:
        findings.append(f"nothing says that there is no {STRANGER}: {done.stderr!r}")
    print("\n".join([*findings, f"one_test: {len(findings)} findings"]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
