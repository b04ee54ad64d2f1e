//! The quotas of an account, kept by all runs together: nobody fails for them, and a record that is wrong keeps nobody waiting.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::world::{Call, Started, World};

#[test]
fn of_many_first_deploys_at_once_none_fails_by_a_quota_or_tells_of_a_refusal() {
    let world = world();
    world.set_aws(&json!({"quotas": true}));
    let stages = ["one", "two", "three", "four", "five"];
    let deploys = stages.map(|stage| Started::new(&mut program(&world, &["deploy", "--stage", stage])));
    let ended = deploys.map(|deploy| deploy.ended().succeeded());

    let refused: Vec<Call> = world
        .calls()
        .into_iter()
        .filter(|call| call.status == Some(429))
        .collect();
    // On a busy machine two runs may wake too close together, which is absorbed: the call is made again.
    assert!(refused.len() <= 1, "{refused:#?}");
    let waited = |run: &crate::world::Run| {
        run.stderr
            .contains("for API Gateway: this account may make 1 deployment per 5 s")
    };
    assert!(ended.iter().any(waited), "nobody said that they waited: {ended:#?}");
    for run in &ended {
        for refusal in ["TooManyRequests", "Too Many Requests"] {
            assert!(!run.stderr.contains(refusal), "{}", run.stderr);
        }
        let waits = run.stderr.lines().filter(|line| line.contains("per 5 s")).count();
        assert!(waits <= 1, "{}", run.stderr);
        assert_eq!(world.get(&run.last_word()).text(), "hello");
    }
}

#[test]
fn the_record_of_quotas_costs_a_first_deploy_two_requests_and_an_unchanged_one_none() {
    let world = world();
    deploy(&world);
    assert_eq!(asked(&world), ["GetObject", "PutObject"]);
    let record = world.object(&key()).json();
    let free = record["free"].as_object().expect("quotas");
    assert_eq!(
        free.keys().collect::<Vec<_>>(),
        ["CreateDeployment", "ImportRestApi"],
        "{record}"
    );

    world.forget_calls();
    deploy(&world);
    assert_eq!(asked(&world), Vec::<String>::new());
}

#[test]
fn a_record_that_is_broken_is_ignored_and_begun_anew() {
    let world = world();
    world.write_object(&key(), b"{\"format\": 1, \"free\": [");
    let run = deploy(&world);
    assert!(!run.stderr.contains("waiting"), "{}", run.stderr);
    assert_eq!(world.object(&key()).json()["format"], 1);
}

#[test]
fn a_record_of_a_later_version_is_ignored_and_left_as_it_is() {
    let world = world();
    let record = br#"{"format": 2, "queues": []}"#;
    world.write_object(&key(), record);
    let run = deploy(&world);
    assert!(!run.stderr.contains("waiting"), "{}", run.stderr);
    assert_eq!(world.object(&key()).text().as_bytes(), record);
}

#[test]
fn a_record_that_cannot_be_read_or_written_or_is_of_the_far_future_keeps_nobody_waiting() {
    for (operation, status) in [("GetObject", 403), ("PutObject", 403)] {
        let world = world();
        let denied = json!({"status": status, "code": "AccessDenied"});
        let target = key().rsplit_once('/').expect("a folder").1.to_owned();
        world.order_faults(&json!([{"operation": operation, "match": target, "answer": denied, "times": 99}]));
        let run = deploy(&world);
        assert!(!run.stderr.contains("waiting"), "{operation}: {}", run.stderr);
    }
    let world = world();
    write(&world, "ImportRestApi", Duration::from_hours(24 * 365));
    let run = deploy(&world);
    assert!(!run.stderr.contains("waiting"), "{}", run.stderr);
}

#[test]
fn who_waits_for_a_quota_says_why_and_for_how_long_and_stops_at_once_with_nothing_in_doubt() {
    let world = world();
    deploy(&world);
    write(&world, "DeleteRestApi", Duration::from_secs(90));
    world.forget_calls();
    let mut destroy = Started::new(&mut program(&world, &["destroy", "--stage", "dev", "--yes"]));
    assert!(destroy.says("waiting "), "it does not wait");
    destroy.signal("INT");
    let run = destroy.ended().ended_with(5);
    let told = run
        .stderr
        .lines()
        .find(|line| line.starts_with("waiting "))
        .expect("a wait");
    assert!(
        told.ends_with(" s for API Gateway: this account may remove 1 API per 30 s"),
        "{told}"
    );

    assert!(!world.mutations().iter().any(|call| call.starts_with("DeleteRestApi")));
    let state = &world.state("greeter", "dev")["stagewright"];
    assert_eq!(state["in_doubt"], json!({}), "{state:#}");
    assert_eq!(state["lease"], Value::Null, "{state:#}");
    assert!(
        state["deployed"]
            .as_object()
            .is_some_and(|deployed| deployed.keys().any(|key| key.starts_with("rest_api/")))
    );
}

#[test]
fn a_call_that_is_one_too_many_all_the_same_is_made_again_and_is_no_error() {
    let world = world();
    let refused = json!({"status": 429, "code": "TooManyRequestsException"});
    world.order_faults(&json!([{"operation": "ImportRestApi", "answer": refused, "times": 1}]));
    let run = deploy(&world);
    assert!(!run.stderr.contains("TooManyRequests"), "{}", run.stderr);
    let imports: Vec<Call> = world
        .calls()
        .into_iter()
        .filter(|call| call.operation == "ImportRestApi")
        .collect();
    assert_eq!(imports.len(), 2, "{imports:#?}");
    assert!(imports[1].began - imports[0].began >= 3.0, "{imports:#?}");
}

fn world() -> World {
    let world = World::new();
    world.manifest_hello();
    world
}

fn program(world: &World, arguments: &[&str]) -> Command {
    let mut command = world.program();
    command.env("STAGEWRIGHT_QUOTAS", "aws").args(arguments);
    command
}

fn deploy(world: &World) -> crate::world::Run {
    Started::new(&mut program(world, &["deploy", "--stage", "dev"]))
        .ended()
        .succeeded()
}

/// Where the record stands.
fn key() -> String {
    let thing = "pace-000000000000-us-east-1";
    let digest = Sha256::digest(thing)
        .iter()
        .take(8)
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes it");
            text
        });
    format!("stages/stagewright-shared/{thing}-{digest}.json")
}

/// Writes that a quota is free only after some time.
fn write(world: &World, quota: &str, after: Duration) {
    let free = jiff::Timestamp::now() + after;
    let record = json!({"format": 1, "free": {quota: free.to_string()}});
    world.write_object(&key(), record.to_string().as_bytes());
}

/// What was asked of the record.
fn asked(world: &World) -> Vec<String> {
    let of_record = |call: &Call| call.service == "s3" && call.target.contains("/pace-");
    world
        .calls()
        .into_iter()
        .filter(of_record)
        .map(|call| call.operation)
        .collect()
}
