#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""abi.py LIBRARY HELPER: programs of older and newer releases run with this library.

abi_program.c is compiled against each folder of tests/abi/ (the headers of a release, as they were),
and against the headers of today whose sized structs have one member more each. The library is not
touched. What a newer program leaves zero works; what it sets is refused, with a sentence."""

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
}
STRUCT = re.compile(r"^struct (wf_\w+) \{\n\tsize_t size;.*?^\};$", re.DOTALL | re.MULTILINE)
# filled in by the library, whose header knows all of it
BY_LIBRARY = {"wf_outcome", "wf_worker_info", "wf_preload_info"}
FLAGS = ["-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"]


def grow(text, seen):
    """The header of a later release: each struct that a caller sizes has another member."""
    def one(match):
        name = match.group(1)
        if name in BY_LIBRARY:
            return match.group(0)
        seen.add(name)
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


def findings(top, work, library, helper):
    releases = os.path.join(top, "tests", "abi")
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
    top, library, helper = csource.root(), *map(os.path.abspath, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as work:
        found = list(findings(top, work, library, helper))
    for line in found:
        print(f"abi: {line}")
    print(f"abi: {len(SIZED)} structs, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
