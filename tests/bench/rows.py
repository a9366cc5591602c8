# SPDX-License-Identifier: MIT
"""What is measured and what has to come out: every row of ./dev bench.

A group is measured in one go by its players, programs that take turns; each of its parts is a row.
The comment at the measuring code, which is named after the player's row, says what is in the timed
region and what is not.
"""

from dataclasses import dataclass

POOL, INSIDE, PEERS = "measure_pool", "measure_inside", "peers.py"


@dataclass(frozen=True)
class Player:
    """A program that answers rounds (measure.h)."""
    program: str
    row: str       # its argument
    peer: str = ""  # not ours: the reference that it gives


@dataclass(frozen=True)
class Part:
    """A row. `ours` and `reference` name numbers that players give."""
    name: str   # GROUP.PART; ./dev bench GROUP selects all of these
    says: str   # what is divided by what
    goal: tuple  # ("<=" or ">=", number)
    unit: str = "us"
    ours: str = "ours"
    reference: str = "reference"  # "": the goal is for our figure itself
    inverse: bool = False  # reference / ours
    quantile: float = 0.5  # of the numbers of a round, and of all
    digits: int = 1
    chart: str = ""  # its words in the chart; "": it is not there


@dataclass(frozen=True)
class Group:
    players: tuple
    parts: tuple
    rounds: int
    quick_rounds: int = 3
    warm_up: int = 1  # rounds that do not count


def at_most(number):
    return ("<=", number)


def at_least(number):
    return (">=", number)


FREEZE = (
    Group((Player(INSIDE, "fork_frozen_4g"),), rounds=15, parts=(
        Part("fork_frozen_4g",
             "fork, exit, reap: a frozen image of 4 GiB (--quick: 1) / no image",
             at_most(1.10), chart="fork with a frozen 4 GiB image / with none"),
    )),
    Group((Player(INSIDE, "fork_unfrozen_1g"),), rounds=9, parts=(
        Part("fork_unfrozen_1g",
             "fork, exit, reap: 1 GiB unfrozen / the same frozen",
             at_least(150), inverse=True, chart="fork with 1 GiB frozen, against unfrozen"),
    )),
    Group((Player(INSIDE, "fork_dirty16_1g"),), rounds=15, parts=(
        Part("fork_dirty16_1g",
             "fork, exit, reap: 1 GiB frozen, 16 pages written to since / no image",
             at_most(2.0), chart="the same with 16 pages written to since / no image"),
    )),
    Group((Player(INSIDE, "child_overhead"),), rounds=15, parts=(
        Part("child_overhead.time",
             "our child, to user code and back / clone and exit_group of the same image",
             at_most(1.30), ours="time.ours", reference="time.reference",
             chart="our child, user code and back / raw clone and exit"),
        Part("child_overhead.faults",
             "minor faults of our child beyond those of the raw one",
             at_most(6), unit="faults", ours="faults", reference=""),
    )),
)

