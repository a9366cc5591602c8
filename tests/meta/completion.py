#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""completion.py WARMFORK [--self-test]: shells complete what the command has, and nothing else.

Commands and options are those that `warmfork help` and `warmfork help COMMAND` name, and which of
them take a value. Bash is asked what it completes; the files for zsh and fish are read, and these
shells load them if they are here."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import csource  # noqa: E402

FILES = {"bash": "warmfork.bash", "zsh": "_warmfork", "fish": "warmfork.fish"}
CHECKS = {"bash": ["bash", "-n"], "zsh": ["zsh", "-f", "-n"], "fish": ["fish", "--no-execute"]}
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
TAKES_VALUE = re.compile(r"(?<![\w-])--([a-z][a-z-]*) (?:[A-Z]|json\[)")
COMPLETE = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _warmfork; ' \
           'printf "%s\\n" "${COMPREPLY[@]}"'


def output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, check=False, timeout=60)
    if done.returncode:
        sys.exit(f"completion: {' '.join(command)}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def known_options(warmfork):
    """{command: {option: whether it takes a value}}; `help` is one without options."""
    commands = re.findall(r"^  ([a-z]+) ", output(warmfork, "help"), re.MULTILINE)
    known = {}
    for command in commands:
        text = output(warmfork, "help", command) if command != "help" else ""
        values = set(TAKES_VALUE.findall(text))
        known[command] = {name: name in values for name in OPTION.findall(text)}
    return known


def bash_completes(path, *words):
    return output("bash", "--norc", "-c", COMPLETE, "bash", path, "warmfork", *words).split()


def of_bash(path, commands):
    """The same from what bash completes; an option takes a value if what follows is not completed
    as options are."""
    found = {}
    for command in commands:
        names = [word[2:] for word in bash_completes(path, command, "--") if word[:2] == "--"]
        found[command] = {name: "--help" not in bash_completes(path, command, f"--{name}", "--")
                          for name in names}
    return set(bash_completes(path, "")), found


def of_zsh(path, _):
    text = csource.read("", path)
    bodies = dict(re.findall(r"^_warmfork_([a-z]+)\(\) \{\n(.*?)^\}", text, re.DOTALL | re.M))
    names = set(re.findall(r"^\t\t'([a-z]+):", text, re.MULTILINE))
    found = {command: {name: sign == "=" for name, sign in
                       re.findall(r"^\t+'(?:\([^)]*\)|\*)?--([a-z-]+)(=?)(?=-?\[)", body, re.M)}
             for command, body in bodies.items()}
    for body, options in zip(bodies.values(), found.values()):
        for name in re.findall(r"--([a-z-]+)=-\[", body):  # a value only behind "="
            options[name] = False
    return names, found


def of_fish(path, _):
    text = csource.read("", path)
    names = set(re.findall(r"-n __warmfork_has_no_command -a ([a-z]+)", text))
    found = {}
    for command, name, flags in re.findall(
            r"^complete -c warmfork -n '__warmfork_is ([a-z]+)' -l ([a-z-]+)( -[rx])?", text, re.M):
        found.setdefault(command, {})[name] = bool(flags)
    return names, found


READERS = {"bash": of_bash, "zsh": of_zsh, "fish": of_fish}


def findings(known, shell, path):
    names, found = READERS[shell](path, known)
    for command, options in known.items():
        if command not in names:
            yield f"{shell}: it does not complete the command {command}"
        there = found.get(command, {})
        for name in sorted(options.keys() - there.keys()):
            yield f"{shell}: {command} has --{name}, which it does not complete"
        for name in sorted(there.keys() - options.keys()):
            yield f"{shell}: it completes --{name}, which {command} does not have"
        for name in sorted(options.keys() & there.keys()):
            if options[name] != there[name]:
                yield f"{shell}: {command} --{name} takes {'a' if options[name] else 'no'} value"


def loads(shell, path):
    if not shutil.which(CHECKS[shell][0]):
        print(f"completion: {shell} is not here, its file is only read")
        return
    done = subprocess.run([*CHECKS[shell], path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, stdin=subprocess.DEVNULL, check=False, timeout=60)
    if done.returncode or done.stdout:
        yield f"{shell}: it does not load: {done.stdout.strip()}"


def self_test(known, folder):
    """Each file without one of its options, and with one that is not there, must be found."""
    missed = []
    for shell, name in FILES.items():
        text = csource.read(folder, name)
        for old, new, expected in (
                ("json", "jsno", ["attack has --json", "it completes --jsno"]),
                ("probe", "prove", ["run has --probe", "it completes --prove"])):
            with tempfile.TemporaryDirectory() as work:
                path = os.path.join(work, name)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(re.sub(rf"(--|-l ){old}\b", rf"\g<1>{new}", text))
                said = "\n".join(findings(known, shell, path))
            missed += [f"{shell}: not found: {words}" for words in expected if words not in said]
    return missed


def main():
    warmfork = os.path.abspath(sys.argv[1])
    folder = os.path.join(csource.root(), "completion")
    known = known_options(warmfork)
    if "--self-test" in sys.argv:
        found = self_test(known, folder)
    else:
        found = [] if sum(map(len, known.values())) >= 40 else ["`warmfork help` names too little"]
        for shell, name in FILES.items():
            path = os.path.join(folder, name)
            found += [*loads(shell, path), *findings(known, shell, path)]
    for line in found:
        print(line)
    print(f"completion: {len(known)} commands, {sum(map(len, known.values()))} options, "
          f"{len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
