"""Asks Chalice's own analyser which permissions the source of an app needs.

Usage: analyse.py REQUEST, a JSON file with `source` (the path of app.py) and `result` (where the policy goes).
"""

import json
import os
import sys


def main(request_file):
    with open(request_file, encoding="utf-8") as file:
        request = json.load(file)
    with open(request["source"], encoding="utf-8") as file:
        source = file.read()
    policy = policy_of(source)
    partial = request["result"] + ".partial"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(policy, file, indent=1)
    os.replace(partial, request["result"])


def policy_of(source):
    from chalice.analyzer import get_client_calls_for_app

    # What else it takes to make a policy is imported for longer than the rest of this takes.
    if not get_client_calls_for_app(source):
        return {"Version": "2012-10-17", "Statement": []}
    from chalice.policy import policy_from_source_code

    return policy_from_source_code(source)


if __name__ == "__main__":
    main(sys.argv[1])
