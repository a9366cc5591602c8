#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""install.py MESON: a stranger's view of `meson install`.

Builds the library alone, installs it into a scratch prefix, and in a third place builds the example
with nothing but `pkg-config --cflags --libs warmfork`. It must find everything by itself, but for
the loader's path: the prefix is not one that ld.so searches."""

import os
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
    compiler = environment.get("CC", "cc")
    run(compiler, "-shared", "-fPIC", "upper.c", "-o", "upper.so", *flags, cwd=folder,
        env=environment)
    run(compiler, "hello.c", "-o", "hello", *flags, cwd=folder, env=environment)
    command = os.path.join(prefix, "bin", "warmfork")
    if os.path.exists(command):  # without jansson there is none
        run(command, "image", "upper.so", cwd=folder, env=clean_environment(), timeout=60)
    return run("./hello", cwd=folder, env=clean_environment(LD_LIBRARY_PATH=library), timeout=60)


def main():
    top, meson = csource.root(), sys.argv[1]
    with tempfile.TemporaryDirectory() as work:
        build, prefix = os.path.join(work, "build"), os.path.join(work, "prefix")
        environment = clean_environment()
        run(meson, "setup", build, top, f"--prefix={prefix}", "-Dtests=false", "-Dexamples=false",
            env=environment)
        run(meson, "install", "-C", build, env=environment)
        shutil.rmtree(build)  # nothing may lean on it
        find(prefix, "executor.h")
        find(prefix, "task.h")
        find(prefix, "warmfork-zygote")
        printed = outside(top, work, prefix)
    if printed != "LOAD ONCE\n":
        print(f"install: the outside program printed {printed!r}")
        return 1
    print("install: an outside program runs against the installed copy")
    return 0


if __name__ == "__main__":
    sys.exit(main())
