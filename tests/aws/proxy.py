"""The proxy in front of the emulator: it fills in what the emulator lacks, records every call, and can make any fail.

It listens on 127.0.0.1 and takes, besides AWS's own requests:

    GET  /__proxy/log                  every call so far, as a JSON list
    GET  /__proxy/inventory            everything that stands in the account, as one JSON object
    GET  /__proxy/held?timeout_s=30    waits for a held call, and lists those that are held
    GET  /__proxy/apis                 the document that each REST API was last deployed with, by its id
    GET  /__proxy/websockets           the routes that each deployment of a websocket API serves, by its id
    POST /__proxy/faults               [{"operation", "answer", "when"?, "match"?, "times"?, "skip"?, "key"?, "target"?}]
                                       answer: {"status", "code", "message"} or "close" or "hold"
    POST /__proxy/release              {"how": "forward" | "drop"}, for the held calls
    POST /__proxy/settings             {"latency_ms"?, "role_delay_s"?, "busy_s"?, "stored_s"?, "quotas"?, "serves"?,
                                       "lies"?: "all" | "if-match" | "race", of the bucket's conditional writes}
    DELETE /__proxy/log                forgets the calls so far
    POST /__proxy/reset                makes everything as new, the emulator too

With `?key=KEY` each but the last two speaks of the calls of that access key alone.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import domains
from document import Apis
from faults import Entry, Faults, When
from inventory import Inventory
from operations import Request, named
from rules import Rules, Settings
from sources import Sources
from upstream import Answer, Upstream, UpstreamError, as_json, error
from websockets import Websockets

_CONTROL = "/__proxy/"


class World:
    """What the proxy knows between two requests."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.lock = threading.Lock()
        self.faults = Faults()
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self.faults.order([])
        self.faults.release("drop")
        self.log: list[Entry] = []
        self.apis = Apis(self.upstream)
        self.websockets = Websockets(self.upstream)
        self.sources = Sources(self.upstream)
        self.rules = Rules(self.upstream, self.apis)

    def control(self, request: Request) -> Answer:
        """Answers the test that drives us."""
        asked = json.loads(request.body or b"{}")
        key = request.query.get("key", "")
        match request.method, request.route.removeprefix(_CONTROL):
            case "GET", "log":
                with self.lock:
                    numbered = enumerate(self.log)
                    shown = [entry.as_dict(number) for number, entry in numbered if key in ("", entry.request.key)]
                    return as_json(200, shown)
            case "DELETE", "log":
                with self.lock:
                    self.log = [entry for entry in self.log if key and entry.request.key != key]
            case "GET", "held":
                held = self.faults.await_held(float(request.query.get("timeout_s", "30")), key)
                return as_json(200, [entry.as_dict(number) for number, entry in enumerate(held)])
            case "GET", "inventory":
                return as_json(200, Inventory(self.upstream, key).taken())
            case "GET", "apis":
                return as_json(200, {identifier: api.deployed for identifier, api in self.apis.known.items()})
            case "GET", "websockets":
                return as_json(200, self.websockets.deployed)
            case "POST", "faults":
                self.faults.order(asked, key)
            case "POST", "release":
                self.faults.release(asked.get("how", "forward"), key)
            case "POST", "settings":
                self.rules.settings = Settings(**asked)
                self.apis.serves = self.rules.settings.serves
            case "POST", "reset":
                self.reset()
                return self.upstream.send(Request("POST", "/_ministack/reset", [("Host", self.upstream.host)], b""))
            case _:
                return as_json(404, {"message": f"no such path: {request.path}"})
        return as_json(200, {})

    def answer(self, request: Request) -> Answer | None:
        """Answers an AWS request, or returns nothing where the connection is to be closed without an answer."""
        entry = Entry(named(request), request)
        with self.lock:
            self.log.append(entry)
        # What a call does, it does half-way between its first byte and its answer.
        latency_s = self.rules.settings.latency_ms / 1000
        time.sleep(latency_s / 2)
        answer = self._struck(entry, "before")
        if not isinstance(answer, str):
            answer = answer or self._served(entry)
            struck = self._struck(entry, "after") if not entry.fault else None
            answer = struck or answer
        # The emulator's own time is a part of the latency, for as long as it fits in.
        time.sleep(max(0.0, entry.began + latency_s - time.time()))
        entry.took_ms = round((time.time() - entry.began) * 1000)
        if isinstance(answer, str):
            return None
        entry.status = answer.status
        entry.answer_bytes = len(answer.body)
        return answer

    def _struck(self, entry: Entry, when: When) -> Answer | str | None:
        struck = self.faults.strike(entry, when)
        if struck is None or isinstance(struck, str):
            return struck
        return error(entry.call.service, struck["status"], struck["code"], struck.get("message", "injected"))

    def _served(self, entry: Entry) -> Answer:
        request, call = entry.request, entry.call
        refused = self.rules.refusal(request, call) or self.sources.refusal(request, call)
        if refused:
            return refused
        if request.route.startswith("/v2/"):
            answer = self.websockets.answer(request, call)
        elif call.service == "apigateway":
            answer = domains.answer(self.upstream, request, call) or self.apis.answer(request, call)
        else:
            answer = self.upstream.send(request)
        self.rules.remember(request, call, answer)
        return self.rules.dress(call, answer)


class Handler(BaseHTTPRequestHandler):
    """Reads requests off one connection, and writes their answers."""

    protocol_version = "HTTP/1.1"
    # Headers and body leave in two writes; with Nagle's algorithm the second waits 40 ms for the first's receipt.
    disable_nagle_algorithm = True
    world: World

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the log is for those who ask for it."""

    def answer_any(self) -> None:
        """Answers a request of any method."""
        request = Request(self.command, self.path, list(self.headers.items()), self._body())
        try:
            control = request.path.startswith(_CONTROL)
            answer = self.world.control(request) if control else self.world.answer(request)
        except (UpstreamError, OSError, ValueError, KeyError, TypeError) as failure:
            answer = as_json(500, {"message": f"test proxy: {type(failure).__name__}: {failure}"})
        if answer is None:
            self._hang_up()
        else:
            self._send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = answer_any  # noqa: N815

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if self.command != "HEAD" and answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of clients that left: tests kill them on purpose."""


def serve(upstream: Upstream, port: int) -> _Server:
    """Begins to serve on a port, 0 for any that is free, in a thread of its own."""
    handler = type("BoundHandler", (Handler,), {"world": World(upstream)})
    server = _Server(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
