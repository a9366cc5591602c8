# SPDX-License-Identifier: MIT
"""Where a program runs, in the sandbox or without: a directory, a user, and what is left of it.

Its arguments are those of programs.py."""

import hashlib
import json
import os
import select
import shutil
import stat
import subprocess
import sys
import time

from checks import check

WARMFORK, POLICIES = [os.path.abspath(a) for a in sys.argv[1:3]]
# Built with a sanitizer, a worker takes terabytes of addresses before it becomes the program, and
# may start threads in any case. So memory is not limited there.
SANITIZED = sys.argv[3:] == ["--sanitized"]
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IDENTITY = 65534  # whom root's workers become


class Place:
    """A directory that belongs to whoever the program runs as: only the sandbox protects it."""

    def __init__(self, top, user):
        self.top, self.user = top, user
        self.worker = IDENTITY if user is None else user
        self.owner = self.worker
        self.work = os.path.join(top, "work")
        self.told = os.path.join(top, "told")  # reports

    def who(self):
        return "root" if os.geteuid() == 0 and self.user is None else "a user"

    def path(self, *names):
        return os.path.join(self.work, *names)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(self.path(name), mode)

    def read(self, name):
        try:
            with open(self.path(name), "rb") as file:
                return file.read()
        except OSError:
            return b""

    def make(self, prepare):
        shutil.rmtree(self.top, ignore_errors=True)
        os.makedirs(self.work)
        os.makedirs(self.told)
        self.write("victim", "untouched\n")
        self.write("secret", "the secret\n")
        prepare(self)
        self.own()
        return self

    def own(self, owner=None):
        if os.geteuid() != 0:
            return
        owner = self.owner if owner is None else owner
        os.chown(self.told, self.user or 0, self.user or 0)
        for folder, folders, files in os.walk(self.work):
            for name in [".", *folders, *files]:
                os.lchown(os.path.join(folder, name), owner, owner)

    def look(self, *but):
        """All that is there, but for what is below `but`: these may change."""
        found = {}
        for folder, folders, files in os.walk(self.work):
            folders[:] = [name for name in folders
                          if os.path.relpath(os.path.join(folder, name), self.work) not in but]
            for name in [*folders, *files]:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                kind = stat.S_IFMT(status.st_mode)
                text = b""
                if kind == stat.S_IFREG:
                    with open(path, "rb") as file:
                        text = hashlib.sha256(file.read()).digest()
                found[path] = (status.st_mode, status.st_nlink, status.st_uid, status.st_ino, text)
        return found


def children():
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


def left_behind():
    """The children of a process that ended are ours: we are their subreaper."""
    end = time.monotonic() + 10
    while left := children():
        for pid in left:
            pidfd = os.pidfd_open(pid)
            ended, _, _ = select.select([pidfd], [], [], max(0, end - time.monotonic()))
            os.close(pidfd)
            if not ended:
                return children()
            os.waitpid(pid, 0)
    return []


def execute(place, command, stdin=b"", sandboxed=True):
    owner = place.user if sandboxed else place.owner
    other = {}
    if os.geteuid() == 0 and owner is not None:
        other = {"user": owner, "group": owner, "extra_groups": []}
    done = subprocess.run(command, cwd=place.work, input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=120,
                          env={**os.environ, "PATH": SYSTEM_PATH, "LC_ALL": "C"}, **other)
    left = left_behind()
    check(not left, f"{command}: processes are left: {left}")
    return done


def run(place, options, command, stdin=b""):
    """What is done, and the report, which is empty if nothing could be run."""
    report = os.path.join(place.told, "report")
    if SANITIZED:
        options = [*options, "--memory", "none"]
    done = execute(place, [WARMFORK, "run", f"--report=json={report}", *options, "--", *command],
                   stdin)
    try:
        with open(report, encoding="utf-8") as file:
            done.report = json.load(file)
    except (FileNotFoundError, json.JSONDecodeError):
        done.report = {}
    return done
