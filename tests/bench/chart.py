#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""chart.py JSON SVG: the main rows of a run (bench.py --json) as a bar chart.

Three kinds of rows are not to be read on one scale: what a thing costs beside a reference, rates
beside a reference, and how many times faster something is than what people use instead
(logarithmic).
"""

import json
import math
import sys
from xml.sax.saxutils import escape

sys.dont_write_bytecode = True

import rows  # noqa: E402

WIDTH, LABELS, RIGHT = 940, 380, 150
ROW, BAR, GAP, HEAD = 26, 14, 30, 34
PLOT = WIDTH - LABELS - RIGHT

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 17px; font-weight: 600; }
.head { font-weight: 600; }
.small { font-size: 11px; fill: #59636e; }
.bar { fill: #2f7d6d; }
.missed { fill: #c77a2b; }
.track { fill: #eceff2; }
.goal { stroke: #1f2328; stroke-width: 2; }
.one { stroke: #8c959f; stroke-width: 1; stroke-dasharray: 3 3; }
.paper { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9198a1; }
  .bar { fill: #4fb3a0; }
  .missed { fill: #d99a55; }
  .track { fill: #21262d; }
  .goal { stroke: #e6edf3; }
  .one { stroke: #6e7681; }
  .paper { fill: #0d1117; }
}
"""


class Panel:
    def __init__(self, head, belongs, scale):
        self.head, self.belongs, self.scale = head, belongs, scale


def linear(rows_here):
    top = max([1.25] + [max(min(row["ratio"], 2 * goal(row)), goal(row)) for row in rows_here])
    return lambda value: min(value / (top * 1.02), 1)


def logarithmic(rows_here):
    top = max(max(row["ratio"], goal(row)) for row in rows_here) * 1.2
    return lambda value: min(max(math.log(value) / math.log(top), 0), 1) if value > 0 else 0


def goal(row):
    return float(row["goal"].split()[1])


def is_cost(row):
    return row["goal"].startswith("<=")


PANELS = (
    Panel("Cost, where the reference is 1 (less is better)", is_cost, linear),
    Panel("Rate, where the reference is 1 (more is better)",
          lambda row: not is_cost(row) and goal(row) <= 1, linear),
    Panel("Times faster (logarithmic; more is better)",
          lambda row: not is_cost(row) and goal(row) > 1, logarithmic),
)


def text(x, y, words, kind="", anchor="start"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">'
            f'{escape(words)}</text>')


def rectangle(x, y, width, height, kind):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" rx="2" '
            f'class="{kind}"/>')


def upright(x, y, height, kind):
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x:.1f}" y2="{y + height:.1f}" class="{kind}"/>'


def figure(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def draw_row(row, words, y, scale):
    top = y - BAR + 2
    aim = row["goal"].replace("<=", "≤").replace(">=", "≥")
    label = f"{figure(row['ratio'])}  (goal {aim})"
    return [text(LABELS - 12, y, words, anchor="end"),
            rectangle(LABELS, top, PLOT, BAR, "track"),
            rectangle(LABELS, top, PLOT * scale(row["ratio"]), BAR,
                      "bar" if row["met"] else "missed"),
            upright(LABELS + PLOT * scale(goal(row)), top - 3, BAR + 6, "goal"),
            text(LABELS + PLOT + 8, y, label, "small")]


def draw_panel(panel, rows_here, words, y):
    """(its elements, where the next one starts)"""
    scale = panel.scale(rows_here)
    parts = [text(LABELS, y, panel.head, "head")]
    first = y + 8
    for row in rows_here:
        y += ROW
        parts += draw_row(row, words[row["name"]], y, scale)
    if panel.scale is linear:
        parts.append(upright(LABELS + PLOT * scale(1), first, y - first + 6, "one"))
    return parts, y + GAP + ROW // 2


def foot(machine):
    of_run = "quick run (1 GiB where it says 4)" if machine["quick"] else "full run"
    return (f"{machine['date'][:10]}, {of_run}; {machine['cpu']}, {machine['cpus']} CPUs, "
            f"{machine['memory']}; Linux {machine['kernel']}; {machine['glibc']}")


def draw(result, parts):
    """The text of the SVG file; rows without a ratio are left out."""
    words = {part.name: part.chart for part in parts if part.chart}
    shown = [row for row in result["rows"] if row["name"] in words and row["ratio"] is not None]
    elements = [text(16, 30, "warmfork beside the kernel and other pools", "title"),
                text(16, 48, "Medians of rounds in which both took turns. The upright mark is the "
                             "goal; a bar of the other colour misses it.", "small")]
    y = 48 + HEAD
    for panel in PANELS:
        rows_here = [row for row in shown if panel.belongs(row)]
        if rows_here:
            more, y = draw_panel(panel, rows_here, words, y)
            elements += more
    elements.append(text(16, y, foot(result["machine"]), "small"))
    height = y + 16
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-label="warmfork benchmark">',
        f"<style>{STYLE}</style>", f'<rect width="{WIDTH}" height="{height}" class="paper"/>',
        *elements, "</svg>", ""])


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: chart.py JSON SVG")
    with open(sys.argv[1], encoding="utf-8") as file:
        result = json.load(file)
    parts = [part for group in rows.GROUPS for part in group.parts]
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(draw(result, parts))


if __name__ == "__main__":
    main()
