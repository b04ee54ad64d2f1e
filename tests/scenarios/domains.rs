//! Domains of the user's own: where they lead, and whose they are.

use serde_json::{Value, json};

use crate::gateway::{items, text};
use crate::world::World;

const DOMAIN: &str = "chat.example.com";
const CERTIFICATE: &str = "arn:aws:acm:us-east-1:000000000000:certificate/c1";

fn websocket(more: &str) -> String {
    format!(
        "websocket:\n  routes: {{ $default: room }}\n  domain: {{ name: {DOMAIN}, certificate_arn: \"{CERTIFICATE}\"{more} }}\n"
    )
}

fn leads(world: &World) -> Vec<(String, String)> {
    let found = items(&world.ask("apigateway", &format!("/v2/domainnames/{DOMAIN}/apimappings")));
    let pair = |mapping: &Value| (text(mapping, "apiMappingKey"), text(mapping, "apiId"));
    found.iter().map(pair).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(path, id): &(&str, &str)| ((*path).to_owned(), (*id).to_owned());
    pairs.iter().map(pair).collect()
}

#[test]
fn a_domain_leads_to_its_websocket_api_until_the_stage_goes() {
    let world = World::new();
    world.python_app(&["room"], &websocket(""));
    world.deploy("dev");
    let id = world.v2_api("chat-dev-websocket-api");
    assert_eq!(leads(&world), pairs(&[("", &id)]));
    world.forget_calls();
    world.deploy("dev");
    assert_eq!(world.changes(), [""; 0]);

    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert_eq!(
        world.ask("apigateway", &format!("/v2/domainnames/{DOMAIN}")),
        Value::Null
    );
}

#[test]
fn another_path_of_a_domain_takes_the_place_of_the_former_one() {
    let world = World::new();
    world.python_app(&["room"], &websocket(", path: v1"));
    world.deploy("dev");
    let id = world.v2_api("chat-dev-websocket-api");
    assert_eq!(leads(&world), pairs(&[("v1", &id)]));
    world.python_app(&["room"], &websocket(", path: v2"));
    world.deploy("dev");
    assert_eq!(leads(&world), pairs(&[("v2", &id)]));
}

#[test]
fn another_certificate_and_tag_are_set_and_nothing_else() {
    let world = World::new();
    world.python_app(&["room"], &websocket(", tags: { team: red }"));
    world.deploy("dev");
    let manifest = world
        .read("stagewright.yaml")
        .replace("certificate/c1", "certificate/c2");
    world.write("stagewright.yaml", &manifest);
    world.forget_calls();
    world.deploy("dev");
    let path = format!("/v2/domainnames/{DOMAIN}");
    let changes = world.changes();
    assert!(
        matches!(changes.as_slice(), [only] if only.starts_with("UpdateDomainName")),
        "{changes:?}"
    );
    let stands = world.ask("apigateway", &path);
    let certificate = &stands["domainNameConfigurations"][0]["certificateArn"];
    assert!(certificate.as_str().is_some_and(|arn| arn.ends_with("/c2")), "{stands}");
    assert_eq!(stands["tags"]["team"], "red");
}

#[test]
fn a_domain_of_another_stage_is_not_taken_over() {
    let world = World::new();
    world.python_app(&["room"], &websocket(""));
    world.deploy("dev");
    let before = leads(&world);
    let run = world.run(&["deploy", "--stage", "beta"]);
    assert_ne!(run.code, 0);
    run.saying(&[DOMAIN, "stage `dev` of app `chat`"]);
    assert_eq!(leads(&world), before);
}

#[test]
fn a_domain_that_somebody_made_by_hand_is_not_taken_over() {
    let world = World::new();
    let theirs = json!({
        "domainName": DOMAIN,
        "domainNameConfigurations": [{"certificateArn": CERTIFICATE, "endpointType": "REGIONAL"}],
    });
    world.tell_aws(("POST", "apigateway"), "/v2/domainnames", &theirs);
    world.python_app(&["room"], &websocket(""));
    let run = world.run(&["deploy", "--stage", "dev"]);
    assert_ne!(run.code, 0);
    run.saying(&["bears no tags of ours"]);
    assert_eq!(leads(&world), pairs(&[]));
}

#[test]
fn a_path_that_somebody_else_has_on_our_domain_stays() {
    let world = World::new();
    world.python_app(&["room"], &websocket(", path: v1"));
    world.deploy("dev");
    let id = world.v2_api("chat-dev-websocket-api");
    let other = world.tell_aws(
        ("POST", "apigateway"),
        "/v2/apis",
        &json!({"name": "billing", "protocolType": "HTTP"}),
    );
    let other = text(&other, "apiId");
    let stage = json!({"stageName": "live"});
    world.tell_aws(("POST", "apigateway"), &format!("/v2/apis/{other}/stages"), &stage);
    let mapping = json!({"apiId": other, "stage": "live", "apiMappingKey": "billing"});
    let mappings = format!("/v2/domainnames/{DOMAIN}/apimappings");
    world.tell_aws(("POST", "apigateway"), &mappings, &mapping);

    world.python_app(&["room"], &websocket(", path: v2"));
    world.deploy("dev");
    let mut found = leads(&world);
    found.sort();
    assert_eq!(found, pairs(&[("billing", &other), ("v2", &id)]));
}

#[test]
fn a_rest_api_has_a_domain_too() {
    let world = World::new();
    let rest = format!(
        "routes: {{ GET /: room }}\napi:\n  domain: {{ name: {DOMAIN}, certificate_arn: \"{CERTIFICATE}\", path: v1 }}\n"
    );
    world.python_app(&["room"], &rest);
    world.deploy("dev");
    let found = leads(&world);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "v1");
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert_eq!(
        world.ask("apigateway", &format!("/v2/domainnames/{DOMAIN}")),
        Value::Null
    );
}
