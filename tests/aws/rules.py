"""What AWS insists on and the emulator lets pass, and how AWS behaves in time.

A tool that was only tried on a lax emulator fails at its users'. So a role must exist, and be old enough, before a
function can have it; a function that is still being updated refuses the next update; names have their limits; an API
may only invoke a function that permits it; and the account's quotas (`quotas.py`) can be switched on.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote, urlencode

from document import Apis
from operations import DATA_PLANE, Call, Request
from quotas import Budget, quotas_of
from upstream import Answer, Upstream, as_json, error

_CONFIGURATION = {
    "CreateFunction", "GetFunction", "GetFunctionConfiguration",
    "UpdateFunctionCode", "UpdateFunctionConfiguration",
}  # fmt: skip
_UPDATES = {"UpdateFunctionCode", "UpdateFunctionConfiguration"}

_NAMES = {
    "CreateFunction": ("functionName", "FunctionName", r"[a-zA-Z0-9_-]+"),
    "CreateRole": ("roleName", "RoleName", r"[\w+=,.@-]+"),
    "PutRule": ("name", "Name", r"[.\-_A-Za-z0-9]+"),
}
_NAME_LENGTH = 64
_STORED = re.compile(rb"<LastModified>([^<]+)</LastModified>")

# Whether AWS would refuse a call, and how.
Check = Callable[[Request, Call], Answer | None]


@dataclass
class Settings:
    """How slow and how busy AWS is; everything is off to begin with.

    `latency_ms`: how long a call takes from its first byte to its answer; what it does, it does half-way.
    `role_delay_s`: how long after CreateRole no function can have a role.
    `busy_s`: how long after its creation a function is `Pending`, and after an update `InProgress`, and refuses another.
    `stored_s`: by how much what a bucket has looks older than it is.
    `quotas`: whether more calls than AWS takes from an account are answered by 429.
    `serves`: whether REST APIs answer. To write their routes into the emulator takes longer than a deployment takes AWS.
    """

    latency_ms: float = 0
    role_delay_s: float = 0
    busy_s: float = 0
    stored_s: float = 0
    quotas: bool = False
    serves: bool = True
    lies: str = ""


class Rules:
    """Judges each request before the emulator sees it, and dresses each answer after."""

    def __init__(self, upstream: Upstream, apis: Apis) -> None:
        self.upstream, self.apis = upstream, apis
        self.settings = Settings()
        self.lock = threading.Lock()
        self.assumable: dict[str, float] = {}
        self.busy: dict[str, tuple[float, str, str]] = {}
        self.budget = Budget()
        self.checks: dict[str, list[Check]] = {
            "CreateFunction": [_bad_name, self._unusable_role, self._missing_code],
            "UpdateFunctionCode": [self._busy_function, self._missing_code],
            "UpdateFunctionConfiguration": [self._busy_function, self._unusable_role],
            "PublishVersion": [self._busy_function],
            "PutObject": [self._lie],
            "CreateRole": [_bad_name],
            "PutRule": [_bad_name],
        }

    def refusal(self, request: Request, call: Call) -> Answer | None:
        """Returns the error with which AWS would answer, or nothing if it would not refuse."""
        if call.service == "execute-api":
            return self._not_permitted(request)
        checks = [self._over_quota, *self.checks.get(call.operation, [])]
        return next((refused for check in checks if (refused := check(request, call))), None)

    def remember(self, request: Request, call: Call, answer: Answer) -> None:
        """Notes what a call that succeeded makes unusable for a while."""
        if not answer.ok:
            return
        now = time.monotonic()
        with self.lock:
            if call.operation == "CreateRole":
                self.assumable[request.form["RoleName"]] = now + self.settings.role_delay_s
            if call.operation == "CreateFunction":
                self.busy[call.target] = (now + self.settings.busy_s, "State", "Pending")
            elif call.operation in _UPDATES and self.settings.busy_s:
                self.busy[call.target] = (now + self.settings.busy_s, "LastUpdateStatus", "InProgress")

    def dress(self, call: Call, answer: Answer) -> Answer:
        """Shows a function as busy, and what a bucket has as old, as the settings say."""
        if self.settings.stored_s and call.service == "s3" and call.operation.startswith("ListObject") and answer.ok:
            return Answer(answer.status, answer.headers, _STORED.sub(self._older, answer.body))
        if not (self.settings.busy_s and call.service == "lambda" and call.operation in _CONFIGURATION and answer.ok):
            return answer
        whole = answer.json()
        shown = whole.get("Configuration", whole)
        until, key, word = self.busy.get(shown.get("FunctionName", ""), (0.0, "", ""))
        shown.update({"State": "Active", "LastUpdateStatus": "Successful"})
        for reason in ("StateReason", "StateReasonCode", "LastUpdateStatusReason", "LastUpdateStatusReasonCode"):
            shown.pop(reason, None)
        if time.monotonic() < until:
            shown[key] = word
        return as_json(answer.status, whole)

    def _older(self, found: re.Match[bytes]) -> bytes:
        stored = datetime.fromisoformat(found[1].decode()) - timedelta(seconds=self.settings.stored_s)
        return b"<LastModified>" + stored.strftime("%Y-%m-%dT%H:%M:%S.000Z").encode() + b"</LastModified>"

    def _lie(self, request: Request, _: Call) -> None:
        """Makes a store of the bucket that forgets a condition before it writes: always, of one kind, or in a race."""
        lies, match, none = self.settings.lies, request.header("If-Match"), request.header("If-None-Match")
        if not lies or not (match or none):
            return
        if lies == "race":
            # Whoever comes while another one's condition holds is let in by the same comparison.
            holds = self._holds(request, match)
            time.sleep(0.3)
            if not holds:
                return
        if lies != "if-match" or match:
            request.headers[:] = [(name, value) for name, value in request.headers if not name.lower().startswith("if-")]

    def _holds(self, request: Request, match: str) -> bool:
        stands = self.upstream.ask(request, "s3", "HEAD", request.route)
        etag = next((value for name, value in stands.headers if name.lower() == "etag"), "")
        return etag.strip('"') == match.strip('"') if match else not stands.ok

    def _over_quota(self, request: Request, call: Call) -> Answer | None:
        if not self.settings.quotas or self.budget.spend(quotas_of(request, call)):
            return None
        return error(call.service, 429, "TooManyRequestsException", "Too Many Requests")

    def _unusable_role(self, request: Request, _: Call) -> Answer | None:
        arn = _json(request).get("Role")
        if arn is None:
            return None
        name = arn.rpartition("/")[2]
        query = urlencode({"Action": "GetRole", "Version": "2010-05-08", "RoleName": name})
        exists = self.upstream.ask(request, "iam", "POST", "/", query).ok
        if exists and time.monotonic() >= self.assumable.get(name, 0.0):
            return None
        text = "The role defined for the function cannot be assumed by Lambda."
        return error("lambda", 400, "InvalidParameterValueException", text)

    def _missing_code(self, request: Request, _: Call) -> Answer | None:
        asked = _json(request)
        code = asked.get("Code", asked)
        if "S3Key" not in code:
            return None
        at = f"/{code['S3Bucket']}/{quote(code['S3Key'])}"
        if self.upstream.ask(request, "s3", "HEAD", at).ok:
            return None
        text = "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: no such key"
        return error("lambda", 400, "InvalidParameterValueException", text)

    def _busy_function(self, request: Request, call: Call) -> Answer | None:
        if not self._is_busy(request, call):
            return None
        text = "The operation cannot be performed at this time. An update is in progress for resource: "
        return error(call.service, 409, "ResourceConflictException", text + call.target)

    def _is_busy(self, request: Request, call: Call) -> bool:
        until, _, _ = self.busy.get(call.target, (0.0, "", ""))
        if time.monotonic() < until:
            return True
        if self.settings.busy_s:
            return False
        path = f"/2015-03-31/functions/{quote(call.target)}/configuration"
        shown = self.upstream.ask(request, "lambda", "GET", path).json()
        return shown.get("State") == "Pending" or shown.get("LastUpdateStatus") == "InProgress"

    def _not_permitted(self, request: Request) -> Answer | None:
        """Refuses, as API Gateway does, to invoke a function whose policy does not let this API in."""
        api_id, _, rest = request.route.removeprefix(DATA_PLANE).partition("/")
        _, _, path = rest.partition("/")
        behind = self.apis.functions_behind(api_id, path, request.method)
        if behind is None:
            return None
        origin, functions = behind
        if all(self._permits(origin, arn, api_id) for arn in functions):
            return None
        return as_json(500, {"message": "Internal server error"})

    def _permits(self, origin: Request, function_arn: str, api_id: str) -> bool:
        name = function_arn.rpartition(":")[2]
        answer = self.upstream.ask(origin, "lambda", "GET", f"/2015-03-31/functions/{quote(name)}/policy")
        statements = json.loads(answer.json().get("Policy") or "{}").get("Statement", [])
        return any(_lets_in(statement, api_id) for statement in statements)


def _lets_in(statement: dict[str, Any], api_id: str) -> bool:
    principal = statement.get("Principal", {})
    service = principal.get("Service") if isinstance(principal, dict) else principal
    condition = statement.get("Condition", {})
    sources = {key.lower(): value for key, value in condition.get("ArnLike", {}).items()}
    source = sources.get("aws:sourcearn", "*")
    api = source if source == "*" else source.rpartition(":")[2].partition("/")[0]
    return service in ("apigateway.amazonaws.com", "*") and fnmatchcase(api_id, api)


def _bad_name(request: Request, call: Call) -> Answer | None:
    field, key, pattern = _NAMES[call.operation]
    fields: Mapping[str, Any] = request.form if call.service == "iam" else _json(request)
    name = str(fields.get(key, "")).rpartition(":")[2]
    if re.fullmatch(pattern, name) and len(name) <= _NAME_LENGTH:
        return None
    short = len(name) <= _NAME_LENGTH
    must = (
        f"satisfy regular expression pattern: {pattern}"
        if short
        else f"have length less than or equal to {_NAME_LENGTH}"
    )
    text = f"1 validation error detected: Value '{name}' at '{field}' failed to satisfy constraint: Member must {must}"
    return error(call.service, 400, "ValidationError" if call.service == "iam" else "ValidationException", text)


def _json(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
