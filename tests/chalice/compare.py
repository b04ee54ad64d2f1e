"""Deploys the same app with Chalice and with Stagewright into two empty worlds, and compares what then stands in them.

    python tests/chalice/compare.py [--program PATH] [--only chalice|stagewright] [--theirs URL --ours URL]
                                    [--differences FILE] [--counts] [--print PATH] [APP...]

An app of `apps/` is deployed, deployed again as it is, changed by what lies in its `change/`, and deleted. After each
of these, both worlds and both recorded files must be equal, but for what `differences.json` lists with a reason; and an
entry of that list which explains nothing must go. Chalice has to deploy every app, Stagewright must leave a world alone
in which nothing changed.

Without apps it compares all of them, without URLs it starts emulators of its own. `--counts` prints how many calls each
tool made, `--print` what stands below a path (`first/functions`), for whoever looks into a difference.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_TESTS = _HERE.parent
_BIN = _TESTS.parent / ".env" / "bin"
sys.path.insert(0, str(_TESTS / "aws"))

from standing import Account  # noqa: E402

_STAGE = "dev"
_ACCOUNT_ID = "000000000000"
_RECORD = f".chalice/deployed/{_STAGE}.json"
_SCRUBBED = ("AWS_", "GITHUB_", "RUNNER_", "STAGEWRIGHT_", "CLICOLOR", "CHALICE_")
_WITHIN_S = 300
# Chalice prints a traceback with each error; what it means stands last.
_SHOWN_LINES = 12

# The steps in their order. Chalice deploys everything again where nothing changed, to the same end: only counted.
_STEPS = ("first", "again", "changed", "deleted")
_STEPS_OF_CHALICE = ("first", "changed", "deleted")
# Operations that a tool calls and the emulator lacks, each with what is therefore not compared. There are none today:
# what ministack lacks of API Gateway's imports, domain names and deployments is the proxy's, in `tests/aws/`.
_LACKING: dict[str, str] = {}
_DEPLOY = ["deploy", "--stage", _STAGE]
_COMMANDS = {
    "chalice": dict.fromkeys(_STEPS, _DEPLOY) | {"deleted": ["delete", "--stage", _STAGE]},
    "stagewright": dict.fromkeys(_STEPS, _DEPLOY) | {"deleted": ["destroy", "--stage", _STAGE, "--yes"]},
}


class CompareError(Exception):
    """An app that could not be deployed, or a tool that did what it must not."""


@dataclass(frozen=True)
class Tool:
    """One of the two: its program, the emulator that it deploys to, and what it does there."""

    name: str
    program: Path
    endpoint: str | None
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and what it printed."""

    code: int
    lines: list[str]


@dataclass
class Run:
    """What a tool did with an app: what stood after each step, and how many calls it took."""

    worlds: dict[str, Any] = field(default_factory=dict)
    calls: dict[str, list[str]] = field(default_factory=dict)
    took_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """A place where two worlds are not the same."""

    path: str
    theirs: str
    ours: str


def main() -> None:
    """Compares the apps that it is told to, and says where they differ."""
    arguments = _arguments()
    themes = arguments.apps or sorted(path.name for path in (_HERE / "apps").iterdir())
    with ThreadPoolExecutor(1 if arguments.theirs else 2) as pool:
        outcomes = list(pool.map(lambda theme: _theme(theme, arguments), themes))
    for theme, (_, complaints) in zip(themes, outcomes, strict=True):
        for complaint in complaints:
            print(f"{theme}: {complaint}")
    if arguments.counts:
        _print_counts(dict(zip(themes, (runs for runs, _ in outcomes), strict=True)))
    sys.exit(any(complaints for _, complaints in outcomes))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("apps", nargs="*", help="names of folders of apps/")
    parser.add_argument("--program", type=Path, default=_TESTS.parent / "target/debug/stagewright")
    parser.add_argument("--only", choices=sorted(_COMMANDS), help="deploys with one tool and compares nothing")
    parser.add_argument("--theirs", help="endpoint of the emulator that Chalice deploys to")
    parser.add_argument("--ours", help="endpoint of the emulator that Stagewright deploys to")
    parser.add_argument("--differences", type=Path, default=_HERE / "differences.json", help="another list of them")
    parser.add_argument("--counts", action="store_true", help="prints how many calls each tool made")
    parser.add_argument("--print", dest="shown", help="prints what stands below a path in each world")
    return parser.parse_args()


def _theme(theme: str, arguments: argparse.Namespace) -> tuple[dict[str, Run], list[str]]:
    """Runs one app with each tool, side by side, and returns what they did and what is wrong with it."""
    tools = [
        Tool("chalice", _BIN / "chalice", arguments.theirs, steps=_STEPS if arguments.counts else _STEPS_OF_CHALICE),
        Tool("stagewright", arguments.program.resolve(), arguments.ours, steps=_STEPS),
    ]
    chosen = [tool for tool in tools if arguments.only in (None, tool.name)]
    with ThreadPoolExecutor(2) as pool:
        pending = {tool.name: pool.submit(_story, theme, tool) for tool in chosen}
        runs, complaints = {}, []
        for tool, one in pending.items():
            try:
                runs[tool] = one.result()
            except CompareError as error:
                complaints.append(str(error))
            except Exception:  # noqa: BLE001
                complaints.append(f"{tool}: {traceback.format_exc()}")
    if arguments.shown:
        for tool, run in runs.items():
            below = json.dumps(_below(run.worlds, arguments.shown), indent=1)
            print(f"--- {theme}, {tool}, {arguments.shown}:\n{below}")
    if len(runs) == len(_COMMANDS):
        complaints += _judge(theme, runs["chalice"], runs["stagewright"], _listed(arguments.differences))
    return runs, complaints


