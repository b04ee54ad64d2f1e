"""Everything that stands in an account of the emulated AWS, as one JSON value in an order that does not change.

The emulator is asked past the proxy, in the words of AWS's wire: what is looked at is neither recorded nor slowed nor
failed, and no client has to be loaded for it, which takes longer than all of these calls.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, unquote, urlencode
from xml.etree import ElementTree

from operations import Request
from upstream import Answer, Upstream, UpstreamError

_KEPT = ("Runtime", "Role", "Handler", "Timeout", "MemorySize", "CodeSha256", "Architectures", "TracingConfig")


class Inventory:
    """The account of one access key."""

    def __init__(self, upstream: Upstream, key: str) -> None:
        credential = f"{key or 'test'}/20260101/us-east-1/none/aws4_request"
        self.like = Request("GET", "/", [("Authorization", f"AWS4-HMAC-SHA256 Credential={credential}, ")], b"")
        self.upstream = upstream

    def taken(self) -> dict[str, Any]:
        """Returns what stands there, its objects with their keys in order."""
        parts = {"roles": self._roles, "functions": self._functions, "apis": self._apis, "objects": self._objects}
        whole = {name: part() for name, part in parts.items()}
        ordered: dict[str, Any] = json.loads(json.dumps(whole, sort_keys=True))
        return ordered

    def _roles(self) -> list[dict[str, Any]]:
        roles = []
        for role in self._iam("ListRoles", "Roles"):
            of = {"RoleName": _text(role, "RoleName")}
            names = [name.text or "" for name in self._iam("ListRolePolicies", "PolicyNames", of)]
            policies = {n: self._iam("GetRolePolicy", "PolicyDocument", {**of, "PolicyName": n}) for n in names}
            roles.append({
                "name": of["RoleName"],
                "trust": _document(_text(role, "AssumeRolePolicyDocument")),
                "policies": {name: _document(policy.text or "") for name, policy in policies.items()},
                "tags": {_text(tag, "Key"): _text(tag, "Value") for tag in self._iam("ListRoleTags", "Tags", of)},
            })  # fmt: skip
        return sorted(roles, key=lambda role: role["name"])

    def _functions(self) -> list[dict[str, Any]]:
        functions = []
        for function in self._pages("lambda", "/2015-03-31/functions/", "Functions", "NextMarker", "Marker"):
            name = function["FunctionName"]
            whole = self._json("lambda", f"/2015-03-31/functions/{quote(name)}")
            shown = whole["Configuration"]
            functions.append({
                "name": name,
                **{key: shown.get(key) for key in _KEPT},
                "environment": shown.get("Environment", {}).get("Variables", {}),
                "concurrency": whole.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
                "tags": whole.get("Tags", {}),
                "permissions": self._permissions(name),
            })  # fmt: skip
        return sorted(functions, key=lambda function: function["name"])

    def _permissions(self, name: str) -> list[dict[str, Any]]:
        answer = self.upstream.ask(self.like, "lambda", "GET", f"/2015-03-31/functions/{quote(name)}/policy")
        if answer.status == 404:
            return []
        statements: list[dict[str, Any]] = json.loads(_good(answer).json()["Policy"])["Statement"]
        return statements

    def _apis(self) -> list[dict[str, Any]]:
        apis = []
        for api in self._pages("apigateway", "/restapis", "item", "position", "position"):
            at = f"/restapis/{api['id']}"
            resources = self._json("apigateway", f"{at}/resources?limit=500")["item"]
            apis.append({
                "id": api["id"],
                "name": api["name"],
                "description": api.get("description", ""),
                "types": api["endpointConfiguration"]["types"],
                "binary": sorted(api.get("binaryMediaTypes") or []),
                "compression": api.get("minimumCompressionSize"),
                "routes": sorted(f"{m} {r['path']}" for r in resources for m in r.get("resourceMethods", {})),
                "authorizers": sorted(item["name"] for item in self._json("apigateway", f"{at}/authorizers")["item"]),
                "stages": sorted(stage["stageName"] for stage in self._json("apigateway", f"{at}/stages")["item"]),
                "deployments": len(self._json("apigateway", f"{at}/deployments")["item"]),
            })  # fmt: skip
        return sorted(apis, key=lambda api: (api["name"], api["description"]))

    def _objects(self) -> list[str]:
        buckets = [_text(bucket, "Name") for bucket in _named(self._xml("s3", "/"), "Bucket")]
        keys = []
        for bucket in buckets:
            query = {"list-type": "2"}
            while query:
                page = self._xml("s3", f"/{bucket}?{urlencode(query)}")
                keys += [f"{bucket}/{_text(item, 'Key')}" for item in _named(page, "Contents")]
                following = _text(page, "NextContinuationToken")
                query = {"list-type": "2", "continuation-token": following} if following else {}
        return sorted(keys)

    def _json(self, service: str, path: str) -> dict[str, Any]:
        return self.upstream.demand(self.like, service, "GET", path)

    def _pages(self, service: str, path: str, key: str, said: str, asked: str) -> list[dict[str, Any]]:
        page = self._json(service, path)
        items: list[dict[str, Any]] = page[key]
        while following := page.get(said):
            page = self._json(service, f"{path}?{urlencode({asked: following})}")
            items += page[key]
        return items

    def _iam(self, action: str, key: str, fields: dict[str, str] | None = None) -> ElementTree.Element:
        """Returns one element of an answer. The emulator has all of a list on one page."""
        form = urlencode({"Action": action, "Version": "2010-05-08", **(fields or {})})
        (found,) = _named(_parsed(self.upstream.ask(self.like, "iam", "POST", "/", form)), key)
        return found

    def _xml(self, service: str, path: str) -> ElementTree.Element:
        return _parsed(self.upstream.ask(self.like, service, "GET", path))


def _good(answer: Answer) -> Answer:
    if not answer.ok:
        raise UpstreamError(f"{answer.status} {answer.body[:300].decode('utf-8', 'replace')}")
    return answer


def _parsed(answer: Answer) -> ElementTree.Element:
    return ElementTree.fromstring(_good(answer).body)


def _named(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    """Every element of a name below another, whatever namespace they have."""
    return element.findall(".//{*}" + name)


def _text(element: ElementTree.Element, name: str) -> str:
    found = element.find(".//{*}" + name)
    return "" if found is None else found.text or ""


def _document(text: str) -> Any:
    return json.loads(unquote(text))
