//! Sweeping: what nobody needs any more goes, and nothing else does.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::github::{GitHub, REPOSITORY, TOKEN};
use crate::http::Request;
use crate::world::{Run, World};

const HEAD: &str = "9999999999999999999999999999999999999999";
const LONG_AGO: &str = "2026-01-02T03:04:05Z";

/// A world whose stages were made by runs of GitHub Actions.
struct Repository {
    world: World,
    github: GitHub,
}

impl Repository {
    fn new() -> Self {
        let world = World::new();
        world.chalice_hello();
        Self {
            world,
            github: GitHub::start(),
        }
    }

    /// Says how pull requests and branches are handled.
    fn configure(&self, config: &str) {
        self.world.write("stagewright.yaml", config);
    }

    /// A stage as a run for a branch or pull request leaves it.
    fn made_for(&self, stage: &str, git_ref: &str) {
        self.world.deploy(stage);
        self.edit(stage, |state| {
            state["claim"] = json!({"repository": REPOSITORY, "ref": git_ref});
        });
    }

    /// The preview of a pull request that is open.
    fn preview(&self, number: u64) {
        self.github.open_pull_request(number, HEAD, "main");
        self.made_for(&format!("pr-{number}"), &format!("refs/pull/{number}"));
    }

    fn edit(&self, stage: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.world.state("hello", stage);
        change(&mut state["stagewright"]);
        self.world.write_state("hello", stage, &state.to_string());
    }

    fn untouched_since(&self, stage: &str, moment: &str) {
        self.edit(stage, |state| state["last"]["at"] = json!(moment));
    }

    fn sweep(&self, arguments: &[&str]) -> Run {
        Run::from(self.sweeping(arguments).output().expect("the program runs"))
    }

    fn sweeping(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.program();
        let url = self.github.api_url();
        command.envs([
            ("GITHUB_API_URL", url.as_str()),
            ("GITHUB_REPOSITORY", REPOSITORY),
            ("GITHUB_TOKEN", TOKEN),
        ]);
        command.arg("sweep").args(arguments);
        command
    }

    /// The functions that stand.
    fn functions(&self) -> Vec<String> {
        let names = self.world.names_in_aws().into_iter();
        names
            .filter_map(|name| name.strip_prefix("functions/").map(str::to_owned))
            .collect()
    }
}

#[test]
fn the_preview_of_a_closed_pull_request_goes_and_that_of_an_open_one_stays() {
    let repository = Repository::new();
    repository.preview(7);
    repository.preview(8);
    repository.github.close(7);

    let said = repository.sweep(&["--json"]).succeeded().json();
    assert_eq!(repository.functions(), ["hello-pr-8"]);
    let rows = said["rows"].as_array().expect("a list");
    assert_eq!(rows.len(), 1, "{said:#}");
    assert_eq!(
        (&rows[0]["stage"], &rows[0]["outcome"]),
        (&json!("pr-7"), &json!("removed"))
    );
    repository.sweep(&[]).succeeded().saying(&["Nothing to sweep."]);
}

#[test]
fn a_pull_request_that_is_reopened_meanwhile_keeps_its_preview() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.close(7);
    repository
        .world
        .order_faults(&json!([{"operation": "GetCallerIdentity", "answer": "hold"}]));
    let mut sweeping = repository.sweeping(&[]);
    let sweeping = sweeping.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let sweeping = sweeping.expect("it starts");
    repository.world.await_held();
    repository.github.reopen(7);
    repository.world.release();

    let swept = Run::from(sweeping.wait_with_output().expect("it ends")).succeeded();
    swept.saying(&["left: #7 is open again"]);
    assert_eq!(repository.functions(), ["hello-pr-7"]);
    let state = repository.world.state("hello", "pr-7");
    assert_eq!(state["stagewright"]["lease"], Value::Null, "{state:#}");
}

