#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""headers.py BUILD: each header compiles alone; the public ones also as strict C11 and as C++,
where a module can be declared and has the name that the loader looks for.

BUILD is a build directory, for the one generated header."""

import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True

import csource  # noqa: E402

COMMON = ["-fsyntax-only", "-Werror", "-Wall", "-Wextra"]
OURS = ["-x", "c", "-std=gnu17", "-D_GNU_SOURCE", "-Wno-unused-function"]
STRICT_C = ["-x", "c", "-std=c11", "-pedantic-errors", "-Wconversion", "-Wundef"]
CXX = ["-x", "c++", "-std=c++17", "-Wconversion", "-Wundef"]
CXX_MODULE = ["-x", "c++", "-std=c++20", "-Wno-missing-field-initializers"]
MODULE = """static int work(struct wf_call *call) { return wf_fail(call, 1, "no"); }
WF_MODULE(.functions = WF_FUNCTIONS({ "work", work }));
extern "C" const struct wf_module wf_module;
"""


def cxx_compiler():
    for name in (os.environ.get("CXX"), "g++", "clang++", "clang++-14", "clang-14"):
        if name and shutil.which(name):
            return name
    return None


def compiles(compiler, flags, include, top, more, use=""):
    # twice: it must stand being included again
    text = f"#include {include}\n#include {include}\nextern int not_empty;\n{use}"
    run = subprocess.run([compiler, *COMMON, *flags, "-I", os.path.join(top, "include"), *more, "-"],
                         input=text, text=True, stderr=subprocess.PIPE, check=False)
    if run.returncode:
        print(f"headers: {include} alone, {' '.join(flags)}:\n{run.stderr}")
    return run.returncode == 0


def main():
    top, build = csource.root(), sys.argv[1]
    compiler, cxx = os.environ.get("CC", "cc"), cxx_compiler()
    tried, failed = 0, 0
    for path in csource.files(top, ".h"):
        if path.startswith("tests/abi/"):  # those of releases, which abi.py compiles
            continue
        more = ["-I", top, "-I", build]
        if path.startswith("tests/"):
            more += ["-I", os.path.join(top, os.path.dirname(path))]
        variants = [(compiler, OURS, f'"{os.path.join(top, path)}"', more)]
        if path.startswith("include/"):
            public = f"<{path.removeprefix('include/')}>"
            variants.append((compiler, STRICT_C, public, []))
            if cxx:
                variants.append((cxx, CXX, public, []))
        if path.startswith("examples/"):
            variants = [(compiler, OURS, f'"{os.path.join(top, path)}"', [])]
        for variant_compiler, flags, include, extra in variants:
            tried += 1
            failed += not compiles(variant_compiler, flags, include, top, extra)
    if cxx:
        tried += 1
        failed += not compiles(cxx, CXX_MODULE, "<warmfork/task.h>", top, [], MODULE)
    print(f"headers: {tried} compiled, {failed} failed"
          + ("" if cxx else "; no C++ compiler, so none as C++"))
    return 1 if failed or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
