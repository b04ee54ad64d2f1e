"""Custom domain names: the calls of API Gateway's first version that the emulator lacks, made of its second one's.

A domain name is the same thing in both versions, so what one writes the other reads.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from operations import Call, Request
from upstream import Answer, Upstream, error, scope

_CERTIFICATES = ("/certificateArn", "/regionalCertificateArn")
_NO_PATH = "(none)"


def answer(upstream: Upstream, request: Request, call: Call) -> Answer | None:
    """Answers a call that the emulator does not know, and leaves every other one."""
    if call.operation == "UpdateDomainName":
        return _update(upstream, request, call.target)
    if call.operation == "UpdateBasePathMapping":
        return _remap(upstream, request, call.target)
    if call.operation == "CreateDomainName":
        return _create(upstream, request)
    if call.operation == "DeleteBasePathMapping":
        stands = upstream.ask(request, "apigateway", "GET", request.path)
        return None if stands.ok else stands
    return None


def _create(upstream: Upstream, request: Request) -> Answer:
    created = upstream.send(request)
    asked = json.loads(request.body or b"{}")
    if created.ok and asked.get("tags"):
        # The emulator shows them with the name, but does not give them as its tags.
        _, _, region = scope(request)
        arn = f"arn:aws:apigateway:{region}::/domainnames/{asked['domainName']}"
        upstream.demand(request, "apigateway", "POST", f"/v2/tags/{quote(arn, safe='')}", {"tags": asked["tags"]})
    return created


def _update(upstream: Upstream, request: Request, name: str) -> Answer:
    at = f"/domainnames/{quote(name)}"
    current = upstream.ask(request, "apigateway", "GET", at)
    if not current.ok:
        return current
    stands = current.json()
    types = stands["endpointConfiguration"]["types"]
    wanted: dict[str, Any] = {
        "endpointType": types[0],
        "certificateArn": stands.get("regionalCertificateArn") or stands.get("certificateArn"),
        "securityPolicy": stands.get("securityPolicy"),
    }
    for patch in json.loads(request.body or b"{}").get("patchOperations", []):
        if patch["path"] in _CERTIFICATES:
            wanted["certificateArn"] = patch["value"]
        elif patch["path"] == "/securityPolicy":
            wanted["securityPolicy"] = patch["value"]
        else:
            return error("apigateway", 400, "BadRequestException", f"this emulation cannot patch {patch['path']}")
    upstream.demand(request, "apigateway", "PATCH", f"/v2{at}", {"domainNameConfigurations": [wanted]})
    return upstream.ask(request, "apigateway", "GET", at)


def _remap(upstream: Upstream, request: Request, name: str) -> Answer:
    at = f"/v2/domainnames/{quote(name)}/apimappings"
    path = request.route.rstrip("/").rpartition("/")[2]
    mappings = upstream.ask(request, "apigateway", "GET", at)
    if not mappings.ok:
        return mappings
    key = "" if path in (_NO_PATH, quote(_NO_PATH)) else path
    found = next((item for item in mappings.json()["items"] if item.get("apiMappingKey", "") == key), None)
    if found is None:
        return error("apigateway", 404, "NotFoundException", "Invalid base path mapping identifier specified")
    fields = {"/restapiId": "apiId", "/stage": "stage", "/basePath": "apiMappingKey"}
    patches = json.loads(request.body or b"{}").get("patchOperations", [])
    wanted = {fields[patch["path"]]: patch["value"] for patch in patches}
    upstream.demand(request, "apigateway", "PATCH", f"{at}/{found['apiMappingId']}", wanted)
    shown = quote(wanted.get("apiMappingKey", key) or _NO_PATH)
    return upstream.ask(request, "apigateway", "GET", f"/domainnames/{quote(name)}/basepathmappings/{shown}")
