#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""programs.py WARMFORK POLICIES [--sanitized]: programs of Debian under examples/policies.

Each is run as root and as an ordinary user, and judged from outside: what it wrote is right,
nothing else has changed, no process is left. Its policy is the tightest that works: without any one
entry of its lists, or with one process less, the program fails. What `--learn` prints is enough for
it. Then comes input that was made to do harm; without a sandbox it does, or the test would prove
nothing.

A program that is not installed is named, and the exit status is 77 when all others have passed."""

import ctypes
import http.server
import io
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading

sys.dont_write_bytecode = True

from checks import check, summary  # noqa: E402
from judged import Program, policy_options, policy_text  # noqa: E402
from place import SANITIZED, WARMFORK, Place, execute, run  # noqa: E402

PYTHON = "/usr/bin/python3"
USER = 65533  # an ordinary one, and not whom root's workers become (place.IDENTITY)
PR_SET_CHILD_SUBREAPER = 36

missing = []

# --- gs ----------------------------------------------------------------------------------------


def pdf():
    """A page of 200 x 100 points with a red rectangle of 100 x 50 in its lower left, and a word."""
    content = b"1 0 0 rg 0 0 100 50 re f 0 g BT /F1 12 Tf 120 70 Td (warmfork) Tj ET"
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
               b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Contents 4 0 R"
               b"/Resources<</Font<</F1 5 0 R>>>>>>",
               b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
               b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    text, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(text))
        text += b"%d 0 obj%s endobj\n" % (number, one)
    start = len(text)
    text += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    text += b"".join(b"%010d 00000 n \n" % place for place in places)
    return text + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1,
                                                                              start)


def pixels(ppm):
    found = re.match(rb"P6\n(?:#.*\n)*(\d+) (\d+)\n255\n", ppm)
    if not found:
        return 0, 0, None
    width, height, data = int(found[1]), int(found[2]), ppm[found.end():]
    return width, height, lambda x, y: tuple(data[3 * (y * width + x):][:3])


class Gs(Program):
    name = "gs"
    needs = ("/usr/bin/gs",)
    GS = ["gs", "-q", "-dBATCH", "-dNOPAUSE", "-r72"]

    def prepare(self, place):
        super().prepare(place)
        place.write("in.pdf", pdf())

    def command(self, place):
        return [*self.GS, "-sDEVICE=ppmraw", "-sOutputFile=out/page.ppm", "in.pdf"]

    def is_right(self, place, done):
        width, height, at = pixels(place.read("out/page.ppm"))
        return ((width, height) == (200, 100) and at(50, 75) == (255, 0, 0) and
                at(50, 25) == (255, 255, 255) and
                any(sum(at(x, y)) < 300 for x in range(118, 200) for y in range(15, 35)))

    def harm(self, place):
        evil = (f"{{ ({place.path('evil')}) (w) file (evil) writestring }} stopped pop\n"
                f"{{ (%pipe%touch {place.path('piped')}) (w) file closefile }} stopped pop\n"
                f"{{ ({place.path('secret')}) (r) file 100 string readstring pop print }} "
                "stopped pop\n")

        def prepare(place):
            self.prepare(place)
            place.write("in.pdf", "%!PS\n" + evil + "quit\n")

        command = [*self.GS, "-dNOSAFER", "-sDEVICE=ppmraw", "-sOutputFile=out/page.ppm", "in.pdf"]
        place.make(prepare)
        done = execute(place, command, sandboxed=False)
        check(place.read("evil") == b"evil" and os.path.exists(place.path("piped")) and
              b"the secret" in done.stdout, f"gs does no harm of itself: {done}")
        place.make(prepare)
        before = place.look("out")
        done = run(place, policy_options("gs"), command)
        check(place.look("out") == before and b"the secret" not in done.stdout and done.report,
              f"gs: {done}")

        def endless(place):
            self.prepare(place)
            place.write("in.pdf", "%!PS\n{} loop\n")

        place.make(endless)
        done = run(place, [*policy_options("gs"), "--cpu", "1s"], command)
        check(done.returncode == 243 and done.report["kind"] == "timed out",
              f"gs, an endless page: {done} {done.report}")


# --- tar ---------------------------------------------------------------------------------------


def archive(members):
    """Of (name, text, attributes)."""
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w:gz") as file:
        for name, text, more in members:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o644
            for attribute, value in more.items():
                setattr(member, attribute, value)
            file.addfile(member, io.BytesIO(text) if member.isreg() else None)
    return to.getvalue()


class Tar(Program):
    name = "tar"
    needs = ("/bin/tar", "/bin/gzip")

    def prepare(self, place):
        super().prepare(place)
        place.write("in.tar.gz", archive([
            ("some/file", b"some text\n", {"mtime": 1000000000, "mode": 0o640}),
            ("some/program", b"#!/bin/sh\n", {"mode": 0o755}),
            ("some/link", b"", {"type": tarfile.SYMTYPE, "linkname": "file"}),
            ("hard", b"", {"type": tarfile.LNKTYPE, "linkname": "some/file"})]))

    def command(self, place):
        return ["tar", "-xzpf", "in.tar.gz", "-C", "out"]

    def is_right(self, place, done):
        try:
            status = os.stat(place.path("out/some/file"))
            return (place.read("out/hard") == b"some text\n" and status.st_nlink == 2 and
                    status.st_mtime == 1000000000 and stat.S_IMODE(status.st_mode) == 0o640 and
                    os.stat(place.path("out/some/program")).st_mode & 0o111 == 0o111 and
                    os.readlink(place.path("out/some/link")) == "file")
        except OSError:
            return False

    def harm(self, place):
        kinds = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}

        def prepare(place):
            self.prepare(place)
            place.write("in.tar.gz", archive([
                ("first", b"first\n", {}),
                ("../evil", b"evil\n", {}),
                (place.path("absolute"), b"evil\n", {}),
                ("up", b"", {"type": kinds["link"], "linkname": ".."}),
                ("up/through", b"evil\n", {}),
                ("away", b"", {"type": kinds["link"], "linkname": place.path("victim")}),
                ("same", b"", {"type": kinds["hard"], "linkname": place.path("victim")}),
                ("same", b"overwritten\n", {}),
                ("setuid", b"#!/bin/sh\n", {"mode": 0o4755}),
                ("device", b"", {"type": kinds["device"], "devmajor": 1, "devminor": 3}),
                ("last", b"last\n", {})]))

        # It is told to trust the archive. Only the sandbox does not.
        command = ["tar", "-xzpPf", "in.tar.gz", "-C", "out", "--overwrite"]
        place.make(prepare)
        execute(place, command, sandboxed=False)
        check(place.read("evil") and place.read("absolute") and place.read("through") and
              place.read("victim") == b"overwritten\n" and
              os.stat(place.path("out/setuid")).st_mode & stat.S_ISUID,
              "the archive does no harm of itself")
        place.make(prepare)
        before = place.look("out")
        done = run(place, policy_options("tar"), command)
        inside = place.look()
        check(place.look("out") == before, f"tar: something outside has changed: {done}")
        check(done.returncode == 2 and place.read("out/first") and place.read("out/last"),
              f"tar: the rest of the archive: {done}")
        check(not any(mode & (stat.S_ISUID | stat.S_ISGID) or stat.S_ISCHR(mode) or
                      stat.S_ISBLK(mode) for mode, *_ in inside.values()),
              f"tar: a setuid file or a device: {done}")
        check(any(refusal["path"] and refusal["path"].endswith("/absolute")
                  for refusal in done.report["refusals"]),
              f"tar: what was refused is told: {done.report}")

        def bomb(place):
            self.prepare(place)
            place.write("in.tar.gz", archive([("zeros", bytes(20 << 20), {})]))

        place.make(bomb)
        done = run(place, policy_options("tar"), self.command(place))
        check(done.returncode != 0 and os.stat(place.path("out/zeros")).st_size <= 16 << 20,
              f"tar: a member of 20 MiB: {done}")


# --- gcc, and what it makes --------------------------------------------------------------------

HELLO = """#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    char text[100] = "none";
    if (file)
        (void)!fgets(text, sizeof text, file);
    printf("hello, %zu, %s\\n", strlen("world"), text);
    return 0;
}
"""


class Gcc(Program):
    name = "gcc"
    needs = ("/usr/bin/gcc", "/usr/include/stdio.h")

    def prepare(self, place):
        super().prepare(place)
        place.write("hello.c", HELLO)

    def command(self, place):
        return ["gcc", "-O2", "-o", "out/hello", "hello.c"]

    def is_right(self, place, done):
        return place.read("out/hello").startswith(b"\x7fELF") and os.access(
            place.path("out/hello"), os.X_OK) and os.listdir(place.path("out")) == ["hello"]

    def harm(self, place):
        done, worked = self.attempt(place, re.sub("  scratch: .*\n", "", policy_text("gcc")))
        check(not worked, f"gcc: limits.scratch is not needed: {done}")

        def nosy(place):
            self.prepare(place)
            place.write("hello.c", f'#include "{place.path("secret")}"\n')

        place.make(nosy)
        done = execute(place, self.command(place), sandboxed=False)
        check(b"the secret" in done.stderr, f"gcc does not show what it includes: {done}")
        place.make(nosy)
        done = run(place, policy_options("gcc"), self.command(place))
        check(done.returncode == 1 and b"the secret" not in done.stderr, f"gcc: {done}")

        def huge(place):
            self.prepare(place)
            place.write("hello.c", "char a[1 << 28] = { 1 };\nint main(void) { return 0; }\n")

        place.make(huge)
        done = run(place, policy_options("gcc"), self.command(place))
        check(done.returncode != 0 and not os.path.exists(place.path("out/hello")) or
              os.stat(place.path("out/hello")).st_size <= 16 << 20, f"gcc: a huge program: {done}")


class Hello(Program):
    """What gcc.yaml brings forth, under a policy of its own."""
    name = "hello"
    needs = ("/usr/bin/gcc", "/usr/include/stdio.h")

    def prepare(self, place):
        super().prepare(place)
        place.write("hello.c", HELLO)
        place.write("gcc.yaml", policy_text("gcc"))
        place.own(place.worker)
        done = run(place, policy_options("gcc"), ["gcc", "-O2", "-o", "out/hello", "hello.c"])
        check(done.returncode == 0, f"hello: {done}")

    def command(self, place):
        return ["out/hello"]

    def is_right(self, place, done):
        return done.stdout == b"hello, 5, none\n"

    def harm(self, place):
        place.make(self.prepare)
        command = ["out/hello", place.path("secret")]
        done = execute(place, command, sandboxed=False)
        check(b"the secret" in done.stdout, f"hello does no harm of itself: {done}")
        done = run(place, policy_options("hello"), command)
        check(done.returncode == 242 and not done.stdout and
              done.report["ending"]["violation"]["path"] == place.path("secret"), f"hello: {done}")


# --- python3 with numpy ------------------------------------------------------------------------

SCRIPT = """import sys
import threading

