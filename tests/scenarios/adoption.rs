//! A stage that the real Chalice deployed is taken over without a call that changes anything, and given back.

use serde_json::{Value, json};

use crate::emulator::in_checkout;
use crate::emulator::tool;
use crate::world::{Started, World};

/// A world in which Chalice has deployed the stage `dev` of a small app, and nobody has changed it.
fn deployed_by_chalice(world: World, app: fn(&World)) -> World {
    app(&world);
    world.chalice(&["deploy", "--stage", "dev"]).succeeded();
    world.forget_calls();
    world
}

/// What Chalice deployed of an app whose functions are called by more than routes.
fn called_by_events(app: &str) {
    let world = World::with_folder_state();
    world.copy(&format!("tests/chalice/apps/{app}"));
    if world.project().join("needs.json").exists() {
        let made = world.command(&tool("python")).args(["-c", NEEDS]).status();
        assert!(made.expect("python runs").success());
    }
    let world = deployed_by_chalice(world, |_| ());
    let recorded = resources(&world);
    is_taken_over_untouched(&world);
    assert_eq!(resources(&world), recorded);
    world.chalice(&["delete", "--stage", "dev"]).succeeded();
    assert!(world.names_in_aws().is_empty(), "{:?}", world.names_in_aws());
}

/// What an app says that it needs, made in AWS.
const NEEDS: &str = "
import boto3, json
needs = json.load(open('needs.json'))
for name in needs.get('buckets', []): boto3.client('s3').create_bucket(Bucket=name)
for name in needs.get('queues', []): boto3.client('sqs').create_queue(QueueName=name)
for name in needs.get('topics', []): boto3.client('sns').create_topic(Name=name)
";

/// The list that Chalice keeps, in an order of its own.
fn resources(world: &World) -> Vec<String> {
    let recorded: Value = serde_json::from_str(&world.read(".chalice/deployed/dev.json")).expect("JSON");
    let resources = recorded["resources"].as_array().expect("a list").iter();
    let mut resources: Vec<String> = resources.map(sorted).collect();
    resources.sort();
    resources
}

/// A record with its keys in the order of their names.
fn sorted(record: &Value) -> String {
    let keys: std::collections::BTreeMap<&String, &Value> = record.as_object().expect("a record").iter().collect();
    json!(keys).to_string()
}

#[test]
fn so_is_one_with_schedules_and_event_patterns() {
    called_by_events("schedules");
}

#[test]
fn so_is_one_with_buckets() {
    called_by_events("buckets");
}

#[test]
fn so_is_one_with_topics() {
    called_by_events("topics");
}

#[test]
fn so_is_one_with_queues() {
    called_by_events("queues");
}

#[test]
fn so_is_one_with_a_websocket() {
    called_by_events("websocket");
}

fn is_taken_over_untouched(world: &World) {
    let before = world.aws();
    world
        .run(&["plan", "--stage", "dev"])
        .succeeded()
        .saying(&["Nothing to change"]);
    assert_eq!(world.mutations(), Vec::<String>::new());
    let url = world.deploy("dev");
    assert_eq!(world.mutations(), Vec::<String>::new());
    if url.starts_with("http") {
        assert_eq!(world.get(&url).status, 200);
    }
    world.forget_calls();
    assert_eq!(world.deploy("dev"), url);
    let outside = world.calls().into_iter().filter(|call| call.service != "s3");
    assert_eq!(outside.count(), 0, "{:#?}", world.calls());
    let without_objects = |mut aws: Value| {
        aws["objects"].take();
        aws
    };
    assert_eq!(without_objects(world.aws()), without_objects(before));
}

#[test]
fn a_stage_that_chalice_deployed_is_taken_over_without_a_call_that_changes_it() {
    is_taken_over_untouched(&deployed_by_chalice(World::with_folder_state(), World::chalice_hello));
}

#[test]
fn so_is_one_with_authorizers_keys_and_cross_origin_routes() {
    is_taken_over_untouched(&deployed_by_chalice(
        World::with_folder_state(),
        World::chalice_guestbook,
    ));
}

#[test]
fn so_is_one_whose_state_shall_lie_in_a_bucket_from_now_on() {
    let world = deployed_by_chalice(World::new(), World::chalice_hello);
    world
        .run(&["plan", "--stage", "dev"])
        .succeeded()
        .saying(&["taking over what Chalice deployed: `.chalice/deployed/dev.json` records 4 resources"]);
    is_taken_over_untouched(&world);
    let api = world.aws()["apis"][0]["id"].clone();
    let state = world.state("hello", "dev");
    assert_eq!(
        state["stagewright"]["deployed"]["rest_api/rest_api"]["outputs"]["id"],
        api
    );
    // From then on the object counts, and no file of the project.
    world.write(".chalice/deployed/dev.json", "{}");
    world.deploy("dev");
}

