//! Websocket APIs: what is routed where, what is served, and what becomes of it when a run is cut short.

use std::collections::BTreeMap;

use serde_json::json;

use crate::gateway::text;
use crate::world::World;

const ROUTES: &str = "websocket:\n  routes: { $connect: hall, $default: room, say: room }\n";

fn routes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pair = |(key, function): &(&str, &str)| ((*key).to_owned(), (*function).to_owned());
    pairs.iter().map(pair).collect()
}

fn served(world: &World, id: &str, stage: &str) -> String {
    text(
        &world.ask("apigateway", &format!("/v2/apis/{id}/stages/{stage}")),
        "deploymentId",
    )
}

#[test]
fn messages_reach_their_functions_by_one_integration_each() {
    let world = World::new();
    world.python_app(&["hall", "room"], ROUTES);
    world.deploy("dev");

    let id = world.v2_api("chat-dev-websocket-api");
    let (hall, room) = ("chat-dev-hall", "chat-dev-room");
    let wanted = routes(&[("$connect", hall), ("$default", room), ("say", room)]);
    assert_eq!(world.v2_routes(&id), wanted);
    assert_eq!(world.v2_count(&id, "integrations"), 2);
    assert_ne!(served(&world, &id, "api"), "");
    let outputs = &world.state("chat", "dev")["stagewright"]["deployed"]["v2_api/websocket_api"]["outputs"];
    let url = format!("wss://{id}.execute-api.us-east-1.amazonaws.com/api/");
    assert_eq!(outputs["url"], json!(url));
    let policy = world.ask("lambda", "/2015-03-31/functions/chat-dev-room/policy");
    assert!(text(&policy, "Policy").contains(&format!("{id}/*")), "{policy}");
}

#[test]
fn a_new_websocket_api_is_looked_for_once_and_then_only_made() {
    let world = World::new();
    world.python_app(&["hall", "room"], ROUTES);
    world.deploy("dev");
    let calls = world.calls().into_iter();
    let of_gateway = calls.filter(|call| call.service.starts_with("apigateway"));
    let reads = of_gateway.map(|call| call.operation);
    let reads: Vec<String> = reads.filter(|operation| operation.starts_with("Get")).collect();
    assert_eq!(reads, ["GetApis"]);
}

#[test]
fn what_did_not_change_is_not_deployed_again() {
    let world = World::new();
    world.python_app(&["hall", "room"], ROUTES);
    world.deploy("dev");
    world.forget_calls();
    world.deploy("dev");
    assert_eq!(world.changes(), [""; 0]);
}

#[test]
fn a_new_route_goes_live_and_a_former_one_goes() {
    let world = World::new();
    world.python_app(&["hall", "room"], ROUTES);
    world.deploy("dev");
    let id = world.v2_api("chat-dev-websocket-api");
    let before = served(&world, &id, "api");
    world.python_app(&["room"], "websocket:\n  routes: { $default: room, sing: room }\n");
    world.deploy("dev");

    assert_eq!(world.v2_api("chat-dev-websocket-api"), id);
    let room = "chat-dev-room";
    assert_eq!(world.v2_routes(&id), routes(&[("$default", room), ("sing", room)]));
    assert_eq!(world.v2_count(&id, "integrations"), 1);
    assert_ne!(served(&world, &id, "api"), before);
}

#[test]
fn another_path_is_served_in_the_place_of_the_former_one() {
    let world = World::new();
    world.python_app(&["hall", "room"], ROUTES);
    world.deploy("dev");
    let id = world.v2_api("chat-dev-websocket-api");
    world.python_app(&["hall", "room"], &format!("{ROUTES}  stage_name: talk\n"));
    world.deploy("dev");

    assert_ne!(served(&world, &id, "talk"), "");
    assert_eq!(world.v2_count(&id, "stages"), 1);
}

#[test]
fn destroying_leaves_no_websocket_api() {
    let world = World::new();
    world.python_app(&["hall", "room"], ROUTES);
    world.deploy("dev");
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert_eq!(world.v2_apis("chat-dev-websocket-api"), [json!(null); 0]);
    assert!(world.names_in_aws().is_empty(), "{:?}", world.names_in_aws());
}

#[test]
fn whichever_answer_is_lost_the_next_run_completes_the_one_api() {
    let world = World::new();
    world.python_app(&["hall", "room"], ROUTES);
    let (mut cut, mut number) = (0, 0);
    loop {
        let stage = format!("s{number}");
        world.order_faults(&json!([
            {"operation": "*", "match": "/v2/apis", "skip": number, "when": "after", "answer": "close"},
        ]));
        world.forget_calls();
        world.run(&["deploy", "--stage", &stage]);
        let is_cut = world.calls().iter().any(|call| call.fault.is_some());
        world.order_faults(&json!([]));
        world.deploy(&stage);

        let id = world.v2_api(&format!("chat-{stage}-websocket-api"));
        let (hall, room) = (format!("chat-{stage}-hall"), format!("chat-{stage}-room"));
        let wanted = routes(&[("$connect", &hall), ("$default", &room), ("say", &room)]);
        assert_eq!(world.v2_routes(&id), wanted, "{stage}");
        assert_eq!(world.v2_count(&id, "integrations"), 2, "{stage}");
        assert_ne!(served(&world, &id, "api"), "", "{stage}");
        if !is_cut {
            break;
        }
        (cut, number) = (cut + 1, number + 1);
    }
    assert!(cut >= 8, "only {cut} calls were cut");
}
