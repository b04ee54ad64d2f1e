//! What calls an app's functions beside its routes: schedules, events, buckets, topics, queues and streams.

use std::process::Command;

use serde_json::{Value, json};

use crate::emulator::{in_checkout, tool};
use crate::world::World;

const CONFIG: &str = ".chalice/config.json";

impl World {
    /// Makes the project an app with a function for each kind of event, and what they come from.
    pub fn chalice_events(&self) {
        self.copy("tests/fixtures/events");
        let stream = self.outside(&["make"])["stream"].clone();
        let config = json!({
            "version": "2.0",
            "app_name": "events",
            "autogen_policy": false,
            "iam_policy_file": "policy.json",
            "environment_variables": {"STREAM": stream},
        });
        self.write(CONFIG, &config.to_string());
        let statement = json!({"Effect": "Allow", "Action": ["sqs:ReceiveMessage"], "Resource": "*"});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        self.write(".chalice/policy.json", &policy.to_string());
        self.forget_calls();
    }

    /// Says how long logs are kept.
    fn keep_logs(&self, days: u32) {
        let mut config: Value = serde_json::from_str(&self.read(CONFIG)).expect("JSON");
        config["log_retention_in_days"] = json!(days);
        self.write(CONFIG, &config.to_string());
    }

    /// Takes the handler of a name out of the app, with all that stands below it.
    fn cut_below(&self, decorator: &str) {
        let app = self.read("app.py");
        let (kept, _) = app.split_once(decorator).expect("the decorator stands there");
        self.write("app.py", kept);
    }

    /// Who is connected with whom.
    fn connected(&self) -> Value {
        self.outside(&["look"])
    }

