"""The rows of the table that wait for AWS: each a story that a tool is led through, with a floor and a promise for each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import apps
import graphs
from cloud import DEPLOYS, MODEL, Call, Cloud, Counts
from floor import Floor, Graph, floor
from tools import CHALICE, BenchError, Ended, environment, run

PREVIEWS = 20


@dataclass(frozen=True)
class Promise:
    """What was promised of a step: a share above its floor or a time, and how many calls it may make."""

    above: float = 0.0
    within_s: float | None = None
    most: dict[str, int] = field(default_factory=dict)

    def limit_s(self, least: Floor) -> float:
        """Returns the longest time that keeps the promise."""
        return least.seconds * (1 + self.above) if self.within_s is None else self.within_s

    def broken(self, least: Floor, measured: Measured) -> list[str]:
        """Returns what is not as promised; nothing where all is."""
        told = []
        if measured.took_s > self.limit_s(least):
            told.append(f"{measured.took_s - self.limit_s(least):.2f} s too long")
        counts = vars(measured.counts)
        told += [
            f"{counts[name]} {name.replace('_', ' ')}, not {most}"
            for name, most in self.most.items()
            if counts[name] > most
        ]
        return told


@dataclass(frozen=True)
class Measured:
    """What a tool took for a step."""

    took_s: float
    peak_mib: float
    calls: list[Call]

    @property
    def counts(self) -> Counts:
        """How many calls it made."""
        return Counts.of(self.calls)


@dataclass
class Row:
    """A row of the table: what is done, its floors, the promise, how it is run, and what each tool took, by its name."""

    name: str
    title: str
    floor: Floor
    alone: Floor
    promise: Promise
    command: str
    measured: dict[str, Measured] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    """What every row needs: the cloud, our program, a folder for what it writes, and the tools that are asked."""

    cloud: Cloud
    program: Path
    folder: Path
    tools: tuple[str, ...]
    import_s: float = 0.0

    @property
    def world(self) -> graphs.World:
        """What floors are computed for."""
        return graphs.World(MODEL, self.import_s)

    def deploy(self, tool: str, project: Path, stage: str = "dev", options: Sequence[str] = ()) -> Ended:
        """Deploys a project with a tool."""
        return self._run(tool, ["deploy", "--stage", stage, *options], project)

    def destroy(self, tool: str, project: Path) -> Ended:
        """Removes what a tool deployed."""
        ours = ["destroy", "--stage", "dev", "--yes"]
        return self._run(tool, ours if tool == "stagewright" else ["delete", "--stage", "dev"], project)

    def _run(self, tool: str, arguments: list[str], project: Path) -> Ended:
        variables = environment(self.cloud, self.folder / "cache")
        if tool == "chalice":
            return run([CHALICE, *arguments], project, variables)
        return run([self.program, *arguments, "--state", f"s3://{DEPLOYS}/stagewright"], project, variables)


def hello(bench: Bench) -> Iterator[Row]:
    """A first deploy of one function behind a REST API."""
    first = partial(graphs.first_deploy, apps.HELLO)
    rows = [_row("hello", "hello, first deploy", (first, bench.world), Promise(above=0.10))]
    yield from _story(bench, rows, apps.HELLO, [_deploy])


def ten(bench: Bench) -> Iterator[Row]:
    """Ten functions: their first deploy, three more, and their end."""
    nothing = Promise(within_s=0.3, most={"s3_requests": 1, "calls": 0, "mutating": 0, "polls": 0})
    title = "10 functions, 2 schedules, queue, bucket"

    def row(name: str, title: str, graph: Callable[[graphs.World], Graph], promise: Promise) -> Row:
        return _row(name, title, (graph, bench.world), promise)

    def of_ten(graph: Callable[[graphs.Shape, graphs.World], Graph]) -> Callable[[graphs.World], Graph]:
        return partial(graph, apps.TEN)

    rows = [
        row("ten-first", f"{title}: first deploy", of_ten(graphs.first_deploy), Promise(above=0.10)),
        row("ten-code", "the same, code changed", of_ten(graphs.code_changed), Promise(above=0.15)),
        row("ten-nothing", "the same, nothing changed", graphs.nothing_changed, nothing),
        row(
            "ten-memory", "the same, one function's memory changed", graphs.memory_changed,
            Promise(above=0.15, most={"mutating": 1}),
        ),
        row("ten-destroy", "the same, destroy", of_ten(graphs.destroy), Promise(above=0.15)),
    ]  # fmt: skip
    steps: list[_Step] = [_deploy, _after(apps.change_code), _deploy, _after(apps.change_memory), _destroy]
    yield from _story(bench, rows, apps.TEN, steps)


def hundred(bench: Bench) -> Iterator[Row]:
    """A hundred functions at once, by Lambda's quota. Ours alone: Chalice takes them one after another, for ten minutes."""
    first = partial(graphs.first_deploy, apps.HUNDRED)
    promise = Promise(above=0.15, most={"throttled": 0})
    rows = [_row("hundred", "100 functions, first deploy", (first, bench.world), promise)]
    yield from _story(_alone(bench), rows, apps.HUNDRED, [_deploy], {"quotas": True})