#[test]
fn an_app_that_left_the_repository_is_swept_as_well() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.close(7);
    let config = repository.world.read(".chalice/config.json");
    let renamed = config.replace("\"hello\"", "\"other\"");
    repository.world.write(".chalice/config.json", &renamed);

    let none: [&str; 0] = [];
    repository.sweep(&["--app", "other"]).succeeded();
    assert_eq!(repository.functions(), ["hello-pr-7"], "only one app was asked for");
    repository.sweep(&[]).succeeded().saying(&["hello", "removed"]);
    assert_eq!(repository.functions(), none);
}

#[test]
fn a_dry_run_shows_what_would_go_and_removes_nothing() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.close(7);
    repository.world.forget_calls();

    let shown = repository.sweep(&["--dry-run", "--orphans"]).succeeded();
    shown.saying(&["pr-7", "#7 is not open any more", "would be removed"]);
    let changes: Vec<_> = repository
        .world
        .calls()
        .into_iter()
        .filter(|call| call.mutates)
        .collect();
    assert!(changes.is_empty(), "{changes:?}");
}

#[test]
fn a_preview_that_nobody_touches_expires_unless_a_label_keeps_it() {
    let repository = Repository::new();
    repository.configure("pull_requests: { expire_after: 14d }\n");
    for number in [1, 2, 3] {
        repository.preview(number);
    }
    repository.untouched_since("pr-1", LONG_AGO);
    repository.untouched_since("pr-2", LONG_AGO);
    repository.github.set_label(2, "keep");

    repository
        .sweep(&[])
        .succeeded()
        .saying(&["pr-1", "label `keep` keeps it"]);
    assert_eq!(repository.functions(), ["hello-pr-2", "hello-pr-3"]);
}

#[test]
fn fixed_stages_and_those_of_others_are_never_swept() {
    let repository = Repository::new();
    repository.configure("branches: { main: prod }\nstages: { pr-live: {} }\n");
    repository.made_for("prod", "refs/heads/main");
    repository.made_for("pr-live", "refs/pull/9");
    repository.world.deploy("dev");
    repository.world.deploy("pr-5");
    repository.edit("pr-5", |state| {
        state["claim"] = json!({"repository": "octo/other", "ref": "refs/pull/5"});
    });

    repository
        .sweep(&["--orphans"])
        .succeeded()
        .saying(&["Nothing to sweep."]);
    assert_eq!(
        repository.functions(),
        ["hello-dev", "hello-pr-5", "hello-pr-live", "hello-prod"]
    );
}

#[test]
fn the_stage_that_a_glob_made_goes_when_its_branch_is_gone() {
    let repository = Repository::new();
    repository.configure("branches: { main: prod, \"release/*\": \"release-{1}\" }\n");
    repository.github.set_branch("release/2", HEAD);
    repository.made_for("release-1", "refs/heads/release/1");
    repository.made_for("release-2", "refs/heads/release/2");

    repository
        .sweep(&[])
        .succeeded()
        .saying(&["branch `release/1` is gone"]);
    assert_eq!(repository.functions(), ["hello-release-2"]);
}

#[test]
fn without_github_no_stage_goes() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.close(7);

    let said = repository.world.run(&["sweep"]).succeeded();
    said.saying(&["GITHUB_TOKEN", "no stage is removed"]);
    assert_eq!(repository.functions(), ["hello-pr-7"]);
}

#[test]
fn where_github_does_not_answer_no_stage_goes() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.close(7);
    let refused = crate::github::Failure::forbidden("pull_requests=read");
    repository.github.fail_next("GET", "/pulls", refused);

    repository.sweep(&[]).succeeded().saying(&["no stage is removed"]);
    assert_eq!(repository.functions(), ["hello-pr-7"]);
}

#[test]
fn a_stage_that_somebody_holds_is_left_to_the_next_sweep() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.close(7);
    repository.world.replace("app.py", "world", "there");
    repository
        .world
        .order_faults(&json!([{"operation": "UpdateFunctionCode", "answer": "hold"}]));
    let mut other = repository.world.program();
    let other = other.args(["deploy", "--stage", "pr-7"]).stdout(Stdio::null());
    let mut other = other.spawn().expect("it starts");
    repository.world.await_held();

    let swept = repository.sweep(&["--wait", "0s"]).succeeded();
    swept.saying(&["left", "is held by"]);
    repository.world.release();
    assert!(other.wait().expect("it ends").success());
    assert_eq!(repository.functions(), ["hello-pr-7"]);
}

