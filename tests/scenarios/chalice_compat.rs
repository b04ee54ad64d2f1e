//! Side by side with Chalice: its own tools work on our record, and we take over what it deployed.

use serde_json::json;

use crate::world::World;

#[test]
fn the_real_chalice_finds_the_url_and_removes_the_stage() {
    let world = World::with_folder_state();
    world.chalice_guestbook();
    world.deploy("dev");
    let url = world.chalice(&["url", "--stage", "dev"]).succeeded().stdout;
    let api = world.aws()["apis"][0]["id"].as_str().expect("an API").to_owned();
    assert_eq!(
        url.trim(),
        format!("https://{api}.execute-api.us-east-1.amazonaws.com/api/")
    );

    world.chalice(&["delete", "--stage", "dev"]).succeeded();
    assert!(world.names_in_aws().is_empty(), "{:?}", world.names_in_aws());
}

#[test]
fn a_stage_that_chalice_deployed_is_taken_over_under_its_url() {
    let world = World::with_folder_state();
    world.chalice_hello();
    world.chalice(&["deploy", "--stage", "dev"]).succeeded();
    let url = world.reachable(".chalice/deployed/dev.json");
    world.replace("app.py", "\"world\"", "\"again\"");

    assert_eq!(world.deploy("dev"), url);
    assert_eq!(world.get(&url).json(), json!({"hello": "again"}));
    assert_eq!(world.aws()["apis"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_takeover_that_fails_midway_keeps_the_api_and_its_url() {
    let world = World::with_folder_state();
    world.chalice_hello();
    world.chalice(&["deploy", "--stage", "dev"]).succeeded();
    let url = world.reachable(".chalice/deployed/dev.json");
    let app = world.read("app.py");
    let route = "\n\n@app.route(\"/more\")\ndef more():\n    return {\"more\": True}\n";
    world.write("app.py", &format!("{app}{route}"));
    let refused = json!({"status": 403, "code": "AccessDeniedException", "message": "on order"});
    let faults = ["PutRestApi", "UpdateFunctionCode"].map(|of| json!({"operation": of, "answer": refused}));
    world.order_faults(&json!(faults));
    world.run(&["deploy", "--stage", "dev"]).ended_with(1);
    world.order_faults(&json!([]));
    assert_eq!(world.deploy("dev"), url);
    assert_eq!(world.get(&url).status, 200);
    assert_eq!(world.aws()["apis"].as_array().map(Vec::len), Some(1));
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert_eq!(world.names_in_aws(), std::collections::BTreeSet::new());
}

#[test]
fn a_stage_that_chalice_deployed_in_another_region_is_neither_deployed_nor_destroyed_here() {
    let world = World::with_folder_state();
    world.chalice_hello();
    world.chalice(&["deploy", "--stage", "dev"]).succeeded();
    let before = world.names_in_aws();
    world.forget_calls();
    let elsewhere = [("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-west-1")];
    let run = world.run_with(&elsewhere, &["deploy", "--stage", "dev"]);
    run.ended_with(2).saying(&["us-east-1", "eu-west-1"]);
    assert_eq!(world.mutations(), Vec::<String>::new());
    // To destroy a stage its own record says where it is.
    world
        .run_with(&elsewhere, &["destroy", "--stage", "dev", "--yes"])
        .succeeded();
    assert!(!before.is_empty() && world.names_in_aws().is_empty());
}

#[test]
fn the_api_has_the_routes_that_chalice_would_give_it() {
    let routes = |deploy: &dyn Fn(&World)| {
        let world = World::with_folder_state();
        world.chalice_guestbook();
        deploy(&world);
        let api = world.aws()["apis"][0].clone();
        ["routes", "authorizers", "stages", "types", "binary"].map(|part| api[part].clone())
    };
    let ours = routes(&|world| drop(world.deploy("dev")));
    let theirs = routes(&|world| drop(world.chalice(&["deploy", "--stage", "dev"]).succeeded()));
    assert_eq!(ours, theirs);
}
