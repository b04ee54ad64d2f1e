"""The emulator behind the proxy, and the answers that come back from it or from us."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from operations import Request

# Headers of one connection only; each side of the proxy has its own.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect", "te", "upgrade"}

_XML = "<{outer}><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></{outer}>"


@dataclass
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether AWS did what it was asked to."""
        return self.status < 300

    def json(self) -> dict[str, Any]:
        """Returns the body as a JSON object; one that is none counts as empty."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def as_json(status: int, value: Any) -> Answer:
    """Returns an answer that bears a JSON value."""
    return Answer(status, [("Content-Type", "application/json")], json.dumps(value).encode())


def error(service: str, status: int, code: str, message: str) -> Answer:
    """Returns an AWS error in the form of its service's protocol."""
    if service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        return Answer(status, [("Content-Type", "application/xml")], body.encode())
    if service in ("iam", "sts", "sns", "cloudformation"):
        body = _XML.format(outer="ErrorResponse", code=code, message=escape(message))
        return Answer(status, [("Content-Type", "text/xml")], body.encode())
    answer = as_json(status, {"__type": code, "message": message, "Message": message})
    answer.headers.append(("x-amzn-ErrorType", code))
    if status == 429:
        answer.headers.append(("Retry-After", "1"))
    return answer


class UpstreamError(Exception):
    """The emulator refused a call of our own making."""


class Upstream:
    """The emulator, over HTTP."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    def send(self, request: Request) -> Answer:
        """Sends a request as it is, and reads the whole answer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        try:
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers:
                if name.lower() not in _HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body)
            response = connection.getresponse()
            body = response.read()
            headers = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP]
            if request.method == "HEAD":
                headers.append(("Content-Length", response.getheader("Content-Length", "0")))
            return Answer(response.status, headers, body)
        finally:
            connection.close()

    def ask(self, like: Request, service: str, method: str, path: str, payload: Any = None) -> Answer:
        """Makes a call of our own in the account and Region of another request.

        The emulator takes both from the signature's scope and does not verify the signature itself, so the other
        request's scope with another service in it is enough.
        """
        form = isinstance(payload, str)
        body = b"" if payload is None else payload.encode() if form else json.dumps(payload).encode()
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        return self.send(Request(method, path, self._headers(like, service, kind), body))

    def ask_target(self, like: Request, service: str, target: str, payload: dict[str, Any]) -> Answer:
        """Makes a call of our own to a service that is told what it is asked in a header."""
        headers = self._headers(like, service, "application/x-amz-json-1.1") + [("X-Amz-Target", target)]
        return self.send(Request("POST", "/", headers, json.dumps(payload).encode()))

    def _headers(self, like: Request, service: str, kind: str) -> list[tuple[str, str]]:
        key, day, region = scope(like)
        signature = f"AWS4-HMAC-SHA256 Credential={key}/{day}/{region}/{service}/aws4_request, "
        return [
            ("Host", f"{self.host}:{self.port}"),
            ("Authorization", signature + "SignedHeaders=host, Signature=0"),
            ("Content-Type", kind),
        ]

    def demand(self, like: Request, service: str, method: str, path: str, payload: Any = None) -> dict[str, Any]:
        """Makes a call of our own that must succeed, and returns its JSON."""
        answer = self.ask(like, service, method, path, payload)
        if not answer.ok:
            raise UpstreamError(f"{method} {path}: {answer.status} {answer.body[:300].decode('utf-8', 'replace')}")
        return answer.json()


def scope(request: Request) -> tuple[str, str, str]:
    """Returns the access key, the day and the Region that a request was signed for."""
    _, _, credential = request.header("Authorization").partition("Credential=")
    parts = credential.split(",")[0].split("/")
    return (parts[0], parts[1], parts[2]) if len(parts) >= 5 else ("test", "20260101", "us-east-1")
