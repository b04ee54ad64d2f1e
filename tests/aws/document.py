"""REST APIs that were imported as one document, written into an emulator that only knows single calls.

AWS serves what was deployed, not what was imported. The emulator serves its resources at once, so a document is kept
here until CreateDeployment, and only then turned into resources, methods, integrations and authorizers. What the last
deployment already wrote, and is still the same, is left alone: a route that did not change never stops answering.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from operations import Call, Request
from upstream import Answer, Upstream, error

_ANY = "x-amazon-apigateway-any-method"
_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", _ANY}

# A method on a path, as the document words it: ("/guests/{id}", "POST").
Route = tuple[str, str]


@dataclass
class Api:
    """One REST API that came as a document."""

    origin: Request
    lock: threading.Lock = field(default_factory=threading.Lock)
    imported: dict[str, Any] | None = None
    deployed: dict[str, Any] = field(default_factory=dict)
    methods: dict[Route, str] = field(default_factory=dict)
    authorizers: dict[str, tuple[str, str]] = field(default_factory=dict)


class Apis:
    """Every imported API, and the API Gateway operations that AWS and the emulator disagree on."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.known: dict[str, Api] = {}
        self.serves = True
        self.operations = {
            "ImportRestApi": self._import,
            "PutRestApi": self._put,
            "UpdateRestApi": self._update,
            "CreateDeployment": self._deploy,
            "DeleteRestApi": self._delete,
        }

    def answer(self, request: Request, call: Call) -> Answer:
        """Answers an API Gateway request: by our own means where the emulator has none."""
        operation = self.operations.get(call.operation)
        return operation(request, call) if operation else self.upstream.send(request)

    def _import(self, request: Request, _: Call) -> Answer:
        document = _read(request)
        if isinstance(document, Answer):
            return document
        types = [request.query.get("endpointConfigurationTypes", "EDGE")]
        settings = _settings(document) | {"endpointConfiguration": {"types": types} | _endpoints(document)}
        answer = self.upstream.ask(request, "apigateway", "POST", "/restapis", settings)
        if answer.ok:
            self.known[answer.json()["id"]] = Api(request, imported=document)
        return answer

    def _put(self, request: Request, call: Call) -> Answer:
        current = self.upstream.ask(request, "apigateway", "GET", f"/restapis/{call.target}")
        document = _read(request)
        if not current.ok:
            return current
        if isinstance(document, Answer):
            return document
        if request.query.get("mode", "merge") != "overwrite":
            return error("apigateway", 400, "BadRequestException", "this emulation only overwrites")
        self.known.setdefault(call.target, Api(request)).imported = document
        settings = {name: value for name, value in _settings(document).items() if name != "version"}
        if reached := _endpoints(document):
            settings["endpointConfiguration"] = current.json()["endpointConfiguration"] | reached
        return self._replace(request, call.target, settings)

    def _update(self, request: Request, call: Call) -> Answer:
        """Applies a patch here, since the emulator keeps every patched value as the text it came as."""
        current = self.upstream.ask(request, "apigateway", "GET", f"/restapis/{call.target}")
        if not current.ok:
            return current
        api = current.json()
        touched = {}
        for patch in json.loads(request.body or b"{}").get("patchOperations", []):
            name = _apply(api, patch)
            touched[name] = api[name]
        return self._replace(request, call.target, touched)

    def _replace(self, request: Request, api_id: str, settings: dict[str, Any]) -> Answer:
        patches: list[dict[str, Any]] = [
            {"op": "replace", "path": f"/{name}", "value": value}
            for name, value in settings.items()
            if name != "endpointConfiguration"
        ]
        if "endpointConfiguration" in settings:
            for name, value in settings["endpointConfiguration"].items():
                patches.append({"op": "replace", "path": f"/endpointConfiguration/{name}", "value": value})
        return self.upstream.ask(request, "apigateway", "PATCH", f"/restapis/{api_id}", {"patchOperations": patches})

    def _deploy(self, request: Request, call: Call) -> Answer:
        api = self.known.get(call.target)
        if api is None:
            return self.upstream.send(request)
        asked = json.loads(request.body or b"{}")
        with api.lock:
            if not _operations(api.imported or api.deployed):
                return error("apigateway", 400, "BadRequestException", "The REST API doesn't contain any methods")
            if api.imported is not None:
                if self.serves:
                    _Writing(self.upstream, request, call.target, api).write(api.imported)
                api.deployed, api.imported = api.imported, None
            answer = self.upstream.send(request)
            if answer.ok and asked.get("stageName") and "tracingEnabled" in asked:
                stage = f"/restapis/{call.target}/stages/{asked['stageName']}"
                patch = {"op": "replace", "path": "/tracingEnabled", "value": asked["tracingEnabled"]}
                self.upstream.demand(request, "apigateway", "PATCH", stage, {"patchOperations": [patch]})
        return answer

    def _delete(self, request: Request, call: Call) -> Answer:
        answer = self.upstream.send(request)
        if answer.ok:
            self.known.pop(call.target, None)
        return answer

    def functions_behind(self, api_id: str, path: str, method: str) -> tuple[Request, list[str]] | None:
        """Returns the ARNs of the functions that one HTTP request needs, and a request of the API's account."""
        api = self.known.get(api_id)
        if api is None:
            return None
        operations = _operations(api.deployed)
        routes = _matches(path, {path for path, _ in operations})
        found = next((operations[r, m] for r in routes for m in (method, "ANY") if (r, m) in operations), None)
        if found is None:
            return api.origin, []
        schemes = api.deployed.get("securityDefinitions", {})
        guards = [schemes.get(name, {}) for requirement in found.get("security", []) for name in requirement]
        uris = [found.get("x-amazon-apigateway-integration", {}).get("uri")]
        uris += [guard.get("x-amazon-apigateway-authorizer", {}).get("authorizerUri") for guard in guards]
        return api.origin, [_function_in(uri) for uri in uris if uri and ":lambda:path/" in uri]


