//! How many requests it takes: each of them is a wait, and money, and part of a quota that all runners of an account share.

use std::collections::BTreeMap;

use serde_json::json;

use crate::world::{Call, World};

/// Seconds after which a lease is renewed.
const RENEWAL_S: f64 = 6.0;

impl World {
    /// How often each operation was called, but for the trial of the store, which comes once in the life of an app. On a busy
    /// machine a run can last so long that it renews its lease: such a write of the state does not count.
    fn counted(&self) -> BTreeMap<String, usize> {
        let calls: Vec<Call> = self.calls();
        let moments = || calls.iter().map(|call| call.began);
        let lasted = moments().fold(0.0, f64::max) - moments().fold(f64::MAX, f64::min);
        let mut renewals = std::iter::successors(Some(lasted), |left| Some(left - RENEWAL_S))
            .take_while(|left| *left >= RENEWAL_S)
            .count();
        let mut counts = BTreeMap::new();
        for call in calls {
            if call.target.ends_with("stagewright-probe.json") {
                continue;
            }
            if renewals > 0 && call.operation == "PutObject" && call.target.ends_with("/dev.json") {
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

/// Operations and how often they are called.
fn counts(of: &[(&str, usize)]) -> BTreeMap<String, usize> {
    of.iter()
        .map(|(operation, count)| ((*operation).to_owned(), *count))
        .collect()
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
fn what_calls_a_new_function_does_not_wait_until_it_is_active() {
    let world = World::new();
    world.manifest_hello();
    world.set_aws(&json!({"busy_s": 2.0}));
    world.run(&["deploy"]).succeeded();
    let operations: Vec<String> = world.calls().into_iter().map(|call| call.operation).collect();
    let last = |operation: &str| operations.iter().rposition(|found| found == operation);
    assert!(last("AddPermission") < last("GetFunction"), "{operations:?}");
    assert!(last("CreateDeployment") < last("GetFunction"), "{operations:?}");
}
