//! Restoring: a former state becomes the present one, and nothing that either knows is lost.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::http::Request;
use crate::world::{Run, Started, World};

/// A world whose bucket keeps what its objects were before.
fn versioned() -> World {
    let world = World::new();
    keep_versions(&world);
    world.chalice_hello();
    world
}

fn keep_versions(world: &World) {
    let url = world.endpoint("/deploys?versioning");
    let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(Request::new("PUT", &url).body(body.as_bytes()).send().status, 200);
}

const RECORD: &str = ".chalice/deployed/dev.json";

const FROM_FILE: [&str; 6] = ["restore", "--stage", "dev", "--file", "former.json", "--yes"];

/// A stage that was deployed, recorded in a folder, with a copy of its record.
fn with_a_copy() -> (World, Value) {
    let world = World::with_folder_state();
    world.chalice_hello();
    world.deploy("dev");
    let record = world.read(RECORD);
    world.write("former.json", &record);
    (world, serde_json::from_str(&record).expect("JSON"))
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

#[test]
fn the_state_of_another_stage_is_never_replaced() {
    let (world, mut other) = with_a_copy();
    other["stagewright"]["stage"] = json!("prod");
    other["stagewright"]["lease"] =
        json!({"mark": "m", "holder": "bob@far", "purpose": "deploy", "since": "2026-01-02T03:04:05Z", "renewals": 0});
    world.write(RECORD, &other.to_string());
    let refused = world.run(&FROM_FILE).ended_with(2);
    assert!(!refused.stderr.contains("stagewright restore"), "{}", refused.stderr);
    refused.saying(&["is the state of stage `prod`", "move it back", "nothing was changed"]);
    assert_eq!(world.read(RECORD), other.to_string());
}

#[test]
fn what_cannot_be_read_is_kept_beside_it_in_a_folder_and_is_no_stage() {
    let (world, _) = with_a_copy();
    world.write(RECORD, "{\"half\": ");
    world.run(&FROM_FILE).succeeded().saying(&["before-restore-"]);
    let folder = world.project().join(".chalice/deployed");
    let names = fs::read_dir(&folder).expect("a folder");
    let names = names.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
    let kept: Vec<String> = names
        .filter(|name| name.starts_with("dev.json.before-restore-"))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(world.read(&format!(".chalice/deployed/{}", kept[0])), "{\"half\": ");
    let stages = world.run(&["--json", "stages"]).succeeded().json();
    assert_eq!(stages["stages"].as_array().map(Vec::len), Some(1), "{stages:#}");
}

#[test]
fn what_cannot_be_read_is_not_lost_in_a_bucket_that_keeps_no_versions() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    world.write("former.json", &world.state("hello", "dev").to_string());
    world.write_state("hello", "dev", "{");
    let refused = world.run(&FROM_FILE).ended_with(2);
    refused.saying(&[
        "would be lost",
        "put-bucket-versioning --versioning-configuration Status=Enabled --bucket deploys",
        "nothing was changed",
    ]);
    assert_eq!(world.object("stages/hello/dev.json").text(), "{");
    keep_versions(&world);
    world.run(&FROM_FILE).succeeded();
    let listed = world.run(&["restore", "--stage", "dev"]).succeeded();
    listed.saying(&["cannot be restored"]);
}

#[test]
fn a_state_that_changed_after_it_was_shown_is_not_replaced() {
    let world = versioned();
    world.deploy("dev");
    let mut state = world.state("hello", "dev");
    world.write("former.json", &state.to_string());
    world.order_faults(&json!([{"operation": "PutObject", "match": "dev.json", "answer": "hold"}]));
    let mut restoring = world.program();
    let restoring = restoring.args(FROM_FILE).stdout(Stdio::piped()).stderr(Stdio::piped());
    let restoring = restoring.spawn().expect("it starts");
    world.await_held();
    world.order_faults(&json!([]));
    state["stagewright"]["salt"] = json!("another run was here");
    world.write_state("hello", "dev", &state.to_string());
    world.release();
    let ended = Run::from(restoring.wait_with_output().expect("it ends")).ended_with(3);
    ended.saying(&["somebody has changed stage `dev` meanwhile", "nothing was changed"]);
    assert_eq!(world.state("hello", "dev"), state);
}

#[test]
fn a_state_that_a_newer_version_still_writes_is_not_replaced() {
    let (world, mut newer) = with_a_copy();
    newer["stagewright"]["format"] = json!(2);
    world.write(RECORD, &newer.to_string());
    let mut program = world.program();
    program.args(FROM_FILE);
    let mut restoring = Started::new(&mut program);
    assert!(restoring.says("watching for 30 s"));
    newer["stagewright"]["renewals"] = json!(1);
    world.write(RECORD, &newer.to_string());
    let ended = restoring.ended().ended_with(3);
    ended.saying(&["a newer version of stagewright writes", "nothing was changed"]);
    assert_eq!(world.read(RECORD), newer.to_string());
}

#[test]
fn renewals_of_a_lease_do_not_drown_the_list() {
    let world = versioned();
    world.deploy("dev");
    let mut state = world.state("hello", "dev");
    let released = generation(&world);
    state["stagewright"]["generation"] = json!(released + 1);
    for renewals in 0..25 {
        state["stagewright"]["lease"] = json!({
            "mark": "m", "holder": "bob@far", "purpose": "deploy", "since": "2026-01-02T03:04:05Z", "renewals": renewals,
        });
        world.write_state("hello", "dev", &state.to_string());
    }
    world.write_state("hello", "dev", "{");
    let listed = world.run(&["--json", "restore", "--stage", "dev"]).succeeded().json();
    let versions = listed["versions"].as_array().cloned().unwrap_or_default();
    let told: Vec<(&Value, &Value)> = versions.iter().map(|row| (&row["generation"], &row["held"])).collect();
    let expected = [(json!(released + 1), json!(true)), (json!(released), json!(false))];
    assert_eq!(
        told,
        expected
            .iter()
            .map(|(generation, held)| (generation, held))
            .collect::<Vec<_>>()
    );
    // The deploy itself took the stage with a write of its own.
    assert_eq!((&listed["renewals"], &listed["unread"]), (&json!(25), &json!(0)));
    let listed = world.run(&["restore", "--stage", "dev"]).succeeded();
    listed.saying(&["left out: 25 that a run wrote while it held the stage"]);
}

#[test]
fn a_file_that_cannot_be_restored_is_not_taken_for_a_stage_of_its_name() {
    let (world, mut newer) = with_a_copy();
    newer["stagewright"]["format"] = json!(2);
    newer["stagewright"]["writer"] = json!("9.1.0");
    world.write("backup.json", &newer.to_string());
    let file = ["restore", "--stage", "dev", "--file", "backup.json", "--yes"];
    let refused = world.run(&file).ended_with(2);
    assert!(!refused.stderr.contains("--stage backup"), "{}", refused.stderr);
    refused.saying(&["install stagewright 9.1.0", "nothing was changed"]);
}

#[test]
fn nothing_is_asked_of_the_store_where_nobody_can_say_yes_or_nothing_is_wanted() {
    let world = versioned();
    world.write("former.json", "{}");
    world.forget_calls();
    let unasked = world.run(&FROM_FILE[..5]).ended_with(2);
    unasked.saying(&["`restore` of stage `dev` was not confirmed", "--yes"]);
    let unwanted = world.run(&["restore", "--stage", "dev", "--yes"]).ended_with(2);
    unwanted.saying(&["--version <ID>", "--file <PATH>"]);
    assert!(world.calls().is_empty());
}