class _Writing:
    """One document on its way into the emulator."""

    def __init__(self, upstream: Upstream, request: Request, api_id: str, api: Api) -> None:
        self.upstream, self.request, self.api = upstream, request, api
        self.base = f"/restapis/{api_id}"

    def call(self, method: str, path: str, payload: Any = None) -> dict[str, Any]:
        return self.upstream.demand(self.request, "apigateway", method, self.base + path, payload)

    def write(self, document: dict[str, Any]) -> None:
        """Makes the emulator's resources those of the document: first what goes, then what comes."""
        ids = {item["path"]: item["id"] for item in _items(self.call("GET", "/resources?limit=500"))}
        wanted = _operations(document)
        for path, method in set(self.api.methods) - set(wanted):
            self.call("DELETE", f"/resources/{ids[path]}/methods/{method}")
            del self.api.methods[path, method]
        paths = {prefix for path, _ in wanted for prefix in _prefixes(path)}
        for path in sorted(set(ids) - paths - {"/"}, key=len, reverse=True):
            self.call("DELETE", f"/resources/{ids.pop(path)}")
        for path in sorted(paths - set(ids), key=lambda path: path.count("/")):
            parent, _, part = path.rpartition("/")
            ids[path] = self.call("POST", f"/resources/{ids[parent or '/']}", {"pathPart": part})["id"]
        unused = self.write_authorizers(document)
        for (path, method), operation in wanted.items():
            self.write_method(path, method, f"/resources/{ids[path]}/methods/{method}", operation, document)
        for authorizer in unused:
            self.call("DELETE", f"/authorizers/{authorizer}")

    def write_authorizers(self, document: dict[str, Any]) -> list[str]:
        """Creates the authorizers that are new or changed, and returns the ids that nothing needs any more."""
        unused = []
        wanted = {}
        for name, scheme in document.get("securityDefinitions", {}).items():
            if "x-amazon-apigateway-authorizer" in scheme:
                wanted[name] = json.dumps(scheme, sort_keys=True)
        for name, (text, identifier) in list(self.api.authorizers.items()):
            if wanted.get(name) != text:
                unused.append(identifier)
                del self.api.authorizers[name]
        for name in wanted.keys() - self.api.authorizers.keys():
            payload = _authorizer(name, document["securityDefinitions"][name])
            self.api.authorizers[name] = wanted[name], self.call("POST", "/authorizers", payload)["id"]
        return unused

    def write_method(
        self, path: str, method: str, at: str, operation: dict[str, Any], document: dict[str, Any]
    ) -> None:
        """Writes a method with its integration, unless the last deployment wrote the same."""
        guard = self.guard(operation.get("security", []), document.get("securityDefinitions", {}))
        text = json.dumps([guard, operation], sort_keys=True)
        if self.api.methods.get((path, method)) == text:
            return
        integration = operation["x-amazon-apigateway-integration"]
        self.call("PUT", at, guard)
        self.call("PUT", at + "/integration", _integration(integration))
        if integration["type"].lower() == "mock":
            for response in integration.get("responses", {}).values():
                self.write_mock(at, response)
        self.api.methods[path, method] = text

    def write_mock(self, at: str, response: dict[str, Any]) -> None:
        headers = response.get("responseParameters", {})
        status = response["statusCode"]
        self.call("PUT", f"{at}/responses/{status}", {"responseParameters": dict.fromkeys(headers, False)})
        self.call("PUT", f"{at}/integration/responses/{status}", {"responseParameters": headers})

    def guard(self, requirements: list[dict[str, Any]], schemes: dict[str, Any]) -> dict[str, Any]:
        """Returns what PutMethod is told about who may call."""
        guard: dict[str, Any] = {"authorizationType": "NONE", "apiKeyRequired": False}
        for name, scopes in ((name, scopes) for requirement in requirements for name, scopes in requirement.items()):
            scheme = schemes.get(name, {})
            if name in self.api.authorizers:
                pools = scheme["x-amazon-apigateway-authorizer"]["type"] == "cognito_user_pools"
                guard["authorizationType"] = "COGNITO_USER_POOLS" if pools else "CUSTOM"
                guard["authorizerId"] = self.api.authorizers[name][1]
                guard["authorizationScopes"] = scopes
            elif scheme.get("x-amazon-apigateway-authtype") == "awsSigv4":
                guard["authorizationType"] = "AWS_IAM"
            elif scheme.get("name", "").lower() == "x-api-key":
                guard["apiKeyRequired"] = True
        return guard


