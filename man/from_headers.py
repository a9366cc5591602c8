#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""from_headers.py: the manual pages of section 3 are the comments of the public headers.

    from_headers.py --list HEADER...             names of the pages, one a line
    from_headers.py --check HEADER...            every function has a comment that says since when
    from_headers.py --write SCDOC DIR HEADER...  writes them into DIR

A section of a header (`/* --- title --- */`) is a page. It is called after its first function, or its
last struct if it has none; every other function and struct of it is a page that names the first."""

import os
import re
import subprocess
import sys

SECTION = re.compile(r"^/\* --- (.+?) -+ \*/$", re.MULTILINE)
COMMENT = re.compile(r"/\*(.*?)\*/", re.DOTALL)
FUNCTION = re.compile(r"\b(wf_\w+)\s*\(")
TYPE = re.compile(r"^(?:struct|enum) (wf_\w+) \{", re.MULTILINE)
SKIPPED = re.compile(r"^(#if|#endif|#pragma|#ifdef|#else|#elif|extern \"C\"|\}$)")


def without_marks(comment):
    lines = [re.sub(r"^\s*\* ?", "", line) for line in comment.strip().split("\n")]
    return "\n".join(lines).strip()


def items(text):
    """(comment, code) of each declaration: those that touch belong together."""
    comment, code = None, []
    position = 0
    lines = text.split("\n")
    while position < len(lines):
        line = lines[position]
        if line.startswith("/*") and not line.startswith("/* ---"):
            if code:
                yield comment, "\n".join(code)
            block = [line]
            while "*/" not in lines[position]:
                position += 1
                block.append(lines[position])
            comment, code = without_marks(COMMENT.search("\n".join(block)).group(1)), []
        elif not line.strip():
            if code or comment:
                yield comment, "\n".join(code)
            comment, code = None, []
        elif not SKIPPED.match(line) or line == "};":
            code.append(line)
            if line.rstrip().endswith("{"):
                while not lines[position].startswith("}"):
                    position += 1
                    code.append(lines[position])
        position += 1
    if code or comment:
        yield comment, "\n".join(code)


def functions(code):
    plain = COMMENT.sub("", code)
    if "#define" in plain:
        plain = re.sub(r"#define(.*\\\n)*.*", "", plain)
    if re.search(r"\{|^typedef", plain, re.MULTILINE) and not re.search(r"\);\s*$", plain):
        return []
    plain = re.sub(r"^typedef [^;]*;", "", plain, flags=re.MULTILINE)
    return FUNCTION.findall(plain)


class Page:
    def __init__(self, header, title, text):
        self.header, self.title = header, title
        self.items = list(items(text))
        self.functions = [name for _, code in self.items for name in functions(code)]
        self.types = [name for _, code in self.items for name in TYPE.findall(code)
                      if code.startswith("struct")]
        self.name = (self.functions or self.types[::-1] or [None])[0]
        self.aliases = [name for name in [*self.functions, *self.types] if name != self.name]


def pages(headers):
    for path in headers:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        header = "/".join(path.split("/")[-2:])
        marks = list(SECTION.finditer(text))
        ends = [mark.start() for mark in marks[1:]] + [len(text)]
        for mark, end in zip(marks, ends):
            page = Page(header, mark.group(1), text[mark.end():end])
            if page.name:
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


def scdoc(page, version):
    what = page.title if page.functions else f"struct {page.name} and what stands in it"
    lines = [f'{page.name}(3) "" "warmfork {version}"', "", "# NAME", "",
             f"{', '.join([page.name, *page.aliases])} - {what}", "", "# SYNOPSIS", "", "```",
             f"#include <{page.header}>"]
    for _, code in page.items:
        if functions(code):
            lines += ["", code]
    lines += ["```", "", "# DESCRIPTION", ""]
    for comment, code in page.items:
        names = functions(code)
        if names:
            lines += ["## " + ", ".join(f"{name}()" for name in names), ""]
        elif code:
            lines += ["```", code, "```", ""]
        for part in paragraphs(comment or ""):
            lines += [part, ""]
    lines += ["# RETURN VALUE", "",
              "Functions that return int give 0 or a positive count on success and a negative errno on "
              "failure; _wf\\_last\\_error_() has the sentence. The list of errors, what holds for "
              "threads, and who owns what: see the head of _<warmfork/executor.h>_.", "",
              "# SEE ALSO", "", "*warmfork*(1), *warmfork-policy*(5)"]
    return "\n".join(lines) + "\n"


def write(program, folder, headers):
    for page in pages(headers):
        source = scdoc(page, "0.1.0")
        run = subprocess.run([program], input=source, text=True, stdout=subprocess.PIPE, check=False)
        if run.returncode:
            sys.exit(f"from_headers: scdoc refused {page.name}:\n{source}")
        for name, text in [(page.name, run.stdout),
                           *((alias, f".so man3/{page.name}.3\n") for alias in page.aliases)]:
            with open(os.path.join(folder, name + ".3"), "w", encoding="utf-8") as file:
                file.write(text)


def unexplained(headers):
    """Functions without a comment that says since when there are."""
    for page in pages(headers):
        for comment, code in page.items:
            for name in functions(code):
                if "Since 0." not in " ".join((comment or "").split()):
                    yield f"{page.header}: {name}() has no comment that ends with its release"


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "--list":
        for page in pages(arguments):
            print("\n".join(f"{name}.3" for name in [page.name, *page.aliases]))
    elif command == "--write":
        write(arguments[0], arguments[1], arguments[2:])
    else:
        found = list(unexplained(arguments))
        n = sum(len(page.functions) for page in pages(arguments))
        print("\n".join([*found, f"from_headers: {n} functions, {len(found)} findings"]))
        return 1 if found or not n else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
