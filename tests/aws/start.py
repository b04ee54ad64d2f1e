"""Starts an emulated AWS: ministack on a free port, and in front of it the proxy that imports REST APIs.

    python tests/aws/start.py [--port PORT] [--upstream HOST:PORT]

Prints one line of JSON when both are ready, and ends when its standard input does. Whoever starts it holds the other
end of that pipe, so it cannot outlive them, however they end.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from proxy import serve
from upstream import Upstream

_READY_WITHIN_S = 60.0
_PORTS = range(20_000, 30_000)
_PR_SET_PDEATHSIG = 1
# The emulator keeps a folder of code for each function that it ran, and reads the cloud's settings from these.
_SCRUBBED = ("AWS_", "GITHUB_", "MINISTACK_", "LOCALSTACK_")


def main() -> None:
    """Starts both, says where, and waits for the end of standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of the proxy; 0 for any that is free")
    parser.add_argument("--upstream", help="an emulator that runs already, as HOST:PORT")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with tempfile.TemporaryDirectory(prefix="emulated-aws-") as folder:
        if arguments.upstream:
            host, _, port = arguments.upstream.rpartition(":")
            _run(Upstream(host, int(port)), arguments.port, None)
            return
        with _reserved() as keeper:
            port = int(keeper.getsockname()[1])
            emulator = _emulator(port, folder)
            try:
                _run(Upstream("127.0.0.1", port), arguments.port, emulator)
            finally:
                emulator.kill()
                emulator.wait()


def _run(upstream: Upstream, port: int, emulator: subprocess.Popen[bytes] | None) -> None:
    _await_ready(upstream, emulator)
    server = serve(upstream, port)
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    ready = {
        "endpoint": endpoint,
        "url_template": endpoint + "/_aws/execute-api/{api}/{stage}/",
        "upstream": f"http://{upstream.host}:{upstream.port}",
    }
    print(json.dumps(ready), flush=True)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    threading.Thread(target=_watch_input, args=(ended,), daemon=True).start()
    ended.wait()


def _watch_input(ended: threading.Event) -> None:
    sys.stdin.buffer.read()
    ended.set()


def _emulator(port: int, folder: str) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SCRUBBED)}
    environment |= {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "TMPDIR": folder, "LOG_LEVEL": "ERROR"}
    with open(os.path.join(folder, "emulator.log"), "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_with_us,
        )  # fmt: skip


def _die_with_us() -> None:
    """Has the kernel end the emulator should we be killed; runs in the child, before it becomes the emulator."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _reserved() -> socket.socket:
    """Returns what keeps a port for the emulator, which takes a second to bind it.

    Two that choose one port would both speak to the emulator that is faster, and each would have the other's reset for no
    reason that a test could see. So the port is none that kernels hand out by default, and whoever has its number in UDP has it.
    """
    for port in random.sample(_PORTS, len(_PORTS)):
        keeper = socket.socket(type=socket.SOCK_DGRAM)
        try:
            keeper.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            keeper.close()
        else:
            return keeper
    sys.exit(f"none of the ports from {_PORTS.start} to {_PORTS.stop - 1} is free")


def _await_ready(upstream: Upstream, emulator: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    url = f"http://{upstream.host}:{upstream.port}/_ministack/health"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        if emulator and emulator.poll() is not None:
            sys.exit(f"the emulator ended at once, with {emulator.returncode}")
        try:
            with direct.open(url, timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"the emulator was not ready within {_READY_WITHIN_S:.0f} s")


if __name__ == "__main__":
    main()
