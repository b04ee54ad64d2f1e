//! Failures: what the person reads, and what the next run finds.

use serde_json::{Value, json};

use crate::world::World;

#[test]
fn without_credentials_it_says_where_they_may_come_from() {
    let world = World::new();
    world.chalice_hello();
    let none = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    world
        .run_with(&none, &["deploy", "--stage", "dev"])
        .ended_with(1)
        .saying(&["credentials"]);
}

#[test]
fn a_bucket_that_is_not_there_is_named() {
    let world = World::with_folder_state();
    world.chalice_hello();
    let run = world.run(&["--state", "s3://nowhere/at-all", "deploy", "--stage", "dev"]);
    assert_ne!(run.code, 0, "{}", run.stdout);
    run.saying(&["nowhere"]);
    assert!(world.names_in_aws().is_empty());
}

#[test]
fn a_denied_call_is_named_with_what_it_was_about() {
    let world = World::new();
    world.chalice_hello();
    world.order_faults(&refusal("CreateFunction", 403, "AccessDeniedException"));
    world
        .run(&["deploy", "--stage", "dev"])
        .ended_with(1)
        .saying(&["CreateFunction", "hello-dev"]);
}

#[test]
fn after_a_failed_call_the_next_deploy_finishes_what_was_begun() {
    for operation in [
        "CreateRole",
        "CreateFunction",
        "ImportRestApi",
        "AddPermission",
        "CreateDeployment",
    ] {
        let world = World::new();
        world.chalice_hello();
        world.order_faults(&refusal(operation, 403, "AccessDeniedException"));
        world.run(&["deploy", "--stage", "dev"]).ended_with(1);
        world.order_faults(&json!([]));

        assert_eq!(
            world.get(&world.deploy("dev")).json(),
            json!({"hello": "world"}),
            "{operation}"
        );
        assert_eq!(world.aws()["apis"].as_array().map(Vec::len), Some(1), "{operation}");
    }
}

#[test]
fn an_import_whose_answer_is_lost_does_not_leave_a_second_api() {
    let world = World::new();
    world.chalice_hello();
    world.order_faults(&json!([{"operation": "ImportRestApi", "answer": "close", "when": "after"}]));
    world.run(&["deploy", "--stage", "dev"]);

    assert_eq!(world.get(&world.deploy("dev")).status, 200);
    assert_eq!(world.aws()["apis"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_throttled_call_is_tried_again() {
    let world = World::new();
    world.chalice_hello();
    world.order_faults(&json!([
        {"operation": "CreateDeployment", "answer": refused(429, "TooManyRequestsException")},
        {"operation": "CreateRole", "answer": refused(400, "Throttling")},
    ]));
    assert_eq!(world.get(&world.deploy("dev")).status, 200);
}

#[test]
fn a_failed_deploy_says_so_in_json_too() {
    let world = World::new();
    world.chalice_hello();
    world.order_faults(&refusal("CreateFunction", 403, "AccessDeniedException"));
    let said = world.run(&["deploy", "--stage", "dev", "--json"]).ended_with(1).json();

    assert_eq!(said["outcome"], "failed");
    let steps = said["steps"].as_array().cloned().unwrap_or_default();
    let function = steps
        .iter()
        .find(|step| step["address"] == "function/api_handler")
        .expect("the step is there");
    assert_eq!(function["outcome"], "failed", "{said}");
}

#[test]
fn an_app_that_does_not_import_is_shown_with_file_and_line() {
    let world = World::new();
    world.chalice_hello();
    world.write(
        "app.py",
        "from chalice import Chalice\n\napp = Chalice(app_name='hello')\n1 / 0\n",
    );
    world
        .run(&["deploy", "--stage", "dev"])
        .ended_with(2)
        .saying(&["app.py", "4", "ZeroDivisionError"]);
    assert_eq!(world.mutations(), Vec::<String>::new());
}

#[test]
fn a_variable_that_is_not_set_is_named_with_its_key() {
    let world = World::new();
    world.manifest_hello();
    world.replace(
        "stagewright.yaml",
        "code: src",
        "code: src\n    environment: { TOKEN: \"${env:NOT_SET}\" }",
    );
    world
        .run(&["deploy", "--stage", "dev"])
        .ended_with(2)
        .saying(&["NOT_SET", "TOKEN"]);
}

#[test]
fn a_name_that_aws_would_refuse_is_refused_before_the_first_call() {
    let world = World::new();
    world.chalice_hello();
    world
        .run(&["deploy", "--stage", "feature/login"])
        .ended_with(2)
        .saying(&["feature/login"]);
    world
        .run(&["deploy", "--stage", &"x".repeat(60)])
        .ended_with(2)
        .saying(&["64"]);
    assert!(world.calls().is_empty(), "{:#?}", world.calls());
}

fn refused(status: u16, code: &str) -> Value {
    json!({"status": status, "code": code, "message": "on order"})
}

fn refusal(operation: &str, status: u16, code: &str) -> Value {
    json!([{"operation": operation, "answer": refused(status, code), "times": 9}])
}
