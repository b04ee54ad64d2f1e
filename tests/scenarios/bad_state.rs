//! State objects that are no states: an error that says which, what is wrong, and what to do; never a guess, never a change.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::world::{Run, World};

const KEY: &str = "stages/greeter/dev.json";

/// The commands that look at a stage.
const COMMANDS: [&[&str]; 4] = [
    &["deploy", "--stage", "dev"],
    &["destroy", "--yes", "--stage", "dev"],
    &["url", "--stage", "dev"],
    &["plan", "--stage", "dev"],
];

fn deployed() -> (World, Value) {
    let world = World::new();
    world.manifest_hello();
    world.deploy("dev");
    let state = world.state("greeter", "dev");
    world.forget_calls();
    (world, state)
}

/// Whatever is run, it says what is wrong, and how to put a former state back, and changes nothing.
#[track_caller]
fn is_refused(world: &World, body: &[u8], says: &[&str]) {
    is_refused_with(world, body, &[says, &["`stagewright restore --stage dev`"]].concat());
}

/// Whatever is run, it says what is wrong, and changes nothing.
#[track_caller]
fn is_refused_with(world: &World, body: &[u8], says: &[&str]) {
    world.write_object(KEY, body);
    for command in COMMANDS {
        let run = world.run(command);
        let shown = format!("{command:?}: {}", run.stderr.chars().take(2000).collect::<String>());
        assert_eq!(run.code, 2, "{shown}");
        for text in [says, &["s3://deploys/stages/greeter/dev.json"]].concat() {
            assert!(run.stderr.contains(text), "no {text:?} in {shown}");
        }
        assert!(run.stderr.len() < 1500, "{shown}");
        assert!(!run.stderr.contains("panicked"), "{shown}");
    }
    let listed = world.run(&["stages"]).succeeded();
    listed.saying(&["dev", "unreadable"]);
    assert!(world.object(KEY).body == body, "the object was changed");
    assert_eq!(world.mutations(), Vec::<String>::new());
}

/// The state with another value at a path.
fn with(state: &Value, path: &str, value: Value) -> Vec<u8> {
    let mut state = state.clone();
    *state.pointer_mut(path).unwrap_or_else(|| panic!("no {path}")) = value;
    state.to_string().into_bytes()
}

#[test]
fn an_object_that_is_no_json_is_refused_with_line_and_column() {
    let (world, state) = deployed();
    let text = serde_json::to_string_pretty(&state).expect("JSON");
    is_refused(&world, b"", &["line 1 column 0"]);
    is_refused(&world, b"<html>\n", &["line 1 column 1"]);
    is_refused(&world, &text.as_bytes()[..text.len() / 2], &["line", "column"]);
    is_refused(
        &world,
        b"{\"stagewright\": {\"format\": 1, \"app\": \"\xff\xfe\"}}",
        &["line 1 column"],
    );
    let deep = format!("{{\"stagewright\": {}", "[".repeat(100_000));
    is_refused(&world, deep.as_bytes(), &["recursion limit", "line 1 column"]);
    is_refused(&world, "x".repeat(10_000_000).as_bytes(), &["line 1 column 1"]);
}

#[test]
fn json_of_something_else_is_refused() {
    let (world, _) = deployed();
    is_refused(&world, b"{}", &["`schema_version` is null"]);
    is_refused(&world, b"[1, 2]", &["is not a JSON object"]);
    is_refused(
        &world,
        b"{\"stagewright\": \"yes\"}",
        &["`stagewright` is not an object"],
    );
    is_refused(&world, b"{\"stagewright\": {}}", &["no format number"]);
    is_refused(
        &world,
        b"{\"name\": \"left-pad\", \"version\": \"1.3.0\"}",
        &["`schema_version`"],
    );
    let long = json!({"values": vec!["0123456789"; 800_000]}).to_string();
    is_refused(&world, long.as_bytes(), &["`schema_version` is null"]);
}

#[test]
fn the_state_of_another_app_or_stage_is_refused() {
    let (world, state) = deployed();
    let of = |path, name: &str| with(&state, path, json!(name));
    is_refused_with(
        &world,
        &of("/stagewright/app", "shop"),
        &["of app `shop`, and not of", "`greeter`"],
    );
    is_refused_with(
        &world,
        &of("/stagewright/stage", "prod"),
        &["stage `prod` of app", "not of stage `dev`", "move it back"],
    );
}

