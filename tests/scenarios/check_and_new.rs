//! `check`, which finds what is wrong without AWS, and `new`, whose app deploys as it stands.

use serde_json::json;

use crate::world::World;

#[test]
fn an_app_without_faults_checks_out_and_aws_is_not_asked() {
    let world = World::new();
    world.chalice_guestbook();
    world.run(&["check"]).succeeded();
    assert!(world.calls().is_empty(), "{:#?}", world.calls());
}

#[test]
fn every_finding_is_shown_at_once_with_file_and_line() {
    let world = World::new();
    world.manifest_hello();
    world.replace("stagewright.yaml", "code: src", "code: nowhere\n    memory_mib: 64");
    world.replace("stagewright.yaml", "GET /: api", "GET /: nobody");
    world
        .run(&["check"])
        .ended_with(2)
        .saying(&["stagewright.yaml", "nowhere", "64", "nobody"]);
}

#[test]
fn a_misspelt_key_is_found_and_the_right_one_suggested() {
    let world = World::new();
    world.manifest_hello();
    world.replace("stagewright.yaml", "code: src", "code: src\n    memroy_mib: 256");
    world
        .run(&["check"])
        .ended_with(2)
        .saying(&["stagewright.yaml:7", "memroy_mib", "memory_mib"]);
}

#[test]
fn a_name_too_long_for_one_configured_stage_is_found() {
    let world = World::new();
    world.chalice_hello();
    let config = world.read(".chalice/config.json");
    let stages = json!({"s".repeat(62): {}}).to_string();
    world.write(
        ".chalice/config.json",
        &config.replacen('{', &format!("{{\"stages\": {stages},"), 1),
    );
    world.run(&["check"]).ended_with(2).saying(&["64"]);
}

#[test]
fn a_new_chalice_app_deploys_as_it_stands() {
    a_new_app_deploys("chalice");
}

#[test]
fn a_new_manifest_app_deploys_as_it_stands() {
    a_new_app_deploys("manifest");
}

fn a_new_app_deploys(template: &str) {
    let world = World::with_folder_state();
    world.run(&["new", "fresh", "--template", template]).succeeded();
    let url = world.run(&["--project-dir", "fresh", "deploy"]).succeeded().last_word();
    assert_eq!(world.get(&url).status, 200);
}
