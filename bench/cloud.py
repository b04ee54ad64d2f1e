"""The emulated AWS of the benchmark, behind the proxy that slows it down, refuses too many calls, and keeps the log."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps import BUCKET, QUEUE
from floor import Model

_CHECKOUT = Path(__file__).resolve().parent.parent
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
DEPLOYS = "deploys"
MODEL = Model(latency_s=0.08, busy_s=1.5, role_delay_s=8.0)


@dataclass(frozen=True)
class Call:
    """A call of the proxy's log; `began_s` counts from the start of the tool."""

    service: str
    operation: str
    target: str
    mutates: bool
    status: int | None
    began_s: float
    took_s: float
    bytes: int


@dataclass(frozen=True)
class Counts:
    """How many calls a run made.

    A poll asks what was asked before (the same operation on the same thing), or tries a change that AWS refused; it
    is in neither of the first two. Requests to objects of S3 (state, leases, code) are counted apart.
    """

    calls: int
    mutating: int
    polls: int
    s3_requests: int
    s3_bytes: int
    throttled: int

    @staticmethod
    def of(calls: list[Call]) -> Counts:
        """Counts the calls of a log."""
        stored = [call for call in calls if is_store(call)]
        others = [call for call in calls if not is_store(call)]
        seen: set[tuple[str, str, str]] = set()
        counted: Counter[str] = Counter()
        for call in others:
            what = (call.service, call.operation, call.target)
            refused = call.mutates and (call.status or 0) >= 400
            kind = "poll" if refused or (not call.mutates and what in seen) else "mutating" if call.mutates else "read"
            counted[kind] += 1
            seen.add(what)
        return Counts(
            calls=counted["read"] + counted["mutating"],
            mutating=counted["mutating"],
            polls=counted["poll"],
            s3_requests=len(stored),
            s3_bytes=sum(call.bytes for call in stored),
            throttled=sum(1 for call in calls if call.status == 429),
        )


def is_store(call: Call) -> bool:
    """Whether a call reads or writes an object of S3, and not what a bucket tells of."""
    return call.service == "s3" and "Notification" not in call.operation


@dataclass(frozen=True)
class Cloud:
    """An emulated AWS that runs."""

    endpoint: str
    url_template: str

    def reset(self, model: Model | None, settings: dict[str, Any] | None = None) -> None:
        """Makes a new world with a bucket for state, a queue and a bucket that tell of things; then it is as slow as the model."""
        self._control("reset", "POST")
        for bucket in (DEPLOYS, BUCKET):
            self._send(f"{self.endpoint}/{bucket}", "PUT", b"")
        query = f"Action=CreateQueue&QueueName={QUEUE}&Version=2012-11-05".encode()
        self._send(f"{self.endpoint}/", "POST", query, signed_for="sqs")
        self.slow(model, settings)

    def slow(self, model: Model | None, settings: dict[str, Any] | None = None) -> None:
        """Makes it as slow as a model from now on; with none, ready at once."""
        slowness: dict[str, Any] = {"busy_s": 1e-9}
        if model:
            slowness = {
                "latency_ms": model.latency_s * 1000,
                "busy_s": model.busy_s,
                "role_delay_s": model.role_delay_s,
            }
        self._control("settings", "POST", {"serves": False} | slowness | (settings or {}))

    def forget(self) -> None:
        """Empties the log."""
        self._control("log", "DELETE")

    def log(self, since: float) -> list[Call]:
        """Returns what was called, with times from `since`, a time of the epoch."""
        return [
            Call(
                entry["service"], entry["operation"], entry["target"], entry["mutates"], entry["status"],
                entry["began"] - since, (entry["took_ms"] or 0) / 1000, entry["bytes"],
            )
            for entry in self._control("log", "GET")
            if entry["service"] != "execute-api"
        ]  # fmt: skip

    def _control(self, path: str, method: str, body: Any = None) -> Any:
        return json.loads(
            self._send(f"{self.endpoint}/__proxy/{path}", method, json.dumps(body or {}).encode()) or b"{}"
        )

    def _send(self, url: str, method: str, body: bytes, signed_for: str = "") -> bytes:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if signed_for else {}
        if signed_for:
            scope = f"Credential=test/20260101/us-east-1/{signed_for}/aws4_request"
            headers["Authorization"] = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
        request = urllib.request.Request(url, method=method, data=body, headers=headers)
        with _DIRECT.open(request, timeout=120) as response:
            return bytes(response.read())


@contextmanager
def emulated_aws() -> Iterator[Cloud]:
    """Starts an emulated AWS; it ends with the pipe that we hold."""
    starter = [sys.executable, str(_CHECKOUT / "tests/aws/start.py")]
    with subprocess.Popen(starter, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        line = running.stdout.readline() if running.stdout else b""
        if not line:
            sys.exit("bench: the emulated AWS did not start")
        ready = json.loads(line)
        yield Cloud(ready["endpoint"], ready["url_template"])
