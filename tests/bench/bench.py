#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""bench.py BUILD [--quick] [--list] [--json FILE] [--chart FILE] [ROW...]

Runs the rows of rows.py with the programs in BUILD (BUILDDIR/tests/bench), each beside its
reference.

In one round ours and the reference take their turns, one right after the other, so that what else
the machine does meanwhile hits both. Hence the ratio of a row is the median of the ratios of its
rounds, not the ratio of two medians; its spread is their quartiles. `ours` and `reference` are
medians over all rounds; a 99th percentile is that of all single values. A goal is for the ratio,
or, where there is no reference, for our figure, whose spread is then that of the rounds.

A goal that is missed is printed as missed: the exit status is 0 if everything could be measured
that there is something to measure with.
"""

import argparse
import datetime
import json
import os
import platform
import re
import select
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import chart  # noqa: E402
import peers  # noqa: E402
import rows  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ANSWER_S = 120  # of a player; far more than any round takes
LINE = re.compile(r"(\S+) (-?[0-9.e+-]+)")
PACKAGES = {"loky": "python3-joblib"}


class Unmeasured(Exception):
    """Why a row has no figures."""


# --- players -------------------------------------------------------------------------------------


class Running:
    """A player that has been started, see measure.h."""

    def __init__(self, player, build, quick):
        self.player = player
        program = [os.path.join(build, player.program)]
        if player.program.endswith(".py"):
            program = [sys.executable, "-B", os.path.join(HERE, player.program)]
        self.process = subprocess.Popen(
            [*program, player.row, *(["--quick"] if quick else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            # a fork server imports its preload from the path of the environment alone
            env={**os.environ, "PYTHONPATH": HERE})
        self.rest = b""
        self.answer("ready")

    def read_line(self, deadline):
        while b"\n" not in self.rest:
            left = max(0, deadline - time.monotonic())
            ready, _, _ = select.select([self.process.stdout], [], [], left)
            if not ready:
                raise Unmeasured(f"no answer within {ANSWER_S} s")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise Unmeasured(self.last_words())
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def last_words(self):
        status = self.process.wait(10)
        said = self.process.stderr.read1(4096).decode(errors="replace").strip().splitlines()
        return said[-1] if said else f"it ended with status {status}"

    def answer(self, end):
        """What it says up to the line `end`: {name: [numbers]}."""
        numbers = {}
        deadline = time.monotonic() + ANSWER_S
        while (line := self.read_line(deadline)) != end:
            found = LINE.fullmatch(line)
            if not found:
                raise Unmeasured(f"it said: {line}")
            numbers.setdefault(found[1], []).append(float(found[2]))
        return numbers

    def round(self):
        try:
            self.process.stdin.write(b"go\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Unmeasured(self.last_words()) from None
        return self.answer("done")

    def stop(self):
        """Its standard input ends, so it gives back what it holds; after a while it is killed."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def missing(player):
    """Why it cannot play, or None."""
    if player.peer == "loky" and not peers.find_loky():
        return f"{player.peer}: not installed ({PACKAGES[player.peer]})"
    return None


def play(group, parts, build, quick, notes):
    """[numbers of one round] of all players that these parts need and that there are."""
    wanted = {part.reference for part in parts}
    running = []
    try:
        for player in group.players:
            if player.peer and player.peer not in wanted or missing(player):
                continue
            try:
                running.append(Running(player, build, quick))
            except Unmeasured as error:
                if not player.peer:
                    raise
                notes[player.peer] = f"{player.peer}: {error}"
        for _ in range(group.warm_up):
            for player in running:
                player.round()
        found = []
        for _ in range(group.quick_rounds if quick else group.rounds):
            numbers = {}
            for player in running:
                numbers.update(player.round())
            found.append(numbers)
        return found
    finally:
        for player in running:
            player.stop()


# --- figures -------------------------------------------------------------------------------------


def quantile(values, at):
    values = sorted(values)
    return statistics.median(values) if at == 0.5 else values[round(at * (len(values) - 1))]


def spread(values):
    """The quartiles of few values."""
    values = sorted(values)
    last = len(values) - 1
    return [values[round(last * 0.25)], values[round(last * 0.75)]]


def is_met(goal, value):
    comparison, number = goal
    return value <= number if comparison == "<=" else value >= number


def figures(part, rounds, note):
    """The row as it goes into the JSON file."""
    row = {"name": part.name, "says": part.says, "value": None, "unit": part.unit,
           "reference": None, "ratio": None, "spread": None,
           "goal": f"{part.goal[0]} {part.goal[1]:g}", "met": None, "note": note}
    values = [numbers[part.ours] for numbers in rounds if part.ours in numbers]
    if not values:
        return row
    row["value"] = quantile(sum(values, []), part.quantile)
    ours = [quantile(each, part.quantile) for each in values]
    if not part.reference:
        row["spread"] = spread(ours)
        row["met"] = is_met(part.goal, row["value"])
        return row
    others = [numbers[part.reference] for numbers in rounds if part.reference in numbers]
    if not others:
        return row
    row["reference"] = quantile(sum(others, []), part.quantile)
    others = [quantile(each, part.quantile) for each in others]
    ratios = [b / a if part.inverse else a / b for a, b in zip(ours, others)]
    row["ratio"] = statistics.median(ratios)
    row["spread"] = spread(ratios)
    row["met"] = is_met(part.goal, row["ratio"])
    return row


