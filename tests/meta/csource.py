# SPDX-License-Identifier: MIT
"""What the checks of this folder share: which files are ours, and C text without its comments."""

import os
import re
import subprocess

LIBRARY = ("base", "proto", "policy", "executor", "sandbox", "zygote")
FOLDERS = ("include", *LIBRARY, "cli", "examples", "tests")

TOKEN = re.compile(
    r"""(?P<block>/\*.*?\*/)|(?P<line>//[^\n]*)|(?P<string>"(?:\\.|[^"\\\n])*")"""
    r"""|(?P<char>'(?:\\.|[^'\\\n])*')""",
    re.DOTALL | re.VERBOSE,
)


def root():
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _listing(top):
    """What git knows or would add, else what lies in our folders."""
    try:
        return subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=top, check=True, capture_output=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        return [os.path.relpath(os.path.join(at, name), top)
                for folder in FOLDERS
                for at, _, names in os.walk(os.path.join(top, folder)) for name in names]


def all_files(top, *endings):
    """Relative to `top`, also those outside of our folders."""
    return sorted({path for path in _listing(top)
                   if path.endswith(endings) and os.path.isfile(os.path.join(top, path))})


def files(top, *endings):
    """Those in our folders."""
    return [path for path in all_files(top, *endings) if path.split("/")[0] in FOLDERS]


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8") as file:
        return file.read()


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def split(text):
    """(code, comments, line_comments) of C text, each as long as the text with the rest blanked.

    In `code` the inside of string and character literals is blank too."""
    code, comments, line_comments = [], [], []
    at = 0
    for token in TOKEN.finditer(text):
        plain, found = text[at:token.start()], token.group()
        blank = _blank(plain)
        code.append(plain)
        comments.append(blank)
        line_comments.append(blank)
        is_comment = token.lastgroup in ("block", "line")
        code.append(_blank(found) if is_comment else found[0] + _blank(found[1:-1]) + found[-1])
        comments.append(found if is_comment else _blank(found))
        line_comments.append(found if token.lastgroup == "line" else _blank(found))
        at = token.end()
    code.append(text[at:])
    comments.append(_blank(text[at:]))
    line_comments.append(_blank(text[at:]))
    return "".join(code), "".join(comments), "".join(line_comments)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def arguments(code, opening):
    """The text between the parenthesis at `opening` and its partner."""
    depth = 0
    for at in range(opening, len(code)):
        if code[at] == "(":
            depth += 1
        elif code[at] == ")":
            depth -= 1
            if depth == 0:
                return code[opening + 1:at]
    return code[opening + 1:]
