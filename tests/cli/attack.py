#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""attack.py WARMFORK MANUAL: the command `warmfork attack` as a user runs it.

That no attack gets through, under any preset; and that the command would tell: the words, the shape
of its report, that every control succeeds, that a layer which is not there is missed, and that
nothing stays behind. Which features are hidden from the rest of the suite is no matter here."""

import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

from checks import check, summary  # noqa: E402

WARMFORK, MANUAL = [os.path.abspath(a) for a in sys.argv[1:]]
RESULTS = {"stopped", "got through", "unproven", "not applicable"}
VERDICTS = {"stopped", "got through", "not made", "error", "not tried"}
LAYERS = ["landlock", "seccomp", "namespaces", "limits", "cgroup", "descriptors", "privileges"]
N_ATTACKS = 97
# They fill memory, which takes seconds, so they are tried under each layer alone with one preset.
SLOW = {68, 69, 70, 71}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "WF_ABSENT"}


def run(*arguments, env=None, **more):
    more["env"] = {**ENVIRONMENT, **(env or {})}
    return subprocess.run([WARMFORK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, stdin=subprocess.DEVNULL, check=False, timeout=200, **more)


def attack(*arguments, **more):
    """The report, as Python has it; the status may be 1."""
    done = run("attack", "--json", *arguments, **more)
    check(done.returncode in (0, 1) and not done.stderr, f"attack {arguments}: {done}")
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError as error:
        check(False, f"attack {arguments}: {error}: {done.stdout!r}")
        sys.exit(summary("attack"))


def test_words():
    for arguments in (["attack", "--help"], ["help", "attack"]):
        done = run(*arguments)
        check(done.returncode == 0 and "--preset" in done.stdout and "--inner" not in done.stdout,
              f"{arguments}: {done}")
    check(run("attack", "--version").stdout == run("--version").stdout, "the version")


def test_wrong_words():
    for arguments, said in (
            (["everything"], "only options are accepted"),
            (["--colour"], "--colour"),
            (["--json=yes"], "--json=yes"),
            (["--only"], "--only takes a value"),
            (["--only", ""], 'not ""'),
            (["--only", "0"], 'not "0"'),
            (["--only", "98"], 'not "98"'),
            (["--only", "1,"], 'not "1,"'),
            (["--only", "1;2"], 'not "1;2"'),
            (["--only", "99999999999999999999"], "from 1 to 97"),
            (["--preset", "lax"], 'not "lax"'),
            (["--inner", "x"], "only for processes"),
            (["--inner", "1:99:"], "only for processes")):
        done = run("attack", *arguments)
        check(done.returncode == 2, f"{arguments}: exit status {done.returncode}")
        check(said in done.stderr and done.stderr.count("\n") == 1 and not done.stdout,
              f"{arguments}: said {done.stderr!r}")


def test_policies():
    done = run("attack", "--only", "1", "--policy", "/nowhere/at/all.yaml")
    check(done.returncode == 2 and "/nowhere/at/all.yaml" in done.stderr and not done.stdout,
          f"no policy: {done}")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("preset: stage\ncolour: red\n")
        file.flush()
        done = run("attack", "--only", "1", "--policy", file.name)
        check(done.returncode == 2 and file.name in done.stderr and "colour" in done.stderr,
              f"a wrong policy: {done}")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("preset: stage\nnamespaces: [user, mount, pid, net, ipc, uts]\n"
                   "layers: [landlock, seccomp, no_new_privs, cgroup, limits]\nstrict: no\n")
        file.flush()
        # the control has none of them
        done = run("attack", "--quick", "--only", "1,9", "--policy", file.name)
        check(done.returncode == 0 and done.stdout.endswith(
            "2 attacks, 2 stopped, 0 got through, 0 not applicable\n"),
              f"a policy with lists of its own: {done}")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("preset: stage\nread: [/]\n")
        file.flush()
        # a /tmp of the worker's own would hide what is in ours
        done = run("attack", "--quick", "--only", "1", "--policy", file.name,
                   env={"TMPDIR": "/var/tmp"})
        check(done.returncode == 1 and done.stdout.endswith(
            "1 attacks, 0 stopped, 1 got through, 0 not applicable\n"),
              f"a policy that allows the attack: {done}")


def test_quiet():
    """A row of each kind, under every layer."""
    done = run("attack", "--only", "57,1,51")
    lines = done.stdout.splitlines() or [""]
    numbers = [int(n) for n in re.findall(r"^ *(\d+)  \S", done.stdout, re.MULTILINE)]
    check(numbers == [1, 51, 57], f"rows {numbers}")
    check(re.fullmatch(r"3 attacks, \d+ stopped, 0 got through, \d+ not applicable", lines[-1]),
          lines[-1])
    check(done.returncode == 0 and not done.stderr, f"{done}")
    check(sum(int(n) for n in re.findall(r"\d+", lines[-1])[1:]) == 3, lines[-1])
    wide = [line for line in lines if len(line) > 110 and not line.startswith("layers:")]
    check(not wide, f"wide lines: {wide}")


def test_keys():
    report = attack("--only", "1,5,51")
    with open(MANUAL, encoding="utf-8") as file:
        text = file.read()
    documented = re.findall(r"\*([a-z_]+)\*", text[text.index("In JSON:"):text.index("# EXIT")])
    check(list(report) == ["warmfork", "preset", "policy", "layers", "attacks", "summary"],
          f"keys {list(report)}")
    for row in report["attacks"]:
        for key in (*report, *row, *report["summary"]):
            check(key in documented, f"{key} is documented")
        check(row["result"] in RESULTS, f"{row}")
        check(row["control"] in VERDICTS and row["policy"] in VERDICTS, f"{row}")
        check(list(row["alone"]) == LAYERS, f"{row}")
        check(all(v is None or v in VERDICTS for v in row["alone"].values()), f"{row}")
        check((row["reason"] is None) == (row["result"] != "not applicable"), f"{row}")
    check([row["number"] for row in report["attacks"]] == [1, 5, 51], "the rows, by number")
    check([row["library"] for row in report["attacks"]] == [False, True, False], "the library's")


def test_stage():
    """Every row, under every layer. What does not succeed without a sandbox says nothing about
    one."""
    report = attack("--preset", "stage")
    rows = report["attacks"]
    check([row["number"] for row in rows] == list(range(1, N_ATTACKS + 1)), "every row is there")
    for row in rows:
        if row["result"] == "not applicable":
            check(row["reason"], f"a reason: {row}")
            continue
        expected = "stopped" if row["library"] else "got through"
        check(row["control"] == expected, f"control: {row}")
        check(row["result"] == "stopped" and not row["weak"], f"stage: {row}")
    counts = report["summary"]
    check(counts["attacks"] == N_ATTACKS, f"{counts}")
    check(counts["stopped"] + counts["got_through"] + counts["unproven"] + counts["not_applicable"] == N_ATTACKS,
          f"{counts}")


def check_stopped(rows, *arguments):
    only = ",".join(str(row) for row in sorted(rows))
    done = run("attack", "--only", only, *arguments)
    said = [line for line in done.stdout.splitlines()
            if re.search(r"got through|unproven|^layers:|^\d+: ", line)]
    check(done.returncode == 0 and ", 0 got through," in done.stdout,
          "\n  ".join([f"{arguments}: exit status {done.returncode}", *said, done.stderr]))


def test_presets():
    """The others than stage."""
    for preset in ("pure", "tests"):
        check_stopped(set(range(1, N_ATTACKS + 1)) - SLOW, "--preset", preset)
        check_stopped(SLOW, "--quick", "--preset", preset)


def test_root_inside():
    """Workers that stay root have no capabilities, but own what root owns: files, and much of
    /proc."""
    if os.geteuid() != 0:
        return
    rows = {*range(1, 10), *range(31, 36), *range(63, 79), *range(81, N_ATTACKS + 1)} - SLOW
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("preset: pure\nidentity: 0:0\n")
        file.flush()
        for preset in ("pure", "stage", "tests"):
            check_stopped(rows, "--quick", "--preset", preset, "--policy", file.name)


def test_absent():
    """What is hidden from the library is refused by name, or missed."""
    for feature, layer in (("landlock", "landlock"), ("userns", "user"), ("mount_view", "mount"),
                           ("seccomp", "seccomp")):
        done = run("attack", "--only", "1", env={"WF_ABSENT": feature})
        check(done.returncode == 1 and layer in done.stderr and not done.stdout,
              f"without {feature}: {done}")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("preset: stage\nstrict: no\n")
        file.flush()
        row, = attack("--policy", file.name, "--only", "50",
                      env={"WF_ABSENT": "seccomp"})["attacks"]
    if row["reason"] is None:
        check(row["result"] == "got through" and row["alone"]["seccomp"] is None, f"{row}")


def test_nothing_stays():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        os.chmod(place, 0o755)
        run("attack", "--quick", "--only", "1,18,21,24,46,65,76,84,85,89", env={"TMPDIR": place})
        check(not os.listdir(place), f"left: {os.listdir(place)}")
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        check("warmfork-attack" not in mounts.read(), "a mount is left")
    done = run("attack", "--only", "1", env={"TMPDIR": "/nowhere"})
    check(done.returncode == 1 and "TMPDIR" in done.stderr and not done.stdout, f"{done}")


def main():
    for test in (test_words, test_wrong_words, test_policies, test_quiet, test_keys, test_stage,
                 test_presets, test_root_inside, test_absent, test_nothing_stays):
        test()
    return summary("attack")


if __name__ == "__main__":
    sys.exit(main())