import numpy

a = numpy.random.default_rng(1).random((400, 400))
results = [None] * 4
together = threading.Barrier(4)


def work(i):
    together.wait()
    results[i] = float(numpy.trace(a @ a.T + i * numpy.eye(400)))


threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
expected = [float((a * a).sum()) + 400 * i for i in range(4)]
assert numpy.allclose(results, expected), results
assert numpy.allclose(numpy.linalg.inv(a) @ a, numpy.eye(400))
numpy.save(sys.argv[1], numpy.arange(4) + 1)
"""


class Numpy(Program):
    name = "numpy"
    needs = (PYTHON, "/usr/lib/python3/dist-packages/numpy/__init__.py")

    def prepare(self, place):
        super().prepare(place)
        place.write("script.py", SCRIPT)

    def command(self, place):
        return [PYTHON, "script.py", "out/result.npy"]

    def is_right(self, place, done):
        text = place.read("out/result.npy")
        return text.startswith(b"\x93NUMPY") and text.endswith(
            b"".join(i.to_bytes(8, "little") for i in (1, 2, 3, 4)))

    def is_told_by(self, entry):
        if SANITIZED and "threads" in entry:
            return False
        several = len(os.sched_getaffinity(0)) > 1
        return "OPENBLAS" not in entry or (several and "openblas" in os.path.realpath(
            "/etc/alternatives/libblas.so.3-x86_64-linux-gnu"))

    def harm(self, place):
        if SANITIZED:
            print("programs: numpy: memory is not limited in a build with a sanitizer")
            return

        def greedy(place):
            self.prepare(place)
            place.write("script.py", "import numpy\nnumpy.ones(1 << 28).sum()\n")

        place.make(greedy)
        done = run(place, policy_options("numpy"), self.command(place))
        check(done.returncode == 244 or b"MemoryError" in done.stderr, f"numpy: 2 GiB: {done}")


# --- sqlite3 -----------------------------------------------------------------------------------


class Sqlite3(Program):
    name = "sqlite3"
    needs = ("/usr/bin/sqlite3",)
    writes = ("db",)
    # -wal and -shm go when it closes; the journal stays
    stdin = b"""create table t (a integer primary key, b text);