def _read(request: Request) -> dict[str, Any] | Answer:
    try:
        document = json.loads(request.body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not (document.get("swagger") or document.get("openapi")):
        return error("apigateway", 400, "BadRequestException", "Invalid OpenAPI input")
    for (path, method), operation in _operations(document).items():
        if "x-amazon-apigateway-integration" not in operation:
            return error("apigateway", 400, "BadRequestException", f"No integration defined for {method} {path}")
    return document


def _settings(document: dict[str, Any]) -> dict[str, Any]:
    """Returns what an import says about the API itself, in CreateRestApi's words."""
    info = document.get("info", {})
    settings: dict[str, Any] = {
        "name": info.get("title", ""),
        "description": info.get("description", ""),
        "version": info.get("version", ""),
        "binaryMediaTypes": document.get("x-amazon-apigateway-binary-media-types", []),
    }
    if "x-amazon-apigateway-minimum-compression-size" in document:
        settings["minimumCompressionSize"] = document["x-amazon-apigateway-minimum-compression-size"]
    if "x-amazon-apigateway-policy" in document:
        settings["policy"] = json.dumps(document["x-amazon-apigateway-policy"])
    return settings


def _endpoints(document: dict[str, Any]) -> dict[str, Any]:
    """Returns the VPC endpoints that reach a private API, where a document names some."""
    configuration = document.get("x-amazon-apigateway-endpoint-configuration", {})
    return {"vpcEndpointIds": configuration["vpcEndpointIds"]} if "vpcEndpointIds" in configuration else {}


def _apply(api: dict[str, Any], patch: dict[str, str]) -> str:
    """Applies one operation of UpdateRestApi with the types that AWS gives the values, and returns what it touched."""
    name, _, item = patch["path"].lstrip("/").partition("/")
    item = item.replace("~1", "/").replace("~0", "~")
    value = patch.get("value")
    if name == "minimumCompressionSize":
        api[name] = int(value) if value else None
    elif name == "endpointConfiguration":
        list_name, _, old = item.partition("/")
        listed = api[name].get(list_name, [])
        if list_name == "vpcEndpointIds":
            others = [endpoint for endpoint in listed if endpoint != value]
            listed = others if patch["op"] == "remove" else [*others, value]
        else:
            listed = [value if kind == old or old == "0" else kind for kind in listed]
        api[name] = api[name] | {list_name: listed}
    elif name == "binaryMediaTypes":
        others = [kind for kind in api.get(name) or [] if kind != item]
        added: dict[str, list[Any]] = {"add": [item], "replace": [value], "remove": []}
        api[name] = others + added[patch["op"]]
    elif name == "disableExecuteApiEndpoint":
        api[name] = value == "true"
    else:
        api[name] = value
    return name


def _authorizer(name: str, scheme: dict[str, Any]) -> dict[str, Any]:
    authorizer = scheme["x-amazon-apigateway-authorizer"]
    payload = {
        "name": name,
        "type": authorizer["type"].upper(),
        "identitySource": authorizer.get("identitySource") or f"method.request.header.{scheme['name']}",
        "authType": scheme.get("x-amazon-apigateway-authtype"),
    }
    for key in ("authorizerUri", "authorizerCredentials", "authorizerResultTtlInSeconds", "providerARNs"):
        if key in authorizer:
            payload[key] = authorizer[key]
    return payload


def _integration(integration: dict[str, Any]) -> dict[str, Any]:
    payload = {
        "type": integration["type"].upper(),
        "httpMethod": integration.get("httpMethod", "POST"),
        "uri": integration.get("uri", ""),
        "requestTemplates": integration.get("requestTemplates", {}),
        "passthroughBehavior": integration.get("passthroughBehavior", "when_no_match").upper(),
    }
    if "contentHandling" in integration:
        payload["contentHandling"] = integration["contentHandling"]
    return payload


def _operations(document: dict[str, Any]) -> dict[Route, dict[str, Any]]:
    return {
        (path, "ANY" if method == _ANY else method.upper()): operation
        for path, item in document.get("paths", {}).items()
        for method, operation in item.items()
        if method.lower() in _METHODS
    }


def _items(page: dict[str, Any]) -> list[dict[str, Any]]:
    items = page.get("item") or page.get("items") or []
    return [items] if isinstance(items, dict) else items


def _prefixes(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


def _matches(path: str, routes: set[str]) -> list[str]:
    """Returns the routes that a path may take, the most exact first."""
    segments = [segment for segment in path.split("/") if segment]
    found = []
    for route in routes:
        parts = [part for part in route.split("/") if part]
        greedy = bool(parts) and parts[-1].endswith("+}")
        fits = len(parts) <= len(segments) if greedy else len(parts) == len(segments)
        if fits and all(p == unquote(s) or p.startswith("{") for p, s in zip(parts, segments, strict=False)):
            found.append(([_exactness(part) for part in parts], route))
    return [route for _, route in sorted(found, reverse=True)]


def _exactness(part: str) -> int:
    if not part.startswith("{"):
        return 2
    return 0 if part.endswith("+}") else 1


def _function_in(uri: str) -> str:
    return uri.partition("/functions/")[2].removesuffix("/invocations")
