"""How many calls AWS takes from an account in a Region: the quotas of API Gateway and of Lambda's control plane.

Each is a bucket of so many calls that fills up again, one call every so many seconds. AWS says how fast they fill,
and for all of API Gateway together how large the bucket is. For Lambda it says calls a second, so its buckets hold
those of one second. S3, IAM and everything else are left alone: nobody meets their quotas with a deploy.

See <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html> and
<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from operations import Call, Request


@dataclass(frozen=True)
class Quota:
    """A quota: what is counted, the seconds between two calls, and how many may come at once."""

    of: str
    gap_s: float
    burst: int = 1


LAMBDA = Quota("Lambda's control plane", 1 / 15, 15)
_LAMBDA_READS = {"GetFunction": Quota("GetFunction", 1 / 100, 100), "GetPolicy": Quota("GetPolicy", 1 / 15, 15)}
# What Lambda does not count as control plane.
_LAMBDA_DATA_PLANE = {"Invoke"}

API_GATEWAY = Quota("API Gateway", 1 / 10, 40)
NEW_API = Quota("a new API", 3.0)
NEW_EDGE_API = Quota("a new API", 30.0)
DEPLOYMENT = Quota("a deployment", 5.0)
REMOVAL = Quota("a removal", 30.0)
_DOMAIN = Quota("a domain", 30.0)
_RESOURCE = Quota("a resource", 1 / 5, 5)
_API_GATEWAY = {
    "CreateRestApi": NEW_API,
    "ImportRestApi": NEW_API,
    "PutRestApi": Quota("an import", 1.0),
    "CreateDeployment": DEPLOYMENT,
    "DeleteRestApi": REMOVAL,
    "CreateDomainName": _DOMAIN,
    "UpdateDomainName": _DOMAIN,
    "DeleteDomainName": _DOMAIN,
    "CreateResource": _RESOURCE,
    "DeleteResource": _RESOURCE,
    "GetResources": Quota("the resources", 2 / 5, 5),
    "UpdateAccount": Quota("the account", 20.0),
    "UpdateUsagePlan": Quota("a usage plan", 20.0),
}


def quotas_of(request: Request, call: Call) -> list[Quota]:
    """Returns the quotas that a call is counted against."""
    if call.service == "lambda" and call.operation not in _LAMBDA_DATA_PLANE:
        return [_LAMBDA_READS.get(call.operation, LAMBDA)]
    if call.service != "apigateway":
        return []
    own = _API_GATEWAY.get(call.operation)
    if own == NEW_API and _is_edge(request, call):
        own = NEW_EDGE_API
    return [own, API_GATEWAY] if own else [API_GATEWAY]


def _is_edge(request: Request, call: Call) -> bool:
    if call.operation == "ImportRestApi":
        return request.query.get("endpointConfigurationTypes", "EDGE") == "EDGE"
    return b"REGIONAL" not in request.body and b"PRIVATE" not in request.body


class Budget:
    """What is left of each quota."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        # When the bucket of a quota will be full again, by what is counted.
        self.full_at: dict[str, float] = {}

    def spend(self, quotas: list[Quota]) -> bool:
        """Counts a call against all of these; where one of them is used up, against none, and says so by `False`."""
        with self.lock:
            now = time.monotonic()
            after = {quota.of: max(self.full_at.get(quota.of, now), now) + quota.gap_s for quota in quotas}
            # A clock that is read twice must not refuse a call that comes exactly in time.
            if any(after[quota.of] - now > quota.gap_s * quota.burst + 1e-6 for quota in quotas):
                return False
            self.full_at |= after
            return True
