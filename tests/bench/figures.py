#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""figures.py JSON [FILE]: the figures of a run (bench.py --json) as a table in FILE, which is
docs/performance.md if it is not said.

What lies between the two lines BEGIN and END is replaced, nothing else. Rows are in the order of
rows.py; a row that was not run is not in the table.
"""

import json
import os
import sys

sys.dont_write_bytecode = True

import bench  # noqa: E402
import chart  # noqa: E402

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
DOCUMENT = os.path.join(bench.HERE, "..", "..", "docs", "performance.md")
HEAD = """| row | ours | reference | ratio | spread | goal | met |
| --- | ---: | ---: | ---: | --- | --- | --- |"""


def with_unit(value, part):
    return f"{bench.number(value, part.digits)} {part.unit}".rstrip() if value is not None else "-"


def line(part, row):
    spread = "-" if row["spread"] is None else "{} .. {}".format(*map(bench.short, row["spread"]))
    ratio = "-" if row["ratio"] is None else bench.short(row["ratio"])
    met = {True: "yes", False: "**no**", None: "not measured"}[row["met"]]
    cells = (f"`{part.name}`", with_unit(row["value"], part),
             with_unit(row["reference"], part), ratio, spread, row["goal"], met)
    return "| " + " | ".join(cells) + " |"


def place(machine):
    """Where and when, in sentences that do not break."""
    peers = ", ".join(version if version.startswith(name) else f"{name} {version}"
                      for name, version in machine["peers"].items() if version)
    return (f"{chart.foot(machine)}.\nTransparent huge pages: {machine['thp']}, of shared memory "
            f"{machine['thp_shmem']}. Load before the first row: {machine['load']:.2f}.\n"
            f"Beside it: {peers}.")


def table(result):
    rows = {row["name"]: row for row in result["rows"]}
    lines = [line(part, rows[part.name]) for part in bench.all_parts() if part.name in rows]
    return "\n".join([HEAD, *lines, "", place(result["machine"])])


def replace(text, block):
    """The text with that block; None: it has not exactly one place for it."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        return None
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{rest.split(END)[1]}"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: figures.py JSON [FILE]")
    path = sys.argv[2] if len(sys.argv) == 3 else os.path.normpath(DOCUMENT)
    with open(sys.argv[1], encoding="utf-8") as file:
        result = json.load(file)
    with open(path, encoding="utf-8") as file:
        text = replace(file.read(), table(result))
    if text is None:
        sys.exit(f"figures: {path} needs one line {BEGIN} and after it one line {END}")
    bench.write(path, text)


if __name__ == "__main__":
    main()
