"""The benchmark: ours and the real Chalice on one emulated AWS, held against a floor that is computed.

    python bench/run.py [--only NAME]... [--tool stagewright|chalice]... [--program PATH] [--write] [--calls]

`make bench` builds the release binary and runs all of it. A run of single rows is printed, and overwrites what is
committed only with `--write`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from cloud import emulated_aws, is_store
from figures import FIGURES, Figure, import_s
from page import Machine, write
from rows import STORIES, Bench, Row, warm_up
from tools import CHECKOUT, environment, run

_TOOLS = ("stagewright", "chalice")
_PROGRAM = CHECKOUT / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "stagewright"


def main() -> None:
    """Measures what it is told to, shows it, and writes the page."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = _arguments()
    chosen = arguments.only or [*STORIES, *FIGURES]
    program = arguments.program.resolve()
    rows: list[Row] = []
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="stagewright-bench-") as folder, emulated_aws() as cloud:
        # Where we are root, the app is imported as a user who owns nothing and must be able to read it.
        Path(folder).chmod(0o755)
        bench = Bench(cloud, program, Path(folder), tuple(arguments.tool or _TOOLS))
        warm_up(bench)
        bench = replace(bench, import_s=import_s(bench))
        for name in chosen:
            for row in STORIES[name](bench) if name in STORIES else ():
                rows.append(row)
                _print(_lines(row, arguments.calls))
            found = _figures(bench, name) if name in FIGURES else []
            figures += found
            _print(f"{figure.title}: {figure.measured} {figure.verdict}" for figure in found)
        told = run([program, "--version"], CHECKOUT, environment(None, Path(folder) / "cache")).output
    if arguments.write or not (arguments.only or arguments.tool):
        machine = Machine.here(told.split()[-1])
        _print(f"written: {file.relative_to(CHECKOUT)}" for file in write(rows, figures, machine, bench.import_s))
    sys.exit(any(row.failed for row in rows))


def _figures(bench: Bench, name: str) -> list[Figure]:
    """Returns the figures of a name; where they cannot be had, why: an hour of measuring is not lost for one of them."""
    try:
        return FIGURES[name](bench)
    except Exception as error:
        traceback.print_exc()
        return [Figure(name, f"failed: {type(error).__name__}", "", "", "")]


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[*STORIES, *FIGURES], help="these rows alone")
    parser.add_argument("--tool", action="append", choices=_TOOLS, help="with these tools alone")
    parser.add_argument("--program", type=Path, default=_PROGRAM, help="our binary")
    parser.add_argument("--write", action="store_true", help="writes docs/performance.md, of single rows too")
    parser.add_argument("--calls", action="store_true", help="prints every call, when it began and how long it took")
    return parser.parse_args()


def _lines(row: Row, shows_calls: bool) -> Iterator[str]:
    yield f"{row.title}: floor {row.floor.seconds:.2f} s ({row.floor.reason}); of AWS alone {row.alone.seconds:.2f} s"
    for tool, measured in row.measured.items():
        counts = ", ".join(f"{count} {name}" for name, count in vars(measured.counts).items())
        yield f"  {tool}: {measured.took_s:.2f} s, {measured.peak_mib:.0f} MiB, {counts}"
        if tool == "stagewright":
            yield f"  limit {row.promise.limit_s(row.floor):.2f} s: {'; '.join(row.promise.broken(row.floor, measured)) or 'met'}"
        for call in measured.calls if shows_calls else []:
            where = "s3" if is_store(call) else call.service
            yield f"    {call.began_s:7.3f} {call.took_s:6.3f} {call.status} {where}:{call.operation} {call.target}"
    for tool, why in row.failed.items():
        yield f"  {tool} FAILED: {why}"


if __name__ == "__main__":
    main()
