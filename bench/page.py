"""Writes `docs/performance.md` and its picture from what was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from string import Template

from cloud import MODEL
from figures import Figure
from rows import Measured, Row
from timeline import timeline
from tools import CHECKOUT

_DOCS = CHECKOUT / "docs"
_TEMPLATE = Path(__file__).resolve().parent / "page.md"
_DRAWN = "ten-first"
_NAMES = {"stagewright": "Stagewright", "chalice": "Chalice"}


@dataclass(frozen=True)
class Machine:
    """What it was measured on and with."""

    cores: int
    model: str
    system: str
    versions: dict[str, str]

    @staticmethod
    def here(program_version: str) -> Machine:
        """Returns this machine, and the versions that it has."""
        cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        versions = {
            "Stagewright": f"{program_version} ({_commit()})",
            "Chalice": version("chalice"),
            "ministack": version("ministack"),
            "Python": platform.python_version(),
        }
        model = cpu[0].partition(":")[2].strip() if cpu else platform.machine()
        return Machine(os.cpu_count() or 1, model, f"{platform.system()} {platform.release()}", versions)


def _commit() -> str:
    """The commit that is measured."""
    git = ["git", "-C", str(CHECKOUT), "describe", "--always", "--exclude=*", "--dirty"]
    return subprocess.run(git, capture_output=True, text=True).stdout.strip() or "no commit"


def write(rows: list[Row], figures: list[Figure], machine: Machine, import_s: float) -> list[Path]:
    """Writes the page, and the picture where its row was run; returns the files."""
    page = _DOCS / "performance.md"
    page.write_text(text(rows, figures, machine, import_s))
    drawn = next((row for row in rows if row.name == _DRAWN and row.measured), None)
    if drawn is None:
        return [page]
    picture = page.with_suffix(".svg")
    runs = {_NAMES[tool]: measured for tool, measured in drawn.measured.items()}
    picture.write_text(timeline(f"{drawn.title}: every call, on one axis of time", runs))
    return [page, picture]


def text(rows: list[Row], figures: list[Figure], machine: Machine, import_s: float) -> str:
    """Returns the page."""
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    return Template(_TEMPLATE.read_text()).substitute(
        machine=f"{machine.cores} cores of {machine.model}, {machine.system}",
        date=datetime.now(UTC).date().isoformat(),
        versions=versions,
        latency_ms=f"{MODEL.latency_s * 1000:.0f}",
        busy_s=f"{MODEL.busy_s:g}",
        role_delay_s=f"{MODEL.role_delay_s:g}",
        import_ms=f"{import_s * 1000:.0f}",
        times="\n".join(map(_times, rows)),
        counts="\n".join(line for row in rows for line in _counts(row)),
        floors="\n".join(map(_floors, rows)),
        figures="\n".join(map(_figure, figures)),
    )


def _floors(row: Row) -> str:
    of = [f"{least.seconds:.2f} s; {least.reason}" for least in (row.alone, row.floor)]
    return f"- **{row.title}**\n  - AWS alone: {of[0]}.\n  - With the record: {of[1]}."


def _times(row: Row) -> str:
    ours, theirs = row.measured.get("stagewright"), row.measured.get("chalice")
    ratio = f"{theirs.took_s / ours.took_s:.1f}" if ours and theirs else "–"
    limit = row.promise.limit_s(row.floor)
    cells = [
        row.title,
        _seconds(theirs) if "chalice" not in row.failed else "failed",
        f"**{_seconds(ours)}**",
        ratio,
        f"{row.alone.seconds:.2f} s",
        f"{row.floor.seconds:.2f} s",
        f"{limit:.2f} s",
        verdict(row),
        row.command,
    ]
    return _line(cells)


def verdict(row: Row) -> str:
    """Returns whether a promise is kept, and if not what is missing and when the first change began."""
    ours = row.measured.get("stagewright")
    if ours is None:
        told = row.failed.get("stagewright", "").splitlines()
        return f"failed: {told[-1]}" if told else "not measured"
    broken = row.promise.broken(row.floor, ours)
    if not broken:
        return "met"
    changes = [call.began_s for call in ours.calls if call.mutates and call.service != "s3"]
    begun = f"; the first change began at {min(changes):.2f} s" if changes else ""
    return f"not met: {', '.join(broken)}{begun}"


def _counts(row: Row) -> list[str]:
    lines = []
    for tool in ("chalice", "stagewright"):
        if measured := row.measured.get(tool):
            count = measured.counts
            kib = f"{count.s3_bytes / 1024:.0f} KiB"
            numbers = [count.calls, count.mutating, count.polls, count.s3_requests, kib, count.throttled]
            lines.append(_line([row.title, _NAMES[tool], *map(str, numbers), f"{measured.peak_mib:.0f} MiB"]))
    return lines


def _figure(figure: Figure) -> str:
    return _line([figure.title, figure.measured, figure.promised, figure.verdict, figure.command])


def _seconds(measured: Measured | None) -> str:
    if measured is None:
        return "–"
    return f"{measured.took_s:.1f} s" if measured.took_s >= 10 else f"{measured.took_s:.2f} s"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
