//! How a job comes to credentials, and that nobody reads them afterwards.

use crate::github::events;
use crate::github::runner::Runner;
use crate::github::{OIDC_REQUEST_TOKEN, TOKEN};
use crate::repository::{Repository, opened, sha};
use crate::world::Run;

const ROLE: &str = "arn:aws:iam::000000000000:role/deployer";
const NO_KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", ""),
    ("AWS_SECRET_ACCESS_KEY", ""),
    ("AWS_SESSION_TOKEN", ""),
];

/// What the log masks, in the order of the log.
fn masked(run: &Run) -> Vec<String> {
    let lines = run.stdout.lines();
    lines
        .filter_map(|line| line.strip_prefix("::add-mask::"))
        .map(str::to_owned)
        .collect()
}

/// Insists that a text of the log stands in its masking alone.
fn only_masked(run: &Run, secret: &str) {
    let lines = run.stdout.lines().chain(run.stderr.lines());
    for line in lines.filter(|line| line.contains(secret)) {
        assert_eq!(line, format!("::add-mask::{secret}"));
    }
}

fn with_identity(repository: &Repository, mut runner: Runner) -> Runner {
    for (name, value) in repository.github.oidc_environment() {
        runner.set(name, &value);
    }
    runner.input("role", ROLE);
    runner
}

#[test]
fn a_job_without_keys_deploys_by_the_token_of_github_which_nobody_sees() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    let runner = with_identity(&repository, repository.runner(&opened(7)));

    let run = repository.step_with(&runner, &NO_KEYS, &["ci"]).succeeded();

    assert!(repository.stands("pr-7"));
    let masked = masked(&run);
    assert!(
        masked.iter().any(|secret| secret.starts_with("eyJ")),
        "no JWT in {masked:?}"
    );
    let state = repository.world.state("hello", "pr-7").to_string();
    for secret in masked.iter().map(String::as_str).chain([OIDC_REQUEST_TOKEN, TOKEN]) {
        only_masked(&run, secret);
        for (place, text) in [
            ("state", &state),
            ("comment", &repository.comment(7)),
            ("summary", &runner.summary()),
        ] {
            assert!(!text.contains(secret), "{place} contains {secret}");
        }
        assert!(!runner.outputs().values().any(|value| value.contains(secret)));
    }
}

#[test]
fn a_job_that_may_not_ask_for_a_token_is_told_the_lines_that_let_it() {
    let repository = Repository::new();
    let mut runner = repository.runner(&events::push("develop", &sha("d1")));
    runner.input("role", ROLE);
    repository.step_with(&runner, &NO_KEYS, &["ci"]).ended_with(2).saying(&[
        "permissions:",
        "id-token: write",
        "contents: read",
        ROLE,
    ]);
    assert_eq!(repository.world.calls().len(), 0);
}

#[test]
fn a_job_with_neither_keys_nor_a_role_is_told_how_to_name_one() {
    let repository = Repository::new();
    let runner = repository.runner(&events::push("develop", &sha("d1")));
    repository.step_with(&runner, &NO_KEYS, &["ci"]).ended_with(2).saying(&[
        "no AWS credentials",
        "the input `role`",
        "id-token: write",
    ]);
    assert_eq!(repository.world.calls().len(), 0);
}

#[test]
fn a_preview_is_removed_by_the_token_of_github() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.close(7);
    repository.without_checkout();
    let runner = with_identity(&repository, repository.runner(&crate::repository::closed(7)));
    repository.step_with(&runner, &NO_KEYS, &["ci"]).succeeded();
    assert!(!repository.stands("pr-7"));
}

#[test]
fn a_secret_of_the_app_is_masked_and_stands_nowhere() {
    let secret = "hunter2-of-the-app";
    let repository = Repository::manifest("");
    let config = repository.world.read("stagewright.yaml");
    let config = config.replace(
        "    code: src\n",
        "    code: src\n    environment: { TOKEN: \"${env:TOKEN}\" }\n",
    );
    repository.configure(&config);
    repository.github.open_pull_request(7, &sha("a1"), "main");
    let mut runner = repository.runner(&opened(7));
    runner.set("TOKEN", secret);

    let run = repository.step(&runner, &["ci", "-v", "-v"]).succeeded();

    only_masked(&run, secret);
    assert!(masked(&run).iter().any(|masked| masked == secret), "{}", run.stdout);
    let state = repository.world.state("greeter", "pr-7").to_string();
    for text in [&state, &repository.comment(7), &runner.summary()] {
        assert!(!text.contains(secret), "{text}");
    }
}
