//! Restoring: a former state becomes the present one, and nothing that either knows is lost.

use std::fs;

use serde_json::{Value, json};

use crate::http::Request;
use crate::world::World;

/// A world whose bucket keeps what its objects were before.
fn versioned() -> World {
    let world = World::new();
    let url = world.endpoint("/deploys?versioning");
    let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(Request::new("PUT", &url).body(body.as_bytes()).send().status, 200);
    world.chalice_hello();
    world
}

/// The newest version of the state that can be read, and that a run had finished.
fn newest_version(world: &World) -> (String, u64) {
    let said = world.run(&["--json", "restore", "--stage", "dev"]).succeeded().json();
    let versions = said["versions"].as_array().cloned().unwrap_or_default();
    let finished = versions.iter().find(|version| version["held"] == json!(false));
    let finished = finished.unwrap_or_else(|| panic!("{said:#}"));
    let id = finished["version"].as_str().expect("an id").to_owned();
    (id, finished["generation"].as_u64().expect("a generation"))
}

fn generation(world: &World) -> u64 {
    let state = world.state("hello", "dev");
    state["stagewright"]["generation"].as_u64().expect("a generation")
}

/// The app with one function more.
fn with_a_job(world: &World) {
    let app = world.read("app.py");
    world.write(
        "app.py",
        &format!("{app}\n\n@app.lambda_function()\ndef job(event, context):\n    return 1\n"),
    );
}

#[test]
fn a_damaged_state_is_put_back_and_the_stage_goes_on_under_its_url() {
    let world = versioned();
    let url = world.deploy("dev");
    let before = generation(&world);
    world.write_state("hello", "dev", "{\"resources\": [");
    world
        .run(&["deploy", "--stage", "dev"])
        .ended_with(2)
        .saying(&["`stagewright restore --stage dev`"]);
    let listed = world.run(&["restore", "--stage", "dev"]).succeeded();
    listed.saying(&["release 1", "--version ID"]);

    let (version, _) = newest_version(&world);
    let restored = world.run(&["restore", "--stage", "dev", "--version", &version, "--yes"]);
    restored
        .succeeded()
        .saying(&["is back", "stagewright deploy --stage dev"]);
    let state = world.state("hello", "dev")["stagewright"].clone();
    assert!(generation(&world) > before + 1, "{state:#}");
    assert_eq!(state["lease"], Value::Null);
    let (deployed, in_doubt) = (state["deployed"].as_object(), state["in_doubt"].as_object());
    let names =
        |keys: Option<&serde_json::Map<String, Value>>| keys.map(|keys| keys.keys().cloned().collect::<Vec<_>>());
    assert_eq!(names(deployed), names(in_doubt));

    assert_eq!(world.deploy("dev"), url);
    assert_eq!(world.get(&url).status, 200);
    assert_eq!(world.aws()["apis"].as_array().map(Vec::len), Some(1));
    world
        .run(&["plan", "--stage", "dev"])
        .succeeded()
        .saying(&["Nothing to change"]);
}

#[test]
fn a_state_that_somebody_deleted_is_put_back() {
    let world = versioned();
    let url = world.deploy("dev");
    let object = world.endpoint("/deploys/stages/hello/dev.json");
    assert_eq!(Request::new("DELETE", &object).send().status, 204);
    let (version, former) = newest_version(&world);
    world
        .run(&["restore", "--stage", "dev", "--version", &version, "--yes"])
        .succeeded();
    assert!(generation(&world) > former);
    assert_eq!(world.deploy("dev"), url);
}