#[test]
fn after_that_only_what_is_changed_is_touched_and_marked_as_ours() {
    let world = deployed_by_chalice(World::with_folder_state(), World::chalice_hello);
    let url = world.deploy("dev");
    world.replace("app.py", "\"world\"", "\"again\"");
    world.forget_calls();
    assert_eq!(world.deploy("dev"), url);
    assert_eq!(
        world.mutations(),
        ["UpdateFunctionCode hello-dev", "TagResource hello-dev"]
    );
    assert_eq!(world.get(&url).json(), json!({"hello": "again"}));

    world.replace("app.py", "@app.route(\"/\")", "@app.route(\"/\", methods=[\"POST\"])");
    world.forget_calls();
    world.deploy("dev");
    let api = world.aws()["apis"][0].clone();
    assert!(
        api["description"]
            .as_str()
            .is_some_and(|mark| mark.starts_with("stagewright:"))
    );
    assert_eq!(api["routes"], json!(["POST /"]));
    let operations: Vec<String> = world.mutations();
    let mut operations: Vec<&str> = operations.iter().filter_map(|call| call.split(' ').next()).collect();
    // Which of the two that wait for nothing is first, is not promised.
    operations[..2].sort_unstable();
    assert_eq!(operations, ["PutRestApi", "UpdateFunctionCode", "CreateDeployment"]);
}

#[test]
fn what_was_changed_since_chalice_deployed_is_all_that_the_first_deploy_touches() {
    let world = deployed_by_chalice(World::with_folder_state(), World::chalice_hello);
    world.replace(".chalice/policy.json", "logs:PutLogEvents", "logs:CreateLogStream");
    let plan = world.run(&["plan", "--stage", "dev"]).succeeded().stdout;
    assert!(plan.contains("~ update role/"), "{plan}");
    assert!(
        plan.ends_with("Plan: 0 to create, 1 to update, 0 to delete.\n"),
        "{plan}"
    );
    world.deploy("dev");
    let operations = world.mutations();
    assert!(
        operations
            .iter()
            .all(|call| call.starts_with("PutRolePolicy ") || call.starts_with("TagRole ")),
        "{operations:?}"
    );
}

#[test]
fn chalice_finds_its_stage_again_after_we_took_it_over() {
    let world = deployed_by_chalice(World::with_folder_state(), World::chalice_hello);
    let before = world.chalice(&["url", "--stage", "dev"]).succeeded().stdout;
    let recorded: Value = serde_json::from_str(&world.read(".chalice/deployed/dev.json")).expect("JSON");
    world.deploy("dev");
    let ours: Value = serde_json::from_str(&world.read(".chalice/deployed/dev.json")).expect("JSON");
    assert_eq!(ours["resources"], recorded["resources"]);
    assert_eq!(world.chalice(&["url", "--stage", "dev"]).succeeded().stdout, before);

    // Back: it deploys on our record, under the same URL, and we take it over once more.
    world.replace("app.py", "\"world\"", "\"again\"");
    world.chalice(&["deploy", "--stage", "dev"]).succeeded();
    assert_eq!(world.chalice(&["url", "--stage", "dev"]).succeeded().stdout, before);
    assert_eq!(world.aws()["apis"].as_array().map(Vec::len), Some(1));
    world.forget_calls();
    world.deploy("dev");
    assert_eq!(world.mutations(), Vec::<String>::new());

    world.chalice(&["delete", "--stage", "dev"]).succeeded();
    assert!(world.names_in_aws().is_empty(), "{:?}", world.names_in_aws());
}

#[test]
fn a_first_deploy_that_is_killed_after_it_took_a_stage_over_is_finished_by_the_next() {
    let world = deployed_by_chalice(World::with_folder_state(), World::chalice_hello);
    let url = world.reachable(".chalice/deployed/dev.json");
    world.replace("app.py", "@app.route(\"/\")", "@app.route(\"/\", cors=True)");
    world.replace(".chalice/policy.json", "logs:PutLogEvents", "logs:CreateLogStream");
    world.replace(
        ".chalice/config.json",
        "\"app_name\"",
        "\"lambda_timeout\": 30, \"app_name\"",
    );
    let held = ["PutRestApi", "PutRolePolicy", "UpdateFunctionCode"];
    let held = held.map(|operation| json!({"operation": operation, "answer": "hold"}));
    world.order_faults(&json!(held));
    let deploy = Started::new(world.program().args(["deploy", "--stage", "dev"]));
    world.await_held();
    deploy.signal("KILL");
    drop(deploy);
    world.order_faults(&json!([]));
    world.release();

    assert_eq!(world.deploy("dev"), url);
    assert_eq!(world.get(&url).status, 200);
    assert_eq!(world.aws()["apis"].as_array().map(Vec::len), Some(1));
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert!(world.names_in_aws().is_empty(), "{:?}", world.names_in_aws());
}

