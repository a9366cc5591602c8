#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""from_headers.py: the manual pages of section 3 are the comments of the public headers.

    from_headers.py --list HEADER...             names of the pages, one a line
    from_headers.py --check HEADER...            every function has a comment that says since when,
                                                 and every struct and macro has a page
    from_headers.py --write SCDOC DIR HEADER...  writes them into DIR

A section of a header (`/* --- title --- */`) is a page. It is called after its first function, or its
last struct if it has none; every other function, struct and macro with arguments of it is a page
that names the first."""

import os
import re
import subprocess
import sys

VERSION = "0.1.0"
SECTION = re.compile(r"^/\* --- (.+?) -+ \*/$", re.MULTILINE)
COMMENT = re.compile(r"/\*(.*?)\*/", re.DOTALL)
MACRO = re.compile(r"#define(.*\\\n)*.*")
NO_FUNCTION = re.compile(r"^typedef [^;]*;|\{.*?^\}", re.MULTILINE | re.DOTALL)
FUNCTION = re.compile(r"\b(wf_\w+)\s*\(")
STRUCT = re.compile(r"^struct (wf_\w+)(?: \{|;)", re.MULTILINE)
COMPLETE_STRUCT = re.compile(r"^struct (wf_\w+) \{", re.MULTILINE)
NAMED_MACRO = re.compile(r"^#define (WF_\w+)\(", re.MULTILINE)
SKIPPED = re.compile(r"#(if|el|endif|pragma)|extern \"C\"|\}$")

# How the functions of a header fail: tasks and images leave no sentence for wf_last_error().
RETURNS = (
    "Functions that return int return 0 or a positive count on success and a negative errno on "
    "failure; _wf\\_last\\_error_() then has a sentence that says what went wrong. ")
RETURNS_OF = {
    "warmfork/task.h":
        "The description of each function says what it returns. _wf\\_last\\_error_() has no sentence "
        "for these functions; _wf\\_init_() writes one to stderr. For the rules about threads, see the "
        "head of _<warmfork/task.h>_.",
    "warmfork/policy.h": RETURNS +
        "For the rules about threads, see the head of _<warmfork/policy.h>_; for the list of errors "
        "and for who owns what, that of _<warmfork/executor.h>_.",
}
RETURNS_OF_OTHERS = RETURNS + (
    "For the list of errors, the rules about threads, and who owns what, see the head of "
    "_<warmfork/executor.h>_.")


def without_marks(comment):
    lines = [re.sub(r"^\s*\* ?", "", line) for line in comment.strip().split("\n")]
    return "\n".join(lines).strip()


def through(line, lines, is_last):
    """The line and those after it, up to the last."""
    block = [line]
    while not is_last(block[-1]):
        block.append(next(lines))
    return block


def items(text):
    """(comment, code) of each declaration: those that touch belong together."""
    comment, code = "", []
    lines = iter([*text.split("\n"), ""])
    for line in lines:
        if line.startswith("/*"):
            if code:
                yield comment, "\n".join(code)
            block = through(line, lines, lambda last: "*/" in last)
            comment, code = without_marks(COMMENT.search("\n".join(block)).group(1)), []
        elif not line.strip():
            if code or comment:
                yield comment, "\n".join(code)
            comment, code = "", []
        elif line.rstrip().endswith("{") and not SKIPPED.match(line):
            code += through(line, lines, lambda last: last.startswith("}"))
        elif not SKIPPED.match(line):
            code.append(line)


def functions(code):
    plain = NO_FUNCTION.sub("", MACRO.sub("", COMMENT.sub("", code)))
    return FUNCTION.findall(plain)


class Page:
    def __init__(self, header, title, text):
        self.header, self.title = header, title
        self.items = [(comment, code, functions(code)) for comment, code in items(text)]
        self.functions = [name for _, _, names in self.items for name in names]
        structs = [name for _, code, _ in self.items for name in STRUCT.findall(code)]
        macros = [name for _, code, _ in self.items for name in NAMED_MACRO.findall(code)]
        first = (self.functions or structs[::-1])[:1]
        others = self.functions + structs + macros
        self.names = first + [name for name in others if name not in first]


def sections(path):
    """The header's name, what is before its first section, then a title and a text for each."""
    with open(path, encoding="utf-8") as file:
        return "/".join(path.split("/")[-2:]), *SECTION.split(file.read())


