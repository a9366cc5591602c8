#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""command.py WARMFORK HEAVY TOY MANUAL [--sanitized]: the command as a user runs it.

HEAVY is the module of heavy.c, TOY a small one. MANUAL documents the keys of the JSON form: these,
and no others, must be there. Under a sanitizer nothing is ever frozen, and forks are slow in ways
that no model knows."""

import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

from checks import check, summary  # noqa: E402

SANITIZED = "--sanitized" in sys.argv
WARMFORK, HEAVY, TOY, MANUAL = [os.path.abspath(a) for a in sys.argv[1:] if a != "--sanitized"]


def run(*arguments, **more):
    return subprocess.run([WARMFORK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, stdin=subprocess.DEVNULL, check=False, timeout=60, **more)


def image(*arguments):
    """The report, as Python has it."""
    done = run("image", "--json", *arguments)
    check(done.returncode == 0, f"image {arguments}: exit status {done.returncode}: {done.stderr}")
    check(done.stderr == "", f"image {arguments}: said {done.stderr!r}")
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError as error:
        check(False, f"image {arguments}: {error}: {done.stdout!r}")
        sys.exit(summary("command"))


def heavy(argument, *more):
    return image(HEAVY, "--argument", argument, *more)


# --- the words ---------------------------------------------------------------------------------


def test_words():
    for arguments in (["help"], ["--help"], ["-h"]):
        done = run(*arguments)
        check(done.returncode == 0 and "image" in done.stdout, f"{arguments}: {done}")
    done = run()
    check(done.returncode == 2 and "image" in done.stderr and not done.stdout, f"alone: {done}")
    versions = {run("--version").stdout, run("image", "--version").stdout}
    check(len(versions) == 1 and re.fullmatch(r"warmfork \d+\.\d+\.\d+\n", versions.pop()),
          "the version")
    for arguments in (["image", "--help"], ["help", "image"]):
        done = run(*arguments)
        check(done.returncode == 0 and "--waive" in done.stdout, f"{arguments}: {done}")
    for command in ("attack", "doctor", "image", "run"):
        long, short = run(command, "--help"), run(command, "-h")
        check(short.returncode == 0 and short.stdout == long.stdout, f"{command} -h: {short}")
        done = run(command, "--so\033[1m")
        check(done.stderr.count("\n") == 1 and "\033" not in done.stderr,
              f"{command}: a terminal would obey {done.stderr!r}")


def test_wrong_words():
    for arguments, said in (
            (["imagine"], 'no command "imagine"'),
            (["help", "imagine"], 'no command "imagine"'),
            (["image"], "no module is given"),
            (["image", TOY, TOY], "one module"),
            (["image", "--colour", TOY], "--colour"),
            (["image", "-j", TOY], "-j"),
            (["image", "--json=yes", TOY], "--json=yes"),
            (["image", TOY, "--forks"], "--forks takes a value"),
            (["image", TOY, "--forks", "-1"], 'not "-1"'),
            (["image", TOY, "--forks", "many"], 'not "many"'),
            (["image", TOY, "--forks", "65537"], "65536"),
            (["image", TOY, "--forks", "99999999999999999999"], "65536"),
            (["image", TOY, "--freeze", "hard"], 'not "hard"'),
            (["image", TOY, "--waive", "threads,ghosts"], 'not "ghosts"'),
            (["image", TOY, "--waive", ""], "not"),
            (["image", TOY, "--preload-timeout", "1s"], 'not "1s"')):
        done = run(*arguments)
        check(done.returncode == 2, f"{arguments}: exit status {done.returncode}")
        check(said in done.stderr and done.stderr.count("\n") == 1 and not done.stdout,
              f"{arguments}: said {done.stderr!r}")


# --- images that cannot be used ----------------------------------------------------------------


def test_refused():
    with tempfile.NamedTemporaryFile(suffix=".so") as text:
        for arguments, said in (
                (["/nowhere/at/all.so"], "/nowhere/at/all.so"),
                ([text.name], text.name),
                ([HEAVY, "--argument", "nonsense"], "returned 1"),
                ([HEAVY, "--argument", "thread 1"], "a thread named"),
                ([HEAVY, "--argument", "thread 1", "--waive", "descriptors"], "a thread named"),
                ([HEAVY, "--argument", "descriptors 3"], "/dev/null"),
                ([HEAVY, "--argument", "handler 200", "--preload-timeout", "1"], "1 ms")):
            done = run("image", *arguments)
            check(done.returncode == 1, f"{arguments}: exit status {done.returncode}")
            check(said in done.stderr and not done.stdout, f"{arguments}: said {done.stderr!r}")
    for argument, hint in (("thread 1", "--waive threads\n"),
                           ("descriptors 3", "--waive descriptors\n"), ("nonsense", None)):
        said = run("image", HEAVY, "--argument", argument).stderr
        check(said.endswith(hint) if hint else "--waive" not in said, f"{argument}: {said!r}")


def test_no_worker():
    done = run("image", "--json", HEAVY, "--argument", "worker")
    check(done.returncode == 1 and "16 of 16 workers" in done.stderr, f"worker: {done.stderr}")
    check(json.loads(done.stdout)["fork"]["lost"] == 16, "lost workers are counted")
    check(run("image", "--forks", "0", HEAVY, "--argument", "worker").returncode == 0,
          "no worker is wanted")


def test_full_disk():
    with open("/dev/full", "w", encoding="utf-8") as full:
        for form in ([], ["--json"]):
            done = subprocess.run([WARMFORK, "image", *form, TOY], stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
            check(done.returncode == 1 and done.stderr, f"a full disk, {form}: {done}")


# --- the report --------------------------------------------------------------------------------


def keys(report):
    return [f"{section}.{key}" for section, facts in report.items() for key in facts]


def test_keys():
    with open(MANUAL, encoding="utf-8") as file:
        documented = re.findall(r"^\*([a-z]+\.[a-z_]+)\*", file.read(), re.MULTILINE)
    for report in (image(TOY), heavy("memory 16")):
        check(keys(report) == documented,
              f"keys: {sorted(set(keys(report)) ^ set(documented))}, or their order")


def test_toy():
    report = image(TOY)
    check(report["image"]["module"] == TOY, "the module")
    check(len(report["image"]["functions"]) > 10, "functions")
    check("echo" in report["image"]["functions"], "their names")
    check(report["image"]["initializer"] is True, "the initializer")
    check(report["found"] == {**report["found"], "threads": 1, "waived": []}, "found")
    # a sanitizer's heap is none that the kernel knows
    check(all(n > 0 or (SANITIZED and kind == "heap_bytes")
              for kind, n in report["memory"].items()), f"memory: {report['memory']}")
    check(report["freeze"]["frozen"] is False and report["freeze"]["note"], "why it is not frozen")
    check(report["fork"]["workers"] == 16 and report["fork"]["lost"] == 0, "a few workers")
    check(report["fork"]["unfrozen_ns"] > 0 and report["fork"]["empty_ns"] > 0, "fork times")
    check(report["fork"]["frozen_ns"] is None and report["fork"]["dirtied_pages"] is None,
          "what is not frozen is not counted")
    check(image(TOY, "--forks", "0")["fork"]["workers"] == 0, "--forks 0")


def test_frozen():
    report = heavy("memory 64")
    freeze, fork = report["freeze"], report["fork"]
    check(report["memory"]["heap_bytes"] + report["memory"]["other_anonymous_bytes"] >= 64 << 20,
          "memory")
    if SANITIZED:
        check("sanitizer" in freeze["note"], freeze["note"])
        return
    check(freeze["frozen"] is True and freeze["note"] == "", "it is frozen")
    check(freeze["frozen_bytes"] >= 64 << 20 > freeze["unfrozen_bytes"], "all of it")
    check(freeze["took_ns"] > 0 and freeze["mappings"] > 0, "facts of the freeze")
    check(fork["workers"] == 256 and fork["dirtied_pages"] == 0, f"nothing is dirtied: {fork}")
    more = heavy("memory 64", "--forks", "257")["fork"]["workers"]
    check(512 <= more < 512 + 16, f"{more} workers for --forks 257")
    check(heavy("memory 1", "--freeze", "always")["freeze"]["frozen"] is True, "--freeze always")
    fork = patiently(lambda report: report["fork"]["frozen_ns"] < report["fork"]["unfrozen_ns"],
                     "memory 256")["fork"]
    check(0 < fork["frozen_ns"] < fork["unfrozen_ns"], f"it pays: {fork}")
    report = obstacle_of("memory", "memory 256", "--freeze", "never")
    check(report["freeze"]["frozen"] is False, "--freeze never")
    obstacle = report["obstacle"]
    check(obstacle["kind"] == "memory" and "WF_FREEZE_AUTO" in obstacle["remedy"],
          f"its obstacle: {obstacle}")


def patiently(holds, argument, *more):
    """Other work on the machine may spoil a measurement; not all of them."""
    for _ in range(8):
        report = heavy(argument, *more)
        if holds(report):
            break
    return report


def obstacle_of(kind, argument, *more):
    return patiently(lambda report: report["obstacle"]["kind"] == kind, argument, *more)


def test_obstacles():
    """What costs little of a fork drowns on a busy machine; the model has tests of its own."""
    if SANITIZED:
        return
    for argument, waive, kind, costs_little in (
            ("thread 256", "threads", "threads", False),
            ("mappings 8000", "children", "mappings", False),
            ("handler 20", "children", "other", False),
            ("descriptors 9000", "descriptors", "descriptors", True),
            ("holes 60", "children", "holes", True)):
        report = obstacle_of(kind, argument, "--waive", waive)
        obstacle = report["obstacle"]
        check(obstacle["kind"] == kind or (costs_little and obstacle["kind"] in ("other", "none")),
              f"{argument}: {obstacle}, {report['fork']}")
        check(bool(obstacle["remedy"]) == (obstacle["kind"] != "none") ==
              (obstacle["cost_ns"] is not None), f"{argument}: {obstacle}")
    check(heavy("descriptors 9000", "--waive", "descriptors")["found"]["descriptors"] >= 9000,
          "descriptors are counted")
    check(60 <= heavy("holes 60")["freeze"]["holes"] < 64, "holes are counted")
    check(heavy("wander 1")["fork"]["dirtied_pages"] >= 200, "pages that are dirtied")


def test_waived():
    report = heavy("thread 1", "--waive", "children,threads")
    found = report["found"]  # a sanitizer may have a thread of its own
    check(found["threads"] == 2 or (SANITIZED and found["threads"] == 3), "two threads")
    check(len(found["waived"]) == found["threads"] - 1, f"what was waived: {found}")
    check(all("a thread named" in line for line in found["waived"]), f"what was waived: {found}")


def test_output():
    lines = heavy("bytes")["image"]["output"]
    check(lines == ["plain, \033[31mred\033[0m, \ufffd\u00e9\ufffd\ufffd\ufffd."], f"{lines}")
    text = run("image", HEAVY, "--argument", "bytes").stdout
    check("\033" not in text and "\\x1b[31mred" in text, "a terminal is not steered")


def test_text():
    """Both forms tell of as many facts, and nothing is wider than a terminal."""
    text = run("image", TOY).stdout
    facts = re.findall(r"^  \S", text, re.MULTILINE)
    check(len(facts) == len(keys(image(TOY))), f"{len(facts)} facts in the text")
    sections = re.findall(r"^\S+$", text, re.MULTILINE)
    check(sections == list(image(TOY)), f"sections {sections}")
    wide = [line for line in text.splitlines() if len(line) > 80 and " " in line[22:]]
    check(not wide, f"wide lines: {wide}")
    check(run("image", os.path.basename(TOY), cwd=os.path.dirname(TOY)).returncode == 0,
          "a path without a slash is a path")
    check(run("image", "--", TOY).returncode == 0, "--")


def main():
    for test in (test_words, test_wrong_words, test_refused, test_no_worker, test_full_disk,
                 test_keys, test_toy, test_frozen, test_obstacles, test_waived, test_output,
                 test_text):
        test()
    return summary("command")


if __name__ == "__main__":
    sys.exit(main())
