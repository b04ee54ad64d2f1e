"""Faults on order, and the record of every call.

A fault names an operation and says what becomes of it: an AWS error, a connection that closes without an answer, or a
call that is held until the test lets it go. It strikes before the emulator saw the call (so it did not happen) or after
(so it did, and only the answer is lost).
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

    def fits(self, request: Request, call: Call, when: When) -> bool:
        """Whether it is for this call; `match` is looked for in path and body, `*` is any operation that mutates."""
        named = call.mutates if self.operation == "*" else call.operation == self.operation
        found = self.match in request.path or self.match.encode() in request.body
        return self.when == when and named and found


@dataclass
class Entry:
    """One call in the log."""

    call: Call
    request: Request
    began: float = field(default_factory=time.time)
    status: int | None = None
    took_ms: int | None = None
    fault: str | None = None

    def as_dict(self, number: int) -> dict[str, Any]:
        """Returns the entry as the log shows it."""
        return {
            "number": number,
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
            "fault": self.fault,
            "marks": {name.lower(): value for name in _MARKS if (value := self.request.header(name))},
        }


class Faults:
    """The faults that still wait for their call, and the calls that are held."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting: list[Fault] = []
        self.held: list[Entry] = []
        self.released: Literal["forward", "drop"] = "forward"

    def order(self, faults: list[dict[str, Any]]) -> None:
        """Replaces what is waiting."""
        with self.changed:
            self.waiting = [Fault(**fault) for fault in faults]

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
        return "close" if self.released == "drop" else None

    def release(self, how: Literal["forward", "drop"]) -> None:
        """Lets every held call go on, or closes its connection."""
        with self.changed:
            self.released = how
            self.held.clear()
            self.changed.notify_all()

    def await_held(self, timeout_s: float) -> list[Entry]:
        """Waits until at least one call is held, and returns those that are."""
        with self.changed:
            self.changed.wait_for(lambda: self.held, timeout_s)
            return list(self.held)
