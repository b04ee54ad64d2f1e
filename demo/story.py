"""The demo: branches and a pull request of an app become stages on an emulated AWS, told by a fake GitHub.

`make demo` runs it. Everything that it starts ends with it, on Ctrl-C too, and everything that it writes is in
temporary folders; with `DEMO_COMMENTS=FOLDER` it keeps the comments there, for `demo/comment.py` to draw.
"""

from __future__ import annotations

import json
import os
import re
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
from typing import Any, NoReturn

from github import REPOSITORY, GitHub, fake_github

CHECKOUT = Path(__file__).resolve().parent.parent
ENVIRONMENT = CHECKOUT / ".env"
PROGRAM = CHECKOUT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug" / "stagewright"
BUCKET = "deploys"
NUMBER = 7

# What belongs to the machine's own cloud must not reach an emulated one.
SCRUBBED = ("AWS_", "GIT_", "GITHUB_", "ACTIONS_", "INPUT_", "RUNNER_", "STAGEWRIGHT_")

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
            "STAGEWRIGHT_QUOTAS": "none",
        }

    def what_stands(self) -> dict[str, list[dict[str, str]]]:
        """Returns the roles, functions and REST APIs that are there."""
        with DIRECT.open(f"{self.endpoint}/__proxy/inventory", timeout=60) as answer:
            standing = json.load(answer)
        return {kind: things for kind, things in standing.items() if kind != "objects"}


@dataclass
class Repository:
    """A Git repository with an example in it, the GitHub that it is on, and the AWS that it is deployed to."""

    folder: Path
    cloud: Cloud
    github: GitHub
    runs: int = 0

    def git(self, *arguments: str) -> str:
        """Runs git in the checkout, and returns what it printed."""
        settings = ["user.name=ann", "user.email=ann@example.com", "commit.gpgsign=false"]
        command = ["git", *(word for setting in settings for word in ("-c", setting)), *arguments]
        ended = subprocess.run(command, cwd=self.folder, text=True, capture_output=True, env=self.cloud.environment())
        if ended.returncode:
            stop(f"git {' '.join(arguments)}: {ended.stderr}")
        return ended.stdout.strip()

    def commit(self, title: str) -> str:
        """Commits what was changed, and returns the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", title)
        return self.git("rev-parse", "HEAD")

    def push(self, branch: str) -> dict[str, str]:
        """Pushes a branch, which starts the workflow; returns the outputs of the action."""
        self.git("checkout", "--quiet", branch)
        if branch == "main":
            self.github.files = {"stagewright.yaml": (self.folder / "stagewright.yaml").read_text()}
        say(f"$ git push origin {branch}", "1")
        payload = {"ref": f"refs/heads/{branch}", "deleted": False}
        return self.run_action("push", payload, self.folder)

    def pull_request(self, number: int, action: str) -> dict[str, str]:
        """Runs the workflow for what happened to a pull request. That of `closed` has nothing checked out."""
        payload = self.github.event(number, action)
        if action != "closed":
            return self.run_action("pull_request", payload, self.folder)
        with tempfile.TemporaryDirectory(prefix="stagewright-demo-") as nothing:
            return self.run_action("pull_request_target", payload, Path(nothing))

    def run_action(self, event: str, payload: dict[str, Any], workspace: Path) -> dict[str, str]:
        """Runs `stagewright ci` as a workflow does, for all to see, and returns the outputs."""
        self.runs += 1
        say(f"  GitHub runs `stagewright ci` for `{event}`{why(payload)}:", "2")
        with tempfile.TemporaryDirectory(prefix="stagewright-demo-") as folder:
            files = {name: Path(folder) / name for name in ("event.json", "output", "summary")}
            for file in files.values():
                file.touch()
            files["event.json"].write_text(json.dumps(payload))
            environment = self.cloud.environment() | {
                "GITHUB_ACTIONS": "true",
                "GITHUB_API_URL": self.github.api_url,
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_REPOSITORY": REPOSITORY,
                "GITHUB_RUN_ID": str(1000 + self.runs),
                "GITHUB_EVENT_NAME": event,
                "GITHUB_EVENT_PATH": str(files["event.json"]),
                "GITHUB_REF": payload.get("ref", "refs/heads/main"),
                "GITHUB_SHA": self.git("rev-parse", "HEAD"),
                "GITHUB_WORKSPACE": str(workspace),
                "GITHUB_OUTPUT": str(files["output"]),
                "GITHUB_STEP_SUMMARY": str(files["summary"]),
                "INPUT_GITHUB-TOKEN": "test",
                "INPUT_APP": "guestbook",
                "INPUT_STATE": f"s3://{BUCKET}/stagewright",
            }
            show(["ci"], workspace, environment)
            return outputs(files["output"].read_text())

    def stagewright(self, *arguments: str) -> None:
        """Runs the program at a terminal, for all to see."""
        say(f"$ stagewright {' '.join(arguments)}", "1")
        show(list(arguments), self.folder, self.cloud.environment())

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

    def comment(self) -> dict[str, Any]:
        """Shows the one comment that there is, whole, and returns it."""
        if len(self.github.comments) != 1:
            stop(f"there are {len(self.github.comments)} comments")
        comment = self.github.comments[0]
        say(f"\n  Comment {comment['id']} of #{comment['issue']}, by {comment['user']['login']}:", "2")
        for line in comment["body"].rstrip().splitlines():
            say(f"  │ {line}", "33")
        print(flush=True)
        if kept := os.environ.get("DEMO_COMMENTS"):
            Path(kept).mkdir(exist_ok=True)
            (Path(kept) / f"{self.runs}.md").write_text(comment["body"])
        return dict(comment)


def main() -> None:
    """Tells the story."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with (
            tempfile.TemporaryDirectory(prefix="stagewright-demo-") as folder,
            emulated_aws() as cloud,
            fake_github() as github,
        ):
            say(f"A fake GitHub listens on {github.api_url}.", "2")
            # Where we are root, the app is imported as a user who owns nothing and must be able to read it.
            Path(folder).chmod(0o755)
            tell(Repository(Path(folder) / "guestbook", cloud, github))
    except KeyboardInterrupt:
        say("\nStopped: the emulated AWS and everything in it is gone.")
        sys.exit(130)


