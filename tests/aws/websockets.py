"""Websocket APIs serve what was deployed, not what was written last; the emulator makes no difference.

At CreateDeployment the routes and their integrations are noted, by the deployment's id, so that a test can see what a
stage serves: a tool that forgets to deploy is seen.
"""

from __future__ import annotations

import json
from typing import Any

from operations import Call, Request
from upstream import Answer, Upstream


class Websockets:
    """What the deployments of every websocket API serve."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.deployed: dict[str, dict[str, Any]] = {}

    def answer(self, request: Request, call: Call) -> Answer:
        """Answers a request to API Gateway's second version."""
        answer = self.upstream.send(request)
        if call.operation == "CreateDeployment" and answer.ok:
            deployment = answer.json()["deploymentId"]
            self.deployed[deployment] = self._serves(request, call.target)
            if stage := json.loads(request.body or b"{}").get("stageName"):
                # The emulator leaves the stage as it is.
                at = f"/v2/apis/{call.target}/stages/{stage}"
                self.upstream.demand(request, "apigateway", "PATCH", at, {"deploymentId": deployment})
        return answer

    def _serves(self, request: Request, api_id: str) -> dict[str, Any]:
        def items(kind: str) -> list[dict[str, Any]]:
            return self.upstream.demand(request, "apigateway", "GET", f"/v2/apis/{api_id}/{kind}")["items"]

        uris = {item["integrationId"]: item.get("integrationUri") for item in items("integrations")}
        return {item["routeKey"]: uris.get(item.get("target", "").rpartition("/")[2]) for item in items("routes")}
