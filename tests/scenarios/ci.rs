//! The action in a repository: what each event leads to, and what is told of it on GitHub.

use serde_json::json;

use crate::github::GitHub;
use crate::github::events;
use crate::repository::{Repository, closed, sha};

#[test]
fn a_pull_request_is_opened_changed_and_merged() {
    let repository = Repository::new();
    let Repository { world, github } = &repository;
    repository.ci(&events::push("develop", &sha("d1"))).succeeded();
    assert_eq!(repository.greeting("beta"), json!({"hello": "world"}));

    github.open_pull_request(7, &sha("a1"), "main");
    let opened = repository.runner(&events::pull_request(7).head(&sha("a1")).base("main"));
    repository.step(&opened, &["ci"]).succeeded();
    let url = repository.url("pr-7");
    let comment = repository.comment(7);
    for part in [
        url.as_str(),
        "✅ ready",
        " a1a1a1a1a ",
        "created function/api_handler",
        "prod",
    ] {
        assert!(comment.contains(part), "no {part:?} in\n{comment}");
    }
    assert_eq!(opened.outputs()["url"], url);
    assert_eq!(opened.outputs()["outcome"], "deployed");
    assert!(opened.summary().contains("gantt"), "{}", opened.summary());
    assert_eq!(repository.deployments("preview"), ["success"]);

    world.replace("app.py", "world", "changed world");
    github.push_to(7, &sha("a2"));
    repository
        .ci(&events::pull_request(7).synchronized(&sha("a2")).base("main"))
        .succeeded();
    assert_eq!(repository.url("pr-7"), url);
    assert_eq!(repository.greeting("pr-7"), json!({"hello": "changed world"}));
    assert!(repository.comment(7).contains(" a2a2a2a2a "));
    assert_eq!(repository.deployments("preview"), ["inactive", "success"]);

    github.merge(7);
    repository
        .ci(&events::pull_request(7)
            .closed()
            .merged()
            .head(&sha("a2"))
            .base("main")
            .target())
        .succeeded();

    let left = world.names_in_aws();
    assert!(!left.iter().any(|name| name.contains("pr-7")), "{left:?}");
    assert!(
        repository.comment(7).contains("🧹 removed"),
        "{}",
        repository.comment(7)
    );
    assert_eq!(repository.deployments("preview"), ["inactive", "inactive"]);

    repository.ci(&events::push("main", &sha("e1"))).succeeded();
    assert_eq!(repository.greeting("prod"), json!({"hello": "changed world"}));
    assert_eq!(repository.greeting("beta"), json!({"hello": "world"}));
    assert_eq!(repository.deployments("prod"), ["success"]);
}

#[test]
fn a_pull_request_on_enterprise_server_gets_its_preview_and_loses_it() {
    let repository = Repository::on(GitHub::enterprise_server());
    repository.preview(7);
    assert_eq!(repository.greeting("pr-7"), json!({"hello": "world"}));
    let run = format!("{}/octo/app/actions/runs/1001", repository.github.url());
    repository.comment_says(7, &["✅ ready", &run]);
    assert_eq!(repository.deployments("preview"), ["success"]);

    repository.github.close(7);
    repository.ci(&closed(7)).succeeded();
    assert!(!repository.stands("pr-7"));
    repository.comment_says(7, &["🧹 removed"]);
}

#[test]
fn later_steps_learn_what_was_deployed() {
    let repository = Repository::new();
    let first = repository.runner(&events::push("develop", &sha("d1")));
    repository.step(&first, &["ci"]).succeeded();
    let url = repository.url("beta");
    let expected = |outcome: &str, changed: &str, commit: String| {
        [
            ("stage", "beta".to_owned()),
            ("url", url.clone()),
            ("outcome", outcome.to_owned()),
            ("changed", changed.to_owned()),
            ("release", "1".to_owned()),
            ("commit", commit),
        ]
    };
    let outputs = first.outputs();
    for (name, value) in expected("deployed", "true", sha("d1")) {
        assert_eq!(outputs[name], value, "{name}");
    }

    let again = repository.runner(&events::push("develop", &sha("d2")));
    repository.step(&again, &["ci"]).succeeded();
    let outputs = again.outputs();
    for (name, value) in expected("unchanged", "false", sha("d2")) {
        assert_eq!(outputs[name], value, "{name}");
    }

    let elsewhere = repository.runner(&events::push("topic", &sha("d3")));
    repository.step(&elsewhere, &["ci"]).succeeded();
    assert_eq!(
        (
            elsewhere.outputs()["outcome"].as_str(),
            elsewhere.outputs()["url"].as_str()
        ),
        ("skipped", "")
    );
    assert!(
        elsewhere.summary().contains("`topic` is mapped to no stage"),
        "{}",
        elsewhere.summary()
    );
}

#[test]
fn a_person_deploys_production_by_hand_and_removes_only_previews() {
    let repository = Repository::new();
    repository.ci(&events::dispatch("prod", "deploy")).succeeded();
    assert_eq!(repository.greeting("prod"), json!({"hello": "world"}));
    repository
        .ci(&events::dispatch("prod", "destroy"))
        .ended_with(2)
        .saying(&["`prod` is a fixed stage", "stagewright destroy --stage prod"]);
    assert_eq!(repository.greeting("prod"), json!({"hello": "world"}));

    repository.preview(7);
    repository.github.close(7);
    repository.ci(&events::dispatch("pr-7", "destroy")).succeeded();
    assert!(!repository.stands("pr-7"));
    repository.comment_says(7, &["🧹 removed"]);
    repository
        .ci(&events::dispatch("pr-7", "deploy"))
        .ended_with(2)
        .saying(&["deployed by it alone"]);
}

#[test]
fn a_preview_is_removed_by_hand_even_while_its_pull_request_is_open() {
    let repository = Repository::new();
    repository.preview(7);
    repository.ci(&events::dispatch("pr-7", "destroy")).succeeded();
    assert!(!repository.stands("pr-7"));
    repository.comment_says(7, &["🧹 removed"]);
}

#[test]
fn two_pull_requests_have_a_preview_each_and_leave_each_other_alone() {
    let repository = Repository::new();
    repository.preview(7);
    repository.preview(8);
    assert_eq!(repository.deployments("preview"), ["success", "success"]);
    assert_ne!(repository.url("pr-7"), repository.url("pr-8"));

    repository.github.close(7);
    repository.ci(&closed(7)).succeeded();

    assert!(!repository.stands("pr-7"));
    assert_eq!(repository.greeting("pr-8"), json!({"hello": "world"}));
    assert_eq!(repository.deployments("preview"), ["inactive", "success"]);
    repository.comment_says(7, &["`pr-7`", "🧹 removed"]);
    repository.comment_says(8, &["`pr-8`", "✅ ready"]);
}
