"""What AWS insists on of event sources and websocket APIs, and the emulator lets pass.

One mapping for a function and its source, one notification for an event and a place in a bucket, and only to a function
that lets the bucket in; no rule is deleted under its targets, no deployment under its stage, no integration under its
route.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as xml
from collections.abc import Callable
from fnmatch import fnmatchcase
from itertools import combinations
from typing import Any
from urllib.parse import quote, urlencode

from operations import Call, Request
from upstream import Answer, Upstream, error

_RATE = re.compile(r"rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)")
_CRON = re.compile(r"cron\((\S+ ){5}\S+\)")

# The kinds of a bucket's notifications that have a target of their own.
_TARGETS = {"CloudFunction": "lambda", "Queue": "sqs", "Topic": "sns"}


class Sources:
    """Judges the requests that are about event sources and websocket APIs."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.checks: dict[tuple[str, str], Callable[[Request, Call], Answer | None]] = {
            ("lambda", "CreateEventSourceMapping"): self._mapped_already,
            ("events", "PutRule"): _bad_schedule,
            ("events", "DeleteRule"): self._has_targets,
            ("events", "RemoveTargets"): self._no_such_rule,
            ("events", "ListTargetsByRule"): self._no_such_rule,
            ("s3", "PutBucketNotificationConfiguration"): self._bad_notifications,
            ("websocket", "CreateRoute"): self._has_route,
            ("websocket", "CreateStage"): self._has_stage,
            ("websocket", "CreateDeployment"): self._has_no_route,
            ("websocket", "DeleteDeployment"): self._is_served,
            ("websocket", "DeleteIntegration"): self._is_used,
        }

    def refusal(self, request: Request, call: Call) -> Answer | None:
        """Returns the error with which AWS would answer, or nothing if it would not refuse."""
        service = "websocket" if request.route.startswith("/v2/apis/") else call.service
        check = self.checks.get((service, call.operation))
        return check(request, call) if check else None

    def _mapped_already(self, request: Request, _: Call) -> Answer | None:
        asked = _json(request)
        function = asked.get("FunctionName", "").rpartition(":")[2]
        source = asked.get("EventSourceArn", "")
        query = urlencode({"FunctionName": function, "EventSourceArn": source})
        path = f"/2015-03-31/event-source-mappings/?{query}"
        stand = self.upstream.ask(request, "lambda", "GET", path).json().get("EventSourceMappings", [])
        if not stand:
            return None
        text = f'The event source arn (" {source} ") and function (" {function} ") provided mapping already exists. '
        text += f"Please update or delete the existing mapping with UUID {stand[0]['UUID']}"
        return error("lambda", 409, "ResourceConflictException", text)

    def _has_targets(self, request: Request, _: Call) -> Answer | None:
        rule = _json(request).get("Name")
        answer = self.upstream.ask_target(request, "events", "AWSEvents.ListTargetsByRule", {"Rule": rule})
        if not answer.json().get("Targets"):
            return None
        return error("events", 400, "ValidationException", "Rule can't be deleted since it has targets.")

    def _no_such_rule(self, request: Request, _: Call) -> Answer | None:
        rule = _json(request).get("Rule")
        if self.upstream.ask_target(request, "events", "AWSEvents.DescribeRule", {"Name": rule}).ok:
            return None
        text = f"Rule {rule} does not exist on EventBus default."
        return error("events", 400, "ResourceNotFoundException", text)

    def _bad_notifications(self, request: Request, call: Call) -> Answer | None:
        wanted = _notifications(request.body)
        for one, other in combinations(wanted, 2):
            if _overlap(one, other):
                text = "Configurations overlap. Configurations on the same bucket cannot share a common event type."
                return error("s3", 400, "InvalidArgument", text)
        for target in {one["target"] for one in wanted if one["service"] == "lambda"}:
            if not self._lets_in(request, target, call.target.strip("/")):
                text = "Unable to validate the following destination configurations"
                return error("s3", 400, "InvalidArgument", text)
        return None

    def _lets_in(self, request: Request, function_arn: str, bucket: str) -> bool:
        name = function_arn.rpartition(":")[2]
        answer = self.upstream.ask(request, "lambda", "GET", f"/2015-03-31/functions/{quote(name)}/policy")
        for statement in json.loads(answer.json().get("Policy") or "{}").get("Statement", []):
            principal = statement.get("Principal", {})
            service = principal.get("Service") if isinstance(principal, dict) else principal
            sources = {key.lower(): value for key, value in statement.get("Condition", {}).get("ArnLike", {}).items()}
            source = sources.get("aws:sourcearn", "*")
            if service == "s3.amazonaws.com" and fnmatchcase(f"arn:aws:s3:::{bucket}", source):
                return True
        return False

    def _items(self, request: Request, call: Call, kind: str) -> list[dict[str, Any]]:
        answer = self.upstream.ask(request, "apigateway", "GET", f"/v2/apis/{call.target}/{kind}")
        items: list[dict[str, Any]] = answer.json().get("items", [])
        return items

    def _has_route(self, request: Request, call: Call) -> Answer | None:
        key = _json(request).get("routeKey")
        if all(route["routeKey"] != key for route in self._items(request, call, "routes")):
            return None
        return error("apigateway", 409, "ConflictException", f"Route with key {key} already exists for this API")

    def _has_stage(self, request: Request, call: Call) -> Answer | None:
        name = _json(request).get("stageName")
        if all(stage["stageName"] != name for stage in self._items(request, call, "stages")):
            return None
        return error("apigateway", 409, "ConflictException", "Stage already exists")

    def _has_no_route(self, request: Request, call: Call) -> Answer | None:
        if self._items(request, call, "routes"):
            return None
        text = "At least one route is required before deploying the Api."
        return error("apigateway", 400, "BadRequestException", text)

    def _is_served(self, request: Request, call: Call) -> Answer | None:
        deployment = request.route.rstrip("/").rpartition("/")[2]
        if all(stage.get("deploymentId") != deployment for stage in self._items(request, call, "stages")):
            return None
        text = "Active stages pointing to this deployment must be moved or deleted"
        return error("apigateway", 400, "BadRequestException", text)

    def _is_used(self, request: Request, call: Call) -> Answer | None:
        integration = request.route.rstrip("/").rpartition("/")[2]
        if all(route.get("target") != f"integrations/{integration}" for route in self._items(request, call, "routes")):
            return None
        text = f"Cannot delete Integration '{integration}' that a route refers to"
        return error("apigateway", 409, "ConflictException", text)


