"""Running a program: how long it took, how much memory it held, and whether it did what it should."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloud import Cloud

CHECKOUT = Path(__file__).resolve().parent.parent
ENVIRONMENT = CHECKOUT / ".env"
CHALICE = ENVIRONMENT / "bin" / "chalice"
_SCRUBBED = (
    "AWS_", "GIT_", "GITHUB_", "ACTIONS_", "INPUT_", "RUNNER_", "STAGEWRIGHT_", "CHALICE_", "CLICOLOR", "VIRTUAL_ENV",
    "PYTHON",
)  # fmt: skip
_WITHIN_S = 300
_SHOWN_LINES = 12


class BenchError(Exception):
    """A program that failed, where a figure was wanted."""


@dataclass(frozen=True)
class Ended:
    """What running a program took. `peak_mib` is of its own process, without those that it started."""

    began: float
    took_s: float
    peak_mib: float
    output: str


def environment(cloud: Cloud | None, cache: Path) -> dict[str, str]:
    """Returns what a tool is started with: nothing of the machine's own cloud, and caches of the benchmark's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SCRUBBED)}
    # Python itself, not a script of a version manager that looks for it anew each time: Chalice is started without one, too.
    python = (ENVIRONMENT / "bin" / "python").resolve().parent
    kept |= {
        "PATH": os.pathsep.join([str(ENVIRONMENT / "path"), str(python), os.environ.get("PATH", "")]),
        "XDG_CACHE_HOME": str(cache),
        "UV_CACHE_DIR": str(cache / "uv"),
        "PIP_CACHE_DIR": str(cache / "pip"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if cloud:
        kept |= {"AWS_ENDPOINT_URL": cloud.endpoint, "STAGEWRIGHT_URL_TEMPLATE": cloud.url_template}
    return kept


def run(command: list[str | Path], folder: Path, variables: Mapping[str, str]) -> Ended:
    """Runs a program to its end.

    # Raises
    `BenchError` with its last lines, where it fails or does not end.
    """
    began, clock = time.time(), time.monotonic()
    with subprocess.Popen(
        command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        peak = [0.0]
        watching = threading.Thread(target=_watch, args=(running, peak), daemon=True)
        watching.start()
        try:
            output = running.communicate(timeout=_WITHIN_S)[0].decode("utf-8", "replace")
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"{_shown(command)}: not done within {_WITHIN_S} s") from error
        finally:
            # Whatever ends us, it does not go on without us.
            if running.poll() is None:
                running.kill()
        took_s = time.monotonic() - clock
        watching.join()
    if running.returncode:
        lines = output.splitlines()[-_SHOWN_LINES:]
        raise BenchError("\n".join([f"{_shown(command)}: exit code {running.returncode}", *lines]))
    return Ended(began, took_s, peak[0], output)


def _watch(running: subprocess.Popen[bytes], peak: list[float]) -> None:
    """Keeps the highest mark that the kernel notes for a process, as it last stood before the process ended.

    `ru_maxrss` would do, but it counts the largest child, too: the Python that imports an app.
    """
    while running.returncode is None:
        try:
            status = Path(f"/proc/{running.pid}/status").read_text()
        except OSError:
            return
        found = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        if not found:
            # It has ended, and only waits to be asked for its exit code.
            return
        peak[0] = max(peak[0], int(found[0].split()[1]) / 1024)
        time.sleep(0.005)


def _shown(command: list[str | Path]) -> str:
    return " ".join([Path(command[0]).name, *map(str, command[1:])])
