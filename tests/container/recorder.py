#!/usr/local/bin/python3
"""Stands in for the program where AWS is out of reach: tells how it was called, and what the program decides.

It is no shell script, since a shell drops variables whose names have hyphens, as those of inputs do.
"""

import json
import os
import subprocess
import sys

told = subprocess.run(
    ["/usr/local/lib/stagewright", *sys.argv[1:], "--decide"], capture_output=True, text=True, check=False
)
record = {
    "arguments": sys.argv[1:],
    "inputs": {name: value for name, value in os.environ.items() if name.startswith("INPUT_")},
    "decided": json.loads(told.stdout) if told.returncode == 0 else told.stderr,
}
print("recorded: " + json.dumps(record), flush=True)
with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as outputs:
    outputs.write("stage=recorded\n")