TASKS = (
    Group((Player(POOL, "fresh_throughput"),), rounds=15, parts=(
        Part("fresh_throughput",
             "a fresh process for each task, 16 in flight / fork loop, 16 in flight",
             at_least(0.90), unit="/s", digits=0,
             chart="a fresh process for each task / fork loop"),
    )),
    Group((Player(POOL, "fresh_throughput_1g"),), rounds=15, parts=(
        Part("fresh_throughput_1g",
             "a fresh process for each task: a frozen image of 1 GiB / none",
             at_least(0.95), unit="/s", digits=0, chart="the same, frozen 1 GiB image / none"),
    )),
    Group((Player(POOL, "fresh_dispatch"),), rounds=15, parts=(
        Part("fresh_dispatch.same_cpu",
             "submit to result, parked fresh worker / SEQPACKET trip, all on one CPU",
             at_most(2.0), ours="same.ours", reference="same.reference",
             chart="fresh worker, there and back, one CPU / socket"),
        Part("fresh_dispatch.other_cpu",
             "the same, the pool and the echo on another CPU",
             at_most(1.2), ours="other.ours", reference="other.reference",
             chart="fresh worker, there and back, another CPU / socket"),
    )),
    Group((Player(POOL, "reused_roundtrip"),), rounds=20, parts=(
        Part("reused_roundtrip",
             "submit to result, reused worker / SEQPACKET trip, all on one CPU",
             at_most(1.4), chart="reused worker, there and back / socket"),
    )),
    Group((Player(POOL, "reused_roundtrip_thread"),), rounds=20, parts=(
        Part("reused_roundtrip_thread",
             "the same with the background thread and a blocking wait",
             at_most(2.5), chart="the same through the background thread / socket"),
    )),
    Group((Player(POOL, "reused_map"), Player(PEERS, "ppe_map", "ppe"),
           Player(PEERS, "loky_map", "loky")), rounds=9, parts=(
        Part("reused_map.ppe",
             "tasks that do nothing: wf_map / ProcessPoolExecutor (fork, chunksize 1)",
             at_least(25), unit="/s", digits=0, reference="ppe",
             chart="tasks that do nothing, against ProcessPoolExecutor"),
        Part("reused_map.loky",
             "tasks that do nothing: wf_map / loky",
             at_least(40), unit="/s", digits=0, reference="loky",
             chart="tasks that do nothing, against loky"),
    )),
)

POOLS = (
    Group((Player(POOL, "start_ready"), Player(POOL, "start_freeze")), rounds=7, quick_rounds=2,
          warm_up=0, parts=(
        Part("start_ready.ready",
             "open to 4 ready workers, preload of 64 MiB and 250 ms / the preload alone",
             at_most(1.05), unit="ms", chart="open to 4 workers ready / the preload alone"),
        Part("start_ready.freeze",
             "what the freeze of 1 GiB adds to wf_executor_open()",
             at_most(0.4), unit="s/GiB", ours="freeze", reference="", digits=3),
    )),
    Group((Player(POOL, "start_vs_pools"), Player(PEERS, "loky_start", "loky"),
           Player(PEERS, "forkserver_start", "forkserver")), rounds=7, quick_rounds=2,
          warm_up=0, parts=(
        Part("start_vs_pools.loky",
             "4 workers ready after such a preload (in Python, an import): loky / ours",
             at_least(2), unit="ms", reference="loky", inverse=True,
             chart="4 workers ready, against loky"),
        Part("start_vs_pools.forkserver",
             "the same: multiprocessing's forkserver, which preloads once / ours",
             at_least(2), unit="ms", reference="forkserver", inverse=True,
             chart="4 workers ready, against forkserver"),
    )),
    Group((Player(POOL, "crash_latency"), Player(PEERS, "loky_crash", "loky")), rounds=10, parts=(
        Part("crash_latency.median",
             "SIGSEGV of the worker to the resolved future, median",
             at_most(150), reference="", digits=0),
        Part("crash_latency.p99",
             "the same, 99th percentile",
             at_most(1000), reference="", quantile=0.99, digits=0),
        Part("crash_latency.loky",
             "the same, median: loky / ours",
             at_least(50), reference="loky", inverse=True, digits=0,
             chart="a crash is known, against loky"),
    )),
    Group((Player(POOL, "deadline_lateness"),), rounds=10, parts=(
        Part("deadline_lateness",
             "resolved past a deadline of 10 ms, worker busy, 99th percentile",
             at_most(2), unit="ms", reference="", quantile=0.99, digits=2),
    )),
    Group((Player(POOL, "payload_64m"),), rounds=15, parts=(
        Part("payload_64m",
             "64 MiB in our buffer, delivered and read / read of memory already mapped",
             at_most(2.2), unit="ms", reference="mapped",
             chart="64 MiB argument / read of mapped memory"),
        Part("payload_64m_socket",
             "the same copied through a socket / ours",
             at_least(4), unit="ms", reference="socket", inverse=True,
             chart="64 MiB argument, against a socket"),
    )),
    Group((Player(POOL, "parked_memory"),), rounds=1, quick_rounds=1, warm_up=0, parts=(
        Part("parked_memory.worker",
             "private dirty memory and page tables of a parked worker, mean of 200",
             at_most(112), unit="KiB", ours="worker", reference="", digits=0),
        Part("parked_memory.executor",
             "what the executor's process grows by for it",
             at_most(8), unit="KiB", ours="executor", reference=""),
    )),
    Group((Player(POOL, "live_2000"),), rounds=10, parts=(
        Part("live_2000",
             "fork on demand with 2,000 live workers / with none",
             at_most(1.15), chart="fork with 2,000 live workers / with none"),
    )),
    Group((Player(POOL, "two_zygotes"),), rounds=9, parts=(
        Part("two_zygotes",
             "rate of two executors on two CPUs by that of one / the same of fork loops",
             at_least(0.9), unit="x", digits=2, chart="two pools on two CPUs / two fork loops"),
    )),
    Group((Player(POOL, "queue_100k"),), rounds=9, parts=(
        Part("queue_100k",
             "submit with 100,000 queued / with 1,000",
             at_most(1.3), digits=2, chart="submit with 100,000 queued / with 1,000"),
    )),
    Group((Player(INSIDE, "spawn_static"),), rounds=15, parts=(
        Part("spawn_static",
             "posix_spawn of a static `true` / fork, task, exit, reap of our worker",
             at_least(9), inverse=True, chart="a worker, against posix_spawn of a static binary"),
    )),
    Group((Player(POOL, "idle_wakeups"),), rounds=1, quick_rounds=1, warm_up=0, parts=(
        Part("idle_wakeups",
             "of thread, keeper, zygote and 4 workers in 10 idle seconds (--quick: 3)",
             at_most(0), unit="", reference="", digits=0),
    )),
)

