//! What a function is made of beside its own zip: the stage's layer, and container images.

use serde_json::{Value, json};

use crate::gateway::text;
use crate::world::World;

fn layered(world: &World) {
    world.chalice_hello();
    let config = world.read(".chalice/config.json");
    let mut config: Value = serde_json::from_str(&config).expect("a config");
    config["automatic_layer"] = json!(true);
    world.write(".chalice/config.json", &config.to_string());
    world.write("vendor/vendored.py", "WORD = 'world'\n");
    world.replace(
        "app.py",
        "from chalice import Chalice",
        "from chalice import Chalice\nimport vendored",
    );
    world.replace("app.py", "\"world\"", "vendored.WORD");
}

fn versions(world: &World) -> Vec<String> {
    let listed = world.ask("lambda", "/2018-10-31/layers/hello-dev-managed-layer/versions");
    let versions = listed["LayerVersions"].as_array().cloned().unwrap_or_default();
    versions
        .iter()
        .map(|version| text(version, "LayerVersionArn"))
        .collect()
}

fn layers(world: &World) -> Vec<String> {
    let function = world.ask("lambda", "/2015-03-31/functions/hello-dev/configuration");
    let layers = function["Layers"].as_array().cloned().unwrap_or_default();
    layers.iter().map(|layer| text(layer, "Arn")).collect()
}

#[test]
fn the_dependencies_of_a_chalice_app_are_a_layer_of_its_stage() {
    let world = World::new();
    layered(&world);
    let url = world.deploy("dev");
    assert_eq!(world.get(&url).json(), json!({"hello": "world"}));
    assert_eq!(versions(&world), layers(&world));
    world.forget_calls();
    world.deploy("dev");
    assert_eq!(world.changes(), [""; 0]);

    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert_eq!(versions(&world), [""; 0]);
}

#[test]
fn other_dependencies_are_another_version_and_the_former_one_goes() {
    let world = World::new();
    layered(&world);
    world.deploy("dev");
    let before = versions(&world);
    world.write("vendor/vendored.py", "WORD = 'moon'\n");
    let url = world.deploy("dev");

    assert_eq!(world.get(&url).json(), json!({"hello": "moon"}));
    assert_eq!(versions(&world), layers(&world));
    assert_ne!(versions(&world), before);
}

#[test]
fn a_version_whose_answer_was_lost_is_not_published_again() {
    let world = World::new();
    layered(&world);
    world.order_faults(&json!([{"operation": "PublishLayerVersion", "when": "after", "answer": "close"}]));
    world.run(&["deploy", "--stage", "dev"]);
    world.order_faults(&json!([]));
    world.deploy("dev");
    assert_eq!(versions(&world).len(), 1);
    assert_eq!(versions(&world), layers(&world));
}

#[test]
fn a_function_becomes_no_container_image_and_is_told_what_to_do() {
    let world = World::new();
    world.python_app(&["room"], "routes: { GET /: room }\n");
    world.deploy("dev");
    let image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/chat:1";
    let manifest = format!("app: chat\nfunctions:\n  room: {{ image: \"{image}\" }}\nroutes: {{ GET /: room }}\n");
    world.write("stagewright.yaml", &manifest);
    let run = world.run(&["deploy", "--stage", "dev"]);
    assert_ne!(run.code, 0);
    run.saying(&["AWS lets no function become a container image"]);
}

#[test]
fn a_container_image_is_deployed_without_a_zip_and_replaced_by_another() {
    let world = World::new();
    let image = |tag: &str| format!("000000000000.dkr.ecr.us-east-1.amazonaws.com/chat:{tag}");
    let write = |tag: &str| {
        let manifest = format!("app: chat\nfunctions:\n  room: {{ image: \"{}\" }}\n", image(tag));
        world.write("stagewright.yaml", &manifest);
    };
    write("1");
    world.run(&["deploy", "--stage", "dev"]).succeeded();
    let stands = || world.ask("lambda", "/2015-03-31/functions/chat-dev-room");
    assert_eq!(stands()["Configuration"]["PackageType"], "Image");
    assert_eq!(stands()["Code"]["ImageUri"], json!(image("1")));

    write("2");
    world.forget_calls();
    world.run(&["deploy", "--stage", "dev"]).succeeded();
    assert_eq!(world.changes(), ["UpdateFunctionCode chat-dev-room"]);
    assert_eq!(stands()["Code"]["ImageUri"], json!(image("2")));
}
