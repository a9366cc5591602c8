#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""doctor.py WARMFORK MANUAL: `warmfork doctor` as a user runs it.

What it finds is compared with what can be found in other ways, and the machine is made to lack
things: by a seccomp filter, limits, and settings of a user namespace. MANUAL documents the keys of
the JSON form: these, and no others, must be there."""

import ctypes
import json
import os
import re
import resource
import signal
import struct
import subprocess
import sys

sys.dont_write_bytecode = True

from checks import check, summary  # noqa: E402

WARMFORK, MANUAL = [os.path.abspath(a) for a in sys.argv[1:3]]
STATES = {"here", "partly", "missing", "hidden", "cannot tell"}
VERDICTS = {"works", "works with less", "refused"}

UNSHARE, LANDLOCK_CREATE_RULESET, SECCOMP = 272, 444, 317  # x86-64
ALLOW, ERRNO, KILL = 0x7fff0000, 0x00050000, 0x80000000
EPERM = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def run(*arguments, absent="", prefix=(), **more):
    environment = {**os.environ, **more.pop("env", {})}
    environment.pop("WF_ABSENT", None)
    if absent:
        environment["WF_ABSENT"] = absent
    return subprocess.run([*prefix, WARMFORK, "doctor", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
                          check=False, timeout=60, env=environment, **more)


def doctor(**more):
    """The report, as Python has it; the exit status must be what the verdict says."""
    done = run("--json", **more)
    check(done.stderr == "", f"{more}: said {done.stderr!r}")
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        check(False, f"{more}: {error}: {done.stdout!r}, exit status {done.returncode}")
        sys.exit(summary("doctor"))
    verdict = report["verdict"]
    refused = "refused" in (verdict["plain"]["state"], verdict["sandbox"]["state"])
    check(done.returncode == (1 if refused else 0), f"{more}: exit status {done.returncode}")
    return report


def findings(report):
    return {f"{section}.{key}": finding for section, keys in report.items()
            for key, finding in keys.items() if section != "verdict"}


def states(report):
    return {key: finding["state"] for key, finding in findings(report).items()}


# --- the words ---------------------------------------------------------------------------------


def test_words():
    for words in (["--help"], ["--json", "--help"]):
        done = run(*words)
        check(done.returncode == 0 and "--json" in done.stdout and not done.stderr, f"{done}")
    check(re.fullmatch(r"warmfork \d+\.\d+\.\d+\n", run("--version").stdout), "--version")
    for words, said in ((["--colour"], "--colour"), (["-j"], "-j"), (["--json=yes"], "--json=yes"),
                        (["me"], "me is one word too many"), (["--json", "--", "x"], "x is")):
        done = run(*words)
        check(done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1 and
              not done.stdout, f"{words}: {done}")


def test_full_disk():
    with open("/dev/full", "w", encoding="utf-8") as full:
        for form in ([], ["--json"]):
            done = subprocess.run([WARMFORK, "doctor", *form], stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
            check(done.returncode == 1 and done.stderr, f"a full disk, {form}: {done}")


# --- the report --------------------------------------------------------------------------------


def test_keys():
    with open(MANUAL, encoding="utf-8") as file:
        documented = re.findall(r"^\*([a-z]+\.[a-z0-9_]+)\*", file.read(), re.MULTILINE)
    report = doctor()
    found = [f"{section}.{key}" for section, keys in report.items() for key in keys]
    check(found == documented,
          f"keys: {sorted(set(found) ^ set(documented))}, or their order")


def test_form():
    report = doctor()
    for key, finding in findings(report).items():
        check(list(finding) == ["state", "value", "costs", "remedy"], f"{key}: {finding}")
        check(finding["state"] in STATES, f"{key}: {finding}")
        check(finding["state"] == "here" or finding["value"], f"{key} has a reason: {finding}")
        check(finding["state"] != "here" or not finding["costs"], f"{key} costs: {finding}")
    for user, verdict in report["verdict"].items():
        check(verdict["state"] in VERDICTS, f"{user}: {verdict}")
        check((verdict["state"] == "works") == (not verdict["lacks"]), f"{user}: {verdict}")
        for key in verdict["lacks"]:
            finding = findings(report)[key]
            check(finding["costs"] and finding["remedy"], f"{key} says what to do: {finding}")


def test_text():
    """Both forms tell of as much, and nothing is wider than a terminal."""
    done = run()
    report = doctor()
    check(done.stderr == "" and done.returncode in (0, 1), f"{done}")
    check(re.findall(r"^\S+$", done.stdout, re.MULTILINE) == list(report), "sections")
    facts = re.findall(r"^  (\S.{17})  \S", done.stdout, re.MULTILINE)
    check(len(facts) == sum(len(keys) for keys in report.values()), f"{len(facts)} facts")
    wide = [line for line in done.stdout.splitlines() if len(line) > 80]
    check(not wide, f"wide lines: {wide}")


# --- compared with other ways to know ----------------------------------------------------------


def succeeds(*command):
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, check=False).returncode == 0
    except FileNotFoundError:
        return None


def test_facts():
    report = doctor()
    state = states(report)
    machine = report["machine"]
    check(os.uname().release in machine["kernel"]["value"], "the kernel")
    check(("root" in machine["user"]["value"]) == (os.geteuid() == 0), "the user")
    check(machine["cpus"]["value"] == str(len(os.sched_getaffinity(0))), "CPUs")
    check(state["machine.helper"] == "here", f"the helper: {machine['helper']}")
    check(report["verdict"]["plain"]["state"] != "refused", "plain pools work: this is a test")
    abi = LIBC.syscall(LANDLOCK_CREATE_RULESET, None, 0, 1)
    check((state["landlock.files"] == "here") == (abi > 0), "Landlock")
    if abi > 0:
        check(report["landlock"]["files"]["value"] == f"ABI {abi}", "its version")
        for level, key in ((2, "refer"), (3, "truncate"), (4, "tcp"), (5, "ioctl"), (6, "scopes"),
                           (7, "audit")):
            check((state[f"landlock.{key}"] == "here") == (abi >= level), f"{key} of ABI {abi}")
    for option, key in (("-U", "user"), ("-rm", "mount"), ("-rn", "net"), ("-ri", "ipc"),
                        ("-ru", "uts"), ("-rpf", "pid")):
        able = succeeds("unshare", option, "true")
        if able is None:
            print("doctor: there is no unshare(1) to compare with")
            break
        check((state[f"namespaces.{key}"] == "here") == able or os.geteuid() == 0,
              f"{key} namespaces: {report['namespaces'][key]}, unshare {option} {able}")


def test_cgroups():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        mounted = " - cgroup2 " in file.read()
    v2 = doctor()["cgroups"]["v2"]
    check((v2["value"] == "not mounted") == (not mounted), f"version 2: {v2}")
    if v2["state"] == "here":
        parent = v2["value"].rsplit(" ", 1)[1]
        check(os.path.exists(f"{parent}/cgroup.procs") and os.access(parent, os.W_OK), f"{v2}")


def groups():
    return sorted(path for path, _, _ in os.walk("/sys/fs/cgroup") if "warmfork-doctor" in path)


def test_nothing_changes():
    def look():
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            mounts = file.read()
        return mounts, groups(), os.uname()

    before = look()
    doctor()
    check(look() == before and not groups(), "something stays behind")


# --- a machine that lacks something ------------------------------------------------------------


def test_hidden():
    state = states(doctor(absent="pagemap_scan,no_such_thing"))
    check([key for key, value in state.items() if value == "hidden"] == ["memory.pagemap_scan"],
          "one is hidden")
    check(state["machine.absent"] == "partly", "and it is told")
    state = states(doctor(absent="linux-6.1"))
    floor = {"memory.noexec", "memory.pagemap_scan", "processes.pidfd_info"}
    if state["landlock.files"] == "here":
        floor |= {f"landlock.{key}" for key in ("truncate", "tcp", "ioctl", "scopes", "audit")}
    check({key for key, value in state.items() if value == "hidden"} == floor, "by the floor")
    for word, key in (("landlock", "landlock.files"), ("userns", "namespaces.user"),
                      ("mount_view", "namespaces.view"), ("seccomp", "seccomp.filter")):
        report = doctor(absent=word)
        check(states(report)[key] == "hidden", f"{word} hides {key}")
        verdict = report["verdict"]
        check(verdict["plain"]["state"] != "refused", f"plain pools need no {word}: {verdict}")
        for user in ("sandbox", "tests"):
            check(verdict[user]["state"] == "refused" and key in verdict[user]["lacks"],
                  f"{user} needs {key}: {verdict}")


def filtered(call, action):
    """For a child: a filter that acts upon one system call."""
    instructions = [(0x20, 0, 0, 0), (0x15, 0, 1, call), (0x06, 0, 0, action), (0x06, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one)
                                                for one in instructions))

    def install():  # `code` must live as long as this
        program = ctypes.create_string_buffer(struct.pack("@HP", len(instructions),
                                                          ctypes.addressof(code)))
        LIBC.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        if LIBC.syscall(SECCOMP, 1, 0, program) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")
    return install


def test_filter_around():
    plain = states(doctor())
    for action in (ERRNO | EPERM, KILL):
        report = doctor(preexec_fn=filtered(UNSHARE, action))
        user = report["namespaces"]["user"]
        check(user["state"] == "missing" and "EPERM" in user["value"], f"namespaces: {user}")
        if os.geteuid() == 0:
            check("seccomp" in user["remedy"], f"what refuses it: {user}")
        check("namespaces.user" in report["verdict"]["sandbox"]["lacks"], "it is needed")
        check(report["machine"]["filtered"]["value"].startswith("yes"), "the filter is seen")
        state = states(report)
        check(all(state[key] == plain[key] for key in plain
                  if not key.startswith(("namespaces.", "cgroups."))), "and nothing else")
        landlock = doctor(preexec_fn=filtered(LANDLOCK_CREATE_RULESET, action))["landlock"]
        check(landlock["files"]["state"] == "missing" and
              landlock["scopes"]["state"] in ("missing", "cannot tell"), f"Landlock: {landlock}")


def test_no_more_namespaces():
    setting = "/proc/sys/user/max_user_namespaces"
    prefix = ("unshare", "-Ur", "sh", "-c", f'echo 0 >{setting} && exec "$@"', "sh")
    if not succeeds(*prefix, "true"):
        print("doctor: no user namespace whose settings could be changed")
        return
    report = doctor(prefix=prefix)
    user = report["namespaces"]["user"]
    check(user["state"] == "missing" and "ENOSPC" in user["value"], f"none left: {user}")
    check("user.max_user_namespaces" in user["remedy"], f"what to do: {user}")
    check(report["namespaces"]["mount"]["state"] == "here", "the others need none, for root")


def test_limits():
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))

    descriptors = doctor(preexec_fn=few)["settings"]["descriptors"]
    check(descriptors["state"] == "partly" and descriptors["value"].startswith("300,") and
          "limits.conf" in descriptors["remedy"], f"few descriptors: {descriptors}")


def test_no_helper():
    report = doctor(env={"WARMFORK_HELPER": "/nowhere/at/all"})
    helper = report["machine"]["helper"]
    check(helper["state"] == "missing" and "/nowhere/at/all" in helper["value"], f"{helper}")
    check("machine.helper" in report["verdict"]["plain"]["lacks"], "it is needed")


def test_ignored_children():
    """Whoever ignores SIGCHLD has children that leave no status, and hands that on."""
    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    check(states(doctor(preexec_fn=ignore)) == states(doctor()), "SIGCHLD was ignored")


def test_ordinary_user():
    if os.geteuid() != 0:
        return
    try:
        report = doctor(user=65534, group=65534, extra_groups=[])
    except PermissionError:
        print("doctor: an ordinary user cannot execute what was built here")
        return
    check("65534" in report["machine"]["user"]["value"], "an ordinary user")


def main():
    for test in (test_words, test_full_disk, test_keys, test_form, test_text, test_facts,
                 test_cgroups, test_nothing_changes, test_hidden, test_filter_around,
                 test_no_more_namespaces, test_limits, test_no_helper, test_ignored_children,
                 test_ordinary_user):
        test()
    return summary("doctor")


if __name__ == "__main__":
    sys.exit(main())
