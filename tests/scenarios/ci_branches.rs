//! Branches and their stages: who may have which, and when one goes.

use serde_json::json;

use crate::github::events;
use crate::repository::{Repository, closed, opened, sha};

#[test]
fn of_two_branches_that_make_one_stage_the_second_is_refused_with_both_names() {
    let repository = Repository::new();
    repository.ci(&events::push("release/1.0", &sha("a1"))).succeeded();
    repository.world.replace("app.py", "world", "usurper");
    repository.world.forget_calls();

    repository
        .ci(&events::push("release/1-0", &sha("b1")))
        .ended_with(2)
        .saying(&["release/1.0", "release/1-0", "`release-1-0`"]);

    assert_eq!(repository.world.mutations(), Vec::<String>::new());
    assert_eq!(repository.greeting("release-1-0"), json!({"hello": "world"}));
    let state = repository.world.state("hello", "release-1-0");
    assert_eq!(state["stagewright"]["release"]["commit"], json!(sha("a1")), "{state:#}");
}

#[test]
fn a_branch_that_is_deleted_takes_its_stage_along() {
    let repository = Repository::new();
    repository.ci(&events::push("release/1", &sha("a1"))).succeeded();
    assert_eq!(repository.deployments("release-1"), Vec::<String>::new());
    assert_eq!(repository.deployments("preview"), ["success"]);
    repository.ci(&events::branch_deleted("release/1")).succeeded();
    assert!(!repository.stands("release-1"));
    assert_eq!(repository.deployments("preview"), ["inactive"]);
}

#[test]
fn a_push_that_deletes_its_branch_takes_the_stage_along_without_a_checkout() {
    let repository = Repository::new();
    repository.ci(&events::push("release/1", &sha("a1"))).succeeded();
    repository.without_checkout();
    repository
        .ci(&events::push("release/1", &sha("a1")).deleted())
        .succeeded();
    assert!(!repository.stands("release-1"));
}

#[test]
fn another_branch_of_the_same_stage_takes_nothing_along_when_it_is_deleted() {
    let repository = Repository::new();
    repository.ci(&events::push("release/1.0", &sha("a1"))).succeeded();
    repository
        .ci(&events::branch_deleted("release/1-0"))
        .succeeded()
        .saying(&["was made for `release/1.0`, and not for `release/1-0`"]);
    assert_eq!(repository.greeting("release-1-0"), json!({"hello": "world"}));
}

#[test]
fn branches_with_a_stage_of_their_own_name_never_take_it_along() {
    let repository = Repository::new();
    repository.ci(&events::push("main", &sha("e1"))).succeeded();
    repository.ci(&events::push("develop", &sha("d1"))).succeeded();
    for branch in ["main", "develop"] {
        for event in [
            events::branch_deleted(branch),
            events::push(branch, &sha("d1")).deleted(),
        ] {
            repository.ci(&event).succeeded().saying(&["is fixed"]);
        }
    }
    for stage in ["prod", "beta"] {
        assert_eq!(repository.greeting(stage), json!({"hello": "world"}), "{stage}");
        assert_eq!(repository.deployments(stage), ["success"]);
    }
}

#[test]
fn a_branch_cannot_map_itself_to_a_protected_stage() {
    let repository = Repository::new();
    repository.ci(&events::push("main", &sha("e1"))).succeeded();
    let theirs = "state: s3://deploys/stages\nbranches: { takeover: prod }\n";
    repository.world.write("stagewright.yaml", theirs);
    repository.world.replace("app.py", "world", "taken over");
    repository.world.forget_calls();

    repository
        .ci(&events::push("takeover", &sha("b1")))
        .ended_with(2)
        .saying(&["`prod` is protected", "does not map `takeover` to it"]);

    assert_eq!(repository.world.mutations(), Vec::<String>::new());
    assert_eq!(repository.greeting("prod"), json!({"hello": "world"}));
}

#[test]
fn a_person_who_starts_the_workflow_of_another_branch_does_not_get_a_protected_stage() {
    let repository = Repository::new();
    repository.ci(&events::push("main", &sha("e1"))).succeeded();
    repository.world.replace("app.py", "world", "taken over");
    let mut event = events::dispatch("prod", "deploy");
    event.payload["ref"] = json!("refs/heads/takeover");
    repository.ci(&event).ended_with(2).saying(&["`prod` is protected"]);
    assert_eq!(repository.greeting("prod"), json!({"hello": "world"}));
}

#[test]
fn a_branch_that_the_default_branch_does_not_know_can_have_an_unprotected_stage() {
    let repository = Repository::new();
    let theirs = "state: s3://deploys/stages\nbranches: { topic: demo }\n";
    repository.world.write("stagewright.yaml", theirs);
    repository.ci(&events::push("topic", &sha("b1"))).succeeded();
    assert_eq!(repository.greeting("demo"), json!({"hello": "world"}));
}

#[test]
fn a_branch_that_is_mapped_to_nothing_calls_nobody() {
    let repository = Repository::new();
    repository.ci(&events::push("topic", &sha("b1"))).succeeded();
    assert_eq!(repository.world.calls().len(), 0);
    assert_eq!(repository.github.calls().len(), 0);
}

#[test]
fn a_stage_of_another_repository_is_neither_deployed_nor_removed_nor_shown() {
    let repository = Repository::new();
    repository.preview(7);
    repository.ci(&events::push("release/1", &sha("a1"))).succeeded();
    for stage in ["pr-7", "release-1"] {
        let state = repository.world.state("hello", stage).to_string();
        let theirs = state
            .replace("\"octo/app\"", "\"stranger/app\"")
            .replace("\"repository_id\":1296269", "\"repository_id\":1");
        assert_ne!(state, theirs);
        repository.world.write_state("hello", stage, &theirs);
    }
    repository.world.replace("app.py", "world", "ours");
    repository.world.forget_calls();

    repository
        .ci(&opened(7))
        .ended_with(2)
        .saying(&["belongs to `stranger/app`, and this is `octo/app`"]);
    repository
        .ci(&events::branch_deleted("release/1"))
        .succeeded()
        .saying(&["there is nothing to remove"]);
    repository.github.close(7);
    repository
        .ci(&closed(7))
        .succeeded()
        .saying(&["there is nothing to remove"]);

    assert_eq!(repository.world.mutations(), Vec::<String>::new());
    repository.comment_says(7, &["There is none: the last run says why."]);
}