SANDBOX = (
    Group((Player(POOL, "sandbox_fork"),), rounds=15, parts=(
        Part("sandbox_fork.pure",
             "fork, task, exit, reap of a worker under `pure` / without a policy",
             at_most(1.35), ours="pure", reference="plain",
             chart="a worker under `pure` / without a policy"),
        Part("sandbox_fork.stage",
             "the same under `stage` with 10 path rules",
             at_most(1.35), ours="stage", reference="plain",
             chart="a worker under `stage`, 10 rules / without a policy"),
    )),
    Group((Player(POOL, "sandbox_parked"),), rounds=15, parts=(
        Part("sandbox_parked",
             "submit to result, parked worker: under `stage` / without a policy",
             at_most(1.05), chart="a parked worker under `stage` / without a policy"),
    )),
    Group((Player(POOL, "sandbox_vs_bwrap"),), rounds=10, parts=(
        Part("sandbox_vs_bwrap",
             "bwrap running a static `true` / a task forked on demand under `stage`",
             at_least(15), inverse=True, chart="a sandboxed task, against bwrap"),
    )),
    Group((Player(POOL, "sandbox_command"),), rounds=10, parts=(
        Part("sandbox_command",
             "bwrap running a static `true` / the same as a command task under `stage`",
             at_least(6), inverse=True, chart="a sandboxed program from a pool, against bwrap"),
    )),
    Group((Player(POOL, "sandbox_run"),), rounds=10, parts=(
        Part("sandbox_run",
             "`warmfork run` of a static `true` / bwrap of the same, whole commands",
             at_most(0.9), chart="warmfork run / bwrap, whole commands"),
    )),
    Group((Player(POOL, "sandbox_syscall"),), rounds=15, parts=(
        Part("sandbox_syscall",
             "a cheap system call (getppid) under `stage` / without a policy",
             at_most(1.4), unit="ns", chart="a cheap system call inside / outside"),
    )),
    Group((Player(POOL, "sandbox_open"),), rounds=10, parts=(
        Part("sandbox_open",
             "open, read and close one of 10,000 declared files: `stage`, report: paths / outside",
             at_most(1.5), unit="ns", chart="to open and read declared files inside / outside"),
    )),
)

GROUPS = FREEZE + TASKS + POOLS + SANDBOX