#[test]
fn a_state_with_values_that_cannot_be_is_refused_with_line_and_column() {
    let (world, state) = deployed();
    let sound = serde_json::to_string(&state).expect("JSON");
    let generation = state["stagewright"]["generation"].to_string();
    let counted = |number: &str| {
        let other = sound.replace(
            &format!("\"generation\":{generation}"),
            &format!("\"generation\":{number}"),
        );
        assert_ne!(other, sound);
        other.into_bytes()
    };
    is_refused(&world, &counted("-1"), &["-1", "line 1 column"]);
    is_refused(&world, &counted("18446744073709551616"), &["line 1 column"]);
    is_refused(&world, &counted("18446744073709551615"), &["`generation`", "limit"]);
    is_refused(&world, &counted("\"many\""), &["many", "line 1 column"]);
    is_refused(
        &world,
        &with(&state, "/stagewright/deployed", json!([])),
        &["line 1 column"],
    );
    let kind = "/stagewright/deployed/function~1api/outputs/kind";
    is_refused(
        &world,
        &with(&state, kind, json!("blimp")),
        &["unknown variant `blimp`", "line 1 column"],
    );
    let long = "x".repeat(10_000_000);
    is_refused(&world, &with(&state, "/stagewright/lease", json!(long)), &["dev.json"]);
    is_refused(
        &world,
        &with(&state, "/stagewright/salt", json!("x".repeat(33 << 20))),
        &["limit"],
    );
}

#[test]
fn a_stage_that_a_machine_holds_which_does_not_exist_is_taken_over_after_half_a_minute() {
    let (world, state) = deployed();
    let lease = json!({"mark": "m", "holder": "bob@nowhere", "purpose": "deploy", "since": "2199-01-02T03:04:05Z", "renewals": 0});
    world.write_object(KEY, &with(&state, "/stagewright/lease", lease));
    let began = std::time::Instant::now();
    world
        .run(&["deploy", "--stage", "dev"])
        .succeeded()
        .saying(&["bob@nowhere holds stage `dev`"]);
    assert!(
        began.elapsed().as_secs() >= 30,
        "it was taken from a holder that could live"
    );
    assert_eq!(world.state("greeter", "dev")["stagewright"]["lease"], Value::Null);
}

fn in_a_folder() -> (World, String) {
    let world = World::with_folder_state();
    world.manifest_hello();
    world.deploy("dev");
    let record = world.read(RECORD);
    world.forget_calls();
    world.replace("src/handler.py", "def", "# changed\ndef");
    (world, record)
}

const FOLDER: &str = ".stagewright/deployed";
const RECORD: &str = ".stagewright/deployed/dev.json";

#[test]
fn a_folder_or_a_loop_in_the_place_of_the_record_is_named() {
    let (world, _) = in_a_folder();
    let record = world.project().join(RECORD);
    fs::remove_file(&record).expect("the record goes");
    fs::create_dir(&record).expect("a folder comes");
    for command in COMMANDS {
        let run = world.run(command);
        run.ended_with(1).saying(&["dev.json", "directory", "can be read"]);
    }
    fs::remove_dir(&record).expect("the folder goes");
    std::os::unix::fs::symlink("dev.json", &record).expect("a link to itself");
    for command in COMMANDS {
        let run = world.run(command);
        run.ended_with(1).saying(&["dev.json", "symbolic links", "can be read"]);
    }
    assert_eq!(world.mutations(), Vec::<String>::new());
}

/// Deploys where mounts are ours alone, after a shell has made some. `None` where the system allows none.
fn deploy_mounted(world: &World, mount: &str) -> Option<Run> {
    let program = world.program();
    let mut shell = world.command("unshare".as_ref());
    let script = format!(
        "{{ {mount}; }} || exit 99; '{}' deploy --stage dev; code=$?; cat {RECORD} >&2; ls -A {FOLDER} >&2; exit $code",
        program.get_program().display()
    );
    shell.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
    let run = ended(&mut shell)?;
    (run.code != 99 && !run.stderr.starts_with("unshare")).then_some(run)
}

fn ended(command: &mut Command) -> Option<Run> {
    command.output().ok().map(Run::from)
}

/// Nothing was written, and nothing in AWS was touched.
fn stands(world: &World, record: &str, run: Option<Run>, says: &[&str]) {
    let Some(run) = run else {
        #[expect(clippy::print_stderr, reason = "who reads the log should know what was not tried")]
        {
            eprintln!("SKIPPED: this system lets us mount nothing");
        }
        return;
    };
    let run = run.ended_with(1).saying(says);
    let files = format!("{record}dev.json\n");
    assert!(run.stderr.ends_with(&files), "{}", run.stderr);
    assert_eq!(world.mutations(), Vec::<String>::new());
}

#[test]
fn in_a_folder_that_cannot_be_written_nothing_is_changed() {
    let (world, record) = in_a_folder();
    let run = deploy_mounted(
        &world,
        &format!("mount --bind {FOLDER} {FOLDER} && mount -o remount,bind,ro {FOLDER}"),
    );
    stands(&world, &record, run, &["dev.json", "--state"]);
}

#[test]
fn on_a_disk_that_is_full_the_former_record_stands_whole() {
    let (world, record) = in_a_folder();
    let full = format!(
        "cp {RECORD} record && mount -t tmpfs -o size=64k tmpfs {FOLDER} && cp record {RECORD} && \
         ! head -c 100000 /dev/zero 2> /dev/null > {FOLDER}/rest"
    );
    let run = deploy_mounted(&world, &full);
    let run = run.map(|run| Run {
        stderr: run.stderr.trim_end_matches("rest\n").to_owned(),
        ..run
    });
    stands(&world, &record, run, &["dev.json", "No space left"]);
}