def _bad_schedule(request: Request, _: Call) -> Answer | None:
    schedule = _json(request).get("ScheduleExpression")
    if not schedule or _RATE.fullmatch(schedule) or _CRON.fullmatch(schedule):
        return None
    return error("events", 400, "ValidationException", "Parameter ScheduleExpression is not valid.")


def _notifications(body: bytes) -> list[dict[str, Any]]:
    """Reads what a bucket is to notify of: events, the place in the bucket, and whom."""
    wanted = []
    for one in xml.fromstring(body) if body else []:
        target = next((child for child in one if _tag(child) in _TARGETS), None)
        if target is None:
            continue
        rule = {"prefix": "", "suffix": ""}
        for filtered in (item for item in one.iter() if _tag(item) == "FilterRule"):
            fields = {_tag(field): field.text or "" for field in filtered}
            rule[fields["Name"].lower()] = fields["Value"]
        events = [child.text or "" for child in one if _tag(child) == "Event"]
        wanted.append(rule | {"events": events, "target": target.text or "", "service": _TARGETS[_tag(target)]})
    return wanted


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    prefixes, suffixes = (one["prefix"], other["prefix"]), (one["suffix"], other["suffix"])
    near = any(a.startswith(b) for a, b in (prefixes, prefixes[::-1]))
    alike = any(a.endswith(b) for a, b in (suffixes, suffixes[::-1]))
    shared = any(fnmatchcase(a, b) or fnmatchcase(b, a) for a in one["events"] for b in other["events"])
    return near and alike and shared


def _tag(element: xml.Element) -> str:
    return element.tag.rpartition("}")[2]


def _json(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
