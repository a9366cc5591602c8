# SPDX-License-Identifier: MIT
"""A program that is run under its policy, and judged: whether it does its work, whether anything
less would do, and whether what `--learn` prints is enough."""

import os
import re

from checks import check
from place import POLICIES, Place, run

# --- policies ----------------------------------------------------------------------------------


def policy_text(name):
    with open(os.path.join(POLICIES, name + ".yaml"), encoding="utf-8") as file:
        return file.read()


ENTRY = re.compile(r"^  - ([^\s#]+)")


def entries(text):
    """Of its lists: number of the line, and the line."""
    return [(i, line) for i, line in enumerate(text.splitlines()) if ENTRY.match(line)]


def without(text, number):
    """A key that has no entry left goes as well."""
    lines = text.splitlines()
    del lines[number]
    kept = []
    for i, line in enumerate(lines):
        below = [other for other in lines[i + 1:] if not other.strip().startswith("#")]
        if re.match(r"^(?!limits:)\w+:\s*$", line) and not (below and ENTRY.match(below[0])):
            continue
        kept.append(line)
    return "\n".join(kept) + "\n"


def one_process_less(text):
    found = re.search(r"^  processes: (\d+)", text, re.MULTILINE)
    number = int(found.group(1))
    return text.replace(found.group(0), f"  processes: {number - 1}", 1) if number > 1 else None


def policy_options(name):
    return ["--policy", name + ".yaml"]


# --- a program ---------------------------------------------------------------------------------


class Program:
    name = ""        # of its policy, too
    needs = ()       # files without which it is not installed
    stdin = b""
    writes = ("out",)

    def prepare(self, place):
        place.write(self.name + ".yaml", policy_text(self.name))
        os.mkdir(place.path("out"))

    def command(self, place):
        raise NotImplementedError

    def is_right(self, place, done):
        """Has it done its work?"""
        raise NotImplementedError

    def is_told_by(self, entry):  # pylint: disable=unused-argument
        """Can this machine tell that the entry is needed?"""
        return True

    def harm(self, place):
        """More of its own."""

    def attempt(self, place, text, *options):
        """Under this policy, in a fresh place. True if it worked."""
        place.make(self.prepare)
        place.write("tried.yaml", text)
        place.own()
        done = run(place, ["--policy", "tried.yaml", *options], self.command(place), self.stdin)
        return done, done.returncode == 0 and self.is_right(place, done)

    def test(self, place):
        who = f"{self.name}, {place.who()}"
        text = policy_text(self.name)
        place.make(self.prepare)
        before = place.look(*self.writes)
        done = run(place, ["--policy", self.name + ".yaml"], self.command(place), self.stdin)
        good = self.is_right(place, done)
        check(good and done.returncode == 0, f"{who}: {done} {done.report}")
        check(place.look(*self.writes) == before, f"{who}: something outside has changed")
        if not good:
            return
        self.test_tight(place, text, who)
        self.test_learned(place, who)
        self.harm(place)

    def test_tight(self, place, text, who):
        for number, line in entries(text):
            if not self.is_told_by(line):
                print(f"programs: {who}: this machine cannot tell whether{line.strip()[1:]} "
                      "is needed")
                continue
            done, worked = self.attempt(place, without(text, number))
            check(not worked, f"{who}: {line.strip()} is not needed: {done}")
        less = one_process_less(text)
        if less:  # gcc would try for 15 s
            done, worked = self.attempt(place, less, "--timeout", "5s")
            check(not worked, f"{who}: works with one process less: {done}")

    def test_learned(self, place, who):
        """At the same place, for what is learned has absolute paths. Of root, a policy is learned
        by which it stays root, without the privilege to write what belongs to others."""
        place = Place(place.top, place.user)
        place.owner = place.user or 0
        learned = os.path.join(place.told, "learned")
        place.make(self.prepare)
        done = run(place, [f"--learn={learned}"], self.command(place), self.stdin)
        if not check(done.returncode == 0 and self.is_right(place, done) and
                     os.path.exists(learned), f"{who}: learning: {done}"):
            return
        with open(learned, encoding="utf-8") as file:
            text = file.read()
        print(f"programs: {who}: learned: {' / '.join(text.splitlines())}")
        writes = re.search(r"^write:(.*(?:\n- .*)*)", text, re.MULTILINE)
        for path in re.findall(r"/[^\s\],]*", writes[1] if writes else ""):
            check(any((path + "/").startswith(place.path(name) + "/") for name in self.writes),
                  f"{who}: what was learned may write {path}")
        done, worked = self.attempt(place, text)
        check(worked, f"{who}: fails under what was learned: {done} {done.report}")
