"""The figures that do not wait for AWS: start-up, memory, sizes, packaging, and a repository of many apps."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apps
import graphs
from cloud import DEPLOYS, MODEL, Counts
from floor import floor
from rows import Bench
from tools import CHALICE, CHECKOUT, ENVIRONMENT, BenchError, Ended, environment, run

sys.path.append(str(CHECKOUT / "demo"))

from github import REPOSITORY, fake_github  # noqa: E402

STARTS = 20
FIFTY = 50
_MIB = 1024 * 1024
# Small wheels of pure Python, which are the same for every platform.
DEPENDENCIES = (
    "attrs", "blinker", "boltons", "cachetools", "certifi", "click", "colorama", "decorator", "filelock", "idna", "iniconfig",
    "inflection", "itsdangerous", "jmespath", "more-itertools", "packaging", "platformdirs", "pluggy", "pyparsing", "python-dateutil<3",
    "pytz", "six", "sortedcontainers", "tabulate", "termcolor", "tomli", "toolz", "typing-extensions", "wcwidth", "zipp",
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A figure: what it is, what was measured, what was promised, whether that is kept, and the command that measures it."""

    title: str
    measured: str
    promised: str
    verdict: str
    command: str


def start_up(bench: Bench) -> list[Figure]:
    """How long the program takes to do nothing."""
    variables = environment(None, bench.folder / "cache")
    took_ms = []
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run([bench.program, "--version"], env=variables, check=True, capture_output=True)
        took_ms.append((time.perf_counter() - began) * 1000)
    median = statistics.median(took_ms)
    return [
        Figure(
            "start-up", f"{median:.1f} ms, median of {STARTS}", "under 20 ms", _kept(median < 20),
            "`stagewright --version`",
        )
    ]  # fmt: skip


def size(bench: Bench) -> list[Figure]:
    """How large the program is."""
    mib = bench.program.stat().st_size / _MIB
    return [Figure("binary", f"{mib:.1f} MiB", "under 25 MB, stripped", _kept(mib * _MIB < 25e6), "`stat`")]


def memory(bench: Bench) -> list[Figure]:
    """How much memory deploys hold, of the app with ten functions and of packages of 1 and 200 MB."""
    bench.cloud.reset(None)
    ten = bench.deploy("stagewright", apps.chalice_app(bench.folder / "memory-ten", "memory", apps.TEN)).peak_mib
    peaks = []
    for megabytes in (1, 200):
        project = apps.heavy_app(bench.folder / f"memory-{megabytes}", megabytes)
        bench.cloud.reset(None)
        peaks.append(bench.deploy("stagewright", project).peak_mib)
        shutil.rmtree(project)
    command = "`stagewright deploy`, `VmHWM` of its process"
    flat = f"{peaks[0]:.0f} MiB with 1 MB, {peaks[1]:.0f} MiB with 200 MB"
    return [
        Figure("peak memory, 10 functions", f"{ten:.0f} MiB", "under 40 MB", _kept(ten * _MIB < 40e6), command),
        Figure("peak memory by size of the package", flat, "flat: within 10 MiB", _kept(peaks[1] - peaks[0] < 10), command),
    ]


def packaging(bench: Bench) -> list[Figure]:
    """How long 30 dependencies take to package, with empty caches and with full ones after a change of the source."""
    told, command = [], "`stagewright plan` and `chalice package out`, of an app with 30 requirements"
    for tool in bench.tools:
        project = apps.chalice_app(bench.folder / f"packaging-{tool}", "packaging", apps.HELLO)
        (project / "requirements.txt").write_text("\n".join(DEPENDENCIES) + "\n")
        variables = environment(bench.cloud, bench.folder / f"packaging-cache-{tool}")
        arguments: list[str | Path] = [CHALICE, "package", "out"]
        if tool == "stagewright":
            bench.cloud.reset(None)
            arguments = [bench.program, "plan", "--state", f"s3://{DEPLOYS}/stagewright"]
        try:
            cold = run(arguments, project, variables).took_s
            apps.change_code(project)
            warm = run(arguments, project, variables).took_s
        except BenchError as error:
            return [
                Figure(
                    "packaging of 30 dependencies", "not measured here", "", f"{tool} failed: {_last(error)}", command
                )
            ]
        told.append(f"{tool}: {cold:.1f} s cold, {warm:.1f} s warm")
    return [Figure("packaging of 30 dependencies", "; ".join(told), "beside `chalice package`", "", command)]


