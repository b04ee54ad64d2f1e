//! The record of a stage: where it stands, what it says, and what it refuses.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::world::World;

#[test]
fn the_record_of_a_stage_is_a_chalice_deployed_file() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");

    let state = world.state("hello", "dev");
    assert_eq!(
        (&state["schema_version"], &state["backend"]),
        (&json!("2.0"), &json!("api"))
    );
    let kinds: Vec<&Value> = state["resources"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|r| &r["resource_type"])
        .collect();
    assert_eq!(
        kinds,
        [&json!("iam_role"), &json!("lambda_function"), &json!("rest_api")]
    );
    let api = state["resources"][2].clone();
    let id = api["rest_api_id"].as_str().expect("an id");
    assert_eq!(
        api["rest_api_url"],
        format!("https://{id}.execute-api.us-east-1.amazonaws.com/api/")
    );
}

#[test]
fn a_finished_deploy_leaves_no_lease_and_no_doubt() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");

    let ours = world.state("hello", "dev")["stagewright"].clone();
    assert!(ours["lease"].is_null(), "{ours}");
    assert!(
        ours["in_doubt"].as_object().is_none_or(serde_json::Map::is_empty),
        "{ours}"
    );
    assert_eq!(ours["release"]["number"], 1);
}

#[test]
fn without_a_bucket_stages_are_recorded_in_the_project() {
    let chalice = World::with_folder_state();
    chalice.chalice_hello();
    chalice.deploy("dev");
    assert!(chalice.read(".chalice/deployed/dev.json").contains("rest_api_id"));

    let manifest = World::with_folder_state();
    manifest.manifest_hello();
    manifest.deploy("dev");
    assert!(manifest.read(".stagewright/deployed/dev.json").contains("rest_api_id"));
}

#[test]
fn url_prints_the_url_and_nothing_else() {
    let world = World::new();
    world.chalice_hello();
    let url = world.deploy("dev");

    assert_eq!(
        world.run(&["url", "--stage", "dev"]).succeeded().stdout,
        format!("{url}\n")
    );
}

#[test]
fn the_url_of_a_stage_that_is_not_deployed_is_an_error_with_a_hint() {
    let world = World::new();
    world.chalice_hello();
    let run = world
        .run(&["url", "--stage", "dev"])
        .ended_with(2)
        .saying(&["dev", "deploy"]);
    assert_eq!(run.stdout, "");
}

#[test]
fn stages_lists_every_stage_of_the_app() {
    let world = World::new();
    world.chalice_hello();
    let (dev, prod) = (world.deploy("dev"), world.deploy("prod"));

    let table = world.run(&["stages"]).succeeded().stdout;
    for text in ["dev", "prod", dev.as_str(), prod.as_str()] {
        assert!(table.contains(text), "no {text} in\n{table}");
    }
    let listed = world.run(&["stages", "--json"]).succeeded().json().to_string();
    assert!(listed.contains(&dev) && listed.contains(&prod), "{listed}");
}

