"""Draws the calls of two runs over time, one above the other on one axis, as an SVG that is legible on light and dark pages."""

from __future__ import annotations

from html import escape

from cloud import Call, is_store
from rows import Measured

WIDTH, MARGIN, LEFT = 960, 16, 16
LANE, BAR, HEAD = 7, 5, 26
BACKGROUND, TEXT, FAINT, REFUSED = "#0d1117", "#c9d1d9", "#8b949e", "#ff7b72"
COLOURS = {
    "S3: state and code": "#8b949e", "IAM": "#e3b341", "Lambda": "#79c0ff", "API Gateway": "#7ee787", "other": "#d2a8ff",
}  # fmt: skip
_KINDS = {"iam": "IAM", "lambda": "Lambda", "apigateway": "API Gateway"}


def timeline(title: str, runs: dict[str, Measured]) -> str:
    """Returns a picture of each run's calls: a bar a call, as long as it took, side by side where they run at once."""
    longest_s = max(run.took_s for run in runs.values())
    scale = (WIDTH - 2 * MARGIN - LEFT) / longest_s
    drawn: list[str] = []
    y = MARGIN + 14.0
    drawn.append(_text(MARGIN, y, title, TEXT))
    y = _legend(drawn, y + 20)
    for name, run in runs.items():
        y += HEAD
        drawn.append(_text(MARGIN, y, f"{name}: {run.took_s:.1f} s, {len(run.calls)} requests", TEXT))
        y += 8
        y = _lanes(drawn, run.calls, y, scale)
        end = MARGIN + LEFT + run.took_s * scale
        drawn.append(
            f'<line x1="{MARGIN + LEFT}" y1="{y:.1f}" x2="{end:.1f}" y2="{y:.1f}" stroke="{TEXT}" stroke-width="1.5"/>'
        )
    y = _axis(drawn, y + 8, longest_s, scale)
    height = y + MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="{WIDTH}" height="{height:.0f}" rx="8" fill="{BACKGROUND}"/>'
    )
    return "\n".join([head, *drawn, "</svg>", ""])


def lanes(calls: list[Call]) -> list[int]:
    """Returns the lane of each call: the first in which nothing runs when it begins."""
    free_at: list[float] = []
    chosen = []
    for call in calls:
        lane = next((number for number, free in enumerate(free_at) if free <= call.began_s), len(free_at))
        if lane == len(free_at):
            free_at.append(0.0)
        free_at[lane] = call.began_s + call.took_s
        chosen.append(lane)
    return chosen


def _lanes(drawn: list[str], calls: list[Call], y: float, scale: float) -> float:
    in_order = sorted(calls, key=lambda call: call.began_s)
    chosen = lanes(in_order)
    for call, lane in zip(in_order, chosen, strict=True):
        x, width = MARGIN + LEFT + call.began_s * scale, max(1.0, call.took_s * scale)
        colour = (
            REFUSED if call.mutates and (call.status or 500) >= 400 and not is_store(call) else COLOURS[_kind(call)]
        )
        told = escape(
            f"{call.service}:{call.operation} {call.target}, {call.took_s * 1000:.0f} ms at {call.began_s:.2f} s"
        )
        drawn.append(
            f'<rect x="{x:.1f}" y="{y + lane * LANE:.1f}" width="{width:.1f}" height="{BAR}" fill="{colour}">'
            f"<title>{told}</title></rect>"
        )
    return y + (max(chosen, default=0) + 1) * LANE + 2


def _kind(call: Call) -> str:
    return "S3: state and code" if is_store(call) else _KINDS.get(call.service, "other")


def _legend(drawn: list[str], y: float) -> float:
    x = float(MARGIN)
    for name, colour in (COLOURS | {"refused by AWS, tried again": REFUSED}).items():
        drawn.append(f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="10" height="10" fill="{colour}"/>')
        drawn.append(_text(x + 15, y, name, FAINT))
        x += 15 + 8 * len(name) + 22
    return y


def _axis(drawn: list[str], y: float, longest_s: float, scale: float) -> float:
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100) if longest_s / step <= 12)
    for second in range(0, int(longest_s) + 1, step):
        x = MARGIN + LEFT + second * scale
        drawn.append(f'<line x1="{x:.1f}" y1="{y - 4:.1f}" x2="{x:.1f}" y2="{y:.1f}" stroke="{FAINT}"/>')
        drawn.append(_text(x, y + 14, f"{second} s", FAINT, "middle"))
    return y + 18


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'
