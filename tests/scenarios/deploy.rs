//! Deploying: what is served afterwards, and what it takes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::http::Request;
use crate::world::World;

#[test]
fn a_chalice_app_answers_in_two_stages_that_share_nothing() {
    let world = World::new();
    world.chalice_guestbook();
    let (dev, prod) = (world.deploy("dev"), world.deploy("prod"));

    assert_eq!(world.get(&dev).json(), json!({"greeting": "Welcome", "stage": "dev"}));
    assert_eq!(world.get(&prod).json(), json!({"greeting": "Welcome", "stage": "prod"}));
    let (of_dev, of_prod) = (outputs(&world, "dev"), outputs(&world, "prod"));
    assert!(of_dev.is_disjoint(&of_prod), "{of_dev:?}\n{of_prod:?}");
}

#[test]
fn every_route_option_of_chalice_works_over_http() {
    let world = World::new();
    world.chalice_guestbook();
    let url = world.deploy("dev");
    let at = |path: &str| format!("{url}{path}");

    assert_eq!(world.get(&at("guests/ada")).json()["says"], "Enchanted.");
    assert_eq!(world.get(&at("guests/nobody")).status, 404);
    let put = Request::new("PUT", &at("guests/ada"))
        .header("Content-Type", "application/json")
        .body(b"{}")
        .send();
    assert_eq!(put.json()["method"], "PUT");
    let preflight = Request::new("OPTIONS", &at("guests/ada")).send();
    assert_eq!(
        preflight.header("access-control-allow-origin"),
        "https://guests.example.com"
    );
    assert_eq!(preflight.header("access-control-allow-methods"), "GET,PUT,OPTIONS");
    assert_eq!(preflight.header("access-control-max-age"), "600");
    assert_eq!(world.get(&at("files/a/b")).json()["path"], "a/b");
    assert_eq!(world.get(&at("keys")).status, 403);
    let bytes = "application/octet-stream";
    let echo = at("echo");
    let echo = Request::new("POST", &echo)
        .header("Content-Type", bytes)
        .header("Accept", bytes)
        .body(b"abc");
    assert_eq!(echo.send().body, b"cba");
}

#[test]
fn an_authorizer_of_the_app_guards_its_routes() {
    let world = World::new();
    world.chalice_guestbook();
    let cellar = format!("{}cellar", world.deploy("dev"));

    assert_eq!(world.get(&cellar).status, 401);
    assert_eq!(
        Request::new("GET", &cellar)
            .header("Authorization", "please")
            .send()
            .status,
        403
    );
    let inside = Request::new("GET", &cellar)
        .header("Authorization", "open sesame")
        .send();
    assert_eq!(inside.json(), json!({"guest": "guest"}));
}

#[test]
fn a_native_binary_answers_in_two_stages() {
    let world = World::new();
    world.native_guestbook();
    let (beta, prod) = (world.deploy("beta"), world.deploy("prod"));

    assert_eq!(world.get(&beta).text(), "Hello from beta: GET /\n");
    let visitor = Request::new("POST", &format!("{prod}visitors/ada")).send();
    assert_eq!(visitor.text(), "Hello from prod: POST /visitors/ada\n");
    assert_eq!(
        Request::new("OPTIONS", &prod)
            .send()
            .header("access-control-allow-origin"),
        "*"
    );
}

#[test]
fn a_manifest_app_in_python_answers() {
    let world = World::new();
    world.manifest_hello();
    assert_eq!(world.get(&world.deploy("dev")).text(), "hello");
}

#[test]
fn the_last_line_of_a_deploy_is_the_url_below_the_resources() {
    let world = World::new();
    world.chalice_hello();
    let run = world.run(&["deploy"]).succeeded();

    assert!(run.stdout.contains("\nResources deployed:\n"), "{}", run.stdout);
    assert_eq!(world.get(&run.last_word()).json(), json!({"hello": "world"}));
}

#[test]
fn json_is_one_object_with_every_step() {
    let world = World::new();
    world.chalice_hello();
    let said = world.run(&["deploy", "--stage", "dev", "--json"]).succeeded().json();

    assert_eq!(
        (&said["app"], &said["stage"], &said["outcome"]),
        (&json!("hello"), &json!("dev"), &json!("deployed"))
    );
    assert_eq!(world.get(said["url"].as_str().expect("a URL")).status, 200);
    let steps = said["steps"].as_array().expect("steps");
    let addresses: BTreeSet<&str> = steps.iter().filter_map(|step| step["address"].as_str()).collect();
    for address in [
        "function/api_handler",
        "rest_api/rest_api",
        "permission/api_handler",
        "deployment/rest_api",
    ] {
        assert!(addresses.contains(address), "{address} in {addresses:?}");
    }
    assert!(
        steps
            .iter()
            .all(|step| step["action"] == "create" && step["took_ms"].is_u64()),
        "{said}"
    );
}

#[test]
fn a_second_deploy_makes_one_request_and_says_so() {
    let world = World::new();
    world.chalice_hello();
    let url = world.deploy("dev");
    world.forget_calls();
    let again = world.run(&["deploy", "--stage", "dev", "--json"]).succeeded().json();

    assert_eq!((&again["outcome"], &again["url"]), (&json!("unchanged"), &json!(url)));
    let calls: Vec<String> = world.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["GetObject"]);
}

