"""Draws a comment as GitHub shows it, as an SVG: `python demo/comment.py comments/3.md > docs/comment.svg`.

The comment is one that the demo kept (`DEMO_COMMENTS=comments python demo/story.py`). Only the Markdown that our comments
have is drawn, and what is folded is drawn open.
"""

from __future__ import annotations

import re
import sys
import textwrap
from html import escape, unescape
from pathlib import Path

WIDTH, MARGIN, LINE, SIZE = 980, 16, 21, 14
SANS = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
TEXT, FAINT, LINK, CODE, BORDER, BACK = "#1f2328", "#59636e", "#0969da", "#6639ba", "#d1d9e0", "#f6f8fa"

# In parts of its size, about: no font is at hand, and no two readers have the same.
WIDTH_OF_A_LETTER = 0.59

# `code`, [text](url), a bare URL, or anything up to the next of these.
PIECE = re.compile(r"`([^`]+)`|\[([^\]]+)\]\([^)]*\)|(https?://\S+)|((?:(?!`|\[|https?://).)+|.)")


class Picture:
    """What is drawn, from the top down."""

    def __init__(self) -> None:
        self.drawn: list[str] = []
        self.y = 56.0

    def box(self, x: float, y: float, width: float, height: float, fill: str, stroke: str = "none") -> None:
        """Draws a box."""
        place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        self.drawn.append(f'<rect {place} rx="5" fill="{fill}" stroke="{stroke}"/>')

    def line(self, x: float, y: float, markdown: str, *, bold: bool = False) -> None:
        """Draws a line of Markdown, whose parts follow each other however wide they turn out."""
        if strong := re.fullmatch(r"\*\*(.+)\*\*", markdown):
            return self.line(x, y, strong[1], bold=True)
        parts = []
        for code, link, url, plain in PIECE.findall(markdown):
            if code:
                parts.append(f'<tspan font-family="{MONO}" font-size="{SIZE - 1}" fill="{CODE}">{escape(code)}</tspan>')
            elif link or url:
                parts.append(f'<tspan fill="{LINK}">{escape(link or url)}</tspan>')
            else:
                parts.append(escape(plain))
        weight = ' font-weight="600"' if bold else ""
        self.drawn.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{SIZE}" font-family="{SANS}" fill="{TEXT}"{weight} '
            f'xml:space="preserve">{"".join(parts)}</text>'
        )
        return None

    def table(self, rows: list[list[str]]) -> None:
        """Draws a table, its head first."""
        widths = [max(extent(row[column]) for row in rows) + 26 for column in range(len(rows[0]))]
        for number, row in enumerate(rows):
            x = float(MARGIN)
            for cell, width in zip(row, widths, strict=True):
                self.drawn.append(
                    f'<rect x="{x:.1f}" y="{self.y:.1f}" width="{width:.1f}" height="36" fill="none" stroke="{BORDER}"/>'
                )
                self.line(x + 13, self.y + 23, cell, bold=number == 0)
                x += width
            self.y += 36
        self.y += 12

    def paragraph(self, markdown: str) -> None:
        """Draws text, broken into lines."""
        for line in textwrap.wrap(re.sub(r"\]\([^)]+\)", "]()", markdown), 115, break_long_words=False):
            self.line(MARGIN, self.y + 15, line)
            self.y += LINE + 2
        self.y += 10

    def block(self, lines: list[str]) -> None:
        """Draws what stands in a fence."""
        height = len(lines) * LINE + 26
        self.box(MARGIN, self.y, WIDTH - 2 * MARGIN, height, BACK)
        for number, line in enumerate(lines):
            self.drawn.append(
                f'<text x="{MARGIN + 16}" y="{self.y + 29 + number * LINE:.1f}" font-size="{SIZE - 1}" font-family="{MONO}" '
                f'fill="{TEXT}" xml:space="preserve">{escape(line)}</text>'
            )
        self.y += height + 12

    def svg(self, author: str) -> str:
        """Returns the whole picture, with GitHub's frame around it."""
        height = self.y + 6
        frame = Picture()
        frame.box(0.5, 0.5, WIDTH - 1, height - 1, "#ffffff", BORDER)
        frame.drawn.append(f'<path d="M1 6q0-5 5-5H{WIDTH - 6}q5 0 5 5V38H1z" fill="{BACK}"/>')
        frame.drawn.append(f'<path d="M1 38.5H{WIDTH - 1}" stroke="{BORDER}"/>')
        frame.drawn.append(
            f'<text x="{MARGIN}" y="25" font-size="{SIZE}" font-family="{SANS}" fill="{FAINT}">'
            f'<tspan fill="{TEXT}" font-weight="600">{author}</tspan>  (bot) commented</text>'
        )
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
                'aria-label="The comment on a pull request">',
                *frame.drawn,
                *self.drawn,
                "</svg>",
            ]
        )


def main() -> None:
    """Reads the comment from the file that is named, and prints the picture."""
    print(drawn(Path(sys.argv[1]).read_text()).svg("github-actions"))


def drawn(markdown: str) -> Picture:
    """Draws a comment part by part."""
    picture = Picture()
    lines = iter(markdown.splitlines())
    rows: list[list[str]] = []
    for line in lines:
        if line.startswith("|"):
            if not line.startswith("|---"):
                rows.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if rows:
            picture.table(rows)
            rows = []
        if line.startswith("```"):
            fence = line.rstrip("abcdefghijklmnopqrstuvwxyz")
            picture.block(list(iter(lambda: next(lines), fence)))
        elif found := re.search(r"<summary>(.*)</summary>", line):
            text = re.sub(r"</?code>", "`", found[1])
            picture.line(MARGIN, picture.y + 15, f"▾ {unescape(text)}")
            picture.y += LINE + 12
        elif line.strip() and not line.startswith("<"):
            picture.paragraph(line)
    if rows:
        picture.table(rows)
    return picture


def extent(markdown: str) -> float:
    """Returns how wide a line of Markdown is at most."""
    return len(markdown.replace("`", "")) * WIDTH_OF_A_LETTER * SIZE


if __name__ == "__main__":
    main()
