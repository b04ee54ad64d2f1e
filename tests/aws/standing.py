"""Everything that stands in one account, in a form that is equal where two worlds are.

What AWS makes up (ids of APIs, mappings and subscriptions, versions of layers) is replaced by what it stands for, what
changes without anybody's doing (dates, digests, sizes) is left out, and what has no order is sorted.
"""

from __future__ import annotations

import json
import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

# What a function's configuration says that depends on neither its content nor the moment.
_CONFIGURATION = (
    "Runtime", "Role", "Handler", "Timeout", "MemorySize", "Architectures", "Description", "PackageType", "KMSKeyArn",
    "DeadLetterConfig", "FileSystemConfigs", "EphemeralStorage", "SnapStart", "TracingConfig",
)  # fmt: skip
_MAPPING = (
    "BatchSize", "MaximumBatchingWindowInSeconds", "StartingPosition", "ScalingConfig", "FilterCriteria",
    "FunctionResponseTypes", "BisectBatchOnFunctionError", "MaximumRetryAttempts", "ParallelizationFactor",
)  # fmt: skip
_ABSENT = {"ResourceNotFoundException", "NotFoundException", "NoSuchEntity", "ResourceNotFound"}

_SESSION = botocore.session.get_session()


class Account:
    """One account of an emulated AWS, at one endpoint."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.clients: dict[str, BaseClient] = {}

    def client(self, service: str) -> Any:
        """Returns the client of a service; each is made once."""
        if service not in self.clients:
            self.clients[service] = _SESSION.create_client(
                service, region_name="us-east-1", endpoint_url=self.endpoint,
                aws_access_key_id="test", aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            )  # fmt: skip
        return self.clients[service]

    def proxy(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Asks the proxy before the emulator."""
        payload = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/__proxy/{path}", payload, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)

    def standing(self, recorded: list[dict[str, Any]]) -> dict[str, Any]:
        """Returns all of it, and what a tool has recorded, each thing under its name."""
        parts = {
            "roles": _roles, "functions": _functions, "mappings": _mappings, "rules": _rules,
            "notifications": _notifications, "subscriptions": _subscriptions, "rest_apis": _rest_apis,
            "websocket_apis": _websocket_apis, "domains": _domains, "layers": _layers, "log_groups": _log_groups,
        }  # fmt: skip
        self.names: dict[str, str] = {}
        whole = {name: part(self) for name, part in parts.items()}
        whole["recorded"] = {resource["name"]: resource for resource in recorded}
        text = json.dumps(whole, default=str, sort_keys=True)
        for identifier in sorted(self.names, key=len, reverse=True):
            text = text.replace(identifier, self.names[identifier])
        return json.loads(re.sub(r"(-managed-layer:)\d+", r"\1<version>", text))


