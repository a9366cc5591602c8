#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""peers.py ROW [--quick]: other process pools, in the turns of bench.py (see measure.h).

Each gets what its documentation advises for speed, and is not asked for anything that ours does not
do as well.
"""

import mmap
import multiprocessing
import os
import struct
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

sys.dont_write_bytecode = True

WORKERS = 4
CPUS = len(os.sched_getaffinity(0))


def find_loky():
    """The module, or the copy in joblib; None."""
    try:
        import loky
        return loky
    except ImportError:
        pass
    try:
        from joblib.externals import loky
        return loky
    except ImportError:
        return None


def emit(name, value):
    print(name, value)


# --- reused_map ----------------------------------------------------------------------------------


def nothing(value):
    return value


class Map:
    """Timed: map() until the last result is there, one task for each input, none in a chunk."""

    def __init__(self, name, executor, tasks):
        self.name, self.executor, self.inputs = name, executor, [b"x"] * tasks
        list(executor.map(nothing, self.inputs[:100], chunksize=1))

    def round(self):
        start = time.monotonic()
        results = list(self.executor.map(nothing, self.inputs, chunksize=1))
        emit(self.name, len(results) / (time.monotonic() - start))

    def close(self):
        self.executor.shutdown()


def ppe_map(quick):
    context = multiprocessing.get_context("fork")
    return Map("ppe", ProcessPoolExecutor(CPUS, mp_context=context), 500 if quick else 2000)


def loky_map(quick):
    return Map("loky", find_loky().get_reusable_executor(max_workers=CPUS, timeout=None),
               500 if quick else 2000)


# --- start_vs_pools ------------------------------------------------------------------------------


def become_ready(path):
    """Of each worker: it has the preload, and says so."""
    import heavy  # noqa: F401: for what importing it does
    fifo = os.open(path, os.O_WRONLY)
    os.write(fifo, b"x")
    os.close(fifo)


class Start:
    """Timed: from nothing until all workers have initialized; not timed: interpreter and imports of
    the pool itself, and its end. Each round is a fork of this process, so that no helper process
    (resource tracker, fork server) is left from the one before."""

    def __init__(self, name, start):
        self.name, self.start = name, start

    def round(self):
        reads, writes = os.pipe()
        pid = os.fork()
        if pid == 0:
            self.measure(writes)
        os.close(writes)
        took = os.read(reads, 64)
        os.close(reads)
        os.waitpid(pid, 0)
        emit(self.name, float(took))

    def measure(self, writes):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "ready")
            os.mkfifo(path)
            fifo = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            before = time.monotonic()
            stop = self.start(path)
            for _ in range(WORKERS):
                os.read(fifo, 1)
            os.write(writes, str((time.monotonic() - before) * 1e3).encode())
            stop()
        sys.stdout.flush()
        os._exit(0)

    def close(self):
        pass


def start_loky(path):
    executor = find_loky().ProcessPoolExecutor(WORKERS, initializer=become_ready, initargs=(path,))
    executor.submit(nothing, 0)
    return lambda: executor.shutdown(kill_workers=True)


def become_ready_warm(path):
    if "heavy" not in sys.modules:
        sys.exit("the fork server did not import its preload")
    become_ready(path)


def start_forkserver(path):
    from multiprocessing import forkserver, resource_tracker
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "heavy"])
    workers = context.Pool(WORKERS, initializer=become_ready_warm, initargs=(path,))

    def stop():
        workers.terminate()
        workers.join()
        forkserver._forkserver._stop()
        resource_tracker._resource_tracker._stop()

    return stop


def loky_start(quick):
    return Start("loky", start_loky)


def forkserver_start(quick):
    return Start("forkserver", start_forkserver)


# --- crash_latency -------------------------------------------------------------------------------


def crash(path):
    import ctypes
    with open(path, "r+b") as file:
        stamp = mmap.mmap(file.fileno(), 8)
    stamp[:] = struct.pack("q", time.monotonic_ns())
    ctypes.string_at(0)


class Crash:
    """Timed: from just before the fault, which the task writes into a shared file, until the future
    has its exception. Not timed: the new pool."""

    def __init__(self, quick):
        self.file = tempfile.NamedTemporaryFile()
        self.file.write(bytes(8))
        self.file.flush()

    def round(self):
        executor = find_loky().get_reusable_executor(max_workers=2, timeout=None)
        list(executor.map(nothing, range(8)))
        error = executor.submit(crash, self.file.name).exception()
        end = time.monotonic_ns()
        if error is None:
            sys.exit("the task that should have crashed has not")
        self.file.seek(0)
        emit("loky", (end - struct.unpack("q", self.file.read(8))[0]) / 1e3)

    def close(self):
        find_loky().get_reusable_executor(max_workers=2).shutdown(kill_workers=True)


def loky_crash(quick):
    return Crash(quick)


# --- the program ---------------------------------------------------------------------------------

ROWS = {row.__name__: row for row in
        (ppe_map, loky_map, loky_start, forkserver_start, loky_crash)}


def main():
    row = ROWS[sys.argv[1]]("--quick" in sys.argv)
    print("ready", flush=True)
    while sys.stdin.readline():
        row.round()
        print("done", flush=True)
    row.close()


if __name__ == "__main__":
    main()