def measure(group, parts, build, quick):
    notes = {player.peer: missing(player) for player in group.players}
    try:
        rounds = play(group, parts, build, quick, notes)
    except Unmeasured as error:
        return [figures(part, [], str(error)) for part in parts]
    return [figures(part, rounds, notes.get(part.reference)) for part in parts]


# --- the table -----------------------------------------------------------------------------------

HEAD = f"{'':26}{'ours':>10}{'reference':>11}  {'':6}{'ratio':>8}  {'spread':17}{'goal':>8}"


def number(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def short(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def line(part, row):
    between = "" if row["spread"] is None else "{} .. {}".format(*map(short, row["spread"]))
    ratio = "" if row["ratio"] is None else short(row["ratio"])
    met = {True: "met", False: "MISSED", None: "-"}[row["met"]]
    reference = number(row["reference"], part.digits) if part.reference else ""
    return (f"{part.name:26}{number(row['value'], part.digits):>10}{reference:>11}  "
            f"{part.unit:6}{ratio:>8}  {between:17}{row['goal']:>8}  {met}")


def show(part, row):
    print(line(part, row))
    print(f"    {part.says}" + (f"\n    {row['note']}" if row["note"] else ""), flush=True)


# --- the machine ---------------------------------------------------------------------------------


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def search(pattern, text):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1) if found else ""


def tool_version(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return None


def peer_versions():
    loky = peers.find_loky()
    return {"python": platform.python_version(), "loky": loky.__version__ if loky else None,
            "bubblewrap": tool_version("bwrap", "--version")}


def machine(quick):
    memory = search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"))
    pages = "/sys/kernel/mm/transparent_hugepage/"
    return {
        "kernel": platform.release(),
        "cpu": search(r"^model name\s*:\s*(.*)$", read("/proc/cpuinfo")) or platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory": f"{int(memory or 0) / (1 << 20):.1f} GiB",
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "glibc": os.confstr("CS_GNU_LIBC_VERSION"),
        "thp": search(r"\[(\w+)\]", read(pages + "enabled")),
        "thp_shmem": search(r"\[(\w+)\]", read(pages + "shmem_enabled")),
        "load": os.getloadavg()[0],  # before the first row
        "quick": quick,
        "peers": peer_versions(),
    }


# --- the program ---------------------------------------------------------------------------------


def all_parts():
    return [part for group in rows.GROUPS for part in group.parts]


def select_parts(names):
    """The names of the rows that are meant; a sentence and the end for one that is none."""
    known = [part.name for part in all_parts()]
    for name in names:
        if not any(name in (row, row.split(".")[0]) for row in known):
            sys.exit(f"bench: there is no row {name}; there are: {', '.join(known)}")
    return {row for row in known
            if not names or any(name in (row, row.split(".")[0]) for name in names)}


def read_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", allow_abbrev=False)
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="some rows; else all of them")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller images")
    parser.add_argument("--list", action="store_true", help="the rows, and what they have to reach")
    parser.add_argument("--json", metavar="FILE", help="writes the figures and the machine")
    parser.add_argument("--chart", metavar="FILE", help="draws the main rows as SVG")
    return parser.parse_intermixed_args()


def run(arguments, wanted):
    found = []
    if os.getloadavg()[0] > len(os.sched_getaffinity(0)) / 2:
        print(f"The machine is busy (load {os.getloadavg()[0]:.1f}): look at the spread.\n")
    print(HEAD)
    for group in rows.GROUPS:
        parts = [part for part in group.parts if part.name in wanted]
        if not parts:
            continue
        measured = measure(group, parts, arguments.build, arguments.quick)
        for part, row in zip(parts, measured):
            show(part, row)
        found += measured
    return found


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def check_writable(paths):
    """Before anything is measured, not after."""
    for path in paths:
        try:
            with open(path, "a", encoding="utf-8"):
                pass
        except OSError as error:
            sys.exit(f"bench: {path}: {error.strerror}; nothing has been measured")


def main():
    arguments = read_arguments()
    check_writable(path for path in (arguments.json, arguments.chart) if path)
    # the programs in a build directory do not find the installed helper
    os.environ.setdefault("WARMFORK_HELPER", os.path.abspath(
        os.path.join(arguments.build, "..", "..", "warmfork-zygote")))
    wanted = select_parts(arguments.rows)
    if arguments.list:
        for part in all_parts():
            print(f"{part.name:26}{part.goal[0]} {part.goal[1]:<6g}{part.says}")
        return 0
    result = {"machine": machine(arguments.quick), "rows": run(arguments, wanted)}
    missed = [row["name"] for row in result["rows"] if row["met"] is False]
    without = [row["name"] for row in result["rows"] if row["met"] is None]
    failed = [row["name"] for row in result["rows"] if row["value"] is None]
    print(f"\n{len(result['rows'])} rows, {len(missed)} missed, {len(without)} not measured")
    if arguments.json:
        write(arguments.json, json.dumps(result, indent=1) + "\n")
    if arguments.chart:
        write(arguments.chart, chart.draw(result, all_parts()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