#[test]
fn a_stage_that_somebody_else_deploys_is_held() {
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

    world
        .run(&["--wait", "0s", "deploy", "--stage", "dev"])
        .ended_with(3)
        .saying(&["dev"]);
    world.run(&["deploy", "--stage", "prod"]).succeeded();

    world.release();
    let ended = first.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn a_killed_deploy_is_finished_by_the_next_one_without_a_person() {
    let world = World::new();
    world.chalice_hello();
    world.order_faults(&json!([{"operation": "CreateFunction", "answer": "hold", "when": "after"}]));
    let mut killed = world.program();
    let killed = killed.args(["deploy", "--stage", "dev"]).stdout(Stdio::null());
    let mut killed = killed.spawn().expect("it starts");
    world.await_held();
    killed.kill().expect("it can be killed");
    killed.wait().expect("it is gone");
    world.order_faults(&json!([]));
    world.release();
    let record = world.state("hello", "dev");
    assert!(record["stagewright"]["lease"].is_object(), "{record:#}");
    assert!(
        record["stagewright"]["in_doubt"]["function/api_handler"].is_object(),
        "{record:#}"
    );

    let next = world.run(&["deploy", "--stage", "dev"]).succeeded();
    assert_eq!(world.get(&next.last_word()).status, 200);
    let record = world.state("hello", "dev");
    assert_eq!(record["stagewright"]["lease"], Value::Null, "{record:#}");
    assert_eq!(record["stagewright"]["in_doubt"], json!({}), "{record:#}");
    assert_eq!(world.aws()["apis"].as_array().map(Vec::len), Some(1));
    world
        .run(&["plan", "--stage", "dev"])
        .succeeded()
        .saying(&["Nothing to change"]);
}

#[test]
fn a_deploy_that_is_interrupted_gives_the_stage_back_and_the_next_one_goes_on_at_once() {
    let world = World::new();
    world.chalice_hello();
    world.order_faults(&json!([{"operation": "ImportRestApi", "answer": "hold", "when": "after"}]));
    let mut program = world.program();
    let program = program
        .args(["deploy", "--stage", "dev"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let program = program.spawn().expect("it starts");
    world.await_held();
    let id = program.id().to_string();
    let told = std::process::Command::new("kill").args(["-INT", &id]).status();
    assert!(told.expect("kill runs").success());
    let ended = program.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(5), "{said}");
    assert!(said.contains("stagewright deploy --stage dev"), "{said}");
    world.order_faults(&json!([]));
    world.release();
    assert_eq!(world.state("hello", "dev")["stagewright"]["lease"], Value::Null);

    let next = world.run(&["--wait", "0", "deploy", "--stage", "dev"]).succeeded();
    assert_eq!(world.get(&next.last_word()).status, 200);
    assert_eq!(world.aws()["apis"].as_array().map(Vec::len), Some(1));
}

#[test]
fn another_checkout_with_a_folder_of_its_own_does_not_take_a_stage_over() {
    let world = World::with_folder_state();
    world.chalice_hello();
    let url = world.deploy("dev");
    std::fs::remove_dir_all(world.project().join(".chalice/deployed")).expect("the record can be lost");
    world.replace("app.py", "\"world\"", "\"again\"");
    world
        .run(&["deploy", "--stage", "dev"])
        .ended_with(2)
        .saying(&["hello-dev", "does not bear our tags"]);
    assert_eq!(world.get(&url).json(), json!({"hello": "world"}));
}

#[test]
fn a_config_that_is_broken_is_no_reason_to_look_at_another_state() {
    let world = World::with_folder_state();
    world.chalice_hello();
    world.write("stagewright.yaml", "state: states\n");
    world.deploy("dev");
    world.write("stagewright.yaml", "stat: states\n");
    let destroy = ["destroy", "--app", "hello", "--stage", "dev", "--yes"];
    world.run(&destroy).ended_with(2).saying(&["stagewright.yaml", "stat"]);
    let told = [&destroy[..], &["--state", "states"]].concat();
    world.run(&told).succeeded();
    assert_eq!(world.names_in_aws(), std::collections::BTreeSet::new());
}

#[test]
fn a_write_of_the_state_that_fails_once_is_made_again() {
    let world = World::new();
    world.chalice_hello();
    let slow = json!({"status": 503, "code": "SlowDown", "message": "on order"});
    world.order_faults(&json!([
        {"operation": "PutObject", "match": "dev.json", "answer": slow},
        {"operation": "PutObject", "match": "dev.json", "answer": "close", "when": "after"},
    ]));
    let url = world.deploy("dev");
    assert_eq!(world.get(&url).status, 200);
    assert_eq!(world.state("hello", "dev")["stagewright"]["lease"], Value::Null);
}

#[test]
fn of_two_deploys_at_once_one_waits_and_then_finds_nothing_to_do() {
    let world = World::new();
    world.chalice_hello();
    let start = || {
        let mut program = world.program();
        program.args(["--json", "deploy", "--stage", "dev"]);
        program
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts")
    };
    let both = [start(), start()].map(|one| one.wait_with_output().expect("it ends"));
    let mut outcomes = both.map(|ended| {
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let report: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
        report["outcome"].as_str().unwrap_or_default().to_owned()
    });
    outcomes.sort();
    assert_eq!(outcomes, ["deployed", "unchanged"]);
    assert_eq!(world.aws()["apis"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_stage_of_another_account_is_refused_before_the_first_change() {
    let elsewhere = [("AWS_ACCESS_KEY_ID", "111111111111")];
    refused_elsewhere(&elsewhere, &["000000000000", "111111111111"]);
}

#[test]
fn a_stage_of_another_region_is_refused_before_the_first_change() {
    let elsewhere = [("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-west-1")];
    refused_elsewhere(&elsewhere, &["us-east-1", "eu-west-1"]);
}

fn refused_elsewhere(elsewhere: &[(&str, &str)], both: &[&str]) {
    // The record is in a folder: the emulator's buckets cannot be read from another account or Region.
    let world = World::with_folder_state();
    world.chalice_hello();
    world.deploy("dev");
    world.replace("app.py", "\"world\"", "\"again\"");
    world.forget_calls();

    let run = world.run_with(elsewhere, &["deploy", "--stage", "dev"]);
    assert_ne!(run.code, 0, "{}", run.stdout);
    run.saying(both);
    assert_eq!(world.mutations(), Vec::<String>::new());
}

#[test]
fn a_damaged_record_is_refused_and_kept() {
    let world = World::new();
    world.chalice_hello();
    world.write_state("hello", "dev", "{\"resources\": [");

    let run = world.run(&["deploy", "--stage", "dev"]);
    assert_ne!(run.code, 0, "{}", run.stdout);
    run.saying(&["hello/dev.json"]);
    assert_eq!(world.object("stages/hello/dev.json").text(), "{\"resources\": [");
    assert_eq!(world.mutations(), Vec::<String>::new());
}

#[test]
fn a_secret_of_the_environment_is_not_in_the_record() {
    let world = World::new();
    world.manifest_hello();
    world.replace(
        "stagewright.yaml",
        "code: src",
        "code: src\n    environment: { TOKEN: \"${env:TOKEN}\" }",
    );
    world
        .run_with(&[("TOKEN", "hush-hush-4711")], &["deploy", "--stage", "dev"])
        .succeeded();

    assert_eq!(world.aws()["functions"][0]["environment"]["TOKEN"], "hush-hush-4711");
    let objects = world.aws()["objects"].as_array().cloned().unwrap_or_default();
    let keys = objects
        .iter()
        .filter_map(Value::as_str)
        .filter_map(|name| name.split_once('/'));
    for (_, key) in keys.filter(|(_, key)| !key.ends_with(".zip")) {
        assert!(!world.object(key).text().contains("hush-hush-4711"), "{key} tells");
    }
}
