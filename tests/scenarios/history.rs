//! The history of a stage: every run that wanted to change it, and how it ended.

use serde_json::{Value, json};

use crate::world::World;

fn endings(world: &World) -> Vec<Value> {
    let said = world.run(&["--json", "history", "--stage", "dev"]).succeeded().json();
    let runs = said["runs"].as_array().cloned().unwrap_or_default();
    runs.into_iter().map(|run| run["ended"].clone()).collect()
}

#[test]
fn every_run_is_listed_with_how_it_ended_the_newest_first() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    world.replace("app.py", "\"world\"", "\"again\"");
    let denied = json!({"status": 403, "code": "AccessDeniedException", "message": "on order"});
    world.order_faults(&json!([{"operation": "UpdateFunctionCode", "answer": denied, "times": 9}]));
    world.run(&["deploy", "--stage", "dev"]).ended_with(1);
    world.order_faults(&json!([]));
    world.deploy("dev");

    let table = world.run(&["history", "--stage", "dev"]).succeeded().stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(lines[1].starts_with("2 *") && lines[1].ends_with("ready"), "{table}");
    assert!(lines[2].starts_with('-') && lines[2].contains("failed: "), "{table}");
    assert!(lines[2].contains("UpdateFunctionCode"), "{table}");
    assert!(lines[3].starts_with("1 ") && lines[3].ends_with("ready"), "{table}");
    let detailed = world.run(&["-v", "history", "--stage", "dev"]).succeeded();
    detailed.saying(&["    created function/api_handler", "    updated function/api_handler"]);

    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    let ended = [json!("removed"), json!("ready"), json!("failed"), json!("ready")];
    assert_eq!(endings(&world), ended);
}

#[test]
fn a_run_that_was_cut_off_is_told_from_one_that_goes_on() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    let mut state = world.state("hello", "dev");
    state["stagewright"]["last"]["outcome"] = json!("deploying");
    let began = state["stagewright"]["last"]["at"].clone();
    let mut lease = json!({"mark": "m", "holder": "bob@gone", "purpose": "deploy", "since": began, "renewals": 0});
    for (since, ended) in [
        (Value::Null, "cut_off"),
        (began, "running"),
        (json!("2026-01-02T03:04:05Z"), "cut_off"),
    ] {
        lease["since"] = since.clone();
        state["stagewright"]["lease"] = if since.is_null() { Value::Null } else { lease.clone() };
        world.write_state("hello", "dev", &state.to_string());
        assert_eq!(endings(&world), [json!(ended)], "{since}");
    }
}

#[test]
fn the_history_is_one_request_and_needs_no_project() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    std::fs::remove_dir_all(world.project()).expect("the project goes");
    std::fs::create_dir_all(world.project()).expect("a folder is left");
    world.forget_calls();
    let table = world.run(&["--app", "hello", "history", "--stage", "dev"]).succeeded();
    table.saying(&["ready"]);
    let calls: Vec<String> = world.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["GetObject"]);
}

#[test]
fn a_stage_of_which_nothing_is_recorded_has_no_history() {
    let world = World::new();
    world.chalice_hello();
    let said = world.run(&["history", "--stage", "nowhere"]).ended_with(2);
    said.saying(&["nothing is recorded of stage `nowhere`", "stagewright stages"]);
}
