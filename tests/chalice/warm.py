"""The real Chalice, loaded once: each command is run by a copy of this process, which ends with it.

To load Chalice takes longer than most of what it does against an emulator. What it is asked comes as lines of JSON on
standard input, each with `arguments`, `folder`, `environment` and the file `output` for all that it prints; its exit
code is answered on standard output.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from chalice.cli import main


def _serve() -> None:
    while line := sys.stdin.readline():
        asked = json.loads(line)
        # There is one thread here, so that a copy has everything that it needs.
        process = os.fork()
        if process == 0:
            _become(asked)
            sys.exit(main())
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(asked: dict[str, Any]) -> None:
    """Makes this process one that a shell would have started."""
    output = os.open(asked["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, standard in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(file, standard)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    program = os.path.join(os.path.dirname(sys.executable), "chalice")
    sys.argv, sys.path[0] = [program, *asked["arguments"]], os.path.dirname(program)


_serve()
