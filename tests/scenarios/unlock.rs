//! Unlocking by hand: never needed, and never at the cost of somebody who lives.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::github::{GitHub, REPOSITORY, TOKEN};
use crate::world::{Run, Started, World};

/// A stage that was deployed, and that a run holds which has begun to change its function.
fn held(mark: &str) -> World {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    hold(&world, mark);
    world
}

fn hold(world: &World, mark: &str) {
    let mut state = world.state("hello", "dev");
    let ours = &mut state["stagewright"];
    ours["lease"] = json!({
        "mark": mark, "holder": "bob@gone", "purpose": "deploy", "since": "2026-01-02T03:04:05Z", "renewals": 3,
        "run": {"repository": REPOSITORY, "workflow": "w", "id": 77, "number": 5, "attempt": 1},
    });
    let function = ours["deployed"]["function/api_handler"]["resource"].clone();
    ours["in_doubt"] = json!({"function/api_handler": {"intent": "update", "resource": function}});
    world.write_state("hello", "dev", &state.to_string());
}

fn unlock(world: &World, github: &GitHub, arguments: &[&str]) -> Run {
    let url = github.api_url();
    let variables = [
        ("GITHUB_API_URL", url.as_str()),
        ("GITHUB_REPOSITORY", REPOSITORY),
        ("GITHUB_TOKEN", TOKEN),
    ];
    world.run_with(&variables, &[&["unlock", "--stage", "dev"], arguments].concat())
}

#[test]
fn a_stage_that_nobody_holds_is_not_unlocked_and_that_is_no_mistake() {
    let world = World::new();
    world.chalice_hello();
    let unlock = ["unlock", "--stage", "dev", "--yes"];
    world.deploy("dev");
    let before = world.object("stages/hello/dev.json").text();
    world.run(&unlock).succeeded().saying(&["Nobody holds stage `dev`"]);
    assert_eq!(world.object("stages/hello/dev.json").text(), before);
}

#[test]
fn a_stage_of_which_nothing_is_recorded_is_a_mistake_of_the_command_line() {
    let world = World::new();
    world.chalice_hello();
    let said = world.run(&["unlock", "--stage", "nowhere", "--yes"]).ended_with(2);
    said.saying(&["nothing is recorded of stage `nowhere`", "stagewright stages"]);
}

#[test]
fn a_stage_whose_holder_has_ended_is_freed_and_what_it_had_begun_stays_in_doubt() {
    let (world, github) = (held("dead"), GitHub::start());
    github.set_run(77, 1, "completed");
    let before = world.state("hello", "dev")["stagewright"]["generation"].as_u64();
    let said = unlock(&world, &github, &["--yes"]).succeeded();
    said.saying(&[
        "bob@gone (deploy)",
        "actions/runs/77",
        "function/api_handler (update)",
        "is free",
    ]);

    let state = world.state("hello", "dev")["stagewright"].clone();
    assert_eq!(state["lease"], Value::Null);
    assert_eq!(state["generation"].as_u64(), before.map(|before| before + 1));
    for list in ["in_doubt", "late"] {
        assert!(state[list]["function/api_handler"].is_object(), "{state:#}");
    }
    world.run(&["--wait", "0", "deploy", "--stage", "dev"]).succeeded();
    assert_eq!(world.state("hello", "dev")["stagewright"]["in_doubt"], json!({}));
}

#[test]
fn a_stage_is_not_unlocked_while_the_run_that_holds_it_goes_on() {
    let (world, github) = (held("alive"), GitHub::start());
    github.set_run(77, 1, "in_progress");
    let before = world.object("stages/hello/dev.json").text();
    let said = unlock(&world, &github, &["--yes"]).ended_with(3);
    assert!(!said.stderr.contains("stagewright unlock"), "{}", said.stderr);
    said.saying(&["bob@gone", "--force", "nothing was changed"]);
    assert_eq!(world.object("stages/hello/dev.json").text(), before);
}

