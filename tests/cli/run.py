#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""run.py WARMFORK MANUAL [--sanitized]: `warmfork run` as a user runs it.

What a program could do is asked from outside: of the files, streams and processes that it leaves, and
of a terminal. MANUAL documents the keys of the JSON form: these, and no others, must be there. Run by
root, what matters is tried as an ordinary user as well."""

import errno
import fcntl
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

sys.dont_write_bytecode = True

import checks  # noqa: E402

SANITIZED = "--sanitized" in sys.argv
WARMFORK, MANUAL = [os.path.abspath(a) for a in sys.argv[1:] if a != "--sanitized"]
TIMEOUT = 60
USAGE, NOT_STARTED, VIOLATION, TIMED_OUT, MEMORY, OUTPUT, LOST, AMBIGUOUS = range(240, 248)

user = {}  # for subprocess: who runs it
scratch = ""


def check(holds, what):
    checks.check(holds, f"{'as ' + str(user['user']) + ': ' if user else ''}{what}")


def run(*arguments, cwd=None, **more):
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([WARMFORK, "run", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, timeout=TIMEOUT,
                          cwd=cwd or scratch, **user, **more)


def expect(status, *arguments, out=None, said=None, **more):
    done = run(*arguments, **more)
    check(done.returncode == status, f"{arguments}: status {done.returncode}, not {status}: "
                                     f"{done.stderr!r}")
    check(out is None or done.stdout == out, f"{arguments}: wrote {done.stdout!r}")
    for words in [said] if isinstance(said, str) else said or []:
        check(words in done.stderr, f"{arguments}: {words!r} is not in {done.stderr!r}")
    if said == "":
        check(done.stderr == "", f"{arguments}: said {done.stderr!r}")
    return done


def place(name, text="", mode=0o644):
    path = os.path.join(scratch, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    if user:
        os.chown(path, user["user"], user["group"])
    return path


def content(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


# --- the words ---------------------------------------------------------------------------------


def test_words():
    for words in (["run", "--help"], ["help", "run"]):
        done = subprocess.run([WARMFORK, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False, timeout=TIMEOUT)
        check(done.returncode == 0 and "--read" in done.stdout and not done.stderr, f"{words}")
    check(re.fullmatch(r"warmfork \d+\.\d+\.\d+\n", run("--version").stdout), "the version")
    for arguments, said in (
            ([], "no program is given"),
            (["--"], "no program is given"),
            (["--colour", "true"], "--colour"),
            (["-r", "true"], "-r"),
            (["--read"], "--read takes a value"),
            (["--explain=yes", "true"], "--explain=yes"),
            (["--preset", "loose", "true"], '--preset takes pure, stage or tests, not "loose"'),
            (["--memory", "12Q", "true"], '--memory: "12Q"'),
            (["--timeout", "10", "true"], '--timeout: "10"'),
            (["--read", "", "true"], "--read: "),
            (["--read", "~/x", "true"], "--read: "),
            (["--calls", "files,fork_bomb", "true"], '--calls: "fork_bomb"'),
            (["--socket", "inet,carrier", "true"], '--socket: "carrier"'),
            (["--tcp-bind", "x", "true"], "--tcp-bind: "),
            (["--identity", "me", "true"], "--identity: "),
            (["--layers", "onion", "true"], '--layers: "onion"'),
            (["--watch", "all", "true"], "--watch: "),
            (["--report", "xml", "true"], "--report takes json"),
            (["--report", "json=", "true"], "--report"),
            (["--report", "json=/nowhere/x", "true"], "--report: /nowhere/x cannot be written"),
            (["--learn=/nowhere/x", "true"], "--learn: /nowhere/x cannot be written"),
            (["--policy", "/nowhere.yaml", "true"], "/nowhere.yaml")):
        done = expect(USAGE, *arguments, out="", said=said)
        check(done.stderr.count("\n") == 1 and done.stderr.startswith("warmfork run: "),
              f"{arguments}: no single sentence: {done.stderr!r}")
    place("wrong.yaml", "preset: stage\nraed: [/x]\n")
    expect(USAGE, "--policy", "wrong.yaml", "true", said=["wrong.yaml:2", "did you mean read"])


def test_options_end():
    """What follows the program is its own, whatever it looks like."""
    expect(0, "echo", "--read", "-x", "--", out="--read -x --\n", said="")
    expect(0, "--", "printf", "%s\n", "--help", out="--help\n", said="")
    # nor does the name of a program become an option, and allow what nobody has allowed
    secret = place("hidden", "hidden\n")
    for words in (["--", f"--read={secret}", "cat", secret], ["--", "--help"]):
        expect(NOT_STARTED, *words, out="", said=f"{words[1]} cannot be executed")
    check("hidden" not in run("cat", f"--read={secret}", secret).stdout, "read by an argument")


# --- ends --------------------------------------------------------------------------------------


def test_status():
    for code in (0, 1, 2, 125, 126, 127, 128, 200, 239, 248, 255):
        expect(code, "sh", "-c", f"exit {code}", said="")
    for code in range(USAGE, AMBIGUOUS + 1):
        expect(AMBIGUOUS, "sh", "-c", f"exit {code}", said=f"exited with {code}")
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1):
        expect(-number, "sh", "-c", f"kill -{int(number)} $$", said=f"ended by {number.name}")
    for number in (signal.SIGINT, signal.SIGPIPE):
        expect(-number, "sh", "-c", f"kill -{int(number)} $$", said="")


def test_own_status():
    expect(NOT_STARTED, "no-such-program", said="no-such-program cannot be executed")
    expect(NOT_STARTED, "./no-such-program", said="./no-such-program cannot be executed")
    expect(NOT_STARTED, place("plain"), said="cannot be executed: Permission denied")
    expect(NOT_STARTED, "--read", "/nowhere", "true", said="/nowhere")
    expect(NOT_STARTED, "--chdir", "/nowhere", "true", said="/nowhere cannot be entered")
    expect(TIMED_OUT, "--timeout", "300ms", "sleep", "100", said="--timeout gives it more")
    expect(TIMED_OUT, "--cpu", "1s", "sh", "-c", "while :; do :; done", said="--cpu")
    expect(VIOLATION, "--on-refusal", "end", "unshare", "-U", "true", said="unshare(")
    expect(OUTPUT, "--output", "10", "sh", "-c", "echo 0123456789; sleep 100", out="0123456789",
           said="more than 10 bytes to its standard output")
    expect(3, "--output", "100", "sh", "-c", "echo out; echo err >&2; exit 3", out="out\n",
           said="err\n")


def test_memory():
    if SANITIZED:
        return  # shadow memory
    hungry = "x = b'x' * (1 << 30)"
    done = expect(MEMORY, "--memory", "64M", "python3", "-c", hungry) if has_memory_group() else \
        run("--memory", "64M", "python3", "-c", hungry)
    check(done.returncode != 0, f"64 MiB: {done}")
    expect(0, "--memory", "64M", "python3", "-c", "x = b'x' * (1 << 20)")


def has_memory_group():
    done = subprocess.run([WARMFORK, "doctor", "--json"], stdout=subprocess.PIPE, check=False,
                          timeout=TIMEOUT, **user)
    return "group" in str(json.loads(done.stdout)["cgroups"]["memory_limit"]["value"])


# --- what it may do ----------------------------------------------------------------------------


def test_streams():
    expect(0, "cat", out="hello", stdin=None, input="hello", said="")
    expect(0, "sh", "-c", "echo err >&2", out="", said="err\n")
    inherited = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    expect(2, "sh", "-c", f"cat <&{inherited}", pass_fds=[inherited])
    os.close(inherited)
    done = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", WARMFORK, "run", "true"],
                          check=False, timeout=TIMEOUT, **user)
    check(done.returncode == 0, f"without streams: {done}")


def test_paths():
    place("in/a", "data\n")
    os.makedirs(os.path.join(scratch, "out"), exist_ok=True)
    os.chmod(os.path.join(scratch, "out"), 0o777)
    copy = ("cp", "in/a", "out/b")
    check(run(*copy).returncode != 0, "nothing is declared")
    check(run("--read", "in", "--read", "out", *copy).returncode != 0, "out may be read only")
    check(not os.path.exists(os.path.join(scratch, "out/b")), "it was written all the same")
    owner = ["--identity", f"{os.getuid()}:{os.getgid()}"] if not user and not os.getuid() else []
    expect(0, *owner, "--read", "in", "--write", "./out", *copy, said="")
    check(content(os.path.join(scratch, "out/b")) == "data\n", "the copy")
    check(run("--read", "in", "cat", "/etc/shadow").returncode != 0, "another file")


def test_program():
    """One that is named with a slash may be executed, wherever it lies."""
    program = place("bin/tool", "#!/bin/sh\necho \"$@\"\n", 0o755)
    expect(0, program, "one", out="one\n", said="")
    expect(0, "bin/tool", "two", out="two\n", said="")
    expect(0, "./bin/../bin/tool", "three", out="three\n", said="")
    place("other/file")
    expect(0, "../bin/tool", "four", out="four\n", cwd=os.path.join(scratch, "other"))
    expect(0, "/bin/echo", "five", out="five\n", said="")
    link = os.path.join(scratch, "link")
    if not os.path.lexists(link):
        os.symlink("/usr/bin/true", link)
    expect(0, link, said="")
    static = os.path.join(scratch, "static")
    shutil.copy("/usr/bin/true", static)
    check(run("--preset", "pure", static).returncode != 0, "pure has no libraries")
    check(run("--preset", "pure", "--on-refusal", "continue", "--execute", "/usr", "--execute",
              "/lib64", "--execute", "/lib", static).returncode == 0, "pure, with libraries")


def test_directory():
    place("here/file", "x\n")
    here = os.path.join(scratch, "here")
    expect(0, "pwd", out="/\n", cwd=here)
    expect(0, "--read", ".", "pwd", out=f"{here}\n", cwd=here)
    expect(0, "--read", "file", "cat", "file", out="x\n", cwd=here)
    expect(0, "pwd", out="/usr/bin\n", cwd="/usr/bin")
    expect(0, "--read", here, "--chdir", here, "pwd", out=f"{here}\n", cwd="/")
    expect(0, "--read", "here", "--chdir", "here", "pwd", out=f"{here}\n")
    expect(1, "cat", "file", said=["ran in /", "--read ."], cwd=here)
    policy = place("here.yaml", "preset: stage\nread: [here]\n")
    expect(0, "--policy", policy, "pwd", out=f"{here}\n", cwd=here)
    expect(0, "--policy", policy, "pwd", out="/\n", cwd="/home")


def test_umask():
    """It is for the files that the program makes, and not for the view that it works in."""
    for mask in (0o077, 0o777):
        expect(0, "--read", place("masked", "beta"), "--", "cat", f"{scratch}/masked", out="beta",
               umask=mask)
        expect(0, "--scratch", "1M", "--", "sh", "-c", "umask; touch /tmp/x; stat -c %a /tmp/x",
               out=f"{mask:04o}\n{0o666 & ~mask:o}\n", umask=mask)


def test_deleted_directory():
    gone = f"{scratch}/gone"
    os.mkdir(gone)
    script = f'cd {gone}; rmdir {gone}; exec {WARMFORK} run --read ./x -- true'
    done = subprocess.run(["sh", "-c", script], stderr=subprocess.PIPE, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=TIMEOUT, **user)
    check(done.returncode == 240 and "working directory has been deleted" in done.stderr, f"{done}")


def test_policy():
    done = expect(0, "--print-policy", "--read", "in", "--env", "A=b", "--file-size", "64M",
                  "--best-effort", "--socket", "unix,inet", said="")
    check(done.stdout.startswith("preset: stage\n") and "64M" in done.stdout and
          f"{scratch}/in" in done.stdout and "strict: no" in done.stdout, f"{done.stdout}")
    file = place("policy.yaml", done.stdout)
    expect(0, "--print-policy", "--policy", file, out=done.stdout)
    expect(0, "--policy", file, "sh", "-c", "echo $A", out="b\n", said="")
    expect(0, "--policy", file, "--env", "A=c", "sh", "-c", "echo $A", out="c\n")
    expect(0, "--env", "A=c", "--policy", file, "sh", "-c", "echo $A", out="c\n")
    pure = place("pure.yaml", "preset: pure\n")
    check("pure" in run("--print-policy", "--policy", pure).stdout, "a file brings its preset")
    for more in (["--policy", file], ["--preset", "stage"]):
        text = run("--print-policy", "--policy", pure, *more).stdout
        check(text.startswith("preset: stage"), f"the larger preset: {text}")
    expect(0, "--env", "SECRET", "sh", "-c", "echo $SECRET$OTHER", out="s\n",
           env={**os.environ, "SECRET": "s", "OTHER": "o"})
    expect(0, "--descriptors", "64", "sh", "-c", "ulimit -n", out="64\n")
    expect(0, "--scratch", "1M", "sh", "-c", "echo x > /tmp/x && cat /tmp/x", out="x\n")
    check(not os.path.exists("/tmp/x"), "its /tmp is its own")


# --- what it was refused -----------------------------------------------------------------------


def test_explain():
    """What --explain offers is enough, as an option and as a line of a policy file."""
    secret = place("secret it's", "s\n")
    expect(1, "cat", secret, said="1 call was refused; --explain lists it")
    done = expect(0, "sh", "-c", f'cat "{secret}"; true')
    check("refused" not in done.stderr, f"what succeeds is not talked about: {done.stderr}")
    done = expect(1, "--explain", "cat", secret, said="refused: openat(")
    option = re.search(r"to allow it: (--read .*) \(in a policy file: (read: .*)\)$", done.stderr,
                       re.MULTILINE)
    check(option is not None, f"no option: {done.stderr}")
    if not option:
        return
    words = subprocess.run(["sh", "-c", f"printf '%s\\n' {option.group(1)}"], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()
    expect(0, *words, "cat", secret, out="s\n", said="")
    policy = place("secret.yaml", f"preset: stage\n{option.group(2)}\n")
    expect(0, "--policy", policy, "cat", secret, out="s\n", said="")
    expect(0, "--explain", "true", said="no refusal was noted")
    done = run("--explain", "python3", "-c", "import socket; socket.socket()")
    check("to allow it: --socket inet" in done.stderr, f"{done.stderr}")
    expect(0, "--socket", "inet", "python3", "-c", "import socket; socket.socket()")


def test_learn():
    secret = place("learned", "s\n")
    policy = os.path.join(scratch, "learned.yaml")
    done = expect(0, "--learn", "cat", secret, out="s\n")
    check(secret in done.stderr and done.stderr.startswith("preset: "), f"{done.stderr}")
    # loading a library is no reason to allow memory that is written and executed
    check("jit" not in done.stderr, f"{done.stderr}")
    writable_code = "import mmap; mmap.mmap(-1, 4096, prot=7)"
    done = run("--learn", "python3", "-c", writable_code)
    check("calls: [jit]" in done.stderr, f"{done.stderr}")
    place("learned.yaml")
    expect(0, f"--learn={policy}", "cat", secret, out="s\n", said="")
    expect(0, "--policy", policy, "cat", secret, out="s\n", said="")


# --- the report --------------------------------------------------------------------------------


def keys(value, prefix=""):
    for key, inner in value.items():
        yield prefix + key
        if isinstance(inner, dict):
            yield from keys(inner, f"{prefix}{key}.")


def test_files_of_ours():
    """What we write follows no link that a program has made, now or in an earlier run."""
    for option in ("--report", "--learn"):
        def written(name, status=0, option=option, **more):
            words = ["--report", f"json={name}"] if option == "--report" else [f"--learn={name}"]
            return expect(status, *words, "true", **more)
        out, secret = os.path.join(scratch, "out"), place("secret", "secret\n")
        shutil.rmtree(out, ignore_errors=True)
        place("out/kept", "", 0o640)
        os.makedirs(os.path.join(scratch, "beside"), exist_ok=True)
        for path in (out, os.path.join(scratch, "beside")):
            os.chmod(path, 0o777)
        expect(0, "--write", "out", "sh", "-c", "ln -s ../secret out/file; ln -s ../beside out/sub")
        written("out/file")
        check(content(secret) == "secret\n", f"{option} went through a link: {content(secret)!r}")
        check(not os.path.islink(os.path.join(out, "file")) and content(os.path.join(out, "file")),
              f"{option}: in place of the link")
        written("out/sub/file", USAGE, said="out/sub/file cannot be written: a symbolic link")
        check(os.listdir(os.path.join(scratch, "beside")) == [], f"{option} beside")
        written("out/kept")
        check(os.stat(os.path.join(out, "kept")).st_mode & 0o777 == 0o640, f"{option}: the mode")
        check(sorted(os.listdir(out)) == ["file", "kept", "sub"], f"{os.listdir(out)}")
        written("out", USAGE, said="out cannot be written: Is a directory")
        if not user:  # the pipe is ours, and nobody else may open it
            check(written("/dev/stdout").stdout, f"{option} to /dev/stdout")
        fifo = os.path.join(out, "fifo")
        os.mkfifo(fifo, 0o666)
        os.chmod(fifo, 0o666)
        written("out/fifo", USAGE, said="nobody reads this FIFO")
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        written("out/fifo")
        check(os.read(reader, 100), f"{option} to a FIFO")
        os.close(reader)
        expect(0, "--write", "out", "ln", "-sf", "../secret", "out/file")
        written("/proc/self/cwd/file", USAGE, said="a symbolic link is on the way", cwd=out)
        check(content(secret) == "secret\n", f"{option} by /proc went through a link")


def report_of(status, *arguments, **more):
    path = place("report.json")
    expect(status, "--report", f"json={path}", *arguments, **more)
    return json.loads(content(path))


def test_report():
    documented = set(re.findall(r"^\*([a-z_.]+)\*$", content(MANUAL).split("# OUTPUT")[1],
                                re.MULTILINE))
    report = report_of(1, "cat", "/etc/shadow")
    check(report["kind"] == "exited" and report["status"] == 1 and report["ending"]["code"] == 1 and
          report["command"] == ["cat", "/etc/shadow"], f"{report}")
    check("seccomp" in report["layers"] and report["process"]["run_ns"] > 0, f"{report}")
    refusal = next((r for r in report["refusals"] if r["path"] == "/etc/shadow"), {})
    check(refusal.get("option") == "--read /etc/shadow" and refusal.get("error") == "EACCES" and
          refusal.get("allow") == "read: [/etc/shadow]", f"{report['refusals']}")
    found = set(keys(report)) | {f"refusals.{key}" for key in refusal}
    report = report_of(VIOLATION, "--on-refusal", "end", "unshare", "-U", "true")
    check(report["ending"]["violation"]["call"] == "unshare", f"{report['ending']}")
    report = report_of(OUTPUT, "--output", "4", "echo", "hello")
    check(report["ending"]["limit_bytes"] == 4 and report["ending"]["stream"] == 1 and
          report["stdout"]["bytes"] == 4, f"{report}")
    found |= set(keys(report))
    check(found == documented, f"keys and manual differ in {sorted(found ^ documented)}")
    report = report_of(-signal.SIGTERM, "sh", "-c", "kill $$")
    check(report["ending"]["signal"] == "SIGTERM" and report["status"] == 143, f"{report}")
    report = report_of(NOT_STARTED, "no-such-program")
    check(report["kind"] == "not started" and report["ending"]["phase"] == "exec" and
          report["ending"]["error"] == "ENOENT", f"{report}")
    # the keeper is this command itself
    report_of(0, "true", env={**os.environ, "WARMFORK_HELPER": "/nowhere/helper"})
    report = report_of(NOT_STARTED, "--read", "/nowhere", "true")
    check(report["kind"] == "not started" and "/nowhere" in report["evidence"], f"{report}")
    report = report_of(TIMED_OUT, "--timeout", "200ms", "sleep", "100")
    ending = report["ending"]
    check(ending["clock"] == "wall" and ending["limit_ns"] == 200_000_000 and
          ending["took_ns"] >= 200_000_000, f"{ending}")
    done = run("--report", "json", "echo", "x")
    check(done.stdout == "x\n" and json.loads(done.stderr)["kind"] == "exited", f"{done}")
    report = report_of(1, "cat", b"/\xff\xc3\xa9")
    check(report["command"][1].startswith("/\ufffd"), f"{report['command']}")


def test_full_disk():
    with open("/dev/full", "w", encoding="utf-8") as full:
        for arguments in (["--report", "json=/dev/full", "true"], ["--learn=/dev/full", "true"]):
            expect(LOST, *arguments, said="cannot be written")
        done = subprocess.run([WARMFORK, "run", "--output", "10", "echo", "x"], stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=TIMEOUT)
        check(done.returncode == LOST and "standard output" in done.stderr, f"{done}")


# --- signals -----------------------------------------------------------------------------------


class Running:
    """A program under `warmfork run` that has said that it is ready."""

    def __init__(self, script, **more):
        self.process = subprocess.Popen([WARMFORK, "run", "sh", "-c", script], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, **user, **more)
        check(self.process.stdout.readline() == "ready\n", f"{script}: not ready")

    def end(self):
        out, err = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, out, err


def test_signals():
    for name in ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "WINCH"):
        number = getattr(signal, f"SIG{name}")
        running = Running(f"trap 'echo got {name}; exit 5' {name}; echo ready; "
                          "while :; do sleep 0.01; done")
        running.process.send_signal(number)
        check(running.end()[:2] == (5, f"got {name}\n"), f"SIG{name}")
    running = Running("echo ready; exec sleep 100")
    running.process.terminate()
    check(running.end()[0] == -signal.SIGTERM, "ended by SIGTERM")
    running = Running("trap 'echo ending; exit 6' TERM; trap '' INT; echo ready; "
                      "while :; do sleep 0.01; done")
    running.process.send_signal(signal.SIGINT)
    running.process.send_signal(signal.SIGTERM)
    check(running.end()[:2] == (6, "ending\n"), "an ignored signal, and another")


def test_ignored_signal():
    """As nohup(1) starts it: what is ignored is not passed on."""
    running = Running("echo ready; read word; echo $word",
                      preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    running.process.send_signal(signal.SIGHUP)
    running.process.stdin.write("still here\n")
    check(running.end()[:2] == (0, "still here\n"), "SIGHUP was ignored")


def test_killed():
    """Nothing stays: the pipe that the program writes to ends."""
    running = Running("echo ready; sleep 1000 & sleep 1000")
    running.process.kill()
    ready, _, _ = select.select([running.process.stdout], [], [], TIMEOUT)
    check(ready and running.process.stdout.read() == "", "it outlived warmfork")
    running.end()
    done = expect(0, "sh", "-c", "sleep 1000 & echo started")
    check(done.stdout == "started\n", "what it leaves behind is ended")


# --- the terminal ------------------------------------------------------------------------------


class Shell:
    """A shell with job control, of a terminal of its own: as much of one as there has to be."""

    def __init__(self, arguments, in_background=False, before=()):
        self.terminal, other = os.openpty()
        self.text = ""
        orders, self.orders = os.pipe()
        self.answers, answers = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.orders)
                os.close(self.answers)
                os.close(self.terminal)
                login(other)
                self.be(arguments, orders, answers, in_background, before)
            finally:
                os._exit(99)
        for fd in (other, orders, answers):
            os.close(fd)

    def be(self, arguments, orders, answers, in_background, before):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        job = os.fork()
        if job == 0:
            os.setpgid(0, 0)
            if not in_background:
                os.tcsetpgrp(0, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            if user:
                os.setgroups([])
                os.setgid(user["group"])
                os.setuid(user["user"])
            os.chdir(scratch)
            words = [*before, WARMFORK, "run", *arguments]
            os.execv(words[0] if before else WARMFORK, words)
        while True:
            _, status = os.waitpid(job, os.WUNTRACED)
            os.tcsetpgrp(0, os.getpid())
            if not os.WIFSTOPPED(status):
                os.write(answers, f"ended {os.waitstatus_to_exitcode(status)}\n".encode())
                os._exit(0)
            modes = termios.tcgetattr(0)[3]
            os.write(answers, f"stopped {'echo' if modes & termios.ECHO else 'raw'}\n".encode())
            if os.read(orders, 1) == b"f":
                os.tcsetpgrp(0, job)
            os.killpg(job, signal.SIGCONT)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def sees(self, words):
        """Waits until the terminal shows it."""
        end = time.monotonic() + TIMEOUT
        while words not in self.text:
            ready, _, _ = select.select([self.terminal], [], [], max(0, end - time.monotonic()))
            if not ready:
                check(False, f"the terminal shows no {words!r}, but {self.text!r}")
                return False
            try:
                self.text += os.read(self.terminal, 4096).decode()
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                check(False, f"the terminal has ended without {words!r}: {self.text!r}")
                return False
        check(True, words)
        self.text = self.text.split(words, 1)[1]
        return True

    def answers_with(self, words):
        ready, _, _ = select.select([self.answers], [], [], TIMEOUT)
        answer = os.read(self.answers, 100).decode().strip() if ready else "nothing"
        check(answer == words, f"the job has {answer}, not {words}: {self.text!r}")

    def order(self, letter):
        os.write(self.orders, letter.encode())

    def close(self):
        for fd in (self.orders, self.answers, self.terminal):
            os.close(fd)
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)


def login(fd):
    os.setsid()
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
    for stream in range(3):
        os.dup2(fd, stream)


# A builtin reads: a shell that is stopped between vfork and exec would not stop at all. That it goes on
# is told, since a key is worth nothing while it is under way.
ASKS = "trap 'echo goes on' CONT; echo ready; until read word; do :; done; echo \"<$word>\"; exit 4"


def test_terminal_read():
    shell = Shell(["sh", "-c", ASKS])
    if shell.sees("ready"):
        shell.type("hello\n")
        shell.sees("<hello>")
        shell.answers_with("ended 4")
    shell.close()


def test_terminal_interrupt():
    for key, number in (("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT)):
        shell = Shell(["sh", "-c", ASKS])
        if shell.sees("ready"):
            shell.type(key)
            shell.answers_with(f"ended -{int(number)}")
        shell.close()
    shell = Shell(["sh", "-c", "trap 'echo caught; exit 3' INT; " + ASKS])
    if shell.sees("ready"):
        shell.type("\x03")
        shell.sees("caught")
        shell.answers_with("ended 3")
    shell.close()


def test_terminal_stop():
    shell = Shell(["sh", "-c", ASKS])
    if shell.sees("ready"):
        for _ in range(3):
            shell.type("\x1a")
            shell.answers_with("stopped echo")
            shell.order("f")
            shell.sees("goes on")
        shell.type("again\n")
        shell.sees("<again>")
        shell.answers_with("ended 4")
    shell.close()


def test_terminal_modes():
    """The shell finds them as they were, and the program as it left them."""
    shell = Shell(["sh", "-c", "stty -echo; echo ready; read word; stty -a | grep -q -e -echo\\ && "
                               "echo \"<quiet $word>\"; exit 4"])
    if shell.sees("ready"):
        shell.type("\x1a")
        shell.answers_with("stopped echo")
        shell.order("f")
        shell.type("again\n")
        shell.sees("<quiet again>")
        shell.answers_with("ended 4")
    shell.close()


def test_terminal_stops_itself():
    shell = Shell(["sh", "-c", "echo ready; kill -TSTP $$; " + ASKS])
    if shell.sees("ready"):
        shell.answers_with("stopped echo")
        shell.order("f")
        shell.sees("ready")
        shell.type("on\n")
        shell.sees("<on>")
        shell.answers_with("ended 4")
    shell.close()


def test_terminal_script():
    """A script that waits for us stops, goes on and is interrupted with us."""
    script = ["/bin/sh", "-c", '"$@"; echo not interrupted', "sh"]
    shell = Shell(["sh", "-c", ASKS], before=script)
    if shell.sees("ready"):
        shell.type("\x1a")
        shell.answers_with("stopped echo")
        shell.order("f")
        shell.sees("goes on")
        shell.type("\x03")
        shell.answers_with(f"ended -{int(signal.SIGINT)}")
        check("not interrupted" not in shell.text, "the script went on")
    shell.close()


def test_terminal_raised():
    """What the program raises itself, or sends to its group, interrupts nobody else."""
    script = ["/bin/sh", "-c", '"$@"; echo "not interrupted, $?"', "sh"]
    for command in ("kill -INT $$", "kill -INT 0", "kill -QUIT $$"):
        shell = Shell(["sh", "-c", "echo ready; read word; " + command], before=script)
        if shell.sees("ready"):
            shell.type("on\n")
            shell.sees(f"not interrupted, {131 if 'QUIT' in command else 130}")
            shell.answers_with("ended 0")
        shell.close()


STEALS = """
import os, signal, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
def tried(what):
    try:
        what()
        return "done"
    except (OSError, termios.error) as error:
        return os.strerror(error.args[0])
