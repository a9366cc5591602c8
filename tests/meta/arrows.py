#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who may include whom: base <- proto <- policy <- executor, base <- proto <- sandbox <- zygote,
and users only the public headers.

    arrows.py               checks the tree
    arrows.py --self-test   checks that forbidden includes are found
"""

import os
import re
import sys

sys.dont_write_bytecode = True

import csource  # noqa: E402

# folder -> project folders whose headers it may include (its own always)
MAY = {
    "include": ("warmfork",),
    "base": (),
    "proto": ("base",),
    "policy": ("proto", "base", "warmfork"),
    "executor": ("policy", "proto", "base", "warmfork"),
    "sandbox": ("proto", "base"),
    "zygote": ("sandbox", "proto", "base", "warmfork"),
    "cli": ("cli/attack", "warmfork"),  # main() is that of an image of attacks, too
    "cli/attack": ("cli", "warmfork"),
    "cli/doctor": ("cli", "warmfork"),
    "cli/image": ("cli", "warmfork"),
    "cli/run": ("cli", "warmfork"),
    "examples": ("warmfork",),
}
# a program that runs while the library is built is no part of its folder
PROGRAMS = {"sandbox/filter_ready.c": ("policy", "proto", "base")}
# system headers for one folder alone
ONLY = (
    # libseccomp; the kernel's <linux/seccomp.h> is for anybody
    (re.compile(r"seccomp\.h"), "sandbox"),
    (re.compile(r"protobuf-c/.*|.*\.pb-c\.h"), "proto"),
)
# a public header may rely on these, and on others of ours, and on nothing else
PUBLIC = {"stdbool.h", "stddef.h", "stdint.h", "sys/types.h"}
ROOTS = {*csource.LIBRARY, "cli"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def room(path):
    """The folder that rules are about; in cli/ each command is one of its own."""
    folders = path.split("/")[:-1]
    return "/".join(folders[:2] if folders[0] == "cli" else folders[:1])


def target_folder(path, bracket, name, exists):
    """Which of our folders an include names; None for the system's."""
    first = name.split("/")[0]
    if first == "warmfork":
        return "warmfork"
    if first in ROOTS and "/" in name:
        return room(name)
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    if bracket == '"' and exists(beside):
        return room(beside)
    return None


def findings(path, text, exists):
    own = room(path) if "/" in path else ""
    if own == "tests":
        return
    if own not in MAY:
        yield f"{path}: arrows.py does not know what {own}/ may include"
        return
    allowed = PROGRAMS.get(path, MAY[own])
    code, _, _ = csource.split(text)
    for match in INCLUDE.finditer(text):
        if not code[match.start():match.end()].lstrip().startswith("#"):
            continue  # in a comment
        bracket, name = match.groups()
        where = f"{path}:{csource.line_of(text, match.start())}"
        for pattern, only in ONLY:
            if pattern.fullmatch(name) and own != only:
                yield f"{where}: <{name}> is for {only}/ alone"
        if own == "include" and name not in PUBLIC and not name.startswith("warmfork/"):
            yield f"{where}: a public header includes only {', '.join(sorted(PUBLIC))}"
            continue
        target = target_folder(path, bracket, name, exists)
        if target is None:
            if bracket == '"' and not name.endswith(".pb-c.h"):
                yield f'{where}: "{name}" is no header of ours'
        elif target not in (own, *allowed):
            yield f"{where}: {own}/ may not include {target}/ ({name})"
        elif target == "warmfork" and bracket == '"':
            yield f"{where}: write <{name}>: users do"


def check(top):
    def exists(path):
        return os.path.isfile(os.path.join(top, path))

    paths = csource.all_files(top, ".c", ".h")
    found = [line for path in paths for line in findings(path, csource.read(top, path), exists)]
    for line in found:
        print(line)
    print(f"arrows: {len(paths)} files, {len(found)} findings")
    return 1 if found or not paths else 0


