//! The workflow that we ship, run by `act` for the events that it names.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::engine::{Built, Engine, RUNNER, both, engine, in_checkout, succeed};
use super::runner::{pull_request, push};

const ROLE: &str = "STAGEWRIGHT_ROLE=arn:aws:iam::111111111111:role/deployer";

/// A repository with the action, the workflow and the example, as they lie in the checkout.
fn repository() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let listed = succeed(Command::new("git").args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        ".github",
        "Dockerfile",
        ".dockerignore",
        "action.yml",
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "templates",
        "examples",
    ]));
    for path in listed.lines() {
        let to = folder.path().join(path);
        fs::create_dir_all(to.parent().expect("a folder")).expect("the folder is made");
        fs::copy(in_checkout(path), &to).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    // `act` has the work tree checked out by itself only where no commit is named.
    let workflow = folder.path().join(".github/workflows/example.yml");
    let text = fs::read_to_string(&workflow).expect("the workflow is there");
    let of_the_tree: Vec<_> = text.lines().filter(|line| !line.trim().starts_with("ref: ")).collect();
    assert_eq!(of_the_tree.len() + 1, text.lines().count());
    fs::write(&workflow, of_the_tree.join("\n")).expect("it is written");
    let mapped = "state: s3://deploys/stages\nbranches: { main: prod, develop: beta }\n";
    fs::write(
        folder.path().join("examples/guestbook-chalice/stagewright.yaml"),
        mapped,
    )
    .expect("it is written");
    for arguments in [
        &["init", "--quiet", "--initial-branch", "main"][..],
        &["remote", "add", "origin", "https://github.com/acme/shop.git"],
        &["add", "--all"],
        &[
            "-c",
            "user.name=ann",
            "-c",
            "user.email=ann@example.com",
            "commit",
            "--quiet",
            "--message",
            "all",
        ],
    ] {
        succeed(Command::new("git").arg("-C").arg(folder.path()).args(arguments));
    }
    folder
}

/// Runs the shipped workflow for an event; gives what was said, and what was recorded if the action ran.
fn act(engine: &Engine, folder: &Path, event: (&str, &Value), variables: &[&str]) -> (String, Option<Value>) {
    let home = TempDir::new().expect("a temporary folder");
    let payload = home.path().join("event.json");
    fs::write(&payload, event.1.to_string()).expect("the event is written");
    let mut command = engine.command(in_checkout(".env/bin/act"));
    command
        .current_dir(folder)
        .env("HOME", home.path())
        .env("XDG_CACHE_HOME", home.path())
        .arg(event.0)
        .args(["--workflows", ".github/workflows/example.yml", "--pull=false"])
        .args(["--platform", &format!("ubuntu-24.04={RUNNER}")])
        .args(["--secret", "GITHUB_TOKEN=ghs_token", "--eventpath"])
        .arg(payload);
    for variable in variables {
        command.args(["--var", variable]);
    }
    let output = command.output().expect("act of `make env`");
    let said = both(&output);
    assert!(output.status.success(), "{said}");
    let recorded = said.lines().find_map(|line| line.split_once("recorded: "));
    let recorded = recorded.map(|(_, record)| serde_json::from_str(record).expect("JSON"));
    (said, recorded)
}

#[test]
fn the_shipped_workflow_runs_the_action_for_every_event_that_it_names() {
    let Some(engine) = engine() else { return };
    engine.lets_rust_build(Built::Recorder);
    let folder = repository();
    for (event, payload, decision, stage) in [
        ("push", push("develop"), "deploy", "beta"),
        ("pull_request", pull_request("opened"), "deploy", "pr-7"),
        ("pull_request", pull_request("synchronize"), "deploy", "pr-7"),
        ("pull_request_target", pull_request("closed"), "destroy", "pr-7"),
    ] {
        let (said, recorded) = act(&engine, folder.path(), (event, &payload), &[ROLE]);
        let recorded = recorded.unwrap_or_else(|| panic!("{event}: the action did not run\n{said}"));
        assert_eq!(recorded["arguments"], json!(["ci"]), "{event}");
        assert_eq!(
            recorded["inputs"]["INPUT_PROJECT-DIR"], "examples/guestbook-chalice",
            "{event}"
        );
        // The token of the job was given: `act` prints it as GitHub does.
        assert_eq!(recorded["inputs"]["INPUT_GITHUB-TOKEN"], "***", "{event}");
        assert_eq!(recorded["inputs"]["INPUT_WAIT"], "10m", "{event}");
        assert!(said.contains("set-output:: stage=recorded"), "{event}\n{said}");
        let decided = &recorded["decided"];
        assert_eq!(
            (&decided["decision"], &decided["stage"]),
            (&json!(decision), &json!(stage)),
            "{event}: {decided}"
        );
    }
}

#[test]
fn the_shipped_workflow_does_nothing_where_no_role_is_configured() {
    let Some(engine) = engine() else { return };
    engine.lets_rust_build(Built::Recorder);
    let (said, recorded) = act(&engine, repository().path(), ("push", &push("main")), &[]);
    assert_eq!(recorded, None, "{said}");
}
