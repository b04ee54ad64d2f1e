//! The one comment on a pull request: true, alone, quiet, and never a reason to fail.

use crate::github::{BOT, Failure, GitHub};
use crate::repository::{Repository, opened, sha};

const APPS: [&str; 5] = ["ants", "bees", "cats", "dogs", "emus"];

/// The mark that nobody sees, as it stands in a comment of ours.
fn mark(repository: &Repository) -> String {
    let comment = repository.comment(7);
    comment.lines().next().map(str::to_owned).unwrap_or_default()
}

/// How many requests of this method went to comments.
fn writes(repository: &Repository, method: &str) -> usize {
    let calls = repository.github.calls().into_iter();
    calls
        .filter(|call| call.method == method && call.path.contains("/comments"))
        .count()
}

#[test]
fn five_jobs_at_once_end_with_one_comment_of_five_true_rows() {
    let repository = Repository::empty(GitHub::start());
    for app in APPS {
        let manifest = format!(
            "app: {app}\nstate: s3://deploys/stages\nfunctions:\n  api:\n    runtime: python3.11\n    handler: handler.answer\n    \
             code: src\nroutes:\n  GET /: api\n"
        );
        repository.world.write(&format!("{app}/stagewright.yaml"), &manifest);
        let handler = format!("def answer(event, context):\n    return {{\"statusCode\": 200, \"body\": \"{app}\"}}\n");
        repository.world.write(&format!("{app}/src/handler.py"), &handler);
    }
    repository.github.open_pull_request(7, &sha("a1"), "main");

    let start = |app| {
        let mut runner = repository.runner(&opened(7));
        runner.input("project-dir", app);
        repository.start(runner)
    };
    let jobs: Vec<_> = APPS.into_iter().map(start).collect();
    let urls: Vec<String> = jobs
        .into_iter()
        .map(|job| {
            let (run, runner) = job.ended();
            run.succeeded();
            runner.outputs()["url"].clone()
        })
        .collect();

    let comment = repository.comment(7);
    for (app, url) in APPS.iter().zip(&urls) {
        let row = format!("| `{app}` | ✅ ready | {url} | a1a1a1a1a | 1 |");
        assert!(comment.contains(&row), "no {row:?} in\n{comment}");
        assert_eq!(repository.world.get(url).text(), *app);
    }
}

#[test]
fn duplicates_of_ours_go_and_what_somebody_else_marked_stays() {
    let repository = Repository::new();
    repository.preview(7);
    let marked = |text: &str| format!("{}\n{text}", mark(&repository));
    let (forged, old) = (marked("send your keys to me"), marked("an older text of ours"));
    repository.github.write_comment_as("stranger", 7, &forged);
    repository.github.write_comment_as(BOT, 7, &old);
    let first = repository.github.comments(7)[0].id;

    repository.github.push_to(7, &sha("a2"));
    repository.ci(&opened(7).synchronized(&sha("a2"))).succeeded();

    let comments = repository.github.comments(7);
    let authors: Vec<&str> = comments.iter().map(|comment| comment.author.as_str()).collect();
    assert_eq!(authors, [BOT, "stranger"], "{comments:#?}");
    assert_eq!(comments[0].id, first);
    assert!(comments[0].body.contains("a2a2a2a2a"), "{}", comments[0].body);
    assert_eq!(comments[1].body, forged);
}

#[test]
fn a_comment_that_says_the_same_is_not_sent_again() {
    let repository = Repository::new();
    repository.preview(7);
    let before = repository.github.comments(7);
    repository.github.forget_calls();

    repository.ci(&opened(7).labeled("bug")).succeeded();

    assert_eq!((writes(&repository, "PATCH"), writes(&repository, "POST")), (0, 0));
    assert_eq!(repository.github.comments(7), before);
}

#[test]
fn a_comment_that_may_not_be_written_is_a_warning_that_names_the_permission() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    for _ in 0..6 {
        let refused = Failure::forbidden("pull_requests=write");
        repository.github.fail_next("POST", "/issues/7/comments", refused);
    }
    let run = repository.ci(&opened(7)).succeeded();
    let mut warnings = run.stdout.lines().filter(|line| line.starts_with("::warning"));
    let is_named = |warning: &str| {
        ["pull_requests=write", "pull-requests: write"]
            .iter()
            .all(|part| warning.contains(part))
    };
    assert!(warnings.any(is_named), "{}", run.stdout);
    assert!(repository.stands("pr-7"));
}

#[test]
fn a_comment_that_github_refuses_is_a_warning() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    for _ in 0..2 {
        let refused = Failure::Status(422, Vec::new(), "Validation Failed".to_owned());
        repository.github.fail_next("POST", "/issues/7/comments", refused);
    }
    let run = repository.ci(&opened(7)).succeeded();
    assert!(run.stdout.contains("::warning::"), "{}", run.stdout);
    assert!(run.stdout.contains("Validation Failed"), "{}", run.stdout);
    assert!(repository.stands("pr-7"));
}

#[test]
fn a_comment_whose_answer_was_lost_is_not_written_twice() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    repository
        .github
        .fail_next("POST", "/issues/7/comments", Failure::DropAfterEffect);
    repository.ci(&opened(7)).succeeded();
    repository.comment_says(7, &["✅ ready"]);
    assert_eq!(writes(&repository, "POST"), 1);
}

#[test]
fn a_comment_that_comes_too_often_is_written_after_the_pause_that_github_asks_for() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    for status in [403, 429] {
        repository
            .github
            .fail_next("POST", "/issues/7/comments", Failure::limited(status, 1));
    }
    repository.ci(&opened(7)).succeeded();
    repository.comment_says(7, &["✅ ready"]);
}

#[test]
fn a_pause_of_an_hour_is_not_waited_for() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    for _ in 0..2 {
        repository
            .github
            .fail_next("POST", "/issues/7/comments", Failure::limited(403, 3600));
    }
    let run = repository.ci(&opened(7)).succeeded();
    assert!(run.stdout.contains("::warning::"), "{}", run.stdout);
    assert_eq!(repository.github.comments(7), []);
}

#[test]
fn a_deployment_that_cannot_be_recorded_is_a_warning() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    let refused = Failure::forbidden("deployments=write");
    repository.github.fail_next("POST", "/deployments", refused);
    let run = repository.ci(&opened(7)).succeeded();
    assert!(run.stdout.contains("deployments=write"), "{}", run.stdout);
    repository.comment_says(7, &["✅ ready"]);
}

#[test]
fn comments_that_are_switched_off_are_not_written() {
    let repository = Repository::manifest("pull_requests: { comment: off }\n");
    repository.preview(7);
    assert!(repository.stands("pr-7"));
    assert_eq!(repository.github.comments(7), []);
    assert_eq!(repository.deployments("preview"), ["success"]);
}

#[test]
fn a_comment_on_change_stays_as_it_is_when_nothing_was_changed() {
    let repository = Repository::manifest("pull_requests: { comment: on-change }\n");
    repository.preview(7);
    repository.comment_says(7, &["✅ ready", "a1a1a1a1a"]);
    let before = repository.github.comments(7);

    repository.github.push_to(7, &sha("a2"));
    repository.ci(&opened(7).synchronized(&sha("a2"))).succeeded();
    assert_eq!(repository.github.comments(7), before);

    repository.world.replace("src/handler.py", "hello", "changed");
    repository.github.push_to(7, &sha("a3"));
    repository.ci(&opened(7).synchronized(&sha("a3"))).succeeded();
    repository.comment_says(7, &["✅ ready", "a3a3a3a3a"]);
}
