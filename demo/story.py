"""The demo: two small apps become three stages on an emulated AWS, are called, changed, and taken down again.

`make demo` runs it. Everything that it starts ends with it, on Ctrl-C too, and everything that it writes is in one
temporary folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

CHECKOUT = Path(__file__).resolve().parent.parent
ENVIRONMENT = CHECKOUT / ".env"
PROGRAM = CHECKOUT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug" / "stagewright"
BUCKET = "deploys"

# What belongs to the machine's own cloud must not reach an emulated one.
SCRUBBED = ("AWS_", "GITHUB_", "RUNNER_", "STAGEWRIGHT_")

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Cloud:
    """An emulated AWS that runs."""

    endpoint: str
    url_template: str

    def environment(self) -> dict[str, str]:
        """Returns what the program finds AWS with: the variables that every AWS tool knows."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(SCRUBBED)}
        return kept | {
            "PATH": f"{ENVIRONMENT / 'path'}{os.pathsep}{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "STAGEWRIGHT_URL_TEMPLATE": self.url_template,
        }

    def what_stands(self) -> dict[str, list[dict[str, str]]]:
        """Returns the roles, functions and REST APIs that are there."""
        inventory = [sys.executable, str(CHECKOUT / "tests/aws/inventory.py")]
        output = subprocess.run(inventory, env=self.environment(), check=True, capture_output=True).stdout
        return {kind: things for kind, things in json.loads(output).items() if kind != "objects"}


@dataclass(frozen=True)
class Project:
    """A copy of an example, and the program run in it."""

    folder: Path
    cloud: Cloud

    def stagewright(self, *arguments: str) -> str:
        """Runs the program for all to see, and returns the last word that it said: after a deploy, the URL."""
        say(f"{self.folder.name}$ stagewright {' '.join(arguments)}", "1")
        colour = "always" if sys.stdout.isatty() else "auto"
        command = [str(PROGRAM), *arguments, "--color", colour]
        running = subprocess.Popen(
            command, cwd=self.folder, env=self.cloud.environment(), text=True, stdout=subprocess.PIPE
        )
        last = ""
        try:
            for line in running.stdout or ():
                print("  " + line, end="", flush=True)
                last = line if line.strip() else last
            if running.wait():
                stop(f"stagewright {' '.join(arguments)} ended with {running.returncode}")
        finally:
            running.terminate()
            running.wait()
        return last.split()[-1] if last else ""

    def change(self, path: str, old: str, new: str) -> None:
        """Changes a line of a file, and shows it."""
        file = self.folder / path
        text = file.read_text()
        if old not in text:
            stop(f"{path} no longer says {old!r}")
        file.write_text(text.replace(old, new))
        say(f"  {path}:", "2")
        say(f"  - {old}", "31")
        say(f"  + {new}", "32")


