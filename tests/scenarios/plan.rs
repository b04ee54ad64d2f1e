//! Planning: it says what a deploy would do, and does nothing.

use serde_json::{Value, json};

use crate::world::{Run, World};

#[test]
fn a_plan_of_a_new_stage_names_every_step_and_touches_nothing() {
    let world = World::new();
    world.chalice_hello();
    let plan = world.run(&["plan", "--stage", "dev", "--json"]).succeeded().json();

    assert_eq!(plan["outcome"], "planned");
    assert!(addresses(&plan).contains(&"rest_api/rest_api".to_owned()), "{plan}");
    let changes: Vec<_> = world.calls().into_iter().filter(|call| call.mutates).collect();
    assert!(changes.is_empty(), "{changes:#?}");
    assert!(world.names_in_aws().is_empty());
}

#[test]
fn a_deploy_applies_what_the_plan_named() {
    let world = World::new();
    world.chalice_guestbook();
    let mut planned = addresses(&world.run(&["plan", "--stage", "dev", "--json"]).succeeded().json());
    let mut applied = addresses(&world.run(&["deploy", "--stage", "dev", "--json"]).succeeded().json());

    planned.sort();
    applied.sort();
    assert_eq!(planned, applied);
}

#[test]
fn a_plan_after_a_deploy_is_empty() {
    let world = World::new();
    world.chalice_guestbook();
    world.deploy("dev");
    let plan = world.run(&["plan", "--stage", "dev", "--json"]).succeeded().json();

    assert_eq!(plan["steps"], json!([]));
}

#[test]
fn a_plan_names_the_input_that_changed() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    world.write(
        ".chalice/config.json",
        &world
            .read(".chalice/config.json")
            .replacen('{', "{\"lambda_memory_size\": 512,", 1),
    );
    let plan = world.run(&["plan", "--stage", "dev", "--json"]).succeeded().json();

    assert_eq!(addresses(&plan), ["function/api_handler"]);
    assert_eq!(plan["steps"][0]["action"], "update");
    assert!(plan["steps"][0]["causes"].to_string().contains("memory"), "{plan}");
}

#[test]
fn a_plan_for_people_names_each_resource() {
    let world = World::new();
    world.chalice_hello();
    let Run { stdout, .. } = world.run(&["plan", "--stage", "dev"]).succeeded();

    for name in ["role/", "function/api_handler", "rest_api/rest_api"] {
        assert!(stdout.contains(name), "no {name} in {stdout}");
    }
}

fn addresses(report: &Value) -> Vec<String> {
    let steps = report["steps"].as_array().cloned().unwrap_or_default();
    steps
        .iter()
        .filter_map(|step| step["address"].as_str())
        .map(str::to_owned)
        .collect()
}