# for --self-test: the headers that there are, what is a finding, and what is none
HEADERS = {"cli/doctor/judge.h", "executor/link.h", "examples/spell/spell.h", "zygote/spawn.h"}
BAD = (
    ("base/fd.c", '#include "proto/wire.h"'),
    ("base/fd.c", "#include <warmfork/task.h>"),
    ("proto/wire.c", '#include "executor/link.h"'),
    ("proto/wire.c", "#include <warmfork/executor.h>"),
    ("proto/wire.c", '#include "policy/document.h"'),
    ("policy/document.c", '#include "executor/link.h"'),
    ("policy/document.c", '#include "zygote/spawn.h"'),
    ("zygote/spawn.c", '#include "policy/document.h"'),
    ("executor/link.c", '#include "zygote/spawn.h"'),
    ("executor/link.c", "#include <seccomp.h>"),
    ("zygote/spawn.c", "#include <seccomp.h>"),
    ("executor/link.c", '#include "sandbox/sandbox.h"'),
    ("proto/wire.c", '#include "sandbox/sandbox.h"'),
    ("policy/document.c", '#include "sandbox/sandbox.h"'),
    ("sandbox/view.c", '#include "zygote/spawn.h"'),
    ("sandbox/view.c", '#include "policy/document.h"'),
    ("sandbox/view.c", "#include <warmfork/policy.h>"),
    ("executor/link.c", '#  include "warmfork.pb-c.h"'),
    ("zygote/spawn.c", '#include "executor/link.h"'),
    ("zygote/spawn.c", '#include "../executor/link.h"'),
    ("examples/hello.c", '#include "base/fd.h"'),
    ("cli/main.c", "#include <base/fd.h>"),
    ("cli/main.c", '#include "warmfork/task.h"'),
    ("cli/main.c", '#include "cli/run/options.h"'),
    ("cli/run/command.c", '#include "cli/attack/table.h"'),
    ("cli/attack/command.c", '#include "cli/run/options.h"'),
    ("cli/doctor/command.c", '#include "cli/image/forks.h"'),
    ("cli/image/command.c", '#include "base/fd.h"'),
    ("cli/image/command.c", '#include "../doctor/judge.h"'),
    ("cli/new/new.c", '#include "cli/report.h"'),
    ("executor/api.c", '#include "cli/report.h"'),
    ("include/warmfork/task.h", "#include <stdio.h>"),
    ("proto/wire.c", '#include "nowhere.h"'),
    ("elsewhere/wire.c", ""),
)
GOOD = (
    ("executor/link.c", '#include "executor/link.h"\n#include "proto/wire.h"'),
    ("executor/api.c", "#include <warmfork/executor.h>"),
    ("executor/api.c", '#include "policy/document.h"'),
    ("policy/document.c", '#include "proto/policy.h"\n#include <warmfork/policy.h>'),
    ("proto/packed.c", '#include <protobuf-c/protobuf-c.h>\n#include "warmfork.pb-c.h"'),
    ("sandbox/filter.c", "#include <seccomp.h>"),
    ("sandbox/view.c", '#include "sandbox/sandbox.h"\n#include "proto/policy.h"'),
    ("zygote/worker.c", '#include "sandbox/sandbox.h"'),
    ("examples/spell/demo.c", '#include "spell.h"\n#include <warmfork/executor.h>'),
    ("cli/main.c", '#include "cli/attack/image.h"\n#include "cli/command.h"'),
    ("cli/run/command.c", '#include "cli/report.h"\n#include "cli/run/options.h"'),
    ("base/fd.c", '/* for example\n#include "proto/wire.h"\n*/'),
    ("tests/unit/test_wire.c", '#include "proto/wire.h"\n#include "executor/link.h"'),
)


def self_test():
    exists = HEADERS.__contains__
    wrong = [case for case in BAD if not list(findings(*case, exists))]
    wrong += [case for case in GOOD if list(findings(*case, exists))]
    tried = {room(path) for path, _ in BAD}
    wrong += [f"nothing is tried that {own}/ may not include" for own in MAY if own not in tried]
    for case in wrong:
        print(f"arrows: judged wrongly: {case}")
    print(f"arrows: {len(BAD) + len(GOOD)} cases, {len(wrong)} judged wrongly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(self_test() if "--self-test" in sys.argv[1:] else check(csource.root()))
