//! HTTP APIs: what answers at which route, and who of another origin may call.

use serde_json::json;

use crate::gateway::text;
use crate::http::Request;
use crate::world::World;

const ROUTES: &str = "http:\n  routes: { GET /: front, \"GET /guests/{id}\": guests, $default: front }\n";

#[test]
fn an_http_api_answers_at_each_route_with_its_function() {
    let world = World::new();
    world.python_app(&["front", "guests"], ROUTES);
    world.deploy("dev");
    let url = world.url_of(&world.v2_api("chat-dev-http-api"), "$default");

    assert_eq!(world.get(&url).text(), "chat-dev-front");
    assert_eq!(world.get(&format!("{url}guests/ada")).text(), "chat-dev-guests");
    world.forget_calls();
    world.deploy("dev");
    assert_eq!(world.changes(), [""; 0]);
}

#[test]
fn a_route_that_is_given_to_another_function_answers_with_it_at_once() {
    let world = World::new();
    world.python_app(&["front", "guests"], ROUTES);
    world.deploy("dev");
    let id = world.v2_api("chat-dev-http-api");
    world.replace("stagewright.yaml", "GET /: front", "GET /: guests");
    world.deploy("dev");

    assert_eq!(world.get(&world.url_of(&id, "$default")).text(), "chat-dev-guests");
    assert_eq!(world.v2_count(&id, "integrations"), 2);
}

#[test]
fn who_may_call_is_changed_and_taken_away() {
    let world = World::new();
    let cors = |origin: &str| format!("{ROUTES}  cors: {{ allow_origins: [\"{origin}\"], max_age: 60 }}\n");
    world.python_app(&["front", "guests"], &cors("https://a.example"));
    world.deploy("dev");
    let name = "chat-dev-http-api";
    let allowed = || world.v2_apis(name)[0]["corsConfiguration"].clone();
    assert_eq!(allowed()["allowOrigins"], json!(["https://a.example"]));

    world.python_app(&["front", "guests"], &cors("https://b.example"));
    world.deploy("dev");
    assert_eq!(allowed()["allowOrigins"], json!(["https://b.example"]));
    let url = world.url_of(&world.v2_api(name), "$default");
    let answer = Request::new("GET", &url).header("Origin", "https://b.example").send();
    assert_eq!(answer.header("access-control-allow-origin"), "https://b.example");

    world.python_app(&["front", "guests"], ROUTES);
    world.deploy("dev");
    assert_eq!(allowed(), json!(null));
}

#[test]
fn an_http_api_and_a_websocket_api_of_one_stage_are_two() {
    let world = World::new();
    let both = format!("{ROUTES}websocket:\n  routes: {{ $default: front }}\n");
    world.python_app(&["front", "guests"], &both);
    world.deploy("dev");
    let (http, websocket) = (
        world.v2_api("chat-dev-http-api"),
        world.v2_api("chat-dev-websocket-api"),
    );
    assert_ne!(http, websocket);

    world.python_app(&["front", "guests"], ROUTES);
    world.deploy("dev");
    assert_eq!(world.v2_api("chat-dev-http-api"), http);
    assert!(world.v2_apis("chat-dev-websocket-api").is_empty());
}

#[test]
fn an_api_whose_record_was_lost_is_found_by_its_tags_and_somebody_elses_is_not() {
    let world = World::new();
    let theirs = world.tell_aws(
        ("POST", "apigateway"),
        "/v2/apis",
        &json!({"name": "chat-dev-http-api", "protocolType": "HTTP"}),
    );
    world.python_app(&["front", "guests"], ROUTES);
    world.order_faults(&json!([
        {"operation": "POST /v2/apis", "when": "after", "answer": "close"},
        {"operation": "CreateApi", "when": "after", "answer": "close"},
    ]));
    world.run(&["deploy", "--stage", "dev"]);
    world.order_faults(&json!([]));
    world.deploy("dev");

    let ids: Vec<String> = world
        .v2_apis("chat-dev-http-api")
        .iter()
        .map(|api| text(api, "apiId"))
        .collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_eq!(world.v2_count(&text(&theirs, "apiId"), "routes"), 0);
}
