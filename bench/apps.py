"""The apps of the benchmark: Chalice projects that both tools deploy as they are, and apps of ours."""

from __future__ import annotations

import json
import os
from pathlib import Path

from graphs import Shape

HELLO = Shape()
TEN = Shape(plain=5, schedules=2, queues=1, buckets=1)
HUNDRED = Shape(plain=99)

QUEUE, BUCKET = "bench-jobs", "bench-uploads"
# Routes of the app with ten functions, beside the first.
_ROUTES = [
    ("/guests", "GET"), ("/guests", "POST"), ("/guests/{id}", "GET"), ("/guests/{id}", "PUT"), ("/guests/{id}", "DELETE"),
    ("/rooms", "GET"), ("/rooms/{id}", "GET"), ("/rooms/{id}/key", "GET"), ("/search", "GET"), ("/about", "GET"),
    ("/health", "GET"),
]  # fmt: skip
_SOURCES = {
    "plain": "@app.lambda_function()",
    "schedule": '@app.schedule("rate(1 hour)")',
    "queue": f'@app.on_sqs_message(queue="{QUEUE}")',
    "bucket": f'@app.on_s3_event(bucket="{BUCKET}")',
}


def chalice_app(folder: Path, name: str, shape: Shape) -> Path:
    """Writes a Chalice project of that shape, and returns its folder."""
    lines = ["from chalice import Chalice", "", f'app = Chalice(app_name="{name}")', "GREETING = 1", ""]
    lines += ['@app.route("/")', "def index():", '    return {"greeting": GREETING}', ""]
    routes = _ROUTES if shape == TEN else []
    for number, (path, method) in enumerate(routes):
        parameters = "id" if "{id}" in path else ""
        lines += [f'@app.route("{path}", methods=["{method}"], cors=True)', f"def route{number}({parameters}):"]
        lines += ["    return {}", ""]
    for function in shape.functions[1:]:
        source = _SOURCES[function.rstrip("0123456789")]
        arguments = "event, context" if source == _SOURCES["plain"] else "event"
        lines += [source, f"def {function}({arguments}):", "    return {}", ""]
    (folder / ".chalice").mkdir(parents=True)
    (folder / "app.py").write_text("\n".join(lines))
    (folder / "requirements.txt").write_text("")
    # Of every stage: an API at the edge takes ten times as much of API Gateway's quota.
    regional = {"api_gateway_endpoint_type": "REGIONAL"}
    _configure(folder, {"version": "2.0", "app_name": name, **regional, "stages": {"dev": {}}})
    return folder


def change_code(project: Path) -> None:
    """Changes a line of an app, so that its zip is another."""
    source = project / "app.py"
    before, _, number = source.read_text().partition("GREETING = ")
    digits, _, behind = number.partition("\n")
    source.write_text(f"{before}GREETING = {int(digits) + 1}\n{behind}")


def change_memory(project: Path) -> None:
    """Gives one function of a Chalice project more memory."""
    config = json.loads((project / ".chalice" / "config.json").read_text())
    config["stages"]["dev"]["lambda_functions"] = {"plain0": {"lambda_memory_size": 256}}
    _configure(project, config)


def _configure(project: Path, config: object) -> None:
    (project / ".chalice" / "config.json").write_text(json.dumps(config, indent=1))


def manifest_app(folder: Path, name: str) -> Path:
    """Writes an app of ours with one function behind a REST API."""
    (folder / "src").mkdir(parents=True)
    _write_function(folder / "src")
    (folder / "stagewright.yaml").write_text(f"app: {name}\n{_FUNCTION}routes: {{ GET /: work }}\n")
    return folder


def heavy_app(folder: Path, megabytes: int) -> Path:
    """Writes an app of ours with one function, whose package is so large and cannot be compressed."""
    (folder / "src").mkdir(parents=True)
    _write_function(folder / "src")
    with open(folder / "src" / "data.bin", "wb") as data:
        for _ in range(megabytes):
            data.write(os.urandom(1_000_000))
    (folder / "stagewright.yaml").write_text(f"app: heavy{megabytes}\n{_FUNCTION}")
    return folder


def repository(folder: Path, count: int, state: str) -> Path:
    """Writes a repository of so many apps of one function each, `main` of which is a stage."""
    for number in range(count):
        project = folder / "services" / f"app{number}"
        (project / "src").mkdir(parents=True)
        _write_function(project / "src")
        (project / "stagewright.yaml").write_text(f"app: app{number}\n{_FUNCTION}")
    root = f"apps: [services/*]\nstate: {state}\nbranches: {{ main: prod }}\n"
    (folder / "stagewright.yaml").write_text(root)
    return folder


def _write_function(code: Path) -> None:
    (code / "main.py").write_text("def handle(event, context):\n    return 1\n")


_FUNCTION = "functions:\n  work: { runtime: python3.13, handler: main.handle, code: src }\n"