pragma journal_mode = wal;
begin;
with recursive c(x) as (values (1) union all select x + 1 from c where x < 1000)
  insert into t select x, 'row ' || x from c;
commit;
pragma journal_mode = persist;
update t set b = 'changed' where a = 500;
create index i on t (b);
select count(*), sum(a) from t;
select a from t where b = 'changed';
"""

    def prepare(self, place):
        super().prepare(place)
        os.mkdir(place.path("db"))

    def command(self, place):
        return ["sqlite3", "-bail", "db/data.db"]

    def is_right(self, place, done):
        if done.stdout != b"wal\npersist\n1000|500500\n500\n" or not os.path.exists(
                place.path("db/data.db-journal")):
            return False
        database = sqlite3.connect(place.path("db/data.db"))
        good = (database.execute("pragma integrity_check").fetchall() == [("ok",)] and
                database.execute("select count(*) from t").fetchall() == [(1000,)])
        database.close()
        return good

    def harm(self, place):
        evil = (f".shell touch {place.path('shelled')}\n"
                f"select cast(readfile('{place.path('secret')}') as text);\n"
                f"select writefile('{place.path('evil')}', 'evil');\n"
                f"attach '{place.path('victim')}.db' as v; create table v.t (a);\n").encode()
        command = ["sqlite3", "db/data.db"]
        place.make(self.prepare)
        done = execute(place, command, evil, sandboxed=False)
        check(b"the secret" in done.stdout and place.read("evil") and place.read("victim.db") and
              os.path.exists(place.path("shelled")), f"sqlite3 does no harm of itself: {done}")
        place.make(self.prepare)
        before = place.look("db")
        done = run(place, policy_options("sqlite3"), command, evil)
        check(place.look("db") == before and b"the secret" not in done.stdout and done.report,
              f"sqlite3: {done}")
        endless = (b"with recursive c(x) as (values (1) union all select x from c) "
                   b"select max(x) from c;")
        place.make(self.prepare)
        done = run(place, [*policy_options("sqlite3"), "--cpu", "1s"], command, endless)
        check(done.returncode == 243, f"sqlite3, an endless query: {done} {done.report}")


# --- curl --------------------------------------------------------------------------------------


class Server(http.server.BaseHTTPRequestHandler):
    answered = 0

    def do_GET(self):  # pylint: disable=invalid-name
        Server.answered += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a page\n")

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def has_ports():
    """Can Landlock tell ports apart here? Then a policy that names one is not refused."""
    done = subprocess.run([WARMFORK, "doctor", "--json"], stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)["landlock"]["tcp"]["state"] == "here"


class Curl(Program):
    name = "curl"
    needs = ("/usr/bin/curl",)

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def command(self, place):
        return ["curl", "-sS", "--max-time", "20", f"http://127.0.0.1:{self.server.server_port}/"]

    def is_right(self, place, done):
        return done.stdout == b"a page\n"

    def test(self, place):
        who = f"curl, {place.who()}"
        port = self.server.server_port
        place.make(self.prepare)
        before = Server.answered
        done = run(place, [*policy_options("curl"), "--explain"], self.command(place))
        refusals = [refusal for refusal in done.report["refusals"]
                    if refusal["allow"] == "socket: [inet]"]
        check(done.returncode == 7 and not done.stdout, f"{who}: {done}")
        check(len(refusals) == 1 and refusals[0]["call"] == "socket" and
              refusals[0]["arguments"].startswith("AF_INET,"), f"{who}: {done.report}")
        check(b"to allow it: --socket inet (in a policy file: socket: [inet])" in done.stderr,
              f"{who}: {done}")
        check(Server.answered == before, f"{who}: the server was reached")

        text = policy_text("curl")
        rules = ["socket: [inet]", "namespaces: [user, mount, pid, ipc, uts]",
                 f"tcp_connect: [{port}]"]
        for rule in rules:
            check(rule.replace(str(port), "8080") in text, f"curl.yaml does not tell of {rule}")
        if has_ports():
            self.test_allowed(place, who, text, rules)
            self.test_learned(place, who)
            return
        done, worked = self.attempt(place, text + "\n".join(rules[:2]) + "\n")
        check(worked, f"{who}: with the lines that allow it: {done} {done.report}")
        done, worked = self.attempt(place, text + "\n".join(rules) + "\n")
        check(done.returncode == 241 and b"tcp_connect" in done.stderr and not worked,
              f"{who}: ports cannot be told apart here: {done}")

    def test_allowed(self, place, who, text, rules):
        done, worked = self.attempt(place, text + "\n".join(rules) + "\n")
        check(worked, f"{who}: with the lines that allow it: {done} {done.report}")
        for rule in rules[:2]:
            some = [other for other in rules if other != rule]
            done, worked = self.attempt(place, text + "\n".join(some) + "\n")
            check(not worked, f"{who}: {rule} is not needed: {done}")
        before = Server.answered
        other = rules[:2] + ["tcp_connect: [9]"]
        done, worked = self.attempt(place, text + "\n".join(other) + "\n")
        check(not worked and Server.answered == before, f"{who}: another port: {done}")


# -----------------------------------------------------------------------------------------------


def is_installed(program):
    for path in program.needs:
        if not os.path.exists(path):
            missing.append(f"{program.name}: there is no {path}")
            return False
    return True


def users():
    """None: as whom we are."""
    if os.geteuid() != 0:
        return [None]
    try:
        subprocess.run([WARMFORK, "--version"], user=USER, group=USER, extra_groups=[], check=True,
                       stdout=subprocess.DEVNULL)
    except PermissionError:
        missing.append("an ordinary user: cannot execute what was built here")
        return [None]
    return [None, USER]


def main():
    os.umask(0o022)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    programs = [Program_() for Program_ in (Gs, Tar, Gcc, Hello, Numpy, Sqlite3, Curl)]
    programs = [program for program in programs if is_installed(program)]
    with tempfile.TemporaryDirectory(prefix="warmfork-programs-") as top:
        os.chmod(top, 0o755)
        for user in users():
            for program in programs:
                program.test(Place(os.path.join(top, program.name), user))
    return summary("programs", missing)


if __name__ == "__main__":
    sys.exit(main())
