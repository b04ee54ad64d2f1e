//! Pull requests of strangers: no credentials, no deploy, and nothing of theirs is read where there are some.

use crate::github::events::Event;
use crate::repository::{Repository, closed, opened, sha};

/// Shows whether it was imported.
const EVIL_APP: &str = "\
import pathlib
pathlib.Path(__file__).with_name('imported').write_text('yes')
";

/// Runs an event that must lead to nothing but a sentence in the summary, which is returned.
fn nothing_but_a_sentence(repository: &Repository, event: &Event) -> String {
    let runner = repository.runner(event);
    let no_credentials = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    let run = repository.step_with(&runner, &no_credentials, &["ci"]).succeeded();
    assert_eq!(repository.world.calls().len(), 0, "{run:?}");
    assert_eq!(repository.mutations_on_github(), Vec::<String>::new());
    assert_eq!(runner.outputs()["outcome"], "skipped");
    runner.summary()
}

#[test]
fn a_pull_request_from_a_fork_gets_a_sentence_and_no_preview() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    repository.github.set_head_repository(7, Some("stranger/app"));
    let summary = nothing_but_a_sentence(&repository, &opened(7).of_fork("stranger/app"));
    for part in [
        "#7 comes from the fork `stranger/app`",
        "a maintainer",
        "push its branch",
    ] {
        assert!(summary.contains(part), "no {part:?} in\n{summary}");
    }
}

#[test]
fn a_pull_request_from_a_fork_that_is_gone_gets_a_sentence_and_no_preview() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    repository.github.set_head_repository(7, None);
    let summary = nothing_but_a_sentence(&repository, &opened(7).of_deleted_fork("stranger/app"));
    assert!(summary.contains("a fork that is gone"), "{summary}");
}

#[test]
fn a_pull_request_by_dependabot_gets_a_sentence_and_no_preview() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    let summary = nothing_but_a_sentence(&repository, &opened(7).by_dependabot());
    assert!(summary.contains("#7 comes from Dependabot"), "{summary}");
}

#[test]
fn a_fork_that_closes_its_pull_request_is_told_what_removes_a_preview() {
    let repository = Repository::new();
    let event = opened(7).of_fork("stranger/app").closed();
    let summary = nothing_but_a_sentence(&repository, &event);
    assert!(summary.contains("pull_request_target"), "{summary}");
}

#[test]
fn with_the_rights_of_the_base_nothing_is_deployed_and_the_checkout_is_not_read() {
    let repository = Repository::new();
    repository.world.write("app.py", EVIL_APP);
    repository.world.write("stagewright.yaml", "state: [this is no state\n");
    repository.github.open_pull_request(7, &sha("a1"), "main");
    let runner = repository.runner(&opened(7).of_fork("stranger/app").target());

    repository.step(&runner, &["ci"]).succeeded();

    assert!(
        runner.summary().contains("it only removes previews"),
        "{}",
        runner.summary()
    );
    assert!(!repository.world.project().join("imported").exists());
    assert_eq!(repository.world.calls().len(), 0);
    assert_eq!(repository.mutations_on_github(), Vec::<String>::new());
}

#[test]
fn with_the_rights_of_the_base_a_preview_is_removed_by_the_default_branch_and_not_by_the_checkout() {
    let repository = Repository::new();
    repository.preview(7);
    repository.world.write("app.py", EVIL_APP);
    repository.world.write(
        "stagewright.yaml",
        "state: s3://evil/stages\nbranches: { main: pr-7 }\n",
    );
    repository.github.close(7);

    repository.ci(&closed(7)).succeeded();

    assert!(!repository.stands("pr-7"));
    assert!(!repository.world.project().join("imported").exists());
    repository.comment_says(7, &["🧹 removed"]);
}

#[test]
fn a_fork_can_close_its_pull_request_and_leave_the_preview_that_a_maintainer_made() {
    let repository = Repository::new();
    repository.preview(7);
    repository.world.forget_calls();
    let event = opened(7).of_fork("stranger/app").closed();
    repository.ci(&event).succeeded();
    assert_eq!(repository.world.mutations(), Vec::<String>::new());
    assert!(repository.stands("pr-7"));
}