modes = termios.tcgetattr(1)
modes[3] &= ~termios.ECHO
print("group:", tried(lambda: os.tcsetpgrp(1, os.getpgrp())))
print("modes:", tried(lambda: termios.tcsetattr(1, termios.TCSANOW, modes)))
def leave_and_change():
    if os.fork() == 0:
        os.setsid()
        print("session:", tried(lambda: termios.tcsetattr(1, termios.TCSANOW, modes)), flush=True)
        os._exit(0)
    os.wait()
leave_and_change()
print("child:", tried(lambda: os.fork() or os._exit(tried(lambda: os.tcsetpgrp(1, os.getpgrp()))
                                                       == "done")), os.wait()[1])
"""


def test_terminal_stolen():
    """Who is in the background does not get it by ignoring SIGTTOU."""
    for in_background in (True, False):
        shell = Shell(["/usr/bin/python3", "-c", STEALS], in_background=in_background)
        got = "Input/output error" if in_background else "done"
        for words in (f"group: {got}", f"modes: {got}", "session: Input/output error", f"child: done {0 if in_background else 256}"):
            shell.sees(words)
        shell.answers_with("ended 0")
        shell.close()


def test_terminal_jobs():
    """A shell with jobs of its own gives them the terminal and takes it back."""
    shell = Shell(["bash", "--norc", "--noprofile", "-i"])
    # a builtin reads, as above
    reads = "sh -c 'echo reads$((1+1)); read word; echo got $word'"
    for command, words in (("PS1='$ '; sleep 0 | cat; echo one$((1+1))", "one2"),
                           (reads, "reads2"), ("\x1a", "Stopped"), ("echo two$((1+1))", "two2"),
                           ("fg", "sh"), ("typed", "got typed"),
                           ("echo three$((1+1)); exit 5", "three2")):
        shell.type(command + ("" if len(command) == 1 else "\n"))
        if words and not shell.sees(words):
            break
    shell.answers_with("ended 5")
    shell.close()


def test_terminal_pipeline():
    """The reader of a pipeline keeps the terminal."""
    pipeline = ["/bin/sh", "-c", 'trap "" INT; "$@" | { read word; echo "[$word]"; '
                                 'read word < /dev/tty; echo "[$word]"; cat; }', "sh"]
    shell = Shell(["sh", "-c", "trap 'echo interrupted; exit' INT; echo ready; "
                               "while :; do sleep 0.01; done"], before=pipeline)
    if shell.sees("[ready]"):
        shell.type("mine\n")
        shell.sees("[mine]")
    shell.close()


# --- everything --------------------------------------------------------------------------------

EVERYBODY = (test_status, test_own_status, test_memory, test_streams, test_paths, test_program,
             test_directory, test_umask, test_deleted_directory, test_policy, test_explain,
             test_learn, test_files_of_ours, test_report, test_signals, test_ignored_signal, test_killed,
             test_terminal_read, test_terminal_interrupt,
             test_terminal_stop, test_terminal_modes, test_terminal_stops_itself,
             test_terminal_script, test_terminal_raised,
             test_terminal_stolen, test_terminal_jobs, test_terminal_pipeline)


def run_tests(tests):
    global scratch
    # below the home of nobody: /tmp is somebody's own in some of them
    with tempfile.TemporaryDirectory(prefix="warmfork-test-", dir="/var/tmp") as scratch:
        if user:
            os.chown(scratch, user["user"], user["group"])
        os.chmod(scratch, 0o755)
        for test in tests:
            test()


def main():
    # a shell ignores them for what it starts in the background, and the programs would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    run_tests((test_words, test_options_end, test_full_disk, *EVERYBODY))
    if os.geteuid() == 0:
        user.update(user=65534, group=65534, extra_groups=[])
        run_tests(EVERYBODY)
    return checks.summary("run")


if __name__ == "__main__":
    sys.exit(main())