#[test]
fn a_record_of_chalices_whose_resources_are_gone_keeps_nobody_from_deploying() {
    let world = deployed_by_chalice(World::new(), World::chalice_hello);
    let stale = world.read(".chalice/deployed/dev.json");
    world.chalice(&["delete", "--stage", "dev"]).succeeded();
    world.write(".chalice/deployed/dev.json", &stale);
    let url = world.deploy("dev");
    assert_eq!(world.get(&url).json(), json!({"hello": "world"}));
    world.forget_calls();
    world.deploy("dev");
    assert_eq!(world.mutations(), Vec::<String>::new());
}

#[test]
fn a_stage_of_chalices_that_no_bucket_knows_of_is_destroyed_whole() {
    let world = deployed_by_chalice(World::new(), World::chalice_hello);
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert!(world.names_in_aws().is_empty(), "{:?}", world.names_in_aws());
    // The file in the project stays, and means nothing any more.
    let again = world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert!(again.stdout.contains("is not deployed"), "{}", again.stdout);
}

#[test]
fn a_pull_request_cannot_name_what_its_preview_takes_over() {
    let world = deployed_by_chalice(World::new(), World::chalice_hello);
    let of_dev = world.read(".chalice/deployed/dev.json");
    world.write(".chalice/deployed/pr-7.json", &of_dev);
    let before = world.aws();
    let url = world.deploy("pr-7");
    assert_eq!(world.get(&url).status, 200);
    world.run(&["destroy", "--stage", "pr-7", "--yes"]).succeeded();
    for kind in ["roles", "functions", "apis"] {
        assert_eq!(world.aws()[kind], before[kind]);
    }
}

#[test]
fn a_stage_of_the_first_chalice_is_taken_over_from_the_one_file_of_all_stages() {
    for world in [World::new(), World::with_folder_state()] {
        let world = deployed_by_chalice(world, |world| {
            world.chalice_hello();
            // The first Chalice had one role for all functions of a stage, and recorded none.
            world.replace(".chalice/config.json", "\"autogen_policy\":false,", "");
        });
        let url = world.reachable(".chalice/deployed/dev.json");
        let recorded: Value = serde_json::from_str(&world.read(".chalice/deployed/dev.json")).expect("JSON");
        let of = |kind: &str, key: &str| {
            let resources = recorded["resources"].as_array().expect("a list").iter();
            let mut found = resources.filter(|resource| resource["resource_type"] == kind);
            found.next().expect(kind)[key].clone()
        };
        let first = json!({"dev": {
            "backend": "api",
            "chalice_version": "0.10.1",
            "region": "us-east-1",
            "api_gateway_stage": "api",
            "api_handler_name": "hello-dev",
            "api_handler_arn": of("lambda_function", "lambda_arn"),
            "rest_api_id": of("rest_api", "rest_api_id"),
            "lambda_functions": {},
        }});
        std::fs::remove_file(world.project().join(".chalice/deployed/dev.json")).expect("it was there");
        world.write(".chalice/deployed.json", &first.to_string());
        assert_eq!(world.deploy("dev"), url);
        assert_eq!(world.mutations(), Vec::<String>::new());
        assert_eq!(world.read(".chalice/deployed.json"), first.to_string());
        world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
        assert!(world.names_in_aws().is_empty(), "{:?}", world.names_in_aws());
    }
}

#[test]
fn a_stage_whose_record_lies_in_the_folder_is_not_deployed_a_second_time_into_a_bucket() {
    let world = World::new();
    world.chalice_hello();
    let record = std::fs::read_to_string(in_checkout("tests/formats/state-1.json")).expect("a record of ours");
    world.write(".chalice/deployed/dev.json", &record);
    let run = world.run(&["deploy", "--stage", "dev"]);
    run.ended_with(2)
        .saying(&[".chalice/deployed/dev.json", "s3://deploys/stages/hello/dev.json"]);
    assert_eq!(world.mutations(), Vec::<String>::new());
}