def tell(guestbook: Repository) -> None:
    """Tells it from the first push to the merge."""
    chapter("1", "Branches are stages", """
        examples/guestbook-chalice is an ordinary Chalice project. Its stagewright.yaml says `main: prod` and
        `develop: beta`, and a push is a deploy.""")  # fmt: skip
    make(guestbook)
    prod = guestbook.push("main")["url"]
    beta = guestbook.push("develop")["url"]
    call(prod)
    call(beta)

    chapter("2", "A pull request is opened", "It gets a stage of its own, and one comment.")
    guestbook.git("checkout", "--quiet", "-b", "warmer", "main")
    guestbook.change("app.py", 'GREETING = "Welcome"', 'GREETING = "Welcome, friend"')
    guestbook.github.open_pull_request(NUMBER, guestbook.commit("A warmer greeting"), "main")
    say("$ gh pr create --base main", "1")
    url = guestbook.pull_request(NUMBER, "opened")["url"]
    first = guestbook.comment()
    call(url)

    chapter("3", "Another commit is pushed to it", "The comment is the same, and so is the URL; the answer is new.")
    guestbook.change("app.py", 'GREETING = "Welcome, friend"', 'GREETING = "Welcome back, friend"')
    guestbook.github.pull_requests[NUMBER]["head"]["sha"] = guestbook.commit("Warmer still")
    say("$ git push origin warmer", "1")
    if (again := guestbook.pull_request(NUMBER, "synchronize")["url"]) != url:
        stop(f"the URL changed from {url} to {again}")
    second = guestbook.comment()
    if second["id"] != first["id"] or second["body"] == first["body"]:
        stop("it is another comment, or says what it said before")
    call(url)
    say("\n  prod is a stage of its own, and is as it was:", "2")
    call(prod)

    chapter("4", "It is merged", """
        The preview goes, from its record alone: nothing is checked out. `main` is pushed, so prod is new.""")  # fmt: skip
    say("$ gh pr merge --merge", "1")
    guestbook.git("checkout", "--quiet", "main")
    guestbook.git("merge", "--quiet", "--no-ff", "--message", f"Merge #{NUMBER}", "warmer")
    guestbook.github.pull_requests[NUMBER]["state"] = "closed"
    guestbook.pull_request(NUMBER, "closed")
    guestbook.comment()
    standing = [thing["name"] for things in guestbook.cloud.what_stands().values() for thing in things]
    if left := [name for name in standing if f"pr-{NUMBER}" in name]:
        stop(f"still there: {left}")
    deployments = [one["statuses"][-1]["state"] for one in guestbook.github.deployments if one["environment"] == "preview"]
    say(f"  GitHub's deployments of `preview`: {', '.join(deployments)}\n", "2")
    guestbook.push("main")
    call(prod)
    guestbook.stagewright("stages")
    say(f"\nOf pr-{NUMBER} nothing is left: no role, no function, no API.", "1;32")


def make(guestbook: Repository) -> None:
    """Makes the repository of a copy, so that the checkout stays as it is, and names the bucket of its state."""
    shutil.copytree(CHECKOUT / "examples" / "guestbook-chalice", guestbook.folder)
    manifest = guestbook.folder / "stagewright.yaml"
    manifest.write_text(f"state: s3://{BUCKET}/stagewright\n{manifest.read_text()}")
    guestbook.git("init", "--quiet", "--initial-branch", "main")
    guestbook.commit("A guestbook")
    guestbook.git("branch", "develop")


def why(payload: dict[str, Any]) -> str:
    """Returns what an event says of itself, in a word or two."""
    return f": {payload['action']}" if "action" in payload else f" to `{payload['ref'].removeprefix('refs/heads/')}`"


def show(arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Runs the program, and shows what it prints but for the words by which the runner knows its commands."""
    colour = "always" if sys.stdout.isatty() else "auto"
    command = [str(PROGRAM), *arguments, "--color", colour]
    running = subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE)
    try:
        for line in running.stdout or ():
            if not re.match(r"::(stop-commands|add-mask|\w{16,})::", line):
                print("  " + line, end="", flush=True)
        if running.wait():
            stop(f"stagewright {' '.join(arguments)} ended with {running.returncode}")
    finally:
        running.terminate()
        running.wait()


def outputs(text: str) -> dict[str, str]:
    """Reads the outputs of a step: `name<<MARK`, the value, `MARK`."""
    blocks = re.findall(r"^([^<=\n]+)<<(\S+)\n(.*?)\n?^\2$", text, re.MULTILINE | re.DOTALL)
    return {name: value for name, _, value in blocks} | dict(re.findall(r"^([\w-]+)=(.*)$", text, re.MULTILINE))


def call(url: str) -> None:
    """Calls a stage as anybody would, and shows the answer; anything but a success ends the story."""
    say(f"  $ curl {url}", "36")
    try:
        with DIRECT.open(url, timeout=60) as response:
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