def _story(theme: str, tool: Tool) -> Run:
    """Deploys an app, deploys it again, changes it and deletes it, and notes the world after each step."""
    run = Run()
    with (
        tempfile.TemporaryDirectory(prefix=f"{tool.name}-{theme}-") as folder,
        _emulator(tool.endpoint) as at,
        _running(tool, Path(folder)) as run_tool,
    ):
        account, project = Account(at), Path(folder) / "project"
        shutil.copytree(_HERE / "apps" / theme, project, ignore=shutil.ignore_patterns("change", "needs.json"))
        needs = _HERE / "apps" / theme / "needs.json"
        # What a tool waits for by sleeping is ready at once.
        account.proxy("settings", "POST", {"busy_s": 1e-9})
        _prepare(account, json.loads(needs.read_text()) if needs.exists() else {})
        for step in tool.steps:
            if step == "changed":
                shutil.copytree(_HERE / "apps" / theme / "change", project, dirs_exist_ok=True)
            account.proxy("log", "DELETE")
            began = time.monotonic()
            ended = run_tool(_COMMANDS[tool.name][step], project, _environment(at))
            if ended.code:
                said = [f"{tool.name}, {step}: exit code {ended.code}", *ended.lines[-_SHOWN_LINES:]]
                raise CompareError("\n".join(said))
            run.took_s[step] = time.monotonic() - began
            log = account.proxy("log")
            run.calls[step] = [entry["operation"] for entry in log]
            if lacking := sorted({entry["operation"] for entry in log if _is_lacking(entry)} - _LACKING.keys()):
                raise CompareError(f"{tool.name}, {step}: the emulator lacks {', '.join(lacking)}")
            if tool.name == "stagewright" and step == "again":
                run.worlds["written again"] = [f"{e['operation']} {e['target']}" for e in log if e["mutates"]]
            record = project / _RECORD
            recorded = json.loads(record.read_text())["resources"] if record.exists() else []
            run.worlds[step] = account.standing(recorded)
    return run


def _is_lacking(call: dict[str, Any]) -> bool:
    """Whether nobody here knows a call: it has no name but its path, or was not answered as AWS would."""
    return " " in call["operation"] or call["status"] is None or call["status"] >= 500


def _environment(endpoint: str) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SCRUBBED)}
    return environment | {
        "PATH": f"{_BIN.parent / 'path'}:{os.environ.get('PATH', '')}",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextmanager
def _running(tool: Tool, folder: Path) -> Iterator[Callable[[list[str], Path, dict[str, str]], Ended]]:
    """Yields what runs a tool with arguments, in a folder, with an environment."""
    output = folder / "output"
    if tool.name != "chalice":

        def run(arguments: list[str], project: Path, environment: dict[str, str]) -> Ended:
            command = [str(tool.program), *arguments]
            with output.open("wb") as file:
                try:
                    status = subprocess.run(
                        command, cwd=project, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                        timeout=_WITHIN_S, check=False,
                    )  # fmt: skip
                except subprocess.TimeoutExpired as error:
                    raise CompareError(f"{tool.name}: not done within {_WITHIN_S} s") from error
            return Ended(status.returncode, _lines(output))

        yield run
        return
    warm = [sys.executable, "-B", str(_HERE / "warm.py")]
    with subprocess.Popen(warm, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        asked, answers = process.stdin, process.stdout

        def ask(arguments: list[str], project: Path, environment: dict[str, str]) -> Ended:
            request = {"arguments": arguments, "folder": str(project), "output": str(output)}
            print(json.dumps(request | {"environment": environment}), file=asked, flush=True)
            if not select.select([answers], [], [], _WITHIN_S)[0]:
                process.kill()
                raise CompareError(f"chalice: not done within {_WITHIN_S} s")
            return Ended(int(answers.readline() or "-1"), _lines(output))

        yield ask
        # It ends when its input does.
        asked.close()


def _lines(file: Path) -> list[str]:
    return file.read_text(errors="replace").splitlines() if file.exists() else []


@contextmanager
def _emulator(endpoint: str | None) -> Iterator[str]:
    if endpoint:
        yield endpoint
        return
    start = [sys.executable, str(_TESTS / "aws" / "start.py")]
    with subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as emulator:
        assert emulator.stdin and emulator.stdout
        yield json.loads(emulator.stdout.readline())["endpoint"]
        # It ends when its input does.
        emulator.stdin.close()


def _prepare(account: Account, needs: dict[str, Any]) -> None:
    """Makes what an app expects to find: it is neither tool's to make."""
    for bucket in needs.get("buckets", []):
        account.client("s3").create_bucket(Bucket=bucket)
    for queue in needs.get("queues", []):
        account.client("sqs").create_queue(QueueName=queue)
    for topic in needs.get("topics", []):
        account.client("sns").create_topic(Name=topic)
    for stream in needs.get("streams", []):
        account.client("kinesis").create_stream(StreamName=stream, ShardCount=1)
    for layer in needs.get("layers", []):
        account.client("lambda").publish_layer_version(LayerName=layer, Content={"ZipFile": _EMPTY_ZIP})
    for role in needs.get("roles", []):
        account.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(_TRUST))
    if bucket := needs.get("foreign_notification"):
        queue = f"arn:aws:sqs:us-east-1:{_ACCOUNT_ID}:foreign"
        account.client("sqs").create_queue(QueueName="foreign")
        account.client("s3").put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={
                "QueueConfigurations": [{"Id": "foreign", "QueueArn": queue, "Events": ["s3:ObjectRestore:Post"]}]
            },
        )


