# SPDX-License-Identifier: MIT
"""What the tests of the command count: checks, and those that failed."""

failures = []
n_checks = 0


def check(holds, what):
    """Returns `holds`."""
    global n_checks
    n_checks += 1
    if not holds:
        failures.append(what)
    return holds


def summary(name, missing=None):
    """The last lines of the test `name`, and its exit status. `missing`: what was not run, if that
    can be; it is 77 when all others have passed."""
    for line in failures:
        print(f"{name}: {line}")
    for line in missing or ():
        print(f"{name}: not run: {line}")
    print(f"{name}: {n_checks} checks, {len(failures)} failed" +
          ("" if missing is None else f", {len(missing)} not run"))
    return 1 if failures else 77 if missing else 0
