"""Draws what a terminal shows, as an SVG.

`script -qec "python demo/story.py" /dev/null | python demo/picture.py "2. " > docs/demo.svg` draws it from chapter 2 on.
Colours stay, long lines are cut, and only the first lines fit, since it is a picture and no manual.
"""

from __future__ import annotations

import re
import sys
from html import escape

COLUMNS, ROWS = 112, 72
CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 18, 16
COLOURS = {"1": "#ffffff", "2": "#8b949e", "31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "36": "#79c0ff"}
ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")


def main() -> None:
    """Reads a transcript from standard input and prints the picture, from the line that begins as the argument says."""
    lines = sys.stdin.read().splitlines()
    begins = [number for number, line in enumerate(lines) if ESCAPE.sub("", line).startswith("".join(sys.argv[1:]))]
    lines = lines[begins[0] :][:ROWS]
    width = COLUMNS * CELL_WIDTH + 2 * MARGIN
    height = len(lines) * CELL_HEIGHT + 2 * MARGIN
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14">'
    )
    print(f'<rect width="{width:.0f}" height="{height:.0f}" rx="8" fill="#0d1117"/>')
    for row, line in enumerate(lines):
        y = MARGIN + (row + 0.75) * CELL_HEIGHT
        print(f'<text x="{MARGIN}" y="{y:.1f}" xml:space="preserve" fill="#c9d1d9">{spans(line)}</text>')
    print("</svg>")


def spans(line: str) -> str:
    """Returns a line as text in its colours, cut to the picture's width."""
    drawn, left, colour = [], COLUMNS, ""
    for index, part in enumerate(ESCAPE.split(line)):
        if index % 2:
            colour = COLOURS.get(part, "")
            continue
        shown = part if len(part) <= left else part[: max(left - 1, 0)] + "…"
        left -= len(shown)
        if shown:
            drawn.append(f'<tspan fill="{colour}">{escape(shown)}</tspan>' if colour else escape(shown))
        if left <= 0:
            break
    return "".join(drawn)


if __name__ == "__main__":
    main()