_EMPTY_ZIP = b"PK\x05\x06" + 18 * b"\0"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}  # fmt: skip


def _judge(theme: str, theirs: Run, ours: Run, entries: list[dict[str, Any]]) -> list[str]:
    """Returns what is wrong: differences without a reason, and reasons without a difference."""
    complaints = []
    if written := ours.worlds.pop("written again"):
        complaints.append(f"a second deploy without a change made calls that change something: {', '.join(written)}")
    listed = [entry for entry in entries if _concerns(entry, theme, theirs, ours)]
    used = set()
    unexplained: dict[tuple[str, str, str], list[str]] = {}
    expected = {"again": theirs.worlds["first"]} | theirs.worlds
    for difference in _differences("", expected, ours.worlds):
        fits = [number for number, entry in enumerate(listed) if _fits(entry["path"], difference.path)]
        used.update(fits)
        if not fits:
            step, _, path = difference.path.partition("/")
            unexplained.setdefault((path, difference.theirs, difference.ours), []).append(step)
    for (path, chalice, stagewright), steps in unexplained.items():
        steps.sort(key=_STEPS.index)
        complaints.append(f"{'|'.join(steps)}/{path}\n    Chalice:     {chalice}\n    Stagewright: {stagewright}")
    for number, entry in enumerate(listed):
        if number not in used:
            complaints.append(f"`{entry['path']}` of the list of differences explains nothing here")
    return complaints


def _fits(pattern: str, path: str) -> bool:
    """Whether a path is what a pattern means: `*` is any one part or a piece of it, `**` at the end any number of them.

    A slash inside a part, as in the path of a route, stands as `~1`.
    """
    parts, wanted = path.split("/"), pattern.split("/")
    if wanted[-1] == "**":
        wanted.pop()
        parts = parts[: len(wanted)]
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _concerns(entry: dict[str, Any], theme: str, theirs: Run, ours: Run) -> bool:
    """Whether an entry has to explain something in an app.

    One for all apps speaks of a kind of things, as in `*/rest_apis/*/description`: it concerns the apps that have some.
    """
    if entry["apps"] != "*":
        return theme in entry["apps"]
    kind = entry["path"].split("/")[1]
    return any(world.get(kind) for run in (theirs, ours) for world in run.worlds.values())


def _listed(file: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(file.read_text())
    known = {path.name for path in (_HERE / "apps").iterdir()}
    for entry in entries:
        if set(entry) != {"apps", "path", "reason"} or not entry["reason"].strip():
            raise SystemExit(f"{file}: not {{apps, path, reason}}: {entry}")
        if entry["apps"] != "*" and not set(entry["apps"]) <= known:
            raise SystemExit(f"{file}: no such app: {sorted(set(entry['apps']) - known)}")
    return entries


def _differences(path: str, theirs: Any, ours: Any) -> Iterator[Difference]:
    """Yields where two values differ, as deep inside them as both have something."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(theirs.keys() | ours.keys()):
            below = f"{path}/{key.replace('/', '~1')}".removeprefix("/")
            if key in theirs and key in ours:
                yield from _differences(below, theirs[key], ours[key])
            else:
                yield Difference(below, _text(theirs, key), _text(ours, key))
    elif theirs != ours:
        yield Difference(path, json.dumps(theirs), json.dumps(ours))


def _text(whole: dict[str, Any], key: str) -> str:
    return json.dumps(whole[key]) if key in whole else "(nothing)"


def _below(value: Any, path: str) -> Any:
    for part in path.split("/"):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _print_counts(runs: dict[str, dict[str, Run]]) -> None:
    """Prints a Markdown table of the calls that each tool made, and of the seconds that it took."""
    print("| app | functions | first | again, no change | changed | delete |")
    print("|---|---|---|---|---|---|")
    for theme, by_tool in runs.items():
        functions = max((len(run.worlds["first"]["functions"]) for run in by_tool.values()), default=0)
        cells = [
            " / ".join(f"{len(run.calls[step])} ({run.took_s[step]:.1f} s)" for run in by_tool.values())
            for step in _STEPS
        ]
        print(f"| {theme} | {functions} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
