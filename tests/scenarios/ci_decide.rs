//! `ci --decide`: what a run would do, as JSON, from the event and the config alone.

use serde_json::{Value, json};

use crate::github::events::{self, Event};
use crate::repository::{Repository, closed, opened, sha};

/// The decision, which is all that is said and asked of nobody.
fn decided(repository: &Repository, event: &Event) -> Value {
    let runner = repository.runner(event);
    let run = repository.step(&runner, &["ci", "--decide"]).succeeded();
    assert_eq!(run.stderr, "");
    assert_eq!(repository.world.calls().len(), 0);
    assert_eq!(repository.github.calls().len(), 0);
    assert_eq!((runner.summary().as_str(), runner.outputs().len()), ("", 0));
    run.json()
}

#[test]
fn what_a_run_would_do_is_told_without_a_call() {
    let repository = Repository::new();
    for (event, decision, stage, reason) in [
        (
            events::push("main", &sha("e1")),
            "deploy",
            json!("prod"),
            "`main` is mapped to stage `prod`.",
        ),
        (
            events::push("release/1.2", &sha("e1")),
            "deploy",
            json!("release-1-2"),
            "`release/1.2` is mapped to stage `release-1-2`.",
        ),
        (opened(7), "deploy", json!("pr-7"), "#7 is open, and gets a preview."),
        (
            opened(7).synchronized(&sha("a2")),
            "deploy",
            json!("pr-7"),
            "#7 is open, and gets a preview.",
        ),
        (closed(7), "destroy", json!("pr-7"), "#7 is closed."),
        (opened(7).closed().merged(), "destroy", json!("pr-7"), "#7 is closed."),
        (
            events::branch_deleted("release/1"),
            "destroy",
            json!("release-1"),
            "`release/1` was deleted, for which stage `release-1` was made.",
        ),
        (
            events::dispatch("beta", "deploy"),
            "deploy",
            json!("beta"),
            "A person asked for stage `beta` of `main`.",
        ),
        (events::schedule(), "sweep", Value::Null, "The schedule asks for it."),
        (
            events::merge_group(),
            "skip",
            Value::Null,
            "A merge queue only checks, and what it merges is deployed once it is pushed.",
        ),
        (
            events::push_tag("v1", &sha("e1")),
            "skip",
            Value::Null,
            "The tag `v1` was pushed, and tags are not deployed.",
        ),
        (
            events::commented(7, "/deploy prod"),
            "skip",
            Value::Null,
            "A comment was written, and comments deploy nothing.",
        ),
    ] {
        let expected = json!({"decision": decision, "stage": stage, "reason": reason});
        assert_eq!(decided(&repository, &event), expected);
    }
}

#[test]
fn a_removal_that_nobody_may_ask_for_is_refused_before_any_call() {
    let repository = Repository::new();
    let runner = repository.runner(&events::dispatch("prod", "destroy"));
    repository
        .step(&runner, &["ci", "--decide"])
        .ended_with(2)
        .saying(&["`prod` is a fixed stage"]);
    assert_eq!(
        (repository.world.calls().len(), repository.github.calls().len()),
        (0, 0)
    );
}

#[test]
fn which_pull_requests_get_a_preview_says_the_config() {
    let repository = Repository::manifest("pull_requests: { drafts: false, label: Preview, base: [main] }\n");
    for (event, decision, reason) in [
        (opened(7), "skip", "has no label `Preview`"),
        (opened(7).labeled("preview"), "deploy", "is open"),
        (opened(7).with_label("preview").draft(), "skip", "is a draft"),
        (
            opened(7).with_label("preview").base("develop"),
            "skip",
            "has only `main`",
        ),
        (closed(7), "destroy", "is closed"),
    ] {
        let decided = decided(&repository, &event);
        assert_eq!(decided["decision"], decision, "{decided}");
        let told = decided["reason"].as_str().unwrap_or_default();
        assert!(told.contains(reason), "{decided}");
    }
}
