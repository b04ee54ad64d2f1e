//! How many requests it takes: each of them is a wait, and money, and part of a quota that all runners of an account share.

use std::collections::BTreeMap;

use serde_json::json;

use crate::world::{Call, Started, World};

/// Seconds after which a lease is renewed.
const RENEWAL_S: f64 = 6.0;

impl World {
    /// How often each operation was called, but for the trial of the store, which comes once in the life of an app, and for looks
    /// whether a function is ready, which come until it is. On a busy machine a run can last so long that it renews its lease:
    /// such a write of the state does not count.
    fn counted(&self) -> BTreeMap<String, usize> {
        let is_of_state = |call: &&Call| call.operation == "PutObject" && call.target.ends_with("/dev.json");
        let calls = self.calls();
        let moments = || calls.iter().filter(is_of_state).map(|call| call.began);
        // From when the lease was taken until it was given back.
        let lasted = moments().fold(0.0, f64::max) - moments().fold(f64::MAX, f64::min);
        let mut renewals = std::iter::successors(Some(lasted), |left| Some(left - RENEWAL_S))
            .take_while(|left| *left >= RENEWAL_S)
            .count();
        let mut counts = BTreeMap::new();
        for call in calls {
            if call.target.ends_with("stagewright-probe.json") || call.operation == "GetFunction" {
                continue;
            }
            if renewals > 0 && is_of_state(&&call) {
                renewals -= 1;
                continue;
            }
            *counts.entry(call.operation).or_default() += 1;
        }
        counts
    }

    /// Runs the program, and tells how often it called what.
    fn counted_of(&self, arguments: &[&str]) -> BTreeMap<String, usize> {
        self.forget_calls();
        self.run(arguments).succeeded();
        self.counted()
    }
}

/// A manifest app of three functions that share their code.
fn manifest_of_three() -> World {
    let world = World::new();
    world.manifest_hello();
    let function = "{ runtime: python3.11, handler: handler.answer, code: src }";
    let more = format!("  two: {function}\n  three: {function}\nroutes:\n");
    world.replace("stagewright.yaml", "routes:\n", &more);
    world
}

/// Operations and how often they are called.
fn counts(of: &[(&str, usize)]) -> BTreeMap<String, usize> {
    of.iter()
        .map(|(operation, count)| ((*operation).to_owned(), *count))
        .collect()
}

/// What it takes to deploy the app at first, with so many functions of the same code.
fn first_deploy_of(functions: usize) -> BTreeMap<String, usize> {
    counts(&[
        ("AddPermission", 1),
        ("CreateDeployment", 1),
        ("CreateFunction", functions),
        ("CreateRole", 1),
        ("GetCallerIdentity", 1),
        ("GetObject", 1),
        ("GetRestApis", 1),
        ("ImportRestApi", 1),
        // The zip, the lease, and what was done.
        ("PutObject", 3),
        ("PutRolePolicy", 1),
    ])
}

/// What it takes to give so many functions other code.
fn other_code_of(functions: usize) -> BTreeMap<String, usize> {
    counts(&[
        ("GetCallerIdentity", 1),
        ("GetObject", 1),
        // The zip, the lease, and what was done.
        ("PutObject", 3),
        ("UpdateFunctionCode", functions),
    ])
}

#[test]
fn a_first_deploy_makes_each_thing_with_one_call_and_three_writes_to_the_bucket() {
    let world = World::new();
    world.manifest_hello();
    assert_eq!(world.counted_of(&["deploy"]), first_deploy_of(1));
    assert_eq!(world.counted_of(&["deploy"]), counts(&[("GetObject", 1)]));
}

#[test]
fn other_code_is_sent_once_and_nothing_else_is_looked_at() {
    let world = World::new();
    world.manifest_hello();
    world.deploy("dev");
    world.replace("src/handler.py", "hello", "again");
    assert_eq!(world.counted_of(&["deploy"]), other_code_of(1));
}

#[test]
fn functions_that_share_their_code_share_its_zip() {
    let world = manifest_of_three();
    assert_eq!(world.counted_of(&["deploy"]), first_deploy_of(3));

    world.replace("src/handler.py", "hello", "again");
    assert_eq!(world.counted_of(&["deploy"]), other_code_of(3));
}