def _roles(account: Account) -> dict[str, Any]:
    iam = account.client("iam")
    roles = {}
    for role in _all(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        of = {"RoleName": name}
        inline = iam.list_role_policies(**of)["PolicyNames"]
        attached = iam.list_attached_role_policies(**of)["AttachedPolicies"]
        roles[name] = {
            "trust": _statements(role["AssumeRolePolicyDocument"]),
            "policies": {p: _statements(iam.get_role_policy(**of, PolicyName=p)["PolicyDocument"]) for p in inline},
            "attached": sorted(policy["PolicyArn"] for policy in attached),
            "tags": {tag["Key"]: tag["Value"] for tag in iam.list_role_tags(**of)["Tags"]},
            "path": role["Path"],
            "boundary": role.get("PermissionsBoundary"),
        }
    return roles


def _functions(account: Account) -> dict[str, Any]:
    aws = account.client("lambda")

    def one(function: dict[str, Any]) -> dict[str, Any]:
        name = function["FunctionName"]
        whole = aws.get_function(FunctionName=name)
        shown = whole["Configuration"]
        network = shown.get("VpcConfig", {})
        policy = _or_none(aws.get_policy, FunctionName=name)
        return {
            **{key: shown[key] for key in _CONFIGURATION if shown.get(key)},
            "environment": shown.get("Environment", {}).get("Variables", {}),
            "layers": [layer["Arn"] for layer in shown.get("Layers") or []],
            "subnets": sorted(network.get("SubnetIds", [])),
            "security_groups": sorted(network.get("SecurityGroupIds", [])),
            "concurrency": whole.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
            "tags": whole.get("Tags", {}),
            "permissions": _statements(json.loads(policy["Policy"])) if policy else [],
        }

    functions = _all(aws, "list_functions", "Functions")
    with ThreadPoolExecutor(4) as pool:
        return dict(zip((f["FunctionName"] for f in functions), pool.map(one, functions), strict=True))


def _mappings(account: Account) -> dict[str, Any]:
    mappings = {}
    for mapping in _all(account.client("lambda"), "list_event_source_mappings", "EventSourceMappings"):
        function = mapping["FunctionArn"].rpartition(":")[2]
        account.names[mapping["UUID"]] = f"<mapping of {function}>"
        shown = {key: mapping[key] for key in _MAPPING if mapping.get(key)}
        shown["is_on"] = mapping["State"] not in ("Disabled", "Disabling")
        _put(mappings, f"{function} <- {mapping['EventSourceArn']}", shown)
    return mappings


def _rules(account: Account) -> dict[str, Any]:
    aws = account.client("events")
    rules = {}
    for rule in aws.list_rules()["Rules"]:
        targets = aws.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        tags = _or_none(aws.list_tags_for_resource, ResourceARN=rule["Arn"]).get("Tags", [])
        rules[rule["Name"]] = {
            "schedule": rule.get("ScheduleExpression"),
            "pattern": json.loads(rule["EventPattern"]) if rule.get("EventPattern") else None,
            "state": rule.get("State"),
            "description": rule.get("Description", ""),
            "targets": {target["Id"]: target for target in targets},
            "tags": {tag["Key"]: tag["Value"] for tag in tags},
        }
    return rules


def _notifications(account: Account) -> dict[str, Any]:
    s3 = account.client("s3")
    found = {}
    for bucket in s3.list_buckets()["Buckets"]:
        shown = s3.get_bucket_notification_configuration(Bucket=bucket["Name"])
        configurations: dict[str, Any] = {}
        for kind in ("LambdaFunctionConfigurations", "QueueConfigurations", "TopicConfigurations"):
            for one in shown.get(kind, []):
                # S3 answers with the names of filters as it likes them.
                rules = one.get("Filter", {}).get("Key", {}).get("FilterRules", [])
                filters = {rule["Name"].lower(): rule["Value"] for rule in rules}
                target = one.get("LambdaFunctionArn") or one.get("QueueArn") or one.get("TopicArn")
                _put(configurations, target, {"events": sorted(one["Events"]), "filters": filters})
        found[bucket["Name"]] = configurations
    return found


def _subscriptions(account: Account) -> dict[str, Any]:
    subscriptions: dict[str, Any] = {}
    for shown in _all(account.client("sns"), "list_subscriptions", "Subscriptions"):
        function = shown["Endpoint"].rpartition(":")[2]
        account.names[shown["SubscriptionArn"].rpartition(":")[2]] = f"<subscription of {function}>"
        _put(subscriptions, f"{function} <- {shown['TopicArn']}", {"protocol": shown["Protocol"]})
    return subscriptions


def _rest_apis(account: Account) -> dict[str, Any]:
    aws = account.client("apigateway")
    documents = account.proxy("apis")
    apis: dict[str, Any] = {}
    for number, api in enumerate(_all(aws, "get_rest_apis", "items")):
        account.names[api["id"]] = "<rest-api>" if number == 0 else f"<rest-api {number + 1}>"
        stages = aws.get_stages(restApiId=api["id"])["item"]
        _put(apis, api["name"], {
            "description": api.get("description", ""),
            "types": api["endpointConfiguration"]["types"],
            "vpc_endpoints": sorted(api["endpointConfiguration"].get("vpcEndpointIds", [])),
            "binary": sorted(api.get("binaryMediaTypes", [])),
            "compression": api.get("minimumCompressionSize"),
            "policy": _statements(_api_policy(api["policy"])) if api.get("policy") else [],
            "tags": api.get("tags", {}),
            "stages": {stage["stageName"]: _kept(stage, "tracingEnabled", "variables", "tags") for stage in stages},
            "document": documents.get(api["id"]),
        })  # fmt: skip
    return apis


def _websocket_apis(account: Account) -> dict[str, Any]:
    aws = account.client("apigatewayv2")
    snapshots = account.proxy("websockets")
    apis: dict[str, Any] = {}
    for number, api in enumerate(aws.get_apis()["Items"]):
        of = {"ApiId": api["ApiId"]}
        account.names[api["ApiId"]] = "<websocket-api>" if number == 0 else f"<websocket-api {number + 1}>"
        stages = aws.get_stages(**of)["Items"]
        _put(apis, api["Name"], {
            "protocol": api["ProtocolType"],
            "selection": api.get("RouteSelectionExpression"),
            "description": api.get("Description", ""),
            "tags": api.get("Tags", {}),
            "routes": _routes(aws.get_routes(**of)["Items"], aws.get_integrations(**of)["Items"]),
            "stages": {
                stage["StageName"]: {
                    "is_deployed_by_itself": stage.get("AutoDeploy", False),
                    # What is served: the routes as they were when the stage's deployment was made.
                    "serves": snapshots.get(stage.get("DeploymentId")),
                }
                for stage in stages
            },
        })  # fmt: skip
    return apis


def _routes(routes: list[dict[str, Any]], integrations: list[dict[str, Any]]) -> dict[str, Any]:
    by_id = {integration["IntegrationId"]: integration for integration in integrations}
    kept = ("IntegrationType", "IntegrationUri", "IntegrationMethod", "ConnectionType", "ContentHandlingStrategy")
    shown = {}
    for route in routes:
        integration = by_id.pop(route.get("Target", "").rpartition("/")[2], None)
        options = _kept(route, "AuthorizationType", "ApiKeyRequired", "RouteResponseSelectionExpression")
        shown[route["RouteKey"]] = {**options, "integration": integration and _kept(integration, *kept)}
    shown["(integrations of no route)"] = len(by_id)
    return shown


def _domains(account: Account) -> dict[str, Any]:
    # The second version of API Gateway shows the names that the first one made, too.
    aws = account.client("apigatewayv2")
    domains: dict[str, Any] = {}
    for domain in aws.get_domain_names()["Items"]:
        name = domain["DomainName"]
        shown = {"tags": domain.get("Tags", {})}
        for configuration in domain["DomainNameConfigurations"]:
            account.names[configuration["ApiGatewayDomainName"]] = f"<alias of {name}>"
            shown |= _kept(configuration, "CertificateArn", "EndpointType", "SecurityPolicy")
        mappings = aws.get_api_mappings(DomainName=name).get("Items", [])
        shown["mappings"] = {m.get("ApiMappingKey", ""): _kept(m, "ApiId", "Stage") for m in mappings}
        domains[name] = shown
    return domains


def _layers(account: Account) -> dict[str, Any]:
    aws = account.client("lambda")
    layers = {}
    for layer in _all(aws, "list_layers", "Layers"):
        versions = aws.list_layer_versions(LayerName=layer["LayerName"])["LayerVersions"]
        kept = ("Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo")
        layers[layer["LayerName"]] = [_kept(version, *kept) for version in versions]
    return layers


def _log_groups(account: Account) -> dict[str, Any]:
    groups = _all(account.client("logs"), "describe_log_groups", "logGroups")
    return {group["logGroupName"]: {"retention_in_days": group.get("retentionInDays")} for group in groups}


def _statements(document: dict[str, Any]) -> list[Any]:
    """Returns a policy's statements without the names that they were given, lists where one value may stand alone."""
    shown = []
    for statement in document.get("Statement", []):
        one = {key: value for key, value in statement.items() if key != "Sid"}
        for key in ("Action", "Resource", "NotAction", "NotResource"):
            if key in one:
                one[key] = sorted(one[key]) if isinstance(one[key], list) else [one[key]]
        shown.append(one)
    return sorted(shown, key=lambda statement: json.dumps(statement, sort_keys=True))


def _api_policy(text: str) -> dict[str, Any]:
    # API Gateway gives it as the inside of a JSON string, quotes escaped.
    policy: dict[str, Any] = json.loads(json.loads(f'"{text}"') if text.startswith('{\\"') else text)
    return policy


def _kept(whole: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: whole[name] for name in names if whole.get(name)}


def _put(into: dict[str, Any], name: str, value: Any) -> None:
    """Puts a value under a name, and a second one beside the first."""
    number = 2
    free = name
    while free in into:
        free, number = f"{name} ({number})", number + 1
    into[free] = value


def _or_none(operation: Any, **arguments: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = operation(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return {}
        raise
    return answer


def _all(client: Any, operation: str, key: str) -> list[dict[str, Any]]:
    return [item for page in client.get_paginator(operation).paginate() for item in page.get(key, [])]
