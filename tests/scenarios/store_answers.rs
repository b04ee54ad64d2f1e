//! What a store answers to the writes of a lease, and what then stands: each is decided by looking.

use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::world::World;

/// What is answered in place of the store's own answer.
fn answers() -> [(&'static str, Value); 3] {
    let error = |status: u16, code: &str| json!({"status": status, "code": code, "message": "on order"});
    [
        ("conflict", error(409, "ConditionalRequestConflict")),
        ("slow", error(503, "SlowDown")),
        ("lost", json!("close")),
    ]
}

#[test]
fn however_the_store_answers_when_a_lease_is_taken_the_deploy_goes_on_at_once() {
    each("take", 0, &json!({}));
}

#[test]
fn however_the_store_answers_when_a_lease_is_renewed_the_deploy_goes_on_at_once() {
    each("renew", 1, &json!({"role_delay_s": 8}));
}

#[test]
fn however_the_store_answers_when_a_lease_is_given_back_the_deploy_goes_on_at_once() {
    each("give-back", 1, &json!({}));
}

/// Deploys one stage for each answer, with the write made and not made, all at once. `number` counts the writes of a stage's
/// object from 0.
fn each(name: &str, number: u32, aws: &Value) {
    let world = World::new();
    world.chalice_hello();
    world.deploy("first");
    world.set_aws(aws);
    let cases: Vec<(String, Value, &str)> = answers()
        .into_iter()
        .flat_map(|(kind, answer)| {
            ["before", "after"].map(|when| (format!("{name}-{kind}-{when}"), answer.clone(), when))
        })
        .collect();
    let fault = |(stage, answer, when): &(String, Value, &str)| {
        let object = format!("/{stage}.json");
        json!({"operation": "PutObject", "match": object, "answer": answer, "when": when, "skip": number})
    };
    world.order_faults(&Value::Array(cases.iter().map(fault).collect()));
    let runs: Vec<(String, Child)> = cases
        .into_iter()
        .map(|(stage, ..)| (stage.clone(), start(&world, &stage)))
        .collect();
    for (stage, run) in runs {
        let ended = run.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{stage}: {said}");
        assert!(!said.contains("holds stage"), "{stage} waited for itself: {said}");
        let log = world.faults_of(&format!("/{stage}.json"));
        assert_eq!(log, 1, "{stage}: the answer was not given");
        let state = world.state("hello", &stage);
        assert_eq!(state["stagewright"]["lease"], Value::Null, "{stage}");
        assert_eq!(state["stagewright"]["in_doubt"], json!({}), "{stage}");
        // Nobody took it from us, nor we from ourselves.
        assert_eq!(state["stagewright"]["generation"], 1, "{stage}");
    }
}

fn start(world: &World, stage: &str) -> Child {
    let mut program = world.program();
    program.args(["deploy", "--stage", stage]);
    let program = program.stdout(Stdio::null()).stderr(Stdio::piped());
    program.spawn().expect("it starts")
}