#[test]
fn a_first_deploy_makes_no_more_changes_than_it_needs() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");

    let mut operations: Vec<String> = world.mutations();
    operations
        .iter_mut()
        .for_each(|named| named.truncate(named.find(' ').unwrap_or(named.len())));
    operations.sort();
    let needed = [
        "AddPermission",
        "CreateDeployment",
        "CreateFunction",
        "CreateRole",
        "ImportRestApi",
        "PutRolePolicy",
    ];
    assert_eq!(operations, needed);
    let went_wrong = |status: Option<u16>| !matches!(status, Some(200..=299 | 404));
    // A store is tried with writes that it has to refuse.
    let is_probe = |target: &str| target.ends_with("/stagewright-probe.json");
    let refused: Vec<_> = world
        .calls()
        .into_iter()
        .filter(|call| went_wrong(call.status) && !is_probe(&call.target))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn the_first_change_comes_after_the_intents_are_written() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");

    let calls = world.calls();
    let is_state = |target: &str| target.ends_with("hello/dev.json");
    let written = calls
        .iter()
        .position(|call| call.operation == "PutObject" && is_state(&call.target));
    let changed = calls.iter().position(|call| call.mutates && call.service != "s3");
    assert!(
        written.expect("the state is written") < changed.expect("something is made"),
        "{calls:#?}"
    );
}

#[test]
fn a_changed_line_reaches_the_running_stage_under_the_same_url() {
    let world = World::new();
    world.chalice_hello();
    let url = world.deploy("dev");
    world.replace("app.py", "\"world\"", "\"again\"");
    world.forget_calls();

    assert_eq!(world.deploy("dev"), url);
    assert_eq!(world.get(&url).json(), json!({"hello": "again"}));
    assert_eq!(world.mutations(), ["UpdateFunctionCode hello-dev"]);
}

#[test]
fn a_changed_route_reaches_the_running_stage_under_the_same_url() {
    let world = World::new();
    world.chalice_guestbook();
    let url = world.deploy("dev");
    world.replace("app.py", "/files/{proxy+}", "/papers/{proxy+}");

    assert_eq!(world.deploy("dev"), url);
    assert_eq!(world.get(&format!("{url}papers/a")).json(), json!({"path": "a"}));
    assert_eq!(world.get(&format!("{url}files/a")).status, 403);
}

#[test]
fn a_function_taken_out_of_the_app_is_removed() {
    let world = World::new();
    world.chalice_guestbook();
    world.deploy("dev");
    assert!(world.names_in_aws().contains("functions/guestbook-dev-sweep"));
    let app = world.read("app.py");
    let kept = app.split("@app.lambda_function").next().expect("what stands above");
    world.write("app.py", kept);

    world.deploy("dev");
    let names = world.names_in_aws();
    assert!(!names.contains("functions/guestbook-dev-sweep"), "{names:?}");
    assert!(names.contains("functions/guestbook-dev"), "{names:?}");
}

#[test]
fn a_renamed_python_function_is_still_found_by_lambda() {
    let world = World::new();
    world.chalice_guestbook();
    world.deploy("dev");
    world.replace("app.py", "def sweep(", "def brush(");

    world.deploy("dev");
    let functions = world.aws()["functions"].clone();
    let sweep = functions
        .as_array()
        .and_then(|all| all.iter().find(|one| one["name"] == "guestbook-dev-sweep"));
    assert_eq!(sweep.expect("it is there")["Handler"], "app.brush");
}

#[test]
fn a_new_role_that_lambda_cannot_assume_yet_is_waited_for() {
    let world = World::new();
    world.chalice_hello();
    world.set_aws(&json!({"role_delay_s": 3}));
    assert_eq!(world.get(&world.deploy("dev")).status, 200);
}

#[test]
fn a_busy_function_is_waited_for() {
    let world = World::new();
    world.chalice_hello();
    world.set_aws(&json!({"busy_s": 1.5}));
    let url = world.deploy("dev");
    world.replace("app.py", "\"world\"", "\"again\"");
    world.write(
        ".chalice/config.json",
        &world
            .read(".chalice/config.json")
            .replacen('{', "{\"lambda_timeout\": 20,", 1),
    );

    assert_eq!(world.deploy("dev"), url);
    assert_eq!(world.get(&url).json(), json!({"hello": "again"}));
    assert_eq!(world.aws()["functions"][0]["Timeout"], 20);
}

#[test]
fn the_same_source_in_two_places_gives_the_same_code() {
    let digest = || {
        let world = World::new();
        world.chalice_guestbook();
        world.deploy("dev");
        world.aws()["functions"][0]["CodeSha256"].clone()
    };
    assert_eq!(digest(), digest());
}

#[test]
fn what_stands_under_our_name_without_our_mark_is_not_touched() {
    let world = World::new();
    world.chalice_hello();
    world.chalice(&["deploy", "--stage", "dev"]).succeeded();
    // With its record it would be a stage to take over.
    std::fs::remove_file(world.project().join(".chalice/deployed/dev.json")).expect("Chalice's record");
    let before = world.aws();
    world.forget_calls();

    let run = world.run(&["deploy", "--stage", "dev"]);
    assert_ne!(run.code, 0, "{}", run.stdout);
    run.saying(&["hello-dev"]);
    let after = world.aws();
    assert_eq!(
        (&after["functions"], &after["roles"]),
        (&before["functions"], &before["roles"])
    );
    let apis = after["apis"].as_array().cloned().unwrap_or_default();
    assert!(apis.contains(&before["apis"][0]), "{apis:#?}");
}

/// The ids, ARNs and names of what a stage is made of, as its state records them.
fn outputs(world: &World, stage: &str) -> BTreeSet<String> {
    let state = world.state("guestbook", stage);
    let resources = state["resources"].as_array().cloned().unwrap_or_default();
    let of_aws = |key: &str| key.ends_with("_arn") || key.ends_with("_id") || key.ends_with("_url");
    let fields = resources.iter().filter_map(Value::as_object).flatten();
    fields
        .filter(|(key, _)| of_aws(key))
        .map(|(_, value)| value.to_string())
        .collect()
}