def fifty(bench: Bench) -> list[Figure]:
    """A repository of many apps, of which a push changes one."""
    root = apps.repository(bench.folder / "fifty", FIFTY, f"s3://{DEPLOYS}/stagewright")
    bench.cloud.reset(None)
    with fake_github() as github:
        github.files = {"stagewright.yaml": (root / "stagewright.yaml").read_text()}
        github.checkout = root
        _ci(bench, root, "All of them", github.api_url)
        (root / "services" / "app7" / "src" / "main.py").write_text("def handle(event, context):\n    return 2\n")
        bench.cloud.slow(MODEL)
        bench.cloud.forget()
        ended = _ci(bench, root, "One of them", github.api_url)
    counts = Counts.of(bench.cloud.log(ended.began))
    least = floor(graphs.code_changed(graphs.Shape(), graphs.World(MODEL, None)), MODEL.latency_s).seconds
    measured = f"{ended.took_s:.1f} s (floor {least:.1f} s), {counts.mutating} mutating calls, {counts.s3_requests} S3 requests"
    title = f"a repository of {FIFTY} apps where 1 changed"
    return [Figure(title, measured, "1 mutating call", _kept(counts.mutating == 1), "`stagewright ci`, for a push")]


def image(bench: Bench) -> list[Figure]:
    """How large the action's image is, where an engine is there to make it."""
    title, command = "image of the action", "`docker build -f Dockerfile.prebuilt`"
    engine = shutil.which("docker") or shutil.which("podman")
    if not engine or subprocess.run([engine, "info"], capture_output=True).returncode:
        return [Figure(title, "not measured here: no container engine runs", "", "", command)]
    context = bench.folder / "image"
    (context / "dist").mkdir(parents=True)
    shutil.copy(CHECKOUT / "Dockerfile.prebuilt", context / "Dockerfile")
    shutil.copy(bench.program, context / "dist" / "stagewright-linux-amd64")
    tag = "stagewright-bench"
    variables = dict(os.environ)
    try:
        run([engine, "build", "--build-arg", "TARGETARCH=amd64", "--tag", tag, "."], context, variables)
        shown = run([engine, "image", "inspect", "--format", "{{.Size}}", tag], context, variables)
    except BenchError as error:
        return [Figure(title, f"not measured here: {_last(error)}", "", "", command)]
    return [Figure(title, f"{int(shown.output) / 1e6:.0f} MB", "", "", command)]


FIGURES: dict[str, Callable[[Bench], list[Figure]]] = {
    "startup": start_up, "size": size, "memory": memory, "packaging": packaging, "fifty": fifty, "image": image,
}  # fmt: skip


def import_s(bench: Bench) -> float:
    """How long a bare Python takes to import the app with ten functions, median of 5: no plan of it can be made before."""
    project = apps.chalice_app(bench.folder / "import", "imported", apps.TEN)
    variables = environment(None, bench.folder / "cache")
    command: list[str | Path] = [ENVIRONMENT / "bin" / "python", "-c", "import app"]
    return statistics.median(run(command, project, variables).took_s for _ in range(5))


def _ci(bench: Bench, root: Path, title: str, github: str) -> Ended:
    """Commits what stands, and does what a workflow does when it is pushed to `main`."""
    variables = environment(bench.cloud, bench.folder / "cache")
    git: list[str | Path] = [
        "git",
        "-c",
        "user.name=ann",
        "-c",
        "user.email=ann@example.com",
        "-c",
        "commit.gpgsign=false",
    ]
    if not (root / ".git").exists():
        run([*git, "init", "--quiet", "--initial-branch", "main"], root, variables)
    run([*git, "add", "--all"], root, variables)
    run([*git, "commit", "--quiet", "--message", title], root, variables)
    commit = run([*git, "rev-parse", "HEAD"], root, variables).output.strip()
    files = bench.folder / f"runner-{commit[:8]}"
    files.mkdir()
    for name in ("output", "summary"):
        (files / name).touch()
    (files / "event.json").write_text(json.dumps({"ref": "refs/heads/main", "deleted": False}))
    runner = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": github,
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_RUN_ID": str(int(commit[:6], 16)),
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_EVENT_PATH": str(files / "event.json"),
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_SHA": commit,
        "GITHUB_WORKSPACE": str(root),
        "GITHUB_OUTPUT": str(files / "output"),
        "GITHUB_STEP_SUMMARY": str(files / "summary"),
        "INPUT_GITHUB-TOKEN": "test",
    }
    return run([bench.program, "ci"], root, variables | runner)


def _kept(is_kept: bool) -> str:
    return "met" if is_kept else "not met"


def _last(error: BenchError) -> str:
    return str(error).splitlines()[-1]
