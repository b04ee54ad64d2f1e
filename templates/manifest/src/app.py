"""A small guest book, on nothing but Python's own library."""

import json
import os


def handler(event, context):
    """Answers a request, as API Gateway passes it on."""
    greeting = os.environ["GREETING"]
    name = (event.get("pathParameters") or {}).get("name", "world")
    return answer({"greeting": f"{greeting}, {name}!", "path": event["path"]})


def answer(body, status=200):
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"},
        "body": json.dumps(body),
    }
