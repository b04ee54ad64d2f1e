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
    let found = items(&world.ask("apigateway", &mappings()));
    let pair = |mapping: &Value| (text(mapping, "apiMappingKey"), text(mapping, "apiId"));
    found.iter().map(pair).collect()
}

fn mappings() -> String {
    format!("/v2/domainnames/{DOMAIN}/apimappings")
}

/// Id of an API that somebody else made, with the API Gateway stage `live`.
fn api_of_others(world: &World) -> String {
    let billing = json!({"name": "billing", "protocolType": "HTTP"});
    let id = text(&world.tell_aws(("POST", "apigateway"), "/v2/apis", &billing), "apiId");
    let stage = json!({"stageName": "live"});
    world.tell_aws(("POST", "apigateway"), &format!("/v2/apis/{id}/stages"), &stage);
    id
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
    let other = api_of_others(&world);
    let mapping = json!({"apiId": other, "stage": "live", "apiMappingKey": "billing"});
    world.tell_aws(("POST", "apigateway"), &mappings(), &mapping);

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

#[test]
fn a_domain_that_somebody_else_uses_too_stays_with_the_paths_of_the_others() {
    let world = World::new();
    world.python_app(&["room"], &websocket(", path: v1"));
    world.deploy("dev");
    let other = api_of_others(&world);
    let mapping = json!({"apiId": other, "stage": "live", "apiMappingKey": "billing"});
    world.tell_aws(("POST", "apigateway"), &mappings(), &mapping);
    let run = world.run(&["destroy", "--stage", "dev", "--yes"]);
    assert_ne!(run.code, 0);
    run.saying(&[DOMAIN, "`/billing`", &other]);
    assert_eq!(leads(&world), pairs(&[("billing", &other)]));
}

#[test]
fn a_path_that_somebody_else_leads_elsewhere_by_now_is_not_taken_back() {
    let world = World::new();
    world.python_app(&["room"], &websocket(", path: v1"));
    world.deploy("dev");
    let other = api_of_others(&world);
    let found = items(&world.ask("apigateway", &mappings()));
    let path = format!("{}/{}", mappings(), text(&found[0], "apiMappingId"));
    world.tell_aws(
        ("PATCH", "apigateway"),
        &path,
        &json!({"apiId": other, "stage": "live"}),
    );

    world.python_app(&["room"], &websocket(", path: v2"));
    world.deploy("dev");
    let id = world.v2_api("chat-dev-websocket-api");
    let mut found = leads(&world);
    found.sort();
    assert_eq!(found, pairs(&[("v1", &other), ("v2", &id)]));

    world.python_app(&["room"], &websocket(", path: v1"));
    let run = world.run(&["deploy", "--stage", "dev"]);
    assert_ne!(run.code, 0);
    run.saying(&["`/v1`", &other]);
    assert!(leads(&world).contains(&("v1".to_owned(), other)));
}

#[test]
fn a_domain_that_moves_to_another_api_of_the_stage_stays_and_moves_back() {
    let world = World::new();
    let domain = format!("  domain: {{ name: {DOMAIN}, certificate_arn: \"{CERTIFICATE}\" }}\n");
    let app = |of_websocket: &str, of_http: &str| {
        format!(
            "websocket:\n  routes: {{ $default: room }}\n{of_websocket}http:\n  routes: {{ GET /: room }}\n{of_http}"
        )
    };
    world.python_app(&["room"], &app(&domain, ""));
    world.deploy("dev");
    let (websocket, http) = (
        world.v2_api("chat-dev-websocket-api"),
        world.v2_api("chat-dev-http-api"),
    );
    assert_eq!(leads(&world), pairs(&[("", &websocket)]));
    world.python_app(&["room"], &app("", &domain));
    world.deploy("dev");
    assert_eq!(leads(&world), pairs(&[("", &http)]));
    world.python_app(&["room"], &app(&domain, ""));
    world.deploy("dev");
    assert_eq!(leads(&world), pairs(&[("", &websocket)]));
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert_eq!(
        world.ask("apigateway", &format!("/v2/domainnames/{DOMAIN}")),
        Value::Null
    );
}

#[test]
fn a_former_api_gateway_stage_goes_once_the_domain_leads_to_the_new_one() {
    let world = World::new();
    let rest = |stage: &str| {
        format!(
            "routes: {{ GET /: room }}\napi:\n  stage_name: {stage}\n  domain: {{ name: {DOMAIN}, certificate_arn: \"{CERTIFICATE}\" }}\n"
        )
    };
    world.python_app(&["room"], &rest("v1"));
    world.deploy("dev");
    world.python_app(&["room"], &rest("v2"));
    let led_to = json!({
        "status": 400, "code": "BadRequestException",
        "message": "Please remove all base path mappings related to the stage",
    });
    world.order_faults(&json!([{"operation": "DeleteStage", "answer": led_to}]));
    world.deploy("dev");
    let id = leads(&world)[0].1.clone();
    let stages = world.ask("apigateway", &format!("/restapis/{id}/stages"));
    let named: Vec<String> = stages["item"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|stage| text(stage, "stageName"))
        .collect();
    assert_eq!(named, ["v2"], "{stages}");
}
