"""A GitHub for the demo: one repository with pull requests, comments and deployments, as far as `ci` asks for them.

It is good for looking on, and proves nothing: nothing but the demo holds it to what GitHub does. What the tests use is the
fake of `tests/scenarios/github/`, which GitHub's own OpenAPI document is held against.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

REPOSITORY = "octo/guestbook"
LOGIN = "github-actions[bot]"
Answer = tuple[int, Any]


@dataclass
class GitHub:
    """What GitHub knows of the repository."""

    api_url: str = ""
    # Files of the default branch.
    files: dict[str, str] = field(default_factory=dict)
    pull_requests: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    # Where commits can be compared: a push only goes forward there.
    checkout: Path | None = None
    ids: Iterator[int] = field(default_factory=lambda: count(1001))

    def open_pull_request(self, number: int, head: str, base: str) -> None:
        """Opens a pull request from a branch of the repository itself."""
        repository = {"full_name": REPOSITORY}
        self.pull_requests[number] = {
            "number": number,
            "state": "open",
            "draft": False,
            "labels": [],
            "user": {"login": "ann"},
            "head": {"sha": head, "repo": repository},
            "base": {"ref": base, "repo": repository},
        }

    def event(self, number: int, action: str) -> dict[str, Any]:
        """Returns what GitHub would send when this happens to a pull request."""
        return {"action": action, "pull_request": self.pull_requests[number], "sender": {"login": "ann"}}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        """Answers a request, and does what was asked."""
        if path == "/graphql":
            return 200, {"data": {"viewer": {"login": LOGIN}}}
        within = path.removeprefix(f"/repos/{REPOSITORY}")
        if within == path:
            return not_found()
        if not within:
            return 200, {"full_name": REPOSITORY, "default_branch": "main"}
        room, _, rest = within[1:].partition("/")
        match room:
            case "pulls" if rest.isdigit():
                pull_request = self.pull_requests.get(int(rest))
                return (200, pull_request) if pull_request else not_found()
            case "pulls":
                return 200, [pull for pull in self.pull_requests.values() if pull["state"] == "open"]
            case "contents":
                return self.file(urllib.parse.unquote(rest))
            case "compare":
                return self.comparison(urllib.parse.unquote(rest))
            case "issues":
                return self.issue(method, rest, body)
            case "deployments":
                return self.deployment(method, rest, query, body)
            case _:
                return not_found()

    def file(self, path: str) -> Answer:
        """Answers with a file of the default branch."""
        if path not in self.files:
            return not_found()
        content = base64.b64encode(self.files[path].encode()).decode()
        return 200, {"type": "file", "encoding": "base64", "content": content}

    def comparison(self, commits: str) -> Answer:
        """Answers with the files that were changed from one commit to a later one."""
        if self.checkout is None:
            return not_found()
        base, _, head = commits.partition("...")
        command = ["git", "-C", str(self.checkout), "diff", "--name-only", base, head]
        changed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        return 200, {"status": "ahead", "files": [{"filename": name} for name in changed]}

    def issue(self, method: str, rest: str, body: Any) -> Answer:
        """Lists, writes, changes and removes comments."""
        if found := re.fullmatch(r"comments/(\d+)", rest):
            comment = next((each for each in self.comments if each["id"] == int(found[1])), None)
            if comment is None:
                return not_found()
            if method == "DELETE":
                self.comments.remove(comment)
                return 204, None
            comment["body"] = body["body"]
            return 200, comment
        number = int(rest.split("/")[0])
        if method == "GET":
            return 200, [comment for comment in self.comments if comment["issue"] == number]
        comment = {"id": next(self.ids), "issue": number, "user": {"login": LOGIN}, "body": body["body"]}
        self.comments.append(comment)
        return 201, comment

    def deployment(self, method: str, rest: str, query: dict[str, str], body: Any) -> Answer:
        """Lists and records deployments and what became of them."""
        if rest:
            statuses = self.deployments[int(rest.split("/")[0]) - 1]["statuses"]
            if method == "GET":
                return 200, statuses
            statuses.append(body | {"id": len(statuses) + 1})
            return 201, statuses[-1]
        if method == "POST":
            self.deployments.append(body | {"id": len(self.deployments) + 1, "statuses": []})
            return 201, self.deployments[-1]
        wanted = {name: query[name] for name in ("environment", "task") if name in query}
        return 200, [one for one in self.deployments if all(one[name] == value for name, value in wanted.items())]


def not_found() -> Answer:
    """Answers as GitHub does where there is nothing."""
    return 404, {"message": "Not Found"}


@contextmanager
def fake_github() -> Iterator[GitHub]:
    """Starts it on a free port of this machine."""
    github = GitHub()
    guard = threading.Lock()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            """Hands a request over, and its answer back."""
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            url = urllib.parse.urlsplit(self.path)
            with guard:
                query = dict(urllib.parse.parse_qsl(url.query))
                status, answered = github.answer(self.command, url.path, query, body)
                sent = b"" if answered is None else json.dumps(answered).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json; charset=utf-8")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_one

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    github.api_url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield github
    finally:
        server.shutdown()
