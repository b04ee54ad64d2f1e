//! What every payload that GitHub gives as an example leads to, and some that it does not give.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::stage::branches::{Branch, Branches};
use crate::stage::decide::{Rules, decide};
use crate::stage::policy::PullRequests;

/// GitHub's own examples of an event, as `@octokit/webhooks-examples` has them.
fn examples(event: &str) -> Vec<Value> {
    let folder = std::env::current_dir().unwrap().join("tests/github/events");
    let text = std::fs::read_to_string(folder.join(format!("{event}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The last example that is as asked for: the first ones are older than GitHub's schemas.
fn example(event: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let found = examples(event).into_iter().rfind(is_it).unwrap();
    valid(event, found)
}

/// The same payload, which is still one that GitHub could send.
fn valid(event: &str, payload: Value) -> Value {
    let file = std::env::current_dir().unwrap().join("tests/github/events.schema.json");
    let schemas: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let definition = format!("{event}${}", payload["action"].as_str().unwrap_or("event"));
    let schema = json!({
        "$ref": format!("#/definitions/{definition}"),
        "definitions": schemas["definitions"],
    });
    let schema = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .build(&schema)
        .unwrap();
    let faults: Vec<_> = schema.iter_errors(&payload).map(|e| e.to_string()).collect();
    assert_eq!(faults, Vec::<String>::new(), "{definition}");
    payload
}

fn opened() -> Value {
    example("pull_request", |payload| payload["action"] == "opened")
}

/// The payload of a pull request that was merged: GitHub gives no example of it.
fn merged() -> Value {
    let mut payload = example("pull_request", |payload| payload["action"] == "closed");
    payload["pull_request"]["merged"] = json!(true);
    payload["pull_request"]["merged_at"] = json!("2026-11-23T00:00:00Z");
    valid("pull_request", payload)
}

fn from_fork(mut payload: Value) -> Value {
    payload["pull_request"]["head"]["repo"]["full_name"] = json!("mallory/Hello-World");
    payload["pull_request"]["head"]["repo"]["fork"] = json!(true);
    valid("pull_request", payload)
}

/// `master` is `prod`, `release/*` is a stage of its own, and pull requests are handled as they are by default.
fn decided(event: &str, payload: &Value, git_ref: &str) -> String {
    let branch = |pattern, stage| Branch::new(pattern, stage).unwrap();
    let branches = Branches::new(vec![branch("master", "prod"), branch("release/*", "release-{1}")]);
    let rules = Rules {
        branches: &branches,
        pull_requests: &PullRequests::default(),
        fixed: &BTreeSet::from(["prod".parse().unwrap()]),
    };
    let trigger = match trigger(event, payload, git_ref) {
        Ok(trigger) => trigger,
        Err(error) => return format!("error: {error}"),
    };
    match decide(&trigger, &rules) {
        Ok(decision) => {
            let told = decision.json();
            let part = |key: &str| told[key].as_str().unwrap_or("-").to_owned();
            format!("{} {}: {}", part("decision"), part("stage"), part("reason"))
        }
        Err(refused) => format!("refused: {refused}"),
    }
}

fn table(event: &str) -> String {
    let line = |payload: &Value| {
        let happened = ["action", "ref"].iter().find_map(|key| payload[key].as_str());
        let gone = if payload["deleted"] == true { " deleted" } else { "" };
        let decided = decided(event, payload, payload["ref"].as_str().unwrap_or("refs/heads/master"));
        format!("{}{gone} → {decided}\n", happened.unwrap_or_default())
    };
    examples(event).iter().map(line).collect()
}

/// Says each distinct line once, with how often it is there.
fn counted(table: &str) -> String {
    let mut lines: Vec<(usize, &str)> = Vec::new();
    for line in table.lines() {
        match lines.iter_mut().find(|(_, known)| *known == line) {
            Some((count, _)) => *count += 1,
            None => lines.push((1, line)),
        }
    }
    lines
        .iter()
        .map(|(count, line)| format!("{count} × {line}\n"))
        .collect()
}

#[test]
fn every_example_of_a_pull_request_is_decided() {
    assert_eq!(
        counted(&table("pull_request")),
        "\
4 × opened → deploy pr-2: #2 is open, and gets a preview.
2 × assigned → skip -: `assigned` of #2 changes nothing about its preview.
2 × closed → destroy pr-2: #2 is closed.
3 × converted_to_draft → skip -: `converted_to_draft` of #2 changes nothing about its preview.
2 × labeled → deploy pr-2: #2 is open, and gets a preview.
2 × locked → skip -: `locked` of #2 changes nothing about its preview.
3 × ready_for_review → deploy pr-2: #2 is open, and gets a preview.
2 × reopened → deploy pr-2: #2 is open, and gets a preview.
1 × review_request_removed → skip -: `review_request_removed` of #2 changes nothing about its preview.
1 × review_requested → skip -: `review_requested` of #2 changes nothing about its preview.
1 × synchronize → deploy pr-2: #2 is open, and gets a preview.
2 × unassigned → skip -: `unassigned` of #2 changes nothing about its preview.
2 × unlabeled → skip -: `unlabeled` of #2 changes nothing about its preview.
2 × unlocked → skip -: `unlocked` of #2 changes nothing about its preview.
"
    );
}

#[test]
fn every_example_of_a_push_is_decided() {
    assert_eq!(
        counted(&table("push")),
        "\
1 × refs/tags/simple-tag → skip -: The tag `simple-tag` was pushed, and tags are not deployed.
4 × refs/tags/simple-tag deleted → skip -: The tag `simple-tag` was deleted, and tags are not deployed.
2 × refs/heads/master → deploy prod: `master` is mapped to stage `prod`.
"
    );
}

#[test]
fn every_example_of_what_is_no_push_of_a_branch_is_skipped() {
    let tables: Vec<String> = ["delete", "merge_group"]
        .iter()
        .map(|event| format!("{event}: {}", counted(&table(event))))
        .collect();
    assert_eq!(
        tables.concat(),
        "\
delete: 4 × simple-tag → skip -: The tag `simple-tag` was deleted, and tags are not deployed.
merge_group: 2 × checks_requested → skip -: A merge queue only checks, and what it merges is deployed once it is pushed.
"
    );
}

#[test]
fn a_comment_and_a_new_branch_deploy_nothing() {
    for event in ["create", "issue_comment"] {
        let table = table(event);
        assert!(
            !table.is_empty() && table.lines().all(|line| line.contains(" → skip -: ")),
            "{table}"
        );
    }
}

#[test]
fn every_example_of_a_run_that_a_person_started_is_decided() {
    assert_eq!(counted(&table("workflow_dispatch")), "\
1 × refs/heads/main → refused: `main` is mapped to no stage: give the input `stage`, or map the branch under `branches` in `stagewright.yaml`
1 × refs/heads/master → deploy prod: A person asked for stage `prod` of `master`.
");
}

#[test]
fn through_the_workflow_of_the_base_only_the_closed_ones_are_removed() {
    for payload in examples("pull_request") {
        let decided = decided("pull_request_target", &payload, "refs/heads/master");
        match payload["action"].as_str() {
            Some("closed") => assert_eq!(decided, "destroy pr-2: #2 is closed."),
            Some("opened" | "synchronize" | "reopened" | "ready_for_review" | "labeled") => {
                assert!(
                    decided.starts_with("skip -: `pull_request_target` has rights"),
                    "{decided}"
                );
            }
            action => assert!(decided.starts_with("skip -: "), "{action:?}: {decided}"),
        }
    }
}

#[test]
fn a_merge_is_not_taken_for_a_push_to_the_branch_that_github_ref_names() {
    let told = "destroy pr-2: #2 is closed.";
    assert_eq!(decided("pull_request", &merged(), "refs/heads/master"), told);
    assert_eq!(decided("pull_request_target", &merged(), "refs/heads/master"), told);
}

#[test]
fn whatever_happens_to_a_pull_request_that_is_closed_by_now_removes_its_preview() {
    for action in ["labeled", "synchronize", "reopened", "edited", "locked"] {
        let mut payload = merged();
        payload["action"] = json!(action);
        let told = decided("pull_request", &payload, "refs/pull/2/merge");
        assert_eq!(told, "destroy pr-2: #2 is closed.", "{action}");
    }
}

#[test]
fn a_pull_request_from_a_fork_gets_a_sentence_and_no_deploy() {
    let told = decided("pull_request", &from_fork(opened()), "refs/pull/2/merge");
    assert_eq!(
        told,
        "skip -: #2 comes from the fork `mallory/Hello-World`, whose runs get no credentials: a maintainer who has read it \
         can push its branch to this repository for a preview."
    );
    let mut gone = opened();
    gone["pull_request"]["head"]["repo"] = Value::Null;
    let told = decided("pull_request", &valid("pull_request", gone), "refs/pull/2/merge");
    assert!(told.starts_with("skip -: #2 comes from a fork that is gone"), "{told}");
}

#[test]
fn a_closed_pull_request_from_a_fork_is_left_to_the_run_that_has_credentials() {
    let payload = from_fork(merged());
    let told = decided("pull_request", &payload, "refs/heads/master");
    assert!(
        told.starts_with("skip -: #2 is closed, and this run has no credentials"),
        "{told}"
    );
    let told = decided("pull_request_target", &payload, "refs/heads/master");
    assert_eq!(told, "destroy pr-2: #2 is closed.");
}

#[test]
fn dependabot_gets_a_sentence_be_it_the_author_or_who_pushed() {
    for field in ["/pull_request/user/login", "/sender/login"] {
        let mut payload = opened();
        *payload.pointer_mut(field).unwrap() = json!("dependabot[bot]");
        let told = decided("pull_request", &valid("pull_request", payload), "refs/pull/2/merge");
        assert!(told.starts_with("skip -: #2 comes from Dependabot"), "{told}");
        assert!(told.contains("or merge it"), "{told}");
    }
}

#[test]
fn a_deleted_branch_takes_the_stage_with_it_that_a_glob_made_and_no_other() {
    let told = |branch: &str| {
        let mut push = example("push", |payload| payload["deleted"] == true);
        push["ref"] = json!(format!("refs/heads/{branch}"));
        let mut delete = example("delete", |_| true);
        delete["ref"] = json!(branch);
        delete["ref_type"] = json!("branch");
        let told = decided("push", &valid("push", push), "refs/heads/master");
        assert_eq!(decided("delete", &valid("delete", delete), "refs/heads/master"), told);
        told
    };
    assert_eq!(
        told("release/1.2"),
        "destroy release-1-2: `release/1.2` was deleted, for which stage `release-1-2` was made."
    );
    assert!(told("master").starts_with("skip -: `master` was deleted, and its stage `prod` is fixed"));
    assert_eq!(
        told("feature/x"),
        "skip -: `feature/x` was deleted, and is mapped to no stage."
    );
}

#[test]
fn a_push_is_deployed_only_where_its_branch_is_mapped() {
    let mut push = example("push", |payload| payload["ref"] == "refs/heads/master");
    let mut told = |git_ref: &str| {
        push["ref"] = json!(git_ref);
        decided("push", &push, "refs/heads/master")
    };
    assert_eq!(
        told("refs/heads/release/1.2"),
        "deploy release-1-2: `release/1.2` is mapped to stage `release-1-2`."
    );
    assert_eq!(
        told("refs/heads/feature/x"),
        "skip -: `feature/x` is mapped to no stage: `branches: { \"feature/x\": STAGE }` in `stagewright.yaml` would map it."
    );
    assert!(told("refs/heads/gh-readonly-queue/master/pr-2-abc").starts_with("skip -: "));
    assert!(told("refs/notes/commits").starts_with("skip -: `refs/notes/commits` was pushed, which is no branch"));
}

#[test]
fn a_branch_that_is_called_like_a_ref_is_itself() {
    let mut push = example("push", |payload| payload["ref"] == "refs/heads/master");
    push["ref"] = json!("refs/heads/refs/heads/master");
    let told = decided("push", &push, "refs/heads/master");
    assert!(
        told.starts_with("skip -: `refs/heads/master` is mapped to no stage"),
        "{told}"
    );
}

#[test]
fn a_person_gets_the_stage_and_command_of_the_inputs() {
    let told = |inputs: Value, git_ref: &str| {
        let mut payload = examples("workflow_dispatch").remove(0);
        payload["inputs"] = inputs;
        decided("workflow_dispatch", &payload, git_ref)
    };
    let main = "refs/heads/master";
    assert_eq!(
        told(json!({"stage": "beta", "command": ""}), main),
        "deploy beta: A person asked for stage `beta` of `master`."
    );
    assert_eq!(
        told(Value::Null, main),
        "deploy prod: A person asked for stage `prod` of `master`."
    );
    assert_eq!(
        told(json!({"command": "sweep"}), main),
        "sweep -: A person asked for it."
    );
    assert_eq!(
        told(json!({"command": "destroy", "stage": "pr-7"}), main),
        "destroy pr-7: A person asked to remove stage `pr-7`."
    );
    assert_eq!(
        told(json!({"command": "destroy", "stage": "prod"}), main),
        "refused: `prod` is a fixed stage, which no workflow removes: run `stagewright destroy --stage prod` at a terminal"
    );
    assert!(told(json!({"command": "destroy"}), main).starts_with("refused: `prod` is a fixed stage"));
    assert!(told(json!({"stage": "pr-7"}), main).starts_with("refused: `pr-7` is the preview of a pull request"));
    assert!(told(json!({"stage": "pr 7"}), main).starts_with("refused: the input `stage` is wrong"));
    assert!(told(json!({"command": "nuke"}), main).starts_with("refused: the input `command` is `nuke`"));
    assert!(told(json!({}), "refs/tags/v1").starts_with("refused: `refs/tags/v1` is no branch"));
    assert!(told(json!({}), "refs/heads/x").starts_with("refused: `x` is mapped to no stage"));
    assert!(told(json!({"stage": 7}), main).ends_with("has no text `inputs.stage`"));
}

#[test]
fn a_clock_sweeps_and_what_is_unknown_is_skipped() {
    let schedule = json!({"schedule": "17 3 * * *"});
    assert!(decided("schedule", &schedule, "refs/heads/master").starts_with("sweep -: "));
    assert_eq!(
        decided("release", &json!({}), "refs/tags/v1"),
        "skip -: The event `release` leads to no stage."
    );
}

#[test]
fn a_field_that_is_missing_is_told_with_its_event() {
    for (event, field) in [
        ("push", "ref"),
        ("push", "deleted"),
        ("delete", "ref_type"),
        ("pull_request", "action"),
        ("pull_request", "pull_request.number"),
        ("pull_request", "pull_request.state"),
        ("pull_request", "pull_request.draft"),
        ("pull_request", "pull_request.labels"),
        ("pull_request", "pull_request.base.ref"),
        ("pull_request", "pull_request.base.repo.full_name"),
        ("pull_request", "pull_request.head.sha"),
        ("pull_request", "pull_request.head.repo"),
    ] {
        let mut payload = examples(event).remove(0);
        let (parent, key) = field.rsplit_once('.').unwrap_or(("", field));
        let parent = parent.split('.').filter(|key| !key.is_empty());
        let parent = parent.fold(&mut payload, |value, key| &mut value[key]);
        parent.as_object_mut().unwrap().remove(key);
        let told = decided(event, &payload, "refs/heads/master");
        let place = format!("error: the payload of the event `{event}` has no ");
        assert!(
            told.starts_with(&place) && told.ends_with(&format!("`{field}`")),
            "{told}"
        );
    }
}

#[test]
fn nothing_but_the_needed_fields_is_needed() {
    let repository = json!({"full_name": "octo/app"});
    let payload = json!({
        "action": "opened",
        "pull_request": {
            "number": 7, "state": "open", "draft": true, "labels": [],
            "head": {"sha": "abc", "repo": repository},
            "base": {"ref": "main", "repo": repository},
        },
    });
    let Ok(Trigger::PullRequest(pull_request)) = trigger("pull_request", &payload, "") else {
        panic!("it is a pull request");
    };
    assert_eq!(pull_request.readiness, Readiness::Draft);
    assert_eq!(pull_request.origin, Origin::Here);
    assert_eq!(pull_request.head, "abc");
}