def second(bench: Bench) -> Iterator[Row]:
    """A preview of an app that has one already: they share a role, so that nobody waits for a new one.

    The first one is a while ago: it takes nothing of the quotas that the second is measured with.
    """
    of = (graphs.second_preview, graphs.World(MODEL, None))
    row = _row("second", "a second preview", of, Promise(within_s=3.0, most={"throttled": 0}))
    row.command = "`stagewright deploy --stage pr-2`, behind `pr-1`"
    project = apps.manifest_app(bench.folder / row.name, "second")
    bench.cloud.reset(None)
    try:
        bench.deploy("stagewright", project, "pr-1", ["--quotas", "none"])
        bench.cloud.slow(MODEL, {"quotas": True})
        bench.cloud.forget()
        ended = bench.deploy("stagewright", project, "pr-2")
        row.measured["stagewright"] = Measured(ended.took_s, ended.peak_mib, bench.cloud.log(ended.began))
    except BenchError as error:
        row.failed["stagewright"] = str(error)
    yield row


def previews(bench: Bench) -> Iterator[Row]:
    """Twenty stages of one app at once, each by a process of its own, by API Gateway's quotas.

    The app is none of Chalice's: twenty runners have forty cores to import it on, and here they would wait for each other.
    """
    of = (partial(graphs.previews, PREVIEWS, apps.HELLO), graphs.World(MODEL, None))
    row = _row("previews", f"{PREVIEWS} previews at once", of, Promise(above=0.10))
    row.command = f"`stagewright deploy --stage pr-N`, {PREVIEWS} processes"
    project = apps.manifest_app(bench.folder / row.name, "previews")
    bench.cloud.reset(MODEL, {"quotas": True})
    bench.cloud.forget()
    with ThreadPoolExecutor(PREVIEWS) as pool:
        deploys = [pool.submit(bench.deploy, "stagewright", project, f"pr-{one + 1}") for one in range(PREVIEWS)]
    try:
        ended = [deploy.result() for deploy in deploys]
        began = min(one.began for one in ended)
        took_s = max(one.began + one.took_s for one in ended) - began
        peak_mib = max(one.peak_mib for one in ended)
        row.measured["stagewright"] = Measured(took_s, peak_mib, bench.cloud.log(began))
    except BenchError as error:
        row.failed["stagewright"] = str(error)
    yield row


_Step = Callable[[Bench, str, Path], Ended]
STORIES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "hello": hello, "ten": ten, "hundred": hundred, "second": second, "previews": previews,
}  # fmt: skip


def warm_up(bench: Bench) -> None:
    """Deploys and removes an app with each tool, untimed: what only a first run downloads and compiles is there then."""
    for tool in bench.tools:
        bench.cloud.reset(None)
        project = apps.chalice_app(bench.folder / f"warm-{tool}", "warm", apps.HELLO)
        bench.deploy(tool, project)
        bench.destroy(tool, project)


def _row(
    name: str, title: str, of: tuple[Callable[[graphs.World], Graph], graphs.World], promise: Promise
) -> Row:
    graph, world = of
    with_record, alone = (
        floor(graph(replace(world, is_recorded=is_recorded)), MODEL.latency_s) for is_recorded in (True, False)
    )
    story = name.partition("-")[0]
    return Row(name, title, with_record, alone, promise, f"`bench/run.py --only {story}`")


def _alone(bench: Bench) -> Bench:
    return replace(bench, tools=("stagewright",))


def _story(
    bench: Bench, rows: list[Row], shape: graphs.Shape, steps: list[_Step], settings: dict[str, object] | None = None
) -> Iterator[Row]:
    """Leads each tool through the steps, in a world of its own that begins empty; a step that fails ends its story.

    Ours is led through them three times, and the run of the median counts: a tenth of a second is noise, and of ours that
    is a part. Chalice takes minutes.
    """
    for tool in bench.tools:
        runs: dict[str, list[Measured]] = {}
        for number in range(3 if tool == "stagewright" else 1):
            bench.cloud.reset(MODEL, settings)
            project = apps.chalice_app(bench.folder / f"{rows[0].name}-{tool}-{number}", rows[0].name.partition("-")[0], shape)
            for row, step in zip(rows, steps, strict=True):
                bench.cloud.forget()
                try:
                    ended = step(bench, tool, project)
                except BenchError as error:
                    row.failed[tool] = str(error)
                    break
                runs.setdefault(row.name, []).append(Measured(ended.took_s, ended.peak_mib, bench.cloud.log(ended.began)))
        for row in rows:
            if measured := sorted(runs.get(row.name, ()), key=lambda one: one.took_s):
                row.measured[tool] = measured[len(measured) // 2]
    yield from rows


def _deploy(bench: Bench, tool: str, project: Path) -> Ended:
    return bench.deploy(tool, project)


def _destroy(bench: Bench, tool: str, project: Path) -> Ended:
    return bench.destroy(tool, project)


def _after(change: Callable[[Path], None]) -> _Step:
    def step(bench: Bench, tool: str, project: Path) -> Ended:
        change(project)
        return bench.deploy(tool, project)

    return step