def main() -> None:
    """Tells the story."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with tempfile.TemporaryDirectory(prefix="stagewright-demo-") as folder, emulated_aws() as cloud:
            tell(Path(folder), cloud)
    except KeyboardInterrupt:
        say("\nStopped: the emulated AWS and everything in it is gone.")
        sys.exit(130)


def tell(folder: Path, cloud: Cloud) -> None:
    """Tells it from the first deploy to the last destroy."""
    chapter("1", "A Chalice app becomes two stages", """
        examples/guestbook-chalice is an ordinary Chalice project. Each stage gets its own role, functions and
        REST API; dev and prod share nothing.""")  # fmt: skip
    guestbook = project("guestbook-chalice", folder, cloud)
    dev = guestbook.stagewright("deploy", "--stage", "dev")
    prod = guestbook.stagewright("deploy", "--stage", "prod")
    call("GET", dev)
    call("GET", prod)
    call("GET", dev + "guests/ada")

    chapter("2", "An app in any language becomes a third", """
        examples/guestbook-native is a Rust program and a stagewright.yaml: a native binary, built and deployed.
        """)  # fmt: skip
    visitors = project("guestbook-native", folder, cloud)
    beta = visitors.stagewright("deploy", "--stage", "beta")
    call("POST", beta + "visitors/grace")

    chapter("3", "What is deployed is recorded in S3", "One object a stage; anybody with the bucket sees the same.")
    guestbook.stagewright("stages")
    visitors.stagewright("stages")

    chapter("4", "A line changes", "The plan names what will happen and why. The URL stays.")
    guestbook.change("app.py", 'GREETING = "Welcome"', 'GREETING = "Welcome back"')
    guestbook.stagewright("plan", "--stage", "dev")
    again = guestbook.stagewright("deploy", "--stage", "dev")
    if again != dev:
        stop(f"the URL changed from {dev} to {again}")
    call("GET", dev)
    say("\n  prod was not deployed, so it did not change:", "2")
    call("GET", prod)
    say("\n  Once more, with nothing to do:", "2")
    guestbook.stagewright("deploy", "--stage", "dev")

    chapter("5", "Everything goes again", "Destroying needs the record alone: no app, no build.")
    guestbook.stagewright("destroy", "--stage", "prod", "--yes")
    call("GET", dev)
    guestbook.stagewright("destroy", "--stage", "dev", "--yes")
    visitors.stagewright("destroy", "--stage", "beta", "--yes")
    left = {kind: [thing["name"] for thing in things] for kind, things in cloud.what_stands().items() if things}
    if left:
        stop(f"still there: {left}")
    say("\nNothing is left: no role, no function, no API.", "1;32")


def project(example: str, folder: Path, cloud: Cloud) -> Project:
    """Copies an example, so that the checkout stays as it is, and names the bucket that stages are recorded in."""
    copy = folder / example
    shutil.copytree(CHECKOUT / "examples" / example, copy)
    manifest = copy / "stagewright.yaml"
    text = manifest.read_text() if manifest.exists() else ""
    manifest.write_text(f"state: s3://{BUCKET}/stagewright\n{text}")
    return Project(copy, cloud)


def call(method: str, url: str) -> None:
    """Calls a stage as anybody would, and shows the answer; anything but a success ends the story."""
    say(f"  $ curl {'' if method == 'GET' else f'-X {method} '}{url}", "36")
    request = urllib.request.Request(url, method=method, data=None if method == "GET" else b"")
    try:
        with DIRECT.open(request, timeout=60) as response:
            print(f"  {response.read().decode().strip()}", flush=True)
    except urllib.error.HTTPError as error:
        stop(f"{url} answered {error.code}: {error.read().decode('utf-8', 'replace')}")


@contextmanager
def emulated_aws() -> Iterator[Cloud]:
    """Starts an emulated AWS with a bucket in it; it ends with the pipe that we hold."""
    starter = [sys.executable, str(CHECKOUT / "tests/aws/start.py")]
    with subprocess.Popen(starter, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        line = running.stdout.readline() if running.stdout else b""
        if not line:
            stop("the emulated AWS did not start")
        ready = json.loads(line)
        cloud = Cloud(ready["endpoint"], ready["url_template"])
        DIRECT.open(urllib.request.Request(f"{cloud.endpoint}/{BUCKET}", method="PUT"), timeout=30).close()
        say(f"An emulated AWS listens on {cloud.endpoint}; a local process: nothing here costs anything.", "2")
        yield cloud


def chapter(number: str, title: str, text: str) -> None:
    """Begins a new chapter."""
    say(f"\n{number}. {title}", "1;35")
    say(textwrap.fill(" ".join(text.split()), 100) + "\n", "2")


def say(text: str, color: str = "0") -> None:
    """Prints a line, in colour for a person."""
    shown = f"\033[{color}m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text
    print(shown, flush=True)


def stop(why: str) -> NoReturn:
    """Ends the story badly."""
    sys.exit(f"demo: {why}")


if __name__ == "__main__":
    main()
