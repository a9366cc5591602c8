#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Files that need each other.

    circles.py               checks the tree
    circles.py --edges       and shows why each file of a circle needs another of it
    circles.py --self-test   checks that circles are found

A node is a pair of files, X.c and X.h. It needs another if it includes its header, or uses a
function that it defines. Files that need each other in a circle can only be understood all at once.

A circle that has to be stands in circles_allow.txt: a line with the reason, then the files of the
circle on indented lines. A file there that is in no circle is a finding too.
"""

import os
import re
import sys

sys.dont_write_bytecode = True

import csource  # noqa: E402

ALLOW = "tests/meta/circles_allow.txt"
FOLDERS = (*csource.LIBRARY, "cli")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
# at the beginning of a line: all else is indented (clang-format)
FUNCTION = re.compile(r"^(?!#|typedef\b|return\b|else\b)([A-Za-z_][\w \t\n*()]*?[ \t\n*])(\w+)\(",
                      re.MULTILINE)

TYPE = re.compile(r"\b(?:enum|struct|union)\s+\Z")  # `enum verdict (*judge)(...)` is no call


def node_of(path):
    return os.path.splitext(path)[0]


def functions(code):
    """(name, is static, is a definition) of each function at the outermost level."""
    for match in FUNCTION.finditer(code):
        if match.group(2).startswith("__attribute"):
            continue
        inside = csource.arguments(code, match.end() - 1)
        rest = code[match.end() + len(inside) + 1:].lstrip()
        yield match.group(2), "static" in match.group(1).split(), rest.startswith("{")


def owners(codes):
    """{function: the node that defines it, or else the one whose header declares it}."""
    defined, declared = {}, {}
    for path, code in codes.items():
        for name, is_static, is_definition in functions(code):
            if is_definition and (not is_static or path.endswith(".h")):
                defined[name] = node_of(path)
            elif path.endswith(".h"):
                declared[name] = node_of(path)
    return {**declared, **defined}


def uses(code, known):
    """Functions in `known` that a file calls, or whose address it takes."""
    own = {name for name, _, _ in functions(code)}  # to declare one is not to use it
    for match in re.finditer(r"(?<![\w.>])([A-Za-z_]\w*)\b(?=\s*([(,;)}]))", code):
        name, follows = match.groups()
        before = code[max(0, match.start() - 16):match.start()]
        if name not in known or name in own or TYPE.search(before):
            continue
        # a variable may have the name of a function of some other file
        if follows == "(" or not re.search(rf"\w[\s*]+\b{name}\s*[;=,)\[]", code):
            yield name


def edges(texts):
    """{node: {node that it needs: why}}."""
    codes = {path: csource.split(text)[0] for path, text in texts.items()}
    nodes = {node_of(path) for path in texts}
    known = owners(codes)
    graph = {node: {} for node in nodes}
    for path, text in texts.items():
        own = node_of(path)
        for match in INCLUDE.finditer(text):
            target = node_of(match.group(1))
            in_comment = not codes[path][match.start():match.end()].strip()
            if target in nodes and target != own and not in_comment:
                graph[own].setdefault(target, f"includes {match.group(1)}")
    for path, code in codes.items():
        own = node_of(path)
        for name in uses(code, known):
            if known[name] != own:
                graph[own].setdefault(known[name], f"uses {name}()")
    return graph


def circles(graph):
    """The strongly connected components of more than one node (Kosaraju)."""
    order, seen = [], set()

    def walk(start, neighbours, out):
        stack = [(start, iter(neighbours(start)))]
        seen.add(start)
        while stack:
            node, rest = stack[-1]
            further = next((n for n in rest if n not in seen), None)
            if further is None:
                out.append(stack.pop()[0])
            else:
                seen.add(further)
                stack.append((further, iter(neighbours(further))))

    for node in sorted(graph):
        if node not in seen:
            walk(node, lambda n: sorted(graph[n]), order)
    backwards = {node: [] for node in graph}
    for node, targets in graph.items():
        for target in targets:
            backwards[target].append(node)
    seen.clear()
    for node in reversed(order):
        if node not in seen:
            found = []
            walk(node, lambda n: backwards[n], found)
            if len(found) > 1:
                yield sorted(found)


def read_allowed(text):
    """[(line number, reason, files)] of the list of exceptions."""
    allowed = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            if not allowed:
                raise SystemExit(f"{ALLOW}:{number}: files without a reason")
            allowed[-1][2].update(line.split())
        else:
            allowed.append((number, line.strip(), set()))
    return allowed


def findings(graph, allowed, with_edges=False):
    in_circles = set()
    for circle in circles(graph):
        in_circles.update(circle)
        excused = any(files.issuperset(circle) for _, _, files in allowed)
        if not excused:
            yield f"a circle of {len(circle)}: {' '.join(circle)}"
        if not excused or with_edges:
            for node in circle:
                for target, why in sorted(graph[node].items()):
                    if target in circle:
                        yield f"    {node} -> {target}: {why}"
    for number, _, files in allowed:
        unused = sorted(files - in_circles)
        if unused or not files:
            yield f"{ALLOW}:{number}: excuses nothing: {' '.join(unused)}"


def check(top, with_edges):
    paths = [path for path in csource.files(top, ".c", ".h") if path.split("/")[0] in FOLDERS]
    graph = edges({path: csource.read(top, path) for path in paths})
    allowed = read_allowed(csource.read(top, ALLOW))
    wrong = list(findings(graph, allowed))
    for line in findings(graph, allowed, True) if with_edges else wrong:
        print(line)
    count = sum(not line.startswith(" ") for line in wrong)
    print(f"circles: {len(graph)} pairs of files, {count} findings")
    return 1 if wrong or not graph else 0


def function(name, body):
    return f"int {name}(int x) {{\n\treturn {body};\n}}\n"


def graph_cases():
    """(name, texts, circles that they have)"""
    plain = {
        "base/a.h": "int a_run(int x);\n",
        "base/a.c": '#include "base/a.h"\n' + function("a_run", "x"),
        "base/b.h": "int b_run(int x);\n",
        "base/b.c": '#include "base/b.h"\n' + function("b_run", "x"),
    }
    # a needs b: what closes the circle?
    needs = {**plain, "base/a.c": '#include "base/b.h"\n' + function("a_run", "b_run(x)")}
    more = {name: {**needs, "base/b.c": plain["base/b.c"] + text} for name, text in (
        ("call", function("b_more", "a_run(x)")),
        ("address", "int (*const run)(int) = { a_run };\n"),
        ("comment", '/* a_run(1)\n#include "base/a.h"\n*/\n'),
        ("static", "static " + function("a_run", "1") + function("b_more", "a_run(x)")),
        ("type", "struct a_run (*more)(int);\n"),
        ("member", function("b_more", "t->a_run(1)")),
        ("variable", "int b_more(int a_run) {\n\treturn (a_run);\n}\n"),
    )}
    declared = {**plain, "base/a.h": plain["base/a.h"] + "int b_run(int x);\n",
                "base/b.c": plain["base/b.c"] + '#include "base/a.h"\n'}
    three = {"base/a.h": '#include "base/b.h"\n', "base/b.h": '#include "proto/c.h"\n',
             "proto/c.h": '#include "base/a.h"\n'}
    two = {"base/a.h": '#include "base/b.h"\n', "base/b.h": '#include "base/a.h"\n',
           "cli/c.h": '#include "cli/d.h"\n',
           "cli/d.h": '#include "cli/c.h"\n#include "base/a.h"\n'}
    return (
        ("a pair is one node", plain, []),
        ("one needs the other", needs, []),
        ("a header", {**needs, "base/b.h": '#include "base/a.h"\n'}, ["base/a base/b"]),
        ("a call without an include", more["call"], ["base/a base/b"]),
        ("the address of a function", more["address"], ["base/a base/b"]),
        ("three", three, ["base/a base/b proto/c"]),
        ("two circles", two, ["base/a base/b", "cli/c cli/d"]),
        ("a declaration for another file", declared, []),
        ("in a comment", more["comment"], []),
        ("a static function of the same name", more["static"], []),
        ("a type of the same name", more["type"], []),
        ("a member of the same name", more["member"], []),
        ("a variable of the same name", more["variable"], []),
    )


LISTS = (  # (the list of allowed circles, how many findings it makes of the circle of x and y)
    ("", 1),
    ("# all\nhas to be\n\tx y\n", 0),
    ("has to be\n\tx\n\ty\n", 0),
    ("has to be\n\tx y z\n", 1),
    ("has to be\n\tx\nthis too\n\ty\n", 1),
    ("has to be\n\tx y\nnothing\n", 1),
)


def self_test():
    wrong, cases = [], graph_cases()
    for name, texts, expected in cases:
        got = sorted(" ".join(circle) for circle in circles(edges(texts)))
        if got != expected:
            wrong.append(f"{name}: {got}, expected {expected}")
    graph = {"x": {"y": ""}, "y": {"x": ""}, "z": {"x": ""}}
    for text, expected in LISTS:
        got = sum(not line.startswith(" ") for line in findings(graph, read_allowed(text)))
        if got != expected:
            wrong.append(f"{text!r}: {got} findings, expected {expected}")
    for line in wrong:
        print(f"circles: {line}")
    print(f"circles: {len(cases) + len(LISTS)} cases, {len(wrong)} judged wrongly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(self_test() if "--self-test" in sys.argv[1:]
             else check(csource.root(), "--edges" in sys.argv[1:]))
