//! Destroying: everything of the stage goes, nothing else does.

use std::fs;

use serde_json::json;

use crate::http::Request;
use crate::world::World;

#[test]
fn destroying_removes_everything_of_the_stage_and_needs_no_app() {
    let world = World::new();
    world.chalice_guestbook();
    let url = world.deploy("dev");
    fs::remove_file(world.project().join("app.py")).expect("the app goes");

    let said = world
        .run(&["destroy", "--stage", "dev", "--yes", "--json"])
        .succeeded()
        .json();
    assert_eq!(said["outcome"], "destroyed");
    assert!(world.names_in_aws().is_empty(), "{:?}", world.names_in_aws());
    assert_ne!(world.get(&url).status, 200);
}

#[test]
fn destroying_one_stage_leaves_the_other_alone() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    let prod = world.deploy("prod");
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();

    assert_eq!(world.get(&prod).json(), json!({"hello": "world"}));
    let names = world.names_in_aws();
    assert!(names.iter().all(|name| !name.contains("hello-dev")), "{names:?}");
}

#[test]
fn destroying_without_a_terminal_takes_a_yes() {
    let world = World::new();
    world.chalice_hello();
    let url = world.deploy("dev");
    world
        .run(&["destroy", "--stage", "dev"])
        .ended_with(2)
        .saying(&["--yes"]);

    assert_eq!(world.get(&url).status, 200);
}

#[test]
fn what_is_gone_already_does_not_stop_a_destroy() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    let api = world.aws()["apis"][0]["id"].as_str().expect("an API").to_owned();
    let by_hand = world.endpoint(&format!("/restapis/{api}"));
    let removed = Request::new("DELETE", &by_hand).signed("apigateway", "test").send();
    assert_eq!(removed.status, 202, "{}", removed.text());

    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert!(world.names_in_aws().is_empty());
}

#[test]
fn a_destroyed_stage_keeps_its_object_and_its_generation() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    let before = world.state("hello", "dev")["stagewright"]["generation"].as_u64();
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();

    let state = world.state("hello", "dev");
    assert_eq!(state["resources"], json!([]));
    assert!(state["stagewright"]["generation"].as_u64() > before, "{state}");
}

#[test]
fn a_destroyed_stage_can_be_deployed_again() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();

    assert_eq!(world.get(&world.deploy("dev")).json(), json!({"hello": "world"}));
}

#[test]
fn destroying_what_was_never_deployed_touches_nothing() {
    let world = World::new();
    world.chalice_hello();
    world.run(&["destroy", "--stage", "never", "--yes"]);

    let changes = world.mutations();
    assert!(changes.is_empty(), "{changes:?}");
}
