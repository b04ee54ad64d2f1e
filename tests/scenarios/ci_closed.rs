//! The end of a pull request: its preview goes, from wherever the run is, and nothing brings it back.

use serde_json::{Value, json};

use crate::github::GitHub;
use crate::repository::{Repository, closed, opened, sha};

#[test]
fn without_a_checkout_the_config_of_the_default_branch_says_where_the_preview_is() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.close(7);
    repository.without_checkout();

    repository
        .ci(&closed(7))
        .succeeded()
        .saying(&["Stage `pr-7` of app `hello` is gone"]);

    assert!(!repository.stands("pr-7"));
    repository.comment_says(7, &["🧹 removed"]);
    assert_eq!(repository.deployments("preview"), ["inactive"]);
}

#[test]
fn without_any_config_the_inputs_say_where_the_preview_is() {
    let repository = Repository::empty(GitHub::start());
    repository.world.chalice_hello();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    let mut opened = repository.runner(&opened(7));
    opened.input("state", "s3://deploys/stages");
    repository.step(&opened, &["ci"]).succeeded();
    assert!(repository.stands("pr-7"));
    repository.github.close(7);
    repository.without_checkout();

    let mut runner = repository.runner(&closed(7));
    runner.input("app", "hello");
    runner.input("state", "s3://deploys/stages");
    repository.step(&runner, &["ci"]).succeeded();

    assert!(!repository.stands("pr-7"));
    repository.comment_says(7, &["🧹 removed"]);
}

#[test]
fn a_run_that_waited_behind_the_closing_one_does_not_bring_the_preview_back() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.close(7);
    repository.ci(&closed(7)).succeeded();

    let late = opened(7).synchronized(&sha("a2"));
    repository.ci(&late).succeeded().saying(&["#7 is closed by now"]);

    assert!(!repository.stands("pr-7"));
    repository.comment_says(7, &["🧹 removed"]);
}

#[test]
fn a_run_that_finds_its_pull_request_closed_removes_the_preview() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.close(7);

    let late = opened(7).synchronized(&sha("a2"));
    repository.ci(&late).succeeded().saying(&["#7 is closed by now"]);

    assert!(!repository.stands("pr-7"));
    repository.comment_says(7, &["🧹 removed"]);
}

#[test]
fn a_pull_request_that_is_closed_while_its_preview_is_taken_gets_none() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    let hold = json!([{"operation": "PutObject", "match": "hello/pr-7.json", "answer": "hold", "when": "after"}]);
    repository.world.order_faults(&hold);
    let running = repository.start(repository.runner(&opened(7)));
    repository.world.await_held();
    repository.github.close(7);
    repository.world.release();

    let (run, _) = running.ended();
    run.succeeded().saying(&["#7 is closed by now"]);

    assert_eq!(repository.world.mutations(), Vec::<String>::new());
    let state = repository.world.state("hello", "pr-7");
    assert_eq!(state["stagewright"]["lease"], Value::Null, "{state:#}");
    assert_eq!(state["stagewright"]["in_doubt"], json!({}), "{state:#}");
    assert_eq!(repository.github.comments(7), []);
    assert_eq!(repository.github.deployments().len(), 0);
}

#[test]
fn a_closing_run_that_comes_after_the_reopening_leaves_the_preview() {
    let repository = Repository::new();
    repository.preview(7);

    repository
        .ci(&closed(7))
        .succeeded()
        .saying(&["#7 is open again: its preview stays"]);

    assert_eq!(repository.greeting("pr-7"), json!({"hello": "world"}));
    repository.comment_says(7, &["✅ ready"]);
    assert_eq!(repository.deployments("preview"), ["success"]);
}

#[test]
fn a_pull_request_that_is_reopened_gets_its_preview_again() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.close(7);
    repository.ci(&closed(7)).succeeded();

    repository.github.open_pull_request(7, &sha("a1"), "main");
    repository.ci(&opened(7).action("reopened")).succeeded();

    assert_eq!(repository.greeting("pr-7"), json!({"hello": "world"}));
    repository.comment_says(7, &["✅ ready"]);
    assert_eq!(repository.deployments("preview"), ["inactive", "success"]);
}

#[test]
fn a_merged_pull_request_never_deploys_its_base() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.merge(7);
    let merged = opened(7).closed().merged();
    repository.ci(&merged).succeeded();
    assert!(!repository.stands("pr-7"));
    assert_eq!(repository.world.names_in_aws().len(), 0);
}

#[test]
fn a_pull_request_that_never_had_a_preview_is_closed_in_silence() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    repository.github.close(7);
    let runner = repository.runner(&closed(7));
    repository.step(&runner, &["ci"]).succeeded();
    assert!(
        runner.summary().contains("there is nothing to remove"),
        "{}",
        runner.summary()
    );
    assert_eq!(repository.github.comments(7), []);
    assert_eq!(repository.mutations_on_github(), Vec::<String>::new());
}

#[test]
fn a_preview_that_could_not_be_removed_wholly_is_removed_by_the_next_run() {
    let repository = Repository::new();
    repository.preview(7);
    repository.github.close(7);
    let refused = json!({"status": 403, "code": "AccessDeniedException", "message": "no"});
    repository
        .world
        .order_faults(&json!([{"operation": "DeleteFunction", "answer": refused}]));
    repository.ci(&closed(7)).ended_with(1);
    repository.comment_says(7, &["❌ failed"]);

    repository.ci(&closed(7)).succeeded();

    assert!(!repository.stands("pr-7"));
    repository.comment_says(7, &["🧹 removed"]);
    assert_eq!(repository.deployments("preview"), ["inactive"]);
}
