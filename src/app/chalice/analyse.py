"""Asks Chalice's own analyser which permissions the source of an app needs.

Usage: analyse.py REQUEST, a JSON file with `source` (the path of app.py) and `result` (where the policy goes).
"""

import json
import os
import sys

from chalice.policy import policy_from_source_code


def main(request_file):
    with open(request_file, encoding="utf-8") as file:
        request = json.load(file)
    with open(request["source"], encoding="utf-8") as file:
        source = file.read()
    policy = policy_from_source_code(source)
    partial = request["result"] + ".partial"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(policy, file, indent=1)
    os.replace(partial, request["result"])


if __name__ == "__main__":
    main(sys.argv[1])