    fn outside(&self, arguments: &[&str]) -> Value {
        let mut command: Command = self.command(&tool("python"));
        let script = in_checkout("tests/scenarios/events/outside.py");
        let output = command.arg(script).args(arguments).output().expect("Python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// How many calls of an operation reached AWS.
    fn count(&self, operation: &str) -> usize {
        let calls = self.calls().into_iter();
        calls.filter(|call| call.operation == operation).count()
    }
}

/// What somebody else is told of by the bucket.
fn theirs() -> Value {
    json!({
        "uploads": {"of": ["s3:ObjectCreated:*"], "id": "theirs", "suffix": ".png"},
        "event_bus": true,
    })
}

fn nothing() -> Value {
    json!({"rules": {}, "mappings": [], "subscriptions": [], "notifications": theirs(), "log_groups": {}})
}

#[test]
fn everything_that_shall_call_a_function_is_connected_with_it() {
    let world = World::new();
    world.chalice_events();
    world.run(&["deploy"]).succeeded();

    let connected = world.connected();
    let rule = |when: Value, description: &str, function: &str| json!({"when": when, "description": description, "is_on": true, "calls": [function], "stage": "dev"});
    let rules = json!({
        "events-dev-tick-event": rule(json!("rate(1 hour)"), "Every hour", "events-dev-tick"),
        "events-dev-stopped-event": rule(json!({"source": ["aws.ec2"]}), "", "events-dev-stopped"),
    });
    assert_eq!(connected["rules"], rules);
    let mapping = |from: &str, to: &str, batch: u32, at_most: Option<u32>, position: Option<&str>| json!({"from": from, "to": to, "batch": batch, "window_s": 0, "at_most": at_most, "position": position});
    let mappings = json!([
        mapping("table/guests", "events-dev-audit", 100, None, Some("LATEST")),
        mapping("stream/clicks", "events-dev-count", 100, None, Some("TRIM_HORIZON")),
        mapping("orders", "events-dev-order", 5, Some(3), None),
    ]);
    assert_eq!(connected["mappings"], mappings);
    assert_eq!(connected["subscriptions"], json!(["news to events-dev-spread"]));
    let resize = json!({"of": ["s3:ObjectCreated:*"], "id": null, "prefix": "in/", "suffix": ".jpg"});
    assert_eq!(connected["notifications"]["events-dev-resize"], resize);
    let forget = json!({"of": ["s3:ObjectRemoved:*"], "id": null});
    assert_eq!(connected["notifications"]["events-dev-forget"], forget);
}

#[test]
fn what_a_bucket_tells_others_stays_as_it_was() {
    let world = World::new();
    world.chalice_events();
    world.run(&["deploy"]).succeeded();
    let told = world.connected()["notifications"].clone();
    assert_eq!(
        (&told["uploads"], &told["event_bus"]),
        (&theirs()["uploads"], &json!(true))
    );
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert_eq!(world.connected()["notifications"], theirs());
}

#[test]
fn a_second_deploy_of_an_app_with_events_makes_one_request() {
    let world = World::new();
    world.chalice_events();
    world.run(&["deploy"]).succeeded();
    world.forget_calls();
    world.run(&["deploy"]).succeeded();
    let calls: Vec<String> = world.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["GetObject"]);
}

#[test]
fn a_function_that_reads_another_queue_reads_the_former_no_more() {
    let world = World::new();
    world.chalice_events();
    world.run(&["deploy"]).succeeded();
    world.replace("app.py", "queue=\"orders\"", "queue=\"returns\"");
    world.run(&["deploy"]).succeeded();
    let read = mappings_of(&world, "events-dev-order");
    assert_eq!(read.len(), 1, "{read:?}");
    assert_eq!(read[0]["from"], "returns");
}

#[test]
fn a_changed_batch_is_sent_and_a_limit_that_was_taken_out_is_taken_away() {
    let world = World::new();
    world.chalice_events();
    world.run(&["deploy"]).succeeded();
    world.replace("app.py", "batch_size=5, maximum_concurrency=3", "batch_size=7");
    world.run(&["deploy"]).succeeded();
    let read = mappings_of(&world, "events-dev-order");
    assert_eq!((&read[0]["batch"], &read[0]["at_most"]), (&json!(7), &Value::Null));
    assert_eq!(world.count("UpdateEventSourceMapping"), 1);
}

#[test]
fn a_schedule_that_becomes_a_pattern_and_a_bucket_filter_that_changes_are_replaced() {
    let world = World::new();
    world.chalice_events();
    world.run(&["deploy"]).succeeded();
    let schedule = "@app.schedule(\"rate(1 hour)\", description=\"Every hour\")";
    world.replace("app.py", schedule, "@app.on_cw_event({\"source\": [\"shop\"]})");
    world.replace("app.py", "prefix=\"in/\"", "prefix=\"new/\"");
    world.run(&["deploy"]).succeeded();
    let connected = world.connected();
    assert_eq!(
        connected["rules"]["events-dev-tick-event"]["when"],
        json!({"source": ["shop"]})
    );
    assert_eq!(connected["notifications"]["events-dev-resize"]["prefix"], "new/");
    assert_eq!(connected["notifications"]["uploads"], theirs()["uploads"]);
}

#[test]
fn a_handler_taken_out_of_the_app_is_called_no_more_and_the_others_are() {
    let world = World::new();
    world.chalice_events();
    world.run(&["deploy"]).succeeded();
    world.cut_below("@app.on_sns_message");
    world.run(&["deploy"]).succeeded();
    let connected = world.connected();
    assert_eq!(
        (&connected["subscriptions"], &connected["mappings"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(connected["rules"].as_object().map(serde_json::Map::len), Some(2));
    world.cut_below("@app.on_cw_event");
    world.run(&["deploy"]).succeeded();
    let connected = world.connected();
    assert_eq!(connected["notifications"], theirs());
    assert_eq!(connected["rules"].as_object().map(serde_json::Map::len), Some(1));
}

#[test]
fn destroying_a_stage_with_events_leaves_nothing_even_where_it_is_done_twice() {
    let world = World::new();
    world.chalice_events();
    world.keep_logs(30);
    world.run(&["deploy"]).succeeded();
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert_eq!(world.connected(), nothing());
    assert_eq!(world.names_in_aws(), std::collections::BTreeSet::new());
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert_eq!(world.connected(), nothing());
}

#[test]
fn a_stage_whose_bucket_topic_and_queue_are_gone_is_still_destroyed() {
    let world = World::new();
    world.chalice_events();
    world.run(&["deploy"]).succeeded();
    let absent = json!({"status": 404, "code": "NoSuchBucket", "message": "on order"});
    let order = |operation: &str, code: &str| {
        let answer = json!({"status": 404, "code": code, "message": "on order"});
        json!({"operation": operation, "answer": answer, "times": 9})
    };
    world.order_faults(&json!([
        {"operation": "GetBucketNotificationConfiguration", "answer": absent, "times": 9},
        order("Unsubscribe", "NotFound"),
        order("DeleteEventSourceMapping", "ResourceNotFoundException"),
        order("ListTargetsByRule", "ResourceNotFoundException"),
        order("DeleteRule", "ResourceNotFoundException"),
    ]));
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
}

#[test]
fn a_mapping_whose_making_was_not_answered_is_taken_over_by_the_next_run() {
    let world = World::new();
    world.chalice_events();
    let lost = json!({"operation": "CreateEventSourceMapping", "when": "after", "answer": "close", "match": "orders"});
    world.order_faults(&json!([lost]));
    world.run(&["deploy"]).ended_with(1);
    assert_eq!(world.faults_of(""), 1);
    world.run(&["deploy"]).succeeded();
    assert_eq!(mappings_of(&world, "events-dev-order").len(), 1);
}

#[test]
fn a_role_that_is_too_new_to_read_a_queue_is_waited_for() {
    let world = World::new();
    world.chalice_events();
    let message = "The function execution role does not have permissions to call ReceiveMessage on SQS";
    let answer = json!({"status": 400, "code": "InvalidParameterValueException", "message": message});
    let refused = json!({"operation": "CreateEventSourceMapping", "answer": answer, "times": 2, "match": "orders"});
    world.order_faults(&json!([refused]));
    world.run(&["deploy"]).succeeded();
    assert_eq!(mappings_of(&world, "events-dev-order").len(), 1);
}

#[test]
fn a_mapping_in_use_and_a_rule_that_is_being_changed_are_waited_for() {
    let world = World::new();
    world.chalice_events();
    world.run(&["deploy"]).succeeded();
    let busy = |operation: &str, code: &str| {
        let answer = json!({"status": 400, "code": code, "message": "on order"});
        json!({"operation": operation, "answer": answer, "times": 2})
    };
    world.order_faults(&json!([
        busy("DeleteEventSourceMapping", "ResourceInUseException"),
        busy("RemoveTargets", "ConcurrentModificationException"),
    ]));
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert_eq!(world.connected(), nothing());
}

#[test]
fn notifications_that_overlap_are_refused_with_the_name_of_the_other_one() {
    let world = World::new();
    world.chalice_events();
    world.replace("app.py", "suffix=\".jpg\"", "suffix=\".png\"");
    let message = "Configurations overlap. Configurations on the same bucket cannot share a common event type.";
    let answer = json!({"status": 400, "code": "InvalidArgument", "message": message});
    let operation = "PutBucketNotificationConfiguration";
    world.order_faults(&json!([{"operation": operation, "answer": answer, "match": "resize"}]));
    let run = world.run(&["deploy"]);
    assert_ne!(run.code, 0, "{}", run.stdout);
    run.saying(&["overlaps with that of `uploads`"]);
}

#[test]
fn a_permission_that_the_bucket_does_not_see_yet_is_waited_for() {
    let world = World::new();
    world.chalice_events();
    let message = "Unable to validate the following destination configurations";
    let answer = json!({"status": 400, "code": "InvalidArgument", "message": message});
    let operation = "PutBucketNotificationConfiguration";
    world.order_faults(&json!([{"operation": operation, "answer": answer, "times": 2}]));
    world.run(&["deploy"]).succeeded();
    let told = world.connected()["notifications"].clone();
    assert_eq!(told.as_object().map(serde_json::Map::len), Some(4), "{told}");
}

#[test]
fn a_rule_of_somebody_else_under_our_name_is_not_touched() {
    let world = World::new();
    world.chalice_events();
    world.outside(&["rule", "events-dev-tick-event"]);
    let before = world.connected()["rules"]["events-dev-tick-event"].clone();
    let run = world.run(&["deploy"]);
    assert_ne!(run.code, 0, "{}", run.stdout);
    run.saying(&["events-dev-tick-event", "does not bear our tags"]);
    assert_eq!(world.connected()["rules"]["events-dev-tick-event"], before);
}

#[test]
fn logs_are_kept_as_long_as_the_config_says_even_where_lambda_made_their_group() {
    let world = World::new();
    world.chalice_events();
    let group = "/aws/lambda/events-dev-tick";
    world.outside(&["group", group]);
    world.keep_logs(30);
    world.run(&["deploy"]).succeeded();
    assert_eq!(world.connected()["log_groups"][group], 30);
    assert_eq!(
        world.connected()["log_groups"].as_object().map(serde_json::Map::len),
        Some(8)
    );
    world.keep_logs(7);
    world.forget_calls();
    world.run(&["deploy"]).succeeded();
    assert_eq!(world.connected()["log_groups"][group], 7);
    assert_eq!(world.count("CreateLogGroup"), 0);
}

fn mappings_of(world: &World, function: &str) -> Vec<Value> {
    let all = world.connected()["mappings"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|mapping| mapping["to"] == function).collect()
}