#[test]
fn what_is_updated_is_looked_at_while_the_lease_is_taken() {
    let world = manifest_of_three();
    world.deploy("dev");
    world.replace("src/handler.py", "hello", "again");
    world.forget_calls();
    // Whoever looks only with the lease in hand does not look before this is answered.
    world.order_faults(&json!([{"operation": "PutObject", "match": "/dev.json", "answer": "hold"}]));
    let deploy = Started::new(world.program().args(["deploy"]));
    world.await_held();
    world.await_calls("GetFunction", 3);
    world.release();
    deploy.ended().succeeded();
}

#[test]
fn other_memory_takes_one_call_that_changes_something() {
    let world = World::new();
    world.manifest_hello();
    world.deploy("dev");
    world.replace(
        "stagewright.yaml",
        "    code: src\n",
        "    code: src\n    memory_mib: 512\n",
    );
    let changed = world.counted_of(&["deploy"]);
    assert_eq!(changed.get("UpdateFunctionConfiguration"), Some(&1), "{changed:?}");
    assert_eq!(world.mutations(), ["UpdateFunctionConfiguration greeter-dev-api"]);
}

#[test]
fn a_stage_goes_with_one_call_for_each_thing() {
    let world = World::new();
    world.manifest_hello();
    world.deploy("dev");
    let gone = [
        ("DeleteFunction", 1),
        ("DeleteRestApi", 1),
        ("DeleteRole", 1),
        ("DeleteRolePolicy", 1),
        ("GetCallerIdentity", 1),
        ("GetObject", 1),
        ("PutObject", 2),
    ];
    assert_eq!(world.counted_of(&["destroy", "--stage", "dev", "--yes"]), counts(&gone));
}

#[test]
fn while_a_role_is_too_new_one_function_tries_it_and_the_others_wait() {
    let world = manifest_of_three();
    world.set_aws(&json!({"role_delay_s": 5.0}));
    world.run(&["deploy"]).succeeded();
    let tried = world
        .calls()
        .into_iter()
        .filter(|call| call.operation == "CreateFunction");
    let (refused, made): (Vec<Call>, Vec<Call>) = tried.partition(|call| call.status != Some(201));
    assert_eq!(made.len(), 3, "{made:#?}");
    let mut names: Vec<&str> = refused.iter().map(|call| call.target.as_str()).collect();
    names.dedup();
    assert_eq!(names.len(), 1, "{refused:#?}");
}

#[test]
fn what_calls_a_new_function_does_not_wait_until_it_is_active() {
    let world = World::new();
    world.manifest_hello();
    world.set_aws(&json!({"busy_s": 6.0}));
    world.run(&["deploy"]).succeeded();
    let operations: Vec<String> = world.calls().into_iter().map(|call| call.operation).collect();
    let last = |operation: &str| operations.iter().rposition(|found| found == operation);
    assert!(last("AddPermission") < last("GetFunction"), "{operations:?}");
    assert!(last("CreateDeployment") < last("GetFunction"), "{operations:?}");
}

#[test]
fn every_event_of_an_app_takes_the_calls_that_it_needs() {
    let world = World::new();
    world.chalice_events();
    let first = world.counted_of(&["deploy"]);
    let of = |operation: &str| first.get(operation).copied().unwrap_or_default();
    // A schedule, and events of EC2.
    assert_eq!((of("PutRule"), of("PutTargets")), (2, 2), "{first:?}");
    // Two functions are told by the bucket.
    assert_eq!(of("GetBucketNotificationConfiguration"), 2, "{first:?}");
    assert_eq!(of("PutBucketNotificationConfiguration"), 2, "{first:?}");
    // A queue, and the streams of Kinesis and of a table.
    assert_eq!(of("ListEventSourceMappings"), 3, "{first:?}");
    assert_eq!(of("CreateEventSourceMapping"), 3, "{first:?}");
    assert_eq!(world.counted_of(&["deploy"]), counts(&[("GetObject", 1)]));
}
