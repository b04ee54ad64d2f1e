//! A run that is stopped: by a signal it gives the stage back, and one that only slept finds out that it was replaced.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::world::{Call, Started, World};

#[test]
fn who_sleeps_through_its_lease_changes_nothing_more_when_it_wakes_up() {
    let world = World::new();
    world.manifest_hello();
    let one = world.read("stagewright.yaml");
    let two = "  other: { runtime: python3.11, handler: handler.answer, code: src }\nroutes:\n  GET /other: other\n";
    world.write("stagewright.yaml", &one.replace("routes:\n", two));
    // When it wakes up, nobody has told it yet whether one function was made, and it is time to try the other one again.
    let early = "The role defined for the function cannot be assumed by Lambda.";
    let early = json!({"status": 400, "code": "InvalidParameterValueException", "message": early});
    world.order_faults(&json!([
        {"operation": "CreateFunction", "target": "greeter-dev-api", "key": "ann", "answer": "hold", "when": "after"},
        {"operation": "CreateFunction", "target": "greeter-dev-other", "key": "ann", "answer": early, "times": 1000},
    ]));
    let ann = Started::new(&mut deploy(&world, "ann"));
    world.await_held_of("ann");
    ann.signal("STOP");
    let mut ben = Started::new(&mut deploy(&world, "ben"));
    assert!(ben.says("waiting: ann@"), "ben does not wait");
    let url = ben.ended().succeeded().last_word();
    let (record, aws) = (world.state("greeter", "dev"), world.aws());

    world.order_faults(&json!([]));
    world.forget_calls();
    world.release();
    ann.signal("CONT");
    ann.ended().ended_with(4);
    let changed = |call: &Call| call.mutates && (call.service != "s3" || call.status == Some(200));
    let changes: Vec<Call> = world.calls().into_iter().filter(changed).collect();
    assert!(changes.is_empty(), "{changes:#?}");
    assert_eq!(world.state("greeter", "dev"), record);
    assert_eq!(world.aws(), aws);
    assert_eq!(world.get(&url).status, 200);
}

#[test]
fn sigint_lets_running_calls_end_and_begins_no_other() {
    lets_running_calls_end("INT");
}

#[test]
fn sigterm_lets_running_calls_end_and_begins_no_other() {
    lets_running_calls_end("TERM");
}

fn lets_running_calls_end(signal: &str) {
    let (world, mut ann) = held_in_create_role();
    ann.signal(signal);
    assert!(ann.says("stopping:"), "ann did not hear it");
    world.release();
    ann.ended().ended_with(5).saying(&["stagewright deploy --stage dev"]);

    assert!(world.mutations().iter().all(|call| !call.starts_with("CreateFunction")));
    let record = world.state("greeter", "dev")["stagewright"].clone();
    assert_eq!(record["lease"], Value::Null, "{record:#}");
    assert!(record["deployed"]["role/default-role"].is_object(), "{record:#}");
    assert!(record["in_doubt"]["role/default-role"].is_null(), "{record:#}");
    let mut ben = deploy(&world, "ben");
    let ben = Started::new(ben.args(["--wait", "0"])).ended().succeeded();
    assert_eq!(world.get(&ben.last_word()).status, 200);
}

#[test]
fn a_second_sigint_ends_at_once_and_leaves_the_rest_to_the_next_run() {
    let (world, mut ann) = held_in_create_role();
    ann.signal("INT");
    assert!(ann.says("stopping:"), "ann did not hear it");
    ann.signal("INT");
    ann.ended().ended_with(5).saying(&["the stage is still held"]);

    let record = world.state("greeter", "dev")["stagewright"].clone();
    assert!(record["lease"].is_object(), "{record:#}");
    assert!(record["in_doubt"]["role/default-role"].is_object(), "{record:#}");
    world.order_faults(&json!([]));
    world.release();
    let ben = Started::new(&mut deploy(&world, "ben")).ended().succeeded();
    assert_eq!(world.get(&ben.last_word()).status, 200);
}

#[test]
fn a_sigterm_after_a_sigint_does_not_cut_short_what_it_began() {
    let (world, mut ann) = held_in_create_role();
    ann.signal("INT");
    assert!(ann.says("stopping:"), "ann did not hear it");
    ann.signal("TERM");
    // The held call is not waited for beyond its 5 s, and the stage is given back then.
    ann.ended().ended_with(5).saying(&["stagewright deploy --stage dev"]);

    let record = world.state("greeter", "dev")["stagewright"].clone();
    assert_eq!(record["lease"], Value::Null, "{record:#}");
    assert!(record["in_doubt"]["role/default-role"].is_object(), "{record:#}");
}

#[test]
fn who_waits_for_somebody_else_stops_at_once() {
    for signal in ["INT", "TERM"] {
        let (world, ann) = held_in_create_role();
        let mut ben = Started::new(&mut deploy(&world, "ben"));
        assert!(ben.says("waiting: ann@"), "ben does not wait");
        ben.signal(signal);
        ben.ended().ended_with(5).saying(&["nothing was changed"]);

        assert!(world.calls().iter().all(|call| call.key != "ben" || !call.mutates));
        world.release();
        ann.ended().succeeded();
    }
}

#[test]
fn who_packages_stops_at_once_and_so_does_the_build() {
    for signal in ["INT", "TERM"] {
        let world = World::new();
        world.manifest_hello();
        world.replace("stagewright.yaml", "code: src", "code: src\n    build: cat gate");
        let gate = world.project().join("gate");
        let made = Command::new("mkfifo").arg(&gate).status();
        assert!(made.expect("mkfifo runs").success());
        let ann = Started::new(&mut deploy(&world, "ann"));
        // It can be opened to write as soon as the build reads, which then waits for what is written.
        let mut gate = OpenOptions::new().write(true).open(&gate).expect("the build reads");
        ann.signal(signal);
        ann.ended().ended_with(5).saying(&["nothing was changed"]);

        assert!(gate.write_all(b"go on").is_err(), "the build goes on");
        assert!(world.calls().iter().all(|call| !call.mutates));
    }
}

/// A deploy of `ann` that holds stage `dev`, and whose `CreateRole` AWS has done and not answered yet.
fn held_in_create_role() -> (World, Started) {
    let world = World::new();
    world.manifest_hello();
    world.order_faults(&json!([{"operation": "CreateRole", "key": "ann", "answer": "hold", "when": "after"}]));
    let ann = Started::new(&mut deploy(&world, "ann"));
    world.await_held_of("ann");
    (world, ann)
}

fn deploy(world: &World, user: &str) -> Command {
    let mut command = world.program();
    command
        .env("USER", user)
        .env("AWS_ACCESS_KEY_ID", user)
        .args(["deploy", "--stage", "dev"]);
    command
}
