//! The formats of a state: what any version ever wrote is read, and what a later one wrote is left alone.

use serde_json::{Value, json};

use crate::emulator::in_checkout;
use crate::world::{Run, World};

const RECORD: &str = ".chalice/deployed/dev.json";

/// The files of `tests/formats` stand in this account.
const ACCOUNT: [(&str, &str); 1] = [("AWS_ACCESS_KEY_ID", "111111111111")];

fn recorded(name: &str) -> (World, String) {
    let world = World::with_folder_state();
    world.chalice_hello();
    let file = in_checkout("tests/formats").join(name);
    let record = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    world.write(RECORD, &record);
    (world, record)
}

fn deploy(world: &World) -> Run {
    world.run_with(&ACCOUNT, &["deploy", "--stage", "dev"])
}

#[test]
fn a_stage_that_a_killed_run_left_in_format_1_is_deployed_and_its_history_stays() {
    let (world, record) = recorded("state-1.json");
    let before: Value = serde_json::from_str(&record).expect("JSON");
    // The function of the file is not there in AWS, which the first run notices.
    deploy(&world).ended_with(1).saying(&["hello-dev", "run it again"]);
    deploy(&world).succeeded();
    let after: Value = serde_json::from_str(&world.read(RECORD)).expect("JSON");
    let (before, after) = (&before["stagewright"], &after["stagewright"]);
    assert_eq!(after["release"]["number"], 18);
    for key in ["app", "stage", "claim", "place", "salt"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    let former = before["history"].as_array().expect("a list");
    let history = after["history"].as_array().expect("a list");
    assert_eq!(history[..former.len()], former[..]);
    assert_eq!(
        history[former.len()]["error"]["message"],
        before["last"]["error"]["message"]
    );
    assert!(after["late"]["function/job"].is_object(), "{after:#}");
}

#[test]
fn every_format_is_planned_on_shown_and_listed() {
    let folder = std::fs::read_dir(in_checkout("tests/formats")).expect("the formats");
    let names: Vec<String> = folder
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let (world, record) = recorded(&name);
        for arguments in [["plan", "--stage"], ["url", "--stage"], ["history", "--stage"]] {
            let run = world.run_with(&ACCOUNT, &[&arguments[..], &["dev"]].concat());
            assert_eq!(run.code, 0, "{name}: {arguments:?}\n{}", run.stderr);
        }
        let listed = world.run_with(&ACCOUNT, &["stages"]).succeeded();
        assert!(!listed.stdout.contains("unreadable"), "{name}: {}", listed.stdout);
        assert_eq!(world.read(RECORD), record, "{name}");
    }
}

#[test]
fn a_later_format_is_left_alone_and_the_version_that_reads_it_is_named() {
    let (world, record) = recorded("state-1.json");
    let sound: Value = serde_json::from_str(&record).expect("JSON");
    let mut format = sound.clone();
    format["stagewright"]["format"] = json!(2);
    let mut key = sound;
    key["stagewright"]["release"]["rollout"] = json!({"percent": 10});
    for (mut later, says) in [(format, "has format 2"), (key, "the key `release.rollout`")] {
        later["stagewright"]["writer"] = json!("7.4.0");
        world.write(RECORD, &later.to_string());
        for command in [&["deploy"][..], &["destroy", "--yes"], &["url"], &["plan"]] {
            let run = world.run_with(&ACCOUNT, &[command, &["--stage", "dev"]].concat());
            run.ended_with(2)
                .saying(&[says, "dev.json", "install stagewright 7.4.0 or newer"]);
        }
        assert_eq!(world.read(RECORD), later.to_string());
    }
    assert_eq!(world.mutations(), Vec::<String>::new());
}
