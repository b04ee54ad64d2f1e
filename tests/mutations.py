"""Takes out each line that keeps a rule of `docs/state.md`, and insists that the test named beside it goes red.

    python tests/mutations.py [WORDS OF A RULE]

It works on a copy of the checkout, builds into `target/mutations` there (or the folder that CARGO_TARGET_DIR names), and
takes a minute or more for each rule.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass

_ROOT = pathlib.Path(__file__).parent.parent
_LEFT_OUT = shutil.ignore_patterns("target", ".env", ".git", "__pycache__")


@dataclass(frozen=True)
class Rule:
    """A row of the table: what keeps a rule, and what watches over that."""

    name: str
    file: str
    line: str
    instead: str
    test: str

    def command(self) -> list[str]:
        """How its test is run: a scenario, or a test below the code."""
        room = self.test.split("::")[0]
        is_scenario = (_ROOT / f"tests/scenarios/{room}.rs").is_file() and "tests" not in self.test
        where = ["--test", "scenarios"] if is_scenario else ["--bin", "stagewright"]
        return ["cargo", "test", "--quiet", "--locked", *where, self.test]


def rules() -> list[Rule]:
    """Reads the table."""
    lines = (_ROOT / "docs/state.md").read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("| rule |")) + 2
    found = []
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        cells = [cell.strip().strip("`") for cell in line.replace("\\|", "\0").strip("|").split("|")]
        found.append(Rule(*[cell.replace("\0", "|") for cell in cells]))
    return found


def verdict(rule: Rule, checkout: pathlib.Path) -> str:
    """What comes of the test without the line: it is `caught`, it `SURVIVED`, or it was `NOT TRIED`, since nothing ran."""
    file = checkout / rule.file
    code = file.read_text()
    file.write_text(code.replace(rule.line, rule.instead))
    try:
        ran = subprocess.run(rule.command(), cwd=checkout, capture_output=True, text=True, check=False)
    finally:
        file.write_text(code)
    counts = re.findall(r"test result: \S+ (\d+) passed; (\d+) failed", ran.stdout)
    if any(int(failed) for _, failed in counts):
        return "caught"
    print((ran.stdout + ran.stderr)[-2000:])
    return "SURVIVED" if any(int(passed) for passed, _ in counts) else "NOT TRIED"


def main() -> None:
    """Tries all rules, or those whose names have the given words."""
    words = " ".join(sys.argv[1:]).lower()
    chosen = [rule for rule in rules() if words in rule.name.lower()]
    with tempfile.TemporaryDirectory() as folder:
        checkout = pathlib.Path(folder) / "checkout"
        shutil.copytree(_ROOT, checkout, ignore=_LEFT_OUT, symlinks=True)
        (checkout / ".env").symlink_to(_ROOT / ".env")
        os.environ.setdefault("CARGO_TARGET_DIR", str(_ROOT / "target/mutations"))
        survivors = 0
        for rule in chosen:
            came_of_it = verdict(rule, checkout)
            print(f"{came_of_it}: {rule.name}", flush=True)
            survivors += came_of_it != "caught"
    if survivors:
        sys.exit(f"{survivors} of {len(chosen)} lines can go without a red test")


if __name__ == "__main__":
    main()
