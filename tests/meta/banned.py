#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Calls that are wrong here, and what to write instead.

    banned.py               checks the tree
    banned.py --self-test   checks that each rule can find something

A place that needs one anyway stands in banned_allow.txt with its reason; a line there that excuses
nothing is a finding too.
"""

import os
import re
import sys

sys.dont_write_bytecode = True

import csource  # noqa: E402

PRODUCT = csource.LIBRARY + ("cli", "examples")
EVERYWHERE = PRODUCT + ("include", "tests")


class Rule:
    """`pattern` up to and with the opening parenthesis; `wrong` judges the arguments."""

    def __init__(self, name, pattern, folders, remedy, bad, good, wrong=None):
        self.name, self.folders, self.remedy = name, folders, remedy
        self.pattern = re.compile(pattern)
        self.wrong = wrong or (lambda arguments: True)
        self.bad, self.good = bad, good


def call(names):
    # not a member's name, and not a declaration's type: `->kill(` is somebody's own function
    return rf"(?<![\w.>])(?:{names})\s*\("


def without(flag):
    return lambda arguments: flag not in arguments


def first_is(pattern):
    return lambda arguments: re.match(pattern, arguments.strip()) is not None


RULES = (
    Rule("cloexec", call("socket|socketpair"), PRODUCT, "add SOCK_CLOEXEC",
         "socket(AF_UNIX, SOCK_SEQPACKET, 0)", "socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)",
         without("SOCK_CLOEXEC")),
    Rule("cloexec", call("accept|pipe|dup|epoll_create|inotify_init"), PRODUCT,
         "accept4, pipe2, F_DUPFD_CLOEXEC, ..._create1: close-on-exec from birth",
         "pipe(ends)", "pipe2(ends, O_CLOEXEC)"),
    Rule("cloexec", call("open|openat|open64|pipe2|accept4|mkostemp"), PRODUCT, "add O_CLOEXEC",
         "open(path, O_RDONLY)", "open(path, O_RDONLY | O_CLOEXEC)",
         lambda arguments: "CLOEXEC" not in arguments),
    Rule("cloexec", call("memfd_create|epoll_create1|eventfd|timerfd_create|signalfd"), PRODUCT,
         "add its ..._CLOEXEC", "eventfd(0, EFD_NONBLOCK)", "eventfd(0, EFD_CLOEXEC)",
         lambda arguments: not re.search(r"CLOEXEC|flags", arguments)),
    Rule("recvmsg", call("recvmsg"), PRODUCT, "add MSG_CMSG_CLOEXEC",
         "recvmsg(fd, &m, 0)", "recvmsg(fd, &m, MSG_CMSG_CLOEXEC)", without("MSG_CMSG_CLOEXEC")),
    Rule("wait", call("wait|wait3|wait4"), PRODUCT,
         "wait for one child by its id: the others belong to the host",
         "wait(NULL)", "waitid(P_PID, id, &info, WEXITED)"),
    Rule("wait", call("waitpid"), PRODUCT, "name the child: -1 takes the host's",
         "waitpid(-1, NULL, 0)", "waitpid(pid, NULL, 0)", first_is(r"-\s*1|0\s*,")),
    Rule("wait", call("waitid"), PRODUCT, "name the child: P_ALL takes the host's",
         "waitid(P_ALL, 0, &info, WEXITED)", "waitid(P_PIDFD, id, &info, WEXITED)",
         first_is(r"P_ALL|P_PGID")),
    Rule("kill", call("kill|killpg|tgkill|sigqueue"), PRODUCT,
         "signal by pidfd (process_signal): a number can be somebody else by now",
         "kill(pid, SIGKILL)", "process_signal(pidfd, SIGKILL)"),
    Rule("exit", call("exit"), csource.LIBRARY,
         "a forked child must not run its parent's atexit handlers: _exit",
         "exit(1)", "_exit(1)"),
    Rule("number", call("strtol|strtoul|strtoll|strtoull|strtoimax|strtoumax|atoi|atol|atoll|atof"),
         PRODUCT, "parse by hand or through one helper that checks errno, end and range",
         "atoi(text)", "parse_number(text, &n)"),
    Rule("string", call("sprintf|vsprintf|strcpy|strcat|stpcpy|strncpy|strncat|gets"), EVERYWHERE,
         "snprintf or memcpy with a size that was checked",
         "strcpy(to, from)", "snprintf(to, sizeof to, from)"),
    Rule("shell", call("system|popen"), EVERYWHERE, "posix_spawn: no shell, no wait of its own",
         'system("ls")', "posix_spawn(&pid)"),
    Rule("stack", call("alloca|strdupa|strndupa"), EVERYWHERE, "no stack that a peer can size",
         "alloca(n)", "malloc(n)"),
    Rule("signal", call("signal|bsd_signal|sysv_signal|siginterrupt"), PRODUCT, "sigaction",
         "signal(SIGPIPE, SIG_IGN)", "sigaction(SIGPIPE, &action, NULL)"),
    Rule("jump", call("setjmp|sigsetjmp|_setjmp|longjmp|siglongjmp"), EVERYWHERE,
         "return an error", "setjmp(here)", "return -EIO(here)"),
    Rule("thread", call("strerror|strsignal|strtok|localtime|gmtime|ctime|asctime|rand|srand|random|"
                        "drand48|getpwnam|getpwuid|getgrnam|getgrgid|ttyname|inet_ntoa|tmpnam|mktemp"),
         PRODUCT, "not safe with threads: strerrordesc_np, ..._r",
         "strerror(errno)", "strerrordesc_np(errno)"),
    Rule("sleep", call("sleep|usleep|nanosleep|clock_nanosleep"), ("tests",),
         "wait for the event itself, with a deadline", "usleep(1000)", "poll(&p, 1, 1000)"),
    Rule("sleep", call("poll|ppoll|select|pselect"), ("tests",),
         "wait for the event itself, with a deadline; what has none is looked at: look.h",
         "poll(NULL, 0, 1)", "poll(&p, 1, 1000)", first_is(r"NULL|0\s*,")),
)
MARK = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
ALLOW = "tests/meta/banned_allow.txt"


def findings(path, text):
    """(rule name, line, sentence) of one file."""
    folder = path.split("/")[0]
    code, comments, line_comments = csource.split(text)
    for rule in RULES:
        if folder not in rule.folders:
            continue
        for match in rule.pattern.finditer(code):
            if rule.wrong(csource.arguments(code, match.end() - 1)):
                name = match.group().rstrip("( \t\n")
                yield rule.name, csource.line_of(text, match.start()), f"{name}(): {rule.remedy}"
    for match in re.finditer(r"//", line_comments):
        yield "comment", csource.line_of(text, match.start()), "write /* */: // is for debugging"
    for match in MARK.finditer(comments):
        yield "mark", csource.line_of(text, match.start()), f"{match.group()}: do it, or file it"


def read_allowed(top):
    """{(rule, path): line number}; a line is `RULE PATH REASON...`."""
    allowed, wrong = {}, []
    for number, line in enumerate(csource.read(top, ALLOW).splitlines(), 1):
        words = line.split(None, 2)
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 3:
            wrong.append(f"{ALLOW}:{number}: a line is RULE PATH REASON")
        else:
            allowed[words[0], words[1]] = number
    return allowed, wrong


def check(top):
    allowed, found = read_allowed(top)
    unused = dict(allowed)
    paths = csource.files(top, ".c", ".h")
    for path in paths:
        for rule, line, sentence in findings(path, csource.read(top, path)):
            if (rule, path) in allowed:
                unused.pop((rule, path), None)
            else:
                found.append(f"{path}:{line}: [{rule}] {sentence}")
    found += [f"{ALLOW}:{number}: excuses nothing: {rule} {path}"
              for (rule, path), number in unused.items()]
    for line in found:
        print(line)
    print(f"banned: {len(paths)} files, {len(found)} findings")
    return 1 if found or not paths else 0


def self_test():
    wrong = []
    cases = 0
    for rule in RULES:
        path = os.path.join(rule.folders[0], "x.c")
        cases += 2
        if rule.name not in [name for name, _, _ in findings(path, f"int f(void) {{ {rule.bad}; }}")]:
            wrong.append(f"not found: {rule.bad}")
        for name, _, _ in findings(path, f"int f(void) {{ {rule.good}; }}"):
            wrong.append(f"found as {name}: {rule.good}")
    texts = (
        ("int a; // no\n", ["comment"]),
        ("/* TODO later */\n", ["mark"]),
        ('const char *s = "// TODO system(1)";\n', []),
        ("/* never system(1) */\n", []),
        ("char c = '\"'; // no\n", ["comment"]),
        ("x->kill(x); y.wait(y);\n", []),
        ('char t[] = "/tmp/XXXXXX";\n', []),
    )
    for text, expected in texts:
        cases += 1
        got = [name for name, _, _ in findings("zygote/x.c", text)]
        if got != expected:
            wrong.append(f"{text!r}: {got}, expected {expected}")
    for line in wrong:
        print(f"banned: {line}")
    print(f"banned: {cases} cases, {len(wrong)} judged wrongly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(self_test() if "--self-test" in sys.argv[1:] else check(csource.root()))
