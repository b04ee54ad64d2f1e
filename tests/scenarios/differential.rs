//! The same app, deployed by Chalice and by us into two empty worlds, must make the same world.
//!
//! `tests/chalice/apps/` has the apps, `tests/chalice/differences.json` every difference with its reason, and
//! `tests/chalice/compare.py` does the work; run it by hand to look into one app.

use std::collections::BTreeSet;
use std::fs;

use crate::emulator::{in_checkout, tool};
use crate::world::{Run, World};

/// One test for each app.
macro_rules! agree {
    ($($test:ident: $app:literal,)*) => {
        const COMPARED: &[&str] = &[$($app),*];

        $(
            #[test]
            fn $test() {
                compare($app, &[]).ended_with(0);
            }
        )*
    };
}

agree! {
    chalice_and_we_agree_on_a_few_routes: "hello",
    chalice_and_we_agree_on_cors: "cors",
    chalice_and_we_agree_on_authorizers: "authorizers",
    chalice_and_we_agree_on_keys_content_types_and_bytes: "payloads",
    chalice_and_we_agree_on_blueprints: "blueprints",
    chalice_and_we_agree_on_schedules_and_event_patterns: "schedules",
    chalice_and_we_agree_on_buckets: "buckets",
    chalice_and_we_agree_on_topics: "topics",
    chalice_and_we_agree_on_queues: "queues",
    chalice_and_we_agree_on_kinesis_streams: "kinesis",
    chalice_and_we_agree_on_dynamodb_streams: "dynamodb",
    chalice_and_we_agree_on_websockets: "websocket",
    chalice_and_we_agree_on_custom_domains: "domains",
    chalice_and_we_agree_on_which_level_of_the_config_wins: "config-levels",
    chalice_and_we_agree_on_settings_that_are_taken_away: "unset",
    chalice_and_we_agree_on_log_retention: "logs",
    chalice_and_we_agree_on_policies_read_from_the_source: "policies",
    chalice_and_we_agree_on_policies_from_files: "policy-files",
    chalice_and_we_agree_on_roles_that_are_given: "given-role",
    chalice_and_we_agree_on_endpoints: "endpoints",
    chalice_and_we_agree_on_private_apis: "private",
    chalice_and_we_agree_on_processors: "arm",
    chalice_and_we_agree_on_a_managed_layer: "layer",
    chalice_and_we_agree_on_everything_at_once: "everything",
}

#[test]
fn no_app_is_left_out() {
    let folders = fs::read_dir(in_checkout("tests/chalice/apps")).expect("the apps");
    let named =
        |entry: std::io::Result<fs::DirEntry>| entry.expect("an app").file_name().into_string().expect("a name");
    let apps: BTreeSet<String> = folders.map(named).collect();
    let compared: BTreeSet<String> = COMPARED.iter().map(ToString::to_string).collect();
    assert_eq!(apps, compared);
}

#[test]
fn a_difference_without_a_reason_is_told_and_so_is_a_reason_without_a_difference() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let list = folder.path().join("differences.json");
    let entry = serde_json::json!([{"apps": ["hello"], "path": "*/functions/*/Timeout", "reason": "There is none."}]);
    fs::write(&list, entry.to_string()).expect("the list is written");
    let list = list.to_str().expect("a path");
    compare("hello", &["--differences", list]).ended_with(1).saying(&[
        "hello: first|again|changed/functions/hello-dev/tags/stagewright:app\n    Chalice:     (nothing)",
        "hello: `*/functions/*/Timeout` of the list of differences explains nothing here",
    ]);
}

/// Deploys an app with each tool, again, changed, and deletes it; fails where they differ for no listed reason.
fn compare(app: &str, arguments: &[&str]) -> Run {
    let theirs = World::with_folder_state();
    let mut command = theirs.command(&tool("python"));
    command.arg(in_checkout("tests/chalice/compare.py"));
    command.args(["--theirs", &theirs.endpoint("")]);
    let ours = World::with_folder_state();
    command.args(["--ours", &ours.endpoint("")]);
    command.args(["--program", env!("CARGO_BIN_EXE_stagewright")]);
    Run::from(command.args(arguments).arg(app).output().expect("the comparison runs"))
}
