#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""install.py MESON: a stranger's view of `meson install`.

Builds the library alone, installs it into a scratch prefix, and in a third place builds the example
with nothing but `pkg-config --cflags --libs warmfork`. It must find everything by itself, but for
the loader's path: the prefix is not one that ld.so searches."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import csource  # noqa: E402


def run(*command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, check=False, **more)
    if done.returncode:
        print(f"install: {' '.join(command)}: exit status {done.returncode}\n{done.stdout}")
        sys.exit(1)
    return done.stdout


def find(prefix, name):
    for folder, _, names in os.walk(prefix):
        if name in names:
            return os.path.join(folder, name)
    print(f"install: no {name} below the prefix")
    sys.exit(1)


def clean_environment(**more):
    """Nothing of the tree, of the tests or of a sanitizer."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "CC") if name in os.environ}
    return {**kept, **more}


def outside(top, work, prefix):
    """Builds and runs the example as somebody else's program."""
    folder = os.path.join(work, "outside")
    os.mkdir(folder)
    for name in ("upper.c", "hello.c"):
        shutil.copy(os.path.join(top, "examples", name), folder)
    library = os.path.dirname(find(prefix, "libwarmfork.so"))
    # only the prefix: a user of the library needs no other package's files
    environment = clean_environment(PKG_CONFIG_LIBDIR=os.path.dirname(find(prefix, "warmfork.pc")))
    flags = run("pkg-config", "--cflags", "--libs", "warmfork", env=environment).split()
    compiler = shlex.split(environment.get("CC", "cc"))
    run(*compiler, "-shared", "-fPIC", "upper.c", "-o", "upper.so", *flags, cwd=folder,
        env=environment)
    run(*compiler, "hello.c", "-o", "hello", *flags, cwd=folder, env=environment)
    command = os.path.join(prefix, "bin", "warmfork")
    if os.path.exists(command):  # without jansson there is none
        run(command, "image", "upper.so", cwd=folder, env=clean_environment(), timeout=60)
    printed = {
        "pkg-config": run("./hello", cwd=folder, env=clean_environment(LD_LIBRARY_PATH=library),
                          timeout=60),
        "pkg-config --static": statically(prefix, folder, environment),
    }
    if shutil.which("cmake"):
        printed["cmake"] = by_cmake(prefix, folder, environment)
    else:
        print("install: SKIP cmake, which is not installed")
    return printed


def statically(prefix, folder, environment):
    """The example with the archive inside: it needs no library of ours at run time."""
    flags = run("pkg-config", "--static", "--cflags", "--libs", "warmfork", env=environment).split()
    compiler = shlex.split(environment.get("CC", "cc"))
    run(*compiler, "hello.c", "-o", "hello_static", "-static", *flags, cwd=folder, env=environment)
    names = run("nm", "-g", "--defined-only", find(prefix, "libwarmfork.a"))
    strangers = [line.split()[-1] for line in names.splitlines()
                 if len(line.split()) == 3 and not line.split()[-1].startswith("wf_")]
    if strangers:
        print(f"install: libwarmfork.a exports {strangers}")
        sys.exit(1)
    return run("./hello_static", cwd=folder, env=clean_environment(), timeout=60)


CMAKE = """cmake_minimum_required(VERSION 3.18)
project(outside C)
find_package(warmfork 0.1 REQUIRED CONFIG)
add_executable(by_cmake hello.c)
target_link_libraries(by_cmake warmfork::warmfork)
add_executable(by_cmake_static hello.c)
target_link_libraries(by_cmake_static warmfork::static)
"""


def by_cmake(prefix, folder, environment):
    with open(os.path.join(folder, "CMakeLists.txt"), "w", encoding="utf-8") as file:
        file.write(CMAKE)
    config = os.path.dirname(find(prefix, "warmforkConfig.cmake"))
    run("cmake", "-S", ".", "-B", "build", f"-Dwarmfork_DIR={config}", cwd=folder, env=environment)
    run("cmake", "--build", "build", cwd=folder, env=environment)
    printed = [run(f"build/{name}", cwd=folder, env=clean_environment(), timeout=60)
               for name in ("by_cmake", "by_cmake_static")]
    return printed[0] if printed[0] == printed[1] else repr(printed)


def main():
    top, meson = csource.root(), sys.argv[1]
    with tempfile.TemporaryDirectory() as work:
        build, prefix = os.path.join(work, "build"), os.path.join(work, "prefix")
        environment = clean_environment()
        run(meson, "setup", build, top, f"--prefix={prefix}", "-Dtests=false", "-Dexamples=false",
            env=environment)
        # whoever builds has another environment than whoever chose the compiler
        run(meson, "install", "-C", build, env=clean_environment(CC="false"))
        shutil.rmtree(build)  # nothing may lean on it
        for name in ("executor.h", "inspect.h", "map.h", "policy.h", "task.h"):
            find(prefix, name)
        if shutil.which("scdoc"):
            find(prefix, "wf_submit.3")
        find(prefix, "warmfork-zygote")
        printed = outside(top, work, prefix)
    wrong = {how: text for how, text in printed.items() if text != "LOAD ONCE\n"}
    for how, text in wrong.items():
        print(f"install: the outside program, built by {how}, printed {text!r}")
    print(f"install: built by {', '.join(printed)}: {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
