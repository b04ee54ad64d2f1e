"""Prints everything that stands in the (emulated) AWS as one JSON object, in an order that does not change.

    python tests/aws/inventory.py [KEY...]

With access keys, each of an account of its own, it prints what stands in each of these accounts, by key.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.credentials import CredentialProvider, Credentials, ReadOnlyCredentials
from botocore.exceptions import ClientError

# The access key of the account that a thread asks; without one, it is that of the environment.
_ASKED = threading.local()
_MAKING = threading.Lock()


def main() -> None:
    """Asks each service at once, or each account, and prints what they say."""
    parts = {"roles": _roles, "functions": _functions, "apis": _apis, "objects": _objects}
    keys = sys.argv[1:]
    with ThreadPoolExecutor(8) as pool:
        if keys:
            whole: dict[str, Any] = dict(zip(keys, pool.map(lambda key: _account(key, parts), keys), strict=True))
        else:
            asked = {name: pool.submit(part) for name, part in parts.items()}
            whole = {name: part.result() for name, part in asked.items()}
        print(json.dumps(whole, default=str, sort_keys=True))


def _account(key: str, parts: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    _ASKED.key = key
    return {name: part() for name, part in parts.items()}


def _roles() -> list[dict[str, Any]]:
    iam = _client("iam")
    roles = []
    for role in _all(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
        documents = {p: iam.get_role_policy(RoleName=name, PolicyName=p)["PolicyDocument"] for p in sorted(policies)}
        tags = iam.list_role_tags(RoleName=name)["Tags"]
        roles.append({
            "name": name,
            "trust": role["AssumeRolePolicyDocument"],
            "policies": documents,
            "tags": {tag["Key"]: tag["Value"] for tag in tags},
        })  # fmt: skip
    return sorted(roles, key=lambda role: role["name"])


def _functions() -> list[dict[str, Any]]:
    aws = _client("lambda")
    functions = []
    for function in _all(aws, "list_functions", "Functions"):
        name = function["FunctionName"]
        whole = aws.get_function(FunctionName=name)
        kept = ("Runtime", "Role", "Handler", "Timeout", "MemorySize", "CodeSha256", "Architectures", "TracingConfig")
        functions.append({
            "name": name,
            **{key: whole["Configuration"].get(key) for key in kept},
            "environment": whole["Configuration"].get("Environment", {}).get("Variables", {}),
            "concurrency": whole.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
            "tags": whole.get("Tags", {}),
            "permissions": _permissions(aws, name),
        })  # fmt: skip
    return sorted(functions, key=lambda function: function["name"])


def _permissions(aws: Any, name: str) -> list[dict[str, Any]]:
    try:
        policy: dict[str, list[dict[str, Any]]] = json.loads(aws.get_policy(FunctionName=name)["Policy"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return []
        raise
    return policy["Statement"]


def _apis() -> list[dict[str, Any]]:
    aws = _client("apigateway")
    apis = []
    for api in _all(aws, "get_rest_apis", "items"):
        of = {"restApiId": api["id"]}
        resources = aws.get_resources(**of, limit=500)["items"]
        routes = [f"{m} {r['path']}" for r in resources for m in r.get("resourceMethods", {})]
        apis.append({
            "id": api["id"],
            "name": api["name"],
            "description": api.get("description", ""),
            "types": api["endpointConfiguration"]["types"],
            "binary": sorted(api.get("binaryMediaTypes", [])),
            "compression": api.get("minimumCompressionSize"),
            "routes": sorted(routes),
            "authorizers": sorted(item["name"] for item in aws.get_authorizers(**of)["items"]),
            "stages": sorted(stage["stageName"] for stage in aws.get_stages(**of)["item"]),
            "deployments": len(aws.get_deployments(**of)["items"]),
        })  # fmt: skip
    return sorted(apis, key=lambda api: (api["name"], api["description"]))


def _objects() -> list[str]:
    s3 = _client("s3")
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    pages = ((name, page) for name in buckets for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name))
    return sorted(f"{name}/{item['Key']}" for name, page in pages for item in page.get("Contents", []))


def _all(client: Any, operation: str, key: str) -> list[dict[str, Any]]:
    return [item for page in client.get_paginator(operation).paginate() for item in page[key]]


@cache
def _made(service: str) -> Any:
    session = botocore.session.get_session()
    session.get_component("credential_provider").insert_before("env", _OfThread())
    return boto3.session.Session(botocore_session=session).client(service)


def _client(service: str) -> Any:
    # To make a client takes longer than most of its calls, and they are made for several threads; making them is not.
    with _MAKING:
        return _made(service)


class _OfThread(CredentialProvider):
    """Gives the credentials of the account that the calling thread asks."""

    METHOD = "of-thread"

    def load(self) -> Credentials | None:
        """Returns nothing where only the account of the environment is asked."""
        return _Switching("", "test") if hasattr(_ASKED, "key") else None


class _Switching(Credentials):
    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials(_ASKED.key, "test", None)


if __name__ == "__main__":
    main()
