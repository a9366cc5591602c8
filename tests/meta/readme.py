#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""readme.py LIBRARY HELPER: what README.md shows is true.

Each code block that follows a comment `<!-- the file NAME -->` is that file, word for word; the
program among them is compiled from the README's text, linked with LIBRARY, run with HELPER, and
prints what the block after `<!-- what it prints -->` says. One that follows `<!-- from the file
NAME -->` is a part of that file, which the build compiles and tests. Files and folders that the
README names in backquotes exist. It says how many goals the table of docs/performance.md misses."""

import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import csource  # noqa: E402

FILE = re.compile(r"<!-- the file (\S+) -->\n+```\w*\n(.*?)```", re.DOTALL)
PART = re.compile(r"<!-- from the file (\S+) -->\n+```\w*\n(.*?)```", re.DOTALL)
OUTPUT = re.compile(r"<!-- what it prints -->\n+```\w*\n(.*?)```", re.DOTALL)
NAME = re.compile(rf"`((?:{'|'.join(csource.FOLDERS)}|docs)/[\w./-]*)`")
MISSED = re.compile(r"^(\d+) of (\d+) goals are missed", re.MULTILINE)
GOAL = re.compile(r"^\| `.*\| (yes|\*\*no\*\*) \|$", re.MULTILINE)
FLAGS = ["-Wall", "-Wextra", "-Werror"]


def without_licence(text):
    return re.sub(r"\A/\* SPDX[^\n]*\n", "", text)


def differences(top, blocks):
    for name, text in blocks.items():
        if without_licence(csource.read(top, name)) != without_licence(text):
            yield f"the block of {name} is not the file"


def strange_parts(top, parts):
    for name, text in parts:
        if not text.strip() or text not in csource.read(top, name):
            yield f"the block from {name} is no part of the file"


def missing(top, readme):
    for name in sorted(set(NAME.findall(readme))):
        if not os.path.exists(os.path.join(top, name)):
            yield f"it names {name}, which does not exist"


def miscounted(top, readme):
    goals = GOAL.findall(csource.read(top, "docs/performance.md"))
    true = (str(len(goals) - goals.count("yes")), str(len(goals)))
    for said in MISSED.findall(readme) or [("none", "none")]:
        if said != true:
            yield f"it says that {said[0]} of {said[1]} goals are missed: it is {' of '.join(true)}"


def compile_and_run(top, blocks, library, helper):
    """What the program of the README prints."""
    compiler = os.environ.get("CC", "cc")
    include = os.path.join(top, "include")
    folder = os.path.dirname(library)
    with tempfile.TemporaryDirectory() as work:
        for name, text in blocks.items():
            source = os.path.join(work, os.path.basename(name))
            with open(source, "w", encoding="utf-8") as file:
                file.write(text)
            is_module = "WF_MODULE(" in text
            target = source.removesuffix(".c") + (".so" if is_module else "")
            kind = ["-shared", "-fPIC"] if is_module else []
            subprocess.run([compiler, *FLAGS, *kind, source, "-o", target, "-I", include,
                            "-L", folder, "-lwarmfork", f"-Wl,-rpath,{folder}"], check=True)
        run = subprocess.run(["./hello"], cwd=work, stdout=subprocess.PIPE, text=True, check=False,
                             timeout=60, env={**os.environ, "WARMFORK_HELPER": helper})
        return run.stdout if run.returncode == 0 else f"(exit status {run.returncode})"


def main():
    top, library, helper = csource.root(), *map(os.path.abspath, sys.argv[1:3])
    readme = csource.read(top, "README.md")
    blocks = dict(FILE.findall(readme))
    expected = OUTPUT.search(readme)
    parts = PART.findall(readme)
    found = [*differences(top, blocks), *strange_parts(top, parts), *missing(top, readme),
             *miscounted(top, readme)]
    if len(blocks) < 2 or not expected:
        found.append("its example or what that prints is missing")
    else:
        printed = compile_and_run(top, blocks, library, helper)
        if printed != expected.group(1):
            found.append(f"the example prints {printed!r}, not {expected.group(1)!r}")
    for line in found:
        print(f"README.md: {line}")
    print(f"readme: {len(blocks)} files, {len(parts)} parts, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