def pages(headers):
    for path in headers:
        header, _, *parts = sections(path)
        for title, part in zip(parts[::2], parts[1::2]):
            page = Page(header, title, part)
            if page.names:
                yield page


def escape(text):
    text = re.sub(r"([\\_*#~<>\[\]+.])", r"\\\1", text)
    return re.sub(r"`([^`]*)`", r"_\1_", text)


def paragraphs(comment):
    for part in re.split(r"\n\s*\n", comment):
        if re.search(r"^\s{2,}", part, re.MULTILINE):
            yield "```\n" + part + "\n```"
        else:
            yield escape(re.sub(r"\s*\n\s*", " ", part))


def scdoc(page, beside):
    """The page, which names those `beside` it."""
    name = page.names[0]
    what = page.title if page.functions else f"struct {name} and what stands in it"
    lines = [f'{name}(3) "" "warmfork {VERSION}"', "", "# NAME", "",
             f"{', '.join(page.names)} - {what}", "", "# SYNOPSIS", "", "```",
             f"#include <{page.header}>"]
    for _, code, names in page.items:
        if names:
            lines += ["", code]
    lines += ["```", "", "# DESCRIPTION", ""]
    for comment, code, names in page.items:
        if names:
            lines += ["## " + ", ".join(f"{name}()" for name in names), ""]
        elif code:
            # scdoc would take the backslash of a macro's line away
            lines += ["```", re.sub(r"\s*\\\n\s*", " ", code), "```", ""]
        for part in paragraphs(comment):
            lines += [part, ""]
    lines += ["# RETURN VALUE", "", RETURNS_OF.get(page.header, RETURNS_OF_OTHERS), "",
              "# SEE ALSO", "",
              ", ".join([f"*{escape(other)}*(3)" for other in beside]
                        + ["*warmfork*(1)", "*warmfork-policy*(5)"])]
    return "\n".join(lines) + "\n"


def write(program, folder, headers):
    all_pages = list(pages(headers))
    for page in all_pages:
        source = scdoc(page, [other.names[0] for other in all_pages
                              if other.header == page.header and other is not page])
        name, *others = page.names
        run = subprocess.run([program], input=source, text=True, stdout=subprocess.PIPE, check=False)
        if run.returncode:
            sys.exit(f"from_headers: scdoc refused {name}:\n{source}")
        texts = {name: run.stdout, **{other: f".so man3/{name}.3\n" for other in others}}
        for target, text in texts.items():
            with open(os.path.join(folder, target + ".3"), "w", encoding="utf-8") as file:
                file.write(text)


def check(headers):
    """Every function has a comment that says since when there is it, and nothing that a program
    writes down stands before the first section, where no page would have it."""
    found, n = [], 0
    for header, before, *_ in map(sections, headers):
        found += [f"{header}: {name} stands before the first section, so no page has it"
                  for name in COMPLETE_STRUCT.findall(before) + NAMED_MACRO.findall(before)]
    for page in pages(headers):
        n += len(page.functions)
        for comment, _, names in page.items:
            if "Since 0." not in " ".join(comment.split()):
                found += [f"{page.header}: {name}() has no comment that ends with its release"
                          for name in names]
    print("\n".join([*found, f"from_headers: {n} functions, {len(found)} findings"]))
    return 1 if found or not n else 0


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "--list":
        for page in pages(arguments):
            print("\n".join(f"{name}.3" for name in page.names))
    elif command == "--write":
        write(arguments[0], arguments[1], arguments[2:])
    else:
        return check(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
