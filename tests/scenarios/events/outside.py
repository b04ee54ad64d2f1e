"""What lies outside of a stage and calls its functions: makes it, or prints what is connected with whom.

    python outside.py make      buckets, queues, topics and streams of others, and a notification of somebody else
    python outside.py rule NAME a rule of somebody else
    python outside.py group NAME a log group, as Lambda makes it
    python outside.py look      prints every connection as one JSON object, in an order that does not change
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3


def main() -> None:
    """Does the one thing."""
    match sys.argv[1:]:
        case ["make"]:
            print(json.dumps(_make()))
        case ["rule", name]:
            boto3.client("events").put_rule(Name=name, ScheduleExpression="rate(7 days)")
        case ["group", name]:
            boto3.client("logs").create_log_group(logGroupName=name)
        case ["look"]:
            parts = {
                "rules": _rules, "mappings": _mappings, "subscriptions": _subscriptions,
                "notifications": _notifications, "log_groups": _log_groups,
            }  # fmt: skip
            print(json.dumps({name: part() for name, part in parts.items()}, sort_keys=True))
        case _:
            sys.exit(__doc__)


def _make() -> dict[str, str]:
    s3, sqs = boto3.client("s3"), boto3.client("sqs")
    for queue in ("orders", "returns", "uploads"):
        sqs.create_queue(QueueName=queue)
    boto3.client("sns").create_topic(Name="news")
    boto3.client("kinesis").create_stream(StreamName="clicks", ShardCount=1)
    table = boto3.client("dynamodb").create_table(
        TableName="guests",
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    s3.create_bucket(Bucket="photos")
    uploads = table["TableArn"].replace(":dynamodb:", ":sqs:").rpartition(":")[0] + ":uploads"
    rules = [{"Name": "suffix", "Value": ".png"}]
    theirs = {
        "Id": "theirs", "QueueArn": uploads, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}},
    }  # fmt: skip
    whole = {"QueueConfigurations": [theirs], "EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket="photos", NotificationConfiguration=whole)
    return {"stream": table["LatestStreamArn"]}


def _rules() -> dict[str, Any]:
    events = boto3.client("events")
    rules = {}
    for rule in events.list_rules()["Rules"]:
        tags = events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]
        rules[rule["Name"]] = {
            "when": rule.get("ScheduleExpression") or json.loads(rule["EventPattern"]),
            "description": rule.get("Description", ""),
            "is_on": rule["State"] == "ENABLED",
            "calls": [_last(target["Arn"]) for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]],
            "stage": next((tag["Value"] for tag in tags if tag["Key"] == "stagewright:stage"), None),
        }
    return rules


def _mappings() -> list[dict[str, Any]]:
    mappings = boto3.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    shown = [
        {
            "from": mapping["EventSourceArn"].split(":", 5)[5].partition("/stream/")[0],
            "to": _last(mapping["FunctionArn"]),
            "batch": mapping["BatchSize"],
            "window_s": mapping.get("MaximumBatchingWindowInSeconds", 0),
            "at_most": mapping.get("ScalingConfig", {}).get("MaximumConcurrency"),
            "position": mapping.get("StartingPosition"),
        }
        for mapping in mappings
    ]
    return sorted(shown, key=lambda mapping: (mapping["to"], mapping["from"]))


def _subscriptions() -> list[str]:
    subscriptions = boto3.client("sns").list_subscriptions()["Subscriptions"]
    return sorted(f"{_last(one['TopicArn'])} to {_last(one['Endpoint'])}" for one in subscriptions)


def _notifications() -> dict[str, Any]:
    whole = boto3.client("s3").get_bucket_notification_configuration(Bucket="photos")
    entries = {}
    for kind, to in (("LambdaFunctionConfigurations", "LambdaFunctionArn"), ("QueueConfigurations", "QueueArn")):
        for entry in whole.get(kind, []):
            rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
            entries[_last(entry[to])] = {
                "of": entry["Events"],
                "id": entry["Id"] if entry["Id"] == "theirs" else None,
                **{rule["Name"].lower(): rule["Value"] for rule in rules},
            }
    return {**entries, "event_bus": "EventBridgeConfiguration" in whole}


def _log_groups() -> dict[str, int | None]:
    groups = boto3.client("logs").describe_log_groups()["logGroups"]
    return {group["logGroupName"]: group.get("retentionInDays") for group in groups}


def _last(arn: str) -> str:
    return arn.rpartition(":")[2]


if __name__ == "__main__":
    main()
