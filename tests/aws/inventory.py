"""Prints everything that stands in the (emulated) AWS as one JSON object, in an order that does not change."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.exceptions import ClientError


def main() -> None:
    """Asks each service at once, and prints what they say."""
    parts = {"roles": _roles, "functions": _functions, "apis": _apis, "objects": _objects}
    with ThreadPoolExecutor() as pool:
        asked = {name: pool.submit(part) for name, part in parts.items()}
        print(json.dumps({name: part.result() for name, part in asked.items()}, default=str, sort_keys=True))


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


def _client(service: str) -> Any:
    # boto3's default session is not made for several threads.
    return boto3.session.Session().client(service)


if __name__ == "__main__":
    main()
