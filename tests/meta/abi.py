#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""abi.py LIBRARY HELPER: programs of older and newer releases run with this library.

abi_program.c is compiled against each folder of tests/abi/ (the headers of a release, as they were),
and against the headers of today whose sized structs have one member more each. The library is not
touched. What a newer program leaves zero works; what it sets is refused, with a sentence. What the
library hands out tells by its size where it ends.

    abi.py --list           prints what tests/abi/SHA256SUMS has to be

The saved headers are what was released: SHA256SUMS names each of them with its sum."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import csource  # noqa: E402

# struct -> what abi_program.c calls it, if a program fills it in
SIZED = {
    "wf_executor_options": "options",
    "wf_context": "context",
    "wf_task": "task",
    "wf_map_options": "map_options",
    "wf_module": "module",
    "wf_statistics": None,
    "wf_image_facts": None,
    "wf_process": None,
    "wf_outcome": None,
    "wf_worker_info": None,
    "wf_preload_info": None,
}
STRUCT = re.compile(r"^struct (wf_\w+) \{\n\tsize_t size;.*?^\};$", re.DOTALL | re.MULTILINE)
FLAGS = ["-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"]


def grow(text, seen):
    """The header of a later release: each struct that a caller sizes has another member."""
    def one(match):
        seen.add(match.group(1))
        return match.group(0)[:-2] + "\tuint64_t grown[2];\n};"
    return STRUCT.sub(one, text)


def grown_headers(top, work):
    source, target, seen = os.path.join(top, "include", "warmfork"), os.path.join(work, "grown"), set()
    os.makedirs(os.path.join(target, "warmfork"))
    for name in os.listdir(source):
        if name.endswith(".h"):
            with open(os.path.join(target, "warmfork", name), "w", encoding="utf-8") as file:
                file.write(grow(csource.read(source, name), seen))
    return target, seen


def compile_program(top, include, target, library, *more):
    folder = os.path.dirname(library)
    subprocess.run([os.environ.get("CC", "cc"), *FLAGS, *more, "-D_GNU_SOURCE",
                    os.path.join(top, "tests", "meta", "abi_program.c"), "-o", target,
                    "-I", include, "-L", folder, "-lwarmfork", f"-Wl,-rpath,{folder}"], check=True)


def complaints(program, helper, what, *arguments):
    run = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, check=False, timeout=120,
                         env={**os.environ, "WARMFORK_HELPER": helper})
    if run.returncode != 0 or (not arguments and run.stdout != "HERE\n"):
        yield f"{what} {' '.join(arguments)}: exit status {run.returncode}: {run.stdout}"


def sums(releases):
    """A line `SUM  PATH` of each saved header, as sha256sum(1) writes and checks them."""
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(releases) for name in names
             if folder != releases]
    for path in sorted(paths):
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        yield f"{digest}  {os.path.relpath(path, releases)}"


def changed(releases):
    with open(os.path.join(releases, "SHA256SUMS"), encoding="utf-8") as file:
        listed = file.read().splitlines()
    for line in sorted({*listed} ^ {*sums(releases)}, key=lambda line: line.split()[1:]):
        what = "is listed, and is not there or differs" if line in listed else "is not listed"
        yield f"tests/abi/SHA256SUMS: {line} {what}: a released header never changes"


def findings(top, work, library, helper):
    releases = os.path.join(top, "tests", "abi")
    yield from changed(releases)
    for release in sorted(name for name in os.listdir(releases) if name[0].isdigit()):
        program = os.path.join(work, f"of-{release}")
        compile_program(top, os.path.join(releases, release), program, library)
        yield from complaints(program, helper, f"a program of {release}")
    include, seen = grown_headers(top, work)
    if seen != set(SIZED):
        yield f"structs with a size: {sorted(seen)}; this test knows {sorted(SIZED)}"
    program = os.path.join(work, "newer")
    compile_program(top, include, program, library, "-DGROWN")
    yield from complaints(program, helper, "a newer program")
    for name in filter(None, SIZED.values()):
        yield from complaints(program, helper, "a newer program that sets a member of", name)


def main():
    if sys.argv[1:] == ["--list"]:
        print(*sums(os.path.join(csource.root(), "tests", "abi")), sep="\n")
        return 0
    top, library, helper = csource.root(), *map(os.path.abspath, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as work:
        found = list(findings(top, work, library, helper))
    for line in found:
        print(f"abi: {line}")
    print(f"abi: {len(SIZED)} structs, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
