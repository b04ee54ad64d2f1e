//! Previews do not steal: what stages share stays with them, unless it is asked for.

use std::collections::BTreeSet;

use crate::world::World;

/// The kinds of resources that a plan of the shop makes on a stage.
fn kinds(world: &World, stage: &str) -> BTreeSet<String> {
    let plan = world.run(&["plan", "--stage", stage, "--json"]).succeeded().json();
    let steps = plan["steps"].as_array().cloned().unwrap_or_default();
    let addresses = steps.iter().filter_map(|step| step["address"].as_str());
    addresses
        .filter_map(|address| address.split('/').next())
        .map(str::to_owned)
        .collect()
}

fn has(kinds: &BTreeSet<String>, wanted: &[&str]) -> Vec<bool> {
    wanted.iter().map(|kind| kinds.contains(*kind)).collect()
}

const SHARED: [&str; 5] = [
    "event_source_mapping",
    "notification",
    "subscription",
    "rule",
    "domain_name",
];

#[test]
fn a_preview_leaves_queues_buckets_topics_and_domains_to_the_stages_that_have_them() {
    let world = World::new();
    world.copy("tests/fixtures/manifest/shop");

    let prod = kinds(&world, "prod");
    assert_eq!(has(&prod, &SHARED), [true; 5], "{prod:?}");
    // Schedules are what this app asks for in its previews.
    let preview = kinds(&world, "pr-7");
    assert_eq!(
        has(&preview, &SHARED),
        [false, false, false, true, false],
        "{preview:?}"
    );
    assert_eq!(
        has(&preview, &["function", "rest_api", "v2_api", "function_url"]),
        [true; 4]
    );
}

#[test]
fn a_preview_has_the_queues_that_it_is_asked_to_have() {
    let world = World::new();
    world.copy("tests/fixtures/manifest/shop");
    world.replace(
        "stagewright.yaml",
        "event_sources: [schedule]",
        "event_sources: [queue, stream, domain]",
    );

    let preview = kinds(&world, "pr-7");
    assert_eq!(has(&preview, &SHARED), [true, false, false, false, true], "{preview:?}");
}
