//! The fake's runner: what a step finds in its environment, and how its outputs are read.

use super::HEAD;
use super::requests::authorized;
use crate::github::events::{self, Event};
use crate::github::{GitHub, OIDC_REQUEST_TOKEN, READ_ONLY_TOKEN, TOKEN, runner};
use crate::http::Request;

#[test]
fn the_runner_gives_a_token_for_the_audience_that_is_asked_for() {
    let github = GitHub::start();
    let variables = github.oidc_environment();
    let url = format!("{}&audience=sts.amazonaws.com", variables[0].1);
    assert_eq!(variables[1].1, OIDC_REQUEST_TOKEN);
    let given = authorized(Request::new("GET", &url), OIDC_REQUEST_TOKEN).send().json();
    assert_eq!(given["value"].as_str().map(|token| token.split('.').count()), Some(3));
    assert_eq!(authorized(Request::new("GET", &url), TOKEN).send().status, 401);
}

#[test]
fn the_runner_sets_the_ref_as_the_real_one_does() {
    let github = GitHub::start();
    let git_ref = |event: &Event| {
        let runner = github.runner(event);
        let environment = runner.environment();
        let found = |name: &str| {
            environment
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| *value)
        };
        [found("GITHUB_REF"), found("GITHUB_REF_NAME")].map(|value| value.unwrap_or_default().to_owned())
    };
    let opened = events::pull_request(7).base("develop");
    assert_eq!(git_ref(&opened), ["refs/pull/7/merge", "7/merge"]);
    assert_eq!(git_ref(&opened.clone().closed()), ["refs/pull/7/merge", "7/merge"]);
    assert_eq!(
        git_ref(&opened.clone().closed().merged()),
        ["refs/heads/develop", "develop"]
    );
    assert_eq!(git_ref(&opened.closed().target()), ["refs/heads/main", "main"]);
    assert_eq!(git_ref(&events::push("a/b", HEAD)), ["refs/heads/a/b", "a/b"]);
    assert_eq!(
        git_ref(&events::push("a/b", HEAD).deleted()),
        ["refs/heads/main", "main"]
    );
    assert_eq!(git_ref(&events::push_tag("v1", HEAD)), ["refs/tags/v1", "v1"]);
    assert_eq!(git_ref(&events::branch_deleted("a/b")), ["refs/heads/main", "main"]);
    assert_eq!(git_ref(&events::schedule()), ["refs/heads/main", "main"]);
}

#[test]
fn the_workflow_of_a_fork_may_only_read() {
    let github = GitHub::start();
    let token = |event: &Event| {
        let runner = github.runner(event);
        let environment = runner.environment();
        let token = environment.iter().find(|(name, _)| *name == "INPUT_GITHUB-TOKEN");
        token.map(|(_, value)| (*value).to_owned())
    };
    let opened = || events::pull_request(7);
    assert_eq!(token(&opened()).as_deref(), Some(TOKEN));
    assert_eq!(
        token(&opened().of_fork("stranger/app")).as_deref(),
        Some(READ_ONLY_TOKEN)
    );
    let deleted = opened().of_deleted_fork("stranger/app");
    assert_eq!(token(&deleted).as_deref(), Some(READ_ONLY_TOKEN));
    assert_eq!(token(&opened().by_dependabot()).as_deref(), Some(READ_ONLY_TOKEN));
    assert_eq!(
        token(&opened().of_fork("stranger/app").target()).as_deref(),
        Some(TOKEN)
    );
}

#[test]
fn the_runner_reads_outputs_by_its_own_rules() {
    let outputs = runner::parsed("url=https://a/?b=<<c\ntext<<END\none\n\ntwo=2\nEND\nempty=\n").expect("outputs");
    let outputs: Vec<_> = outputs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        outputs,
        [("empty", ""), ("text", "one\n\ntwo=2"), ("url", "https://a/?b=<<c")]
    );
    assert!(runner::parsed("text<<END\nnever ended\n").is_err());
    assert!(runner::parsed("neither\n").is_err());

    let github = GitHub::start();
    let mut step = github.runner(&events::schedule());
    step.input("github-token", "other");
    step.set("RUNNER_DEBUG", "1");
    assert!(step.environment().contains(&("INPUT_GITHUB-TOKEN", "other")));
    assert!(step.environment().contains(&("RUNNER_DEBUG", "1")));
    assert!(step.outputs().is_empty() && step.summary().is_empty());
}