#[test]
fn a_holder_that_renews_its_lease_is_spared_and_by_force_it_stops_and_records_nothing() {
    let world = World::new();
    world.chalice_hello();
    world.order_faults(&json!([{"operation": "CreateFunction", "answer": "hold"}]));
    let mut first = world.program();
    let first = first
        .args(["deploy", "--stage", "dev"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let first = first.spawn().expect("it starts");
    world.await_held();

    let spared = world.run(&["unlock", "--stage", "dev", "--yes"]).ended_with(3);
    spared.saying(&["watching for 30 s at most", "nothing was changed"]);
    let forced = world.run(&["--json", "unlock", "--stage", "dev", "--force", "--yes"]);
    let forced = forced.succeeded().json();
    assert_eq!(forced["outcome"], "unlocked", "{forced:#}");
    world.order_faults(&json!([]));
    world.release();

    let ended = Run::from(first.wait_with_output().expect("it ends")).ended_with(4);
    ended.saying(&["taken stage `dev` over"]);
    let state = world.state("hello", "dev")["stagewright"].clone();
    assert_eq!(
        (&state["lease"], &state["generation"], &state["release"]),
        (&Value::Null, &forced["generation"], &Value::Null)
    );
    let next = world.run(&["--wait", "0", "deploy", "--stage", "dev"]).succeeded();
    assert_eq!(world.get(&next.last_word()).status, 200);
}

#[test]
fn by_force_a_stage_stays_closed_until_its_former_holder_begins_nothing_any_more() {
    let world = held("alive");
    let mut program = world.program();
    program.args(["--json", "unlock", "--stage", "dev", "--force", "--yes"]);
    let mut unlocking = Started::new(&mut program);
    assert!(unlocking.says("the stage is taken"));
    let closed = world.run(&["--wait", "0", "deploy", "--stage", "dev"]).ended_with(3);
    closed.saying(&["(unlock)"]);
    let freed = unlocking.ended().succeeded().json();
    let doubts = json!([{"address": "function/api_handler", "intent": "update"}]);
    assert_eq!(
        (&freed["in_doubt"], &freed["lease"]["holder"]),
        (&doubts, &json!("bob@gone"))
    );
    let state = world.state("hello", "dev")["stagewright"].clone();
    assert_eq!(
        (&state["lease"], &state["generation"]),
        (&Value::Null, &freed["generation"])
    );
    assert!(state["late"]["function/api_handler"].is_object(), "{state:#}");
}

#[test]
fn a_holder_that_gives_the_stage_back_while_it_is_watched_leaves_nothing_to_free() {
    let world = held("slow");
    let mut program = world.program();
    program.args(["unlock", "--stage", "dev", "--yes"]);
    let mut unlocking = Started::new(&mut program);
    assert!(unlocking.says("watching for 30 s"));
    let mut state = world.state("hello", "dev");
    state["stagewright"]["lease"] = Value::Null;
    world.write_state("hello", "dev", &state.to_string());
    unlocking.ended().succeeded().saying(&["Nobody holds stage `dev`"]);
    assert_eq!(world.state("hello", "dev"), state);
}

#[test]
fn of_two_holders_only_the_one_that_was_shown_is_unlocked() {
    let world = held("shown");
    world.order_faults(&json!([{"operation": "PutObject", "match": "dev.json", "answer": "hold"}]));
    let mut unlocking = world.program();
    let unlocking = unlocking
        .args(["unlock", "--stage", "dev", "--force", "--yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let unlocking = unlocking.spawn().expect("it starts");
    world.await_held();
    world.order_faults(&json!([]));
    hold(&world, "another");
    world.release();

    let ended = Run::from(unlocking.wait_with_output().expect("it ends")).ended_with(3);
    ended.saying(&["another one has come", "nothing was changed"]);
    assert_eq!(world.state("hello", "dev")["stagewright"]["lease"]["mark"], "another");
}

#[test]
fn where_nobody_can_be_asked_unlocking_takes_a_yes() {
    let world = held("dead");
    let before = world.object("stages/hello/dev.json").text();
    world
        .run(&["unlock", "--stage", "dev", "--force"])
        .ended_with(2)
        .saying(&["bob@gone", "--yes", "nothing was changed"]);
    assert_eq!(world.object("stages/hello/dev.json").text(), before);
}