#[test]
fn what_only_the_replaced_state_knew_is_not_orphaned() {
    let world = World::with_folder_state();
    world.chalice_hello();
    world.deploy("dev");
    let former = world.read(".chalice/deployed/dev.json");
    let app = world.read("app.py");
    with_a_job(&world);
    world.deploy("dev");
    assert!(world.names_in_aws().contains("functions/hello-dev-job"));

    world.write("former.json", &former);
    world
        .run(&["restore", "--stage", "dev", "--file", "former.json", "--yes"])
        .succeeded();
    world.write("app.py", &app);
    world.deploy("dev");
    assert!(!world.names_in_aws().contains("functions/hello-dev-job"));
    assert_eq!(world.aws()["apis"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_only_the_former_state_knew_and_is_gone_is_forgotten() {
    let world = World::with_folder_state();
    world.chalice_hello();
    let app = world.read("app.py");
    with_a_job(&world);
    world.deploy("dev");
    let former = world.read(".chalice/deployed/dev.json");
    world.write("app.py", &app);
    let url = world.deploy("dev");

    world.write("former.json", &former);
    world
        .run(&["restore", "--stage", "dev", "--file", "former.json", "--yes"])
        .succeeded();
    assert_eq!(world.deploy("dev"), url);
    let state: Value = serde_json::from_str(&world.read(".chalice/deployed/dev.json")).expect("JSON");
    let ours = &state["stagewright"];
    assert!(ours["deployed"]["function/api_handler"].is_object(), "{ours:#}");
    assert_eq!(
        (&ours["deployed"]["function/job"], &ours["in_doubt"]),
        (&Value::Null, &json!({}))
    );
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert!(world.names_in_aws().is_empty(), "{:?}", world.names_in_aws());
}

#[test]
fn a_former_state_that_is_not_of_this_stage_is_refused() {
    let world = World::with_folder_state();
    world.chalice_hello();
    world.deploy("dev");
    let record = world.read(".chalice/deployed/dev.json");
    let other = |key: &str, value: Value| {
        let mut other: Value = serde_json::from_str(&record).expect("JSON");
        other["stagewright"][key] = value;
        other.to_string()
    };
    let place = |account: &str, region: &str| json!({"account": account, "region": region, "partition": "aws"});
    for (former, says) in [
        (other("app", json!("shop")), "app `shop`"),
        (other("stage", json!("prod")), "stage `prod`"),
        (other("place", place("111111111111", "us-east-1")), "111111111111"),
        (other("place", place("000000000000", "eu-west-1")), "eu-west-1"),
        (other("format", json!(2)), "has format 2"),
        (other("generation", json!(-1)), "-1"),
        ("{".to_owned(), "former.json"),
    ] {
        world.write("former.json", &former);
        world
            .run(&["restore", "--stage", "dev", "--file", "former.json", "--yes"])
            .ended_with(2)
            .saying(&[says]);
        assert_eq!(world.read(".chalice/deployed/dev.json"), record, "{says}");
    }
}

#[test]
fn a_folder_says_that_only_a_file_can_be_restored() {
    let world = World::with_folder_state();
    world.chalice_hello();
    world.deploy("dev");
    let listed = world.run(&["restore", "--stage", "dev"]).succeeded();
    listed.saying(&["keeps no former versions", "--file PATH"]);
    world
        .run(&["restore", "--stage", "dev", "--version", "x", "--yes"])
        .ended_with(2)
        .saying(&["--file PATH"]);
}

#[test]
fn a_stage_that_somebody_holds_is_not_restored() {
    let world = World::with_folder_state();
    world.chalice_hello();
    world.deploy("dev");
    let record = world.read(".chalice/deployed/dev.json");
    fs::copy(
        world.project().join(".chalice/deployed/dev.json"),
        world.project().join("former.json"),
    )
    .expect("a copy");
    let mut held: Value = serde_json::from_str(&record).expect("JSON");
    held["stagewright"]["lease"] =
        json!({"mark": "m", "holder": "bob@far", "purpose": "deploy", "since": "2026-01-02T03:04:05Z", "renewals": 0});
    world.write(".chalice/deployed/dev.json", &held.to_string());
    world
        .run(&[
            "--wait",
            "0",
            "restore",
            "--stage",
            "dev",
            "--file",
            "former.json",
            "--yes",
        ])
        .ended_with(3)
        .saying(&["bob@far"]);
    assert_eq!(world.read(".chalice/deployed/dev.json"), held.to_string());
}
