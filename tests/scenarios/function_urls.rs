//! URLs of functions: who may call them, and when they go.

use serde_json::{Value, json};

use crate::gateway::text;
use crate::world::World;

fn app(url: &str) -> String {
    format!("  open: {{ runtime: python3.11, handler: handler.answer, code: src, url: {url} }}\n")
}

fn url_of(world: &World) -> Value {
    world.ask("lambda", "/2021-10-31/functions/chat-dev-open/url")
}

fn statements(world: &World) -> Vec<Value> {
    let policy = world.ask("lambda", "/2015-03-31/functions/chat-dev-open/policy");
    let policy: Value = serde_json::from_str(&text(&policy, "Policy")).unwrap_or_default();
    policy["Statement"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_public_url_answers_everybody_by_both_permissions_that_aws_asks_for() {
    let world = World::new();
    world.python_app(&[], &app("true"));
    world.run(&["deploy", "--stage", "dev"]).succeeded();

    let url = text(&url_of(&world), "FunctionUrl");
    let host = url.split("://").last().unwrap_or_default();
    let id = host.split('.').next().unwrap_or_default();
    let here = world.endpoint(&format!("/_aws/lambda-url/{id}/"));
    assert_eq!(world.get(&here).text(), "chat-dev-open");
    let actions: Vec<Value> = statements(&world).iter().map(|found| found["Action"].clone()).collect();
    assert_eq!(actions.len(), 2, "{actions:?}");
    assert!(actions.contains(&json!("lambda:InvokeFunctionUrl")) && actions.contains(&json!("lambda:InvokeFunction")));
    world.forget_calls();
    world.run(&["deploy", "--stage", "dev"]).succeeded();
    assert_eq!(world.changes(), [""; 0]);
}

#[test]
fn a_url_that_is_closed_to_the_public_keeps_its_address_and_loses_its_permissions() {
    let world = World::new();
    world.python_app(
        &[],
        &app("{ access: public, cors: { allow_origins: [\"https://a.example\"] } }"),
    );
    world.run(&["deploy", "--stage", "dev"]).succeeded();
    let before = url_of(&world);
    assert_eq!(before["Cors"]["AllowOrigins"], json!(["https://a.example"]));
    world.python_app(&[], &app("{ access: iam }"));
    world.run(&["deploy", "--stage", "dev"]).succeeded();

    let after = url_of(&world);
    assert_eq!(after["FunctionUrl"], before["FunctionUrl"]);
    assert_eq!(after["AuthType"], "AWS_IAM");
    let origins = &after["Cors"]["AllowOrigins"];
    assert!(origins.as_array().is_none_or(Vec::is_empty), "{after}");
    assert_eq!(statements(&world), [json!(null); 0]);
}

#[test]
fn a_url_that_is_not_wanted_any_more_goes() {
    let world = World::new();
    world.python_app(&[], &app("true"));
    world.run(&["deploy", "--stage", "dev"]).succeeded();
    world.python_app(&["open"], "");
    world.run(&["deploy", "--stage", "dev"]).succeeded();
    assert_eq!(url_of(&world), Value::Null);
    assert_eq!(statements(&world), [json!(null); 0]);
}

#[test]
fn a_url_whose_record_was_lost_is_taken_over() {
    let world = World::new();
    world.python_app(&[], &app("{ access: iam }"));
    world.order_faults(&json!([{"operation": "*", "match": "/url", "when": "after", "answer": "close", "times": 3}]));
    world.run(&["deploy", "--stage", "dev"]);
    world.order_faults(&json!([]));
    world.run(&["deploy", "--stage", "dev"]).succeeded();
    assert_eq!(url_of(&world)["AuthType"], "AWS_IAM");
}

#[test]
fn a_permission_that_meets_another_change_of_the_function_is_asked_for_again() {
    let world = World::new();
    world.python_app(&[], &app("true"));
    let busy = json!({
        "status": 409, "code": "ResourceConflictException",
        "message": "The function could not be updated due to a concurrent update operation.",
    });
    world.order_faults(&json!([{"operation": "AddPermission", "answer": busy, "times": 2}]));
    world.run(&["deploy", "--stage", "dev"]).succeeded();
    assert_eq!(statements(&world).len(), 2);
    let changes = world.changes();
    assert!(
        !changes.iter().any(|call| call.contains("RemovePermission")),
        "{changes:?}"
    );
}
