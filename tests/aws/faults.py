"""Faults on order, and the record of every call.

A fault names an operation and says what becomes of it: an AWS error, a connection that closes without an answer, or a
call that is held until the test lets it go. It strikes before the emulator saw the call (so it did not happen) or after
(so it did, and only the answer is lost).

An access key tells apart the worlds that share one emulator: what is ordered, held and let go for a key is no other
key's matter. The empty key is everybody.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from operations import Call, Request

When = Literal["before", "after"]

# Headers that tell attempts, conditions and clients apart.
_MARKS = ("If-Match", "If-None-Match", "amz-sdk-invocation-id", "amz-sdk-request", "User-Agent")


@dataclass
class Fault:
    """What to do to the next calls of an operation."""

    operation: str
    answer: dict[str, Any] | Literal["close", "hold"]
    when: When = "before"
    match: str = ""
    times: int = 1
    skip: int = 0
    key: str = ""
    target: str = ""

    def fits(self, request: Request, call: Call, when: When) -> bool:
        """Whether it is for this call.

        `match` is looked for in path and body, `target` is the whole name, `*` is any operation that mutates.
        """
        named = call.mutates if self.operation == "*" else call.operation == self.operation
        found = self.match in request.path or self.match.encode() in request.body
        meant = self.target in ("", call.target) and self.key in ("", request.key)
        return self.when == when and named and found and meant


@dataclass(eq=False)
class Entry:
    """One call in the log."""

    call: Call
    request: Request
    began: float = field(default_factory=time.time)
    status: int | None = None
    took_ms: int | None = None
    answer_bytes: int = 0
    fault: str | None = None
    is_dropped: bool = False

    def as_dict(self, number: int) -> dict[str, Any]:
        """Returns the entry as the log shows it."""
        return {
            "number": number,
            "key": self.request.key,
            "service": self.call.service,
            "operation": self.call.operation,
            "mutates": self.call.mutates,
            "target": self.call.target,
            "region": self.call.region,
            "method": self.request.method,
            "path": self.request.path,
            "status": self.status,
            "began": self.began,
            "took_ms": self.took_ms,
            "bytes": len(self.request.body) + self.answer_bytes,
            "fault": self.fault,
            "marks": {name.lower(): value for name in _MARKS if (value := self.request.header(name))},
        }


class Faults:
    """The faults that still wait for their call, and the calls that are held."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting: list[Fault] = []
        self.held: list[Entry] = []

    def order(self, faults: list[dict[str, Any]], key: str = "") -> None:
        """Replaces what is waiting for a key."""
        with self.changed:
            others = [fault for fault in self.waiting if key and fault.key != key]
            self.waiting = others + [Fault(**({"key": key} | fault)) for fault in faults]

    def strike(self, entry: Entry, when: When) -> dict[str, Any] | Literal["close"] | None:
        """Returns what this call meets, after holding it for as long as it is to be held."""
        with self.changed:
            fault = next((fault for fault in self.waiting if fault.fits(entry.request, entry.call, when)), None)
            if fault is None:
                return None
            if fault.skip:
                fault.skip -= 1
                return None
            fault.times -= 1
            if not fault.times:
                self.waiting.remove(fault)
            entry.fault = f"{when}: {fault.answer}"
            if fault.answer != "hold":
                return fault.answer
            return self._hold(entry)

    def _hold(self, entry: Entry) -> Literal["close"] | None:
        self.held.append(entry)
        self.changed.notify_all()
        self.changed.wait_for(lambda: entry not in self.held)
        return "close" if entry.is_dropped else None

    def release(self, how: Literal["forward", "drop"], key: str = "") -> None:
        """Lets the held calls of a key go on, or closes their connections."""
        with self.changed:
            for entry in self._of(key):
                entry.is_dropped = how == "drop"
                self.held.remove(entry)
            self.changed.notify_all()

    def await_held(self, timeout_s: float, key: str = "") -> list[Entry]:
        """Waits until at least one call of a key is held, and returns those that are."""
        with self.changed:
            self.changed.wait_for(lambda: self._of(key), timeout_s)
            return self._of(key)

    def _of(self, key: str) -> list[Entry]:
        return [entry for entry in self.held if key in ("", entry.request.key)]
