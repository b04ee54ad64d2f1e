//! The emulated AWS itself: what stands in for AWS must take what AWS takes, and refuse what AWS refuses.

use serde_json::json;

use crate::http::Request;
use crate::world::World;

#[test]
fn the_real_chalice_deploys_changes_and_removes_an_app_in_this_world() {
    let world = World::new();
    world.chalice_hello();
    world.chalice(&["deploy", "--stage", "dev"]).succeeded();
    let url = world.reachable(".chalice/deployed/dev.json");
    assert_eq!(world.get(&url).json(), json!({"hello": "world"}));

    world.replace("app.py", "\"/\"", "\"/moved/{to}\"");
    world.replace("app.py", "index()", "index(to)");
    world.chalice(&["deploy", "--stage", "dev"]).succeeded();
    assert_eq!(world.get(&format!("{url}moved/away")).json(), json!({"hello": "world"}));
    assert_eq!(world.get(&url).status, 403);

    world.chalice(&["delete", "--stage", "dev"]).succeeded();
    assert!(world.names_in_aws().is_empty());
}

#[test]
fn what_was_imported_is_not_served_before_it_is_deployed() {
    let world = World::new();
    world.chalice_hello();
    world.chalice(&["deploy", "--stage", "dev"]).succeeded();
    let url = world.reachable(".chalice/deployed/dev.json");

    world.order_faults(&json!([{"operation": "CreateDeployment", "answer": refused(), "times": 9}]));
    let more = "@app.route(\"/more\")\ndef more():\n    return {}\n";
    world.write("app.py", &format!("{}\n\n{more}", world.read("app.py")));
    world.chalice(&["deploy", "--stage", "dev"]).ended_with(2);

    assert_eq!(world.get(&url).status, 200);
    assert_eq!(world.get(&format!("{url}more")).status, 403);
}

#[test]
fn an_api_cannot_invoke_a_function_that_does_not_permit_it() {
    let world = World::new();
    world.chalice_hello();
    world.order_faults(&json!([{"operation": "AddPermission", "answer": refused(), "times": 9}]));
    world.chalice(&["deploy", "--stage", "dev"]).ended_with(2);
    world.order_faults(&json!([]));

    let api = world.aws()["apis"][0]["id"].as_str().expect("an API").to_owned();
    let deployments = world.endpoint(&format!("/restapis/{api}/deployments"));
    let deployed = Request::new("POST", &deployments)
        .signed("apigateway", "test")
        .body(br#"{"stageName": "api"}"#)
        .send();
    assert_eq!(deployed.status, 201, "{}", deployed.text());

    assert_eq!(world.get(&world.url_of(&api, "api")).status, 500);
}

#[test]
fn every_call_of_the_program_is_known_by_its_name() {
    let world = World::new();
    world.chalice_guestbook();
    world.deploy("dev");
    world.replace("app.py", "Welcome", "Welcome back");
    world.deploy("dev");
    world.run(&["stages"]).succeeded();
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();

    let calls = world.calls();
    let unknown: Vec<_> = calls.iter().filter(|call| call.operation.contains('/')).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

fn refused() -> serde_json::Value {
    json!({"status": 400, "code": "BadRequestException", "message": "on order"})
}
