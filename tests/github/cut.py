"""Cuts what the tests need out of GitHub's own documents: the API, example events, and the events' schemas.

    python tests/github/cut.py [--packages FOLDER]

Writes `openapi.json`, `seeds.json`, `events.schema.json` and `events/*.json` beside itself. The packages are fetched by
npm into a temporary folder (29 MB), unless `--packages` names a folder that already has their archives.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

_OPENAPI = ("@octokit/openapi", "23.0.2")
_EXAMPLES = ("@octokit/webhooks-examples", "7.6.1")
_SCHEMAS = ("@octokit/webhooks-schemas", "7.6.1")

_REPOSITORY = "/repos/{owner}/{repo}"
_OPERATIONS = {
    "": ["get"],
    "/actions/runs/{run_id}": ["get"],
    "/actions/runs/{run_id}/attempts/{attempt_number}": ["get"],
    "/actions/runs/{run_id}/attempts/{attempt_number}/jobs": ["get"],
    "/branches": ["get"],
    "/branches/{branch}": ["get"],
    "/compare/{basehead}": ["get"],
    "/contents/{path}": ["get"],
    "/deployments": ["get", "post"],
    "/deployments/{deployment_id}": ["get", "delete"],
    "/deployments/{deployment_id}/statuses": ["get", "post"],
    "/environments": ["get"],
    "/environments/{environment_name}": ["get", "delete"],
    "/git/ref/{ref}": ["get"],
    "/git/matching-refs/{ref}": ["get"],
    "/git/trees/{tree_sha}": ["get"],
    "/issues/comments/{comment_id}": ["get", "patch", "delete"],
    "/issues/{issue_number}/comments": ["get", "post"],
    "/issues/{issue_number}/labels": ["get", "post"],
    "/issues/{issue_number}/labels/{name}": ["delete"],
    "/pulls": ["get"],
    "/pulls/{pull_number}": ["get"],
    "/pulls/{pull_number}/files": ["get"],
}

# Objects that the fake makes its answers from: the document's own examples.
_SEEDS = {
    "branch": "branch-get",
    "comment": "issue-comment",
    "comparison": "commit-comparison",
    "deployment": "deployment",
    "deployment_status": "deployment-status",
    "jobs": "job-paginated",
    "label": "label",
    "pull_request": "pull-request",
    "repository": "full-repository-default-response",
    "run": "workflow-run",
}

_EVENTS = {
    "create": "create$event",
    "delete": "delete$event",
    "issue_comment": "issue_comment_event",
    "merge_group": "merge_group_event",
    "pull_request": "pull_request_event",
    "push": "push$event",
    "workflow_dispatch": "workflow_dispatch$event",
}
_AT_MOST = {"create": 2, "issue_comment": 3}

# What a person reads in the document and a validator does not.
_PROSE = {"description", "summary", "externalDocs", "example", "examples", "tags", "title", "$comment", "tsAdditionalProperties"}
# Prism compares `Accept` with these literally; GitHub takes the others for the same.
_ALIASES = ("application/vnd.github+json", "application/vnd.github.v3+json")


def main() -> None:
    """Cuts all documents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=pathlib.Path, help="a folder that has the packages' archives")
    packages = parser.parse_args().packages
    here = pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        archives = packages or pathlib.Path(folder)
        document = _read(archives, _OPENAPI, "generated/api.github.com.json")
        examples = _read(archives, _EXAMPLES, "api.github.com/index.json")
        schema = _read(archives, _SCHEMAS, "schema.json")
    _write(here / "openapi.json", _api(document))
    _write(here / "seeds.json", {name: _example(document, key) for name, key in _SEEDS.items()})
    _write(here / "events.schema.json", _schema(schema))
    for event in examples:
        if event["name"] in _EVENTS:
            _write(here / "events" / f"{event['name']}.json", event["examples"][: _AT_MOST.get(event["name"])])


def _read(archives: pathlib.Path, package: tuple[str, str], member: str) -> Any:
    name, version = package
    archive = archives / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
    if not archive.exists():
        subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=archives, check=True)
    with tarfile.open(archive) as files:
        content = files.extractfile(f"package/{member}")
        assert content, f"{archive} has no {member}"
        return json.load(content)


def _write(path: pathlib.Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def _api(document: Any) -> Any:
    paths = {"/rate_limit": {"get": document["paths"]["/rate_limit"]["get"]}}
    for path, methods in _OPERATIONS.items():
        operations = document["paths"][_REPOSITORY + path]
        paths[_REPOSITORY + path] = {method: operations[method] for method in methods}
    cut: dict[str, Any] = {
        "openapi": document["openapi"],
        "info": {"title": "A cut of GitHub's REST API", "version": document["info"]["version"]},
        "servers": document["servers"],
        "paths": _without_prose(paths),
        "components": {},
    }
    for _, kind, name in _referenced(cut["paths"], lambda kind, name: _without_prose(document["components"][kind][name])):
        cut["components"].setdefault(kind, {})[name] = _without_prose(document["components"][kind][name])
    _alias(cut)
    return cut


def _schema(schema: Any) -> Any:
    roots = {event: {"$ref": f"#/definitions/{name}"} for event, name in _EVENTS.items()}
    found = _referenced(roots, lambda _, name: _without_prose(schema["definitions"][name]))
    definitions = {name: _without_prose(schema["definitions"][name]) for _, _, name in found}
    return {"$schema": schema["$schema"], "events": roots, "definitions": definitions}


def _referenced(value: Any, resolve: Any) -> list[tuple[str, str, str]]:
    """Everything that a value refers to, and what that refers to, as pointer, kind and name."""
    found: dict[str, tuple[str, str, str]] = {}
    open_ = list(_references(value))
    while open_:
        pointer = open_.pop()
        if pointer not in found:
            kind, name = pointer.split("/")[-2:]
            found[pointer] = (pointer, kind, name)
            open_ += _references(resolve(kind, name))
    return [found[pointer] for pointer in sorted(found)]


def _references(value: Any) -> Iterator[str]:
    for mapping in _mappings(value):
        if isinstance(mapping.get("$ref"), str):
            yield mapping["$ref"]


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    children: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _mappings(child)


def _without_prose(value: Any, names_are_ours: bool = True) -> Any:
    """The value without prose. Below `properties` stand names of GitHub's objects, which may be called `description`."""
    if isinstance(value, list):
        return [_without_prose(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        is_prose = names_are_ours and (name in _PROSE or name.startswith("x-github"))
        # A response without a description is no OpenAPI.
        if name == "description" and names_are_ours and ("content" in value or set(value) <= {"description", "headers"}):
            kept[name] = ""
        elif not is_prose and name in ("enum", "default", "required", "const"):
            kept[name] = item if names_are_ours else _without_prose(item)
        elif not is_prose:
            kept[name] = _without_prose(item, names_are_ours=name not in ("properties", "definitions", "responses") or not names_are_ours)
    return kept


def _alias(document: Any) -> None:
    for mapping in _mappings(document):
        content = mapping.get("content")
        if isinstance(content, dict) and isinstance(content.get("application/json"), dict):
            for alias in _ALIASES:
                content[alias] = content["application/json"]


def _example(document: Any, name: str) -> Any:
    return document["components"]["examples"][name]["value"]


if __name__ == "__main__":
    main()