#[test]
fn one_stage_that_cannot_be_removed_does_not_stop_the_others() {
    let repository = Repository::new();
    repository.preview(7);
    repository.preview(8);
    repository.github.close(7);
    repository.github.close(8);
    let refusal = json!({"status": 403, "code": "AccessDeniedException"});
    repository
        .world
        .order_faults(&json!([{"operation": "DeleteFunction", "match": "hello-pr-7", "answer": refusal}]));

    let swept = repository.sweep(&[]).ended_with(1);
    swept.saying(&["1 of 2 could not be removed", "lambda:DeleteFunction"]);
    assert_eq!(repository.functions(), ["hello-pr-7"]);
    repository.sweep(&[]).succeeded();
    assert!(repository.world.names_in_aws().is_empty());
}

#[test]
fn what_bears_our_mark_and_belongs_to_no_stage_is_listed_and_goes_only_on_request() {
    let repository = Repository::new();
    let world = &repository.world;
    world.deploy("dev");
    world.deploy("prod");
    // As if the record of the stage had been lost.
    let mut state = world.state("hello", "dev");
    state["stagewright"]["deployed"] = json!({});
    world.write_state("hello", "dev", &state.to_string());

    let listed = repository.sweep(&[]).succeeded();
    listed.saying(&[
        "function `hello-dev`",
        "role `hello-dev-api_handler`",
        "REST API `hello`",
        "--orphans",
    ]);
    assert_eq!(repository.functions(), ["hello-dev", "hello-prod"]);

    repository.sweep(&["--orphans"]).succeeded().saying(&["removed"]);
    assert_eq!(
        world.names_in_aws().into_iter().collect::<Vec<_>>(),
        ["apis/hello", "functions/hello-prod", "roles/hello-prod-api_handler"]
    );
    repository.sweep(&[]).succeeded().saying(&["Nothing to sweep."]);
}

#[test]
fn orphans_of_a_fixed_stage_stay_as_long_as_its_state_is_missing() {
    let repository = Repository::new();
    repository.configure("branches: { main: prod }\n");
    repository.world.deploy("prod");
    let lost = repository.world.endpoint("/deploys/stages/hello/prod.json");
    assert_eq!(Request::new("DELETE", &lost).send().status, 204);

    let swept = repository.sweep(&["--orphans"]).succeeded();
    swept.saying(&["function `hello-prod`", "put it back first"]);
    assert_eq!(repository.functions(), ["hello-prod"]);
}

#[test]
fn a_zip_goes_when_no_stage_refers_to_it_any_more() {
    let repository = Repository::new();
    let world = &repository.world;
    world.deploy("dev");
    let before = zip_of(world);
    world.replace("app.py", "world", "there");
    world.deploy("dev");
    let after = zip_of(world);
    let status = |sha256: &str| world.object(&format!("stages/hello/artifacts/{sha256}.zip")).status;

    repository.sweep(&[]).succeeded().saying(&["Nothing to sweep."]);
    assert_eq!(
        (status(&before), status(&after)),
        (200, 200),
        "it is younger than a day"
    );

    world.set_aws(&json!({"stored_s": 100_000}));
    repository
        .sweep(&["--dry-run"])
        .succeeded()
        .saying(&["1 artifact and 0 versions"]);
    assert_eq!(status(&before), 200);
    repository.sweep(&[]).succeeded().saying(&["1 artifact and 0 versions"]);
    assert_eq!((status(&before), status(&after)), (404, 200));
}

fn zip_of(world: &World) -> String {
    let state = world.state("hello", "dev");
    let function = &state["stagewright"]["deployed"]["function/api_handler"]["resource"];
    function["code"].as_str().expect("a digest").to_owned()
}
