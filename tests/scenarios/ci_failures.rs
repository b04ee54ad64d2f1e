//! What goes wrong on the way, and how it is told: by exit code, comment, deployment and mark in the file.

use serde_json::json;

use crate::github::Failure;
use crate::github::events;
use crate::repository::{Repository, opened, sha};
use crate::world::Run;

/// The lines of a log that the runner obeys as commands: those outside of stopped parts.
fn obeyed(run: &Run) -> Vec<String> {
    let mut stopped_by: Option<String> = None;
    let mut obeyed = Vec::new();
    for line in run.stdout.lines() {
        let command = line.trim_start();
        match &stopped_by {
            Some(word) if command == format!("::{word}::") => stopped_by = None,
            Some(_) => {}
            None => match command.strip_prefix("::stop-commands::") {
                Some(word) => stopped_by = Some(word.to_owned()),
                None if command.starts_with("::") => obeyed.push(command.to_owned()),
                None => {}
            },
        }
    }
    obeyed
}

#[test]
fn an_app_that_cannot_be_imported_is_told_on_the_pull_request_and_in_its_file() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    repository
        .world
        .replace("app.py", "from chalice import Chalice", "import chalise");
    let runner = repository.runner(&opened(7));

    let run = repository.step(&runner, &["ci"]).ended_with(2);

    repository.comment_says(7, &["❌ failed", "a1a1a1a1a", "chalise"]);
    assert_eq!(repository.deployments("preview"), ["failure"]);
    let marks = obeyed(&run);
    let is_mark = |line: &String| line.starts_with("::error file=app.py,line=1::") && line.contains("chalise");
    assert!(marks.iter().any(is_mark), "{marks:#?}");
    assert_eq!(runner.outputs()["outcome"], "failed");
    assert!(runner.summary().contains("chalise"), "{}", runner.summary());
    assert_eq!(repository.world.mutations(), Vec::<String>::new());
}

#[test]
fn a_preview_that_failed_is_ready_after_the_commit_that_mends_it() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    repository.world.replace("app.py", "def index", "def def index");
    repository.ci(&opened(7)).ended_with(2);
    repository.comment_says(7, &["❌ failed"]);

    repository.world.replace("app.py", "def def index", "def index");
    repository.github.push_to(7, &sha("a2"));
    repository.ci(&opened(7).synchronized(&sha("a2"))).succeeded();

    repository.comment_says(7, &["✅ ready", "a2a2a2a2a", &repository.url("pr-7")]);
    assert!(!repository.comment(7).contains("failed"), "{}", repository.comment(7));
    assert_eq!(
        repository.deployments("preview").last().map(String::as_str),
        Some("success")
    );
}

#[test]
fn a_preview_that_stood_before_keeps_its_url_in_the_comment_when_a_commit_fails() {
    let repository = Repository::new();
    repository.preview(7);
    let url = repository.url("pr-7");
    repository.world.replace("app.py", "def index", "def def index");
    repository.github.push_to(7, &sha("a2"));
    repository.ci(&opened(7).synchronized(&sha("a2"))).ended_with(2);
    repository.comment_says(7, &["❌ failed", "a2a2a2a2a", &url]);
    assert_eq!(repository.deployments("preview"), ["success", "failure"]);

    repository.world.replace("app.py", "def def index", "def index");
    repository.github.push_to(7, &sha("a3"));
    repository.ci(&opened(7).synchronized(&sha("a3"))).succeeded();
    repository.comment_says(7, &["✅ ready", "a3a3a3a3a", &url]);
}

#[test]
fn a_step_that_aws_refuses_is_told_with_what_it_needs() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    let refused = json!({"status": 403, "code": "AccessDenied", "message": "you may not"});
    repository
        .world
        .order_faults(&json!([{"operation": "CreateRole", "answer": refused}]));
    repository.ci(&opened(7)).ended_with(1);
    repository.comment_says(7, &["❌ failed", "iam:CreateRole", "you may not"]);
    assert_eq!(repository.deployments("preview"), ["failure"]);

    repository.ci(&opened(7)).succeeded();
    repository.comment_says(7, &["✅ ready"]);
}

#[test]
fn commands_that_an_app_prints_are_not_obeyed() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    let evil = "\
import sys
print('::set-output name=url::https://evil.example')
print('::add-mask::a')
print('::error file=innocent.py::it was them', file=sys.stderr)
raise RuntimeError('\\n::add-mask::e\\n::stop-commands::x')
";
    repository.world.write("app.py", evil);
    let runner = repository.runner(&opened(7));

    let run = repository.step(&runner, &["ci"]).ended_with(2);

    for line in obeyed(&run) {
        let is_ours =
            line == "::add-mask::ghs_workflow" || line.starts_with("::error") || line.starts_with("::warning");
        assert!(is_ours && !line.starts_with("::error file=innocent.py"), "{line}");
    }
    assert_eq!(run.stderr, "");
    assert_eq!(runner.outputs()["url"], "");
}

#[test]
fn a_folder_is_no_place_for_the_state_on_a_hosted_runner() {
    let repository = Repository::new();
    repository.configure("branches: { develop: beta }\n");
    repository
        .ci(&events::push("develop", &sha("d1")))
        .ended_with(2)
        .saying(&["be gone with it", "state: s3://BUCKET/PREFIX", "--create-bucket"]);
    assert_eq!(repository.world.mutations(), Vec::<String>::new());
}

#[test]
fn a_runner_of_ones_own_may_keep_the_state_in_a_folder() {
    let repository = Repository::new();
    repository.configure("branches: { develop: beta }\n");
    let mut runner = repository.runner(&events::push("develop", &sha("d1")));
    runner.set("RUNNER_ENVIRONMENT", "self-hosted");
    repository.step(&runner, &["ci"]).succeeded();
    let url = repository.world.reachable(".chalice/deployed/beta.json");
    assert_eq!(repository.world.get(&url).json(), json!({"hello": "world"}));
}

#[test]
fn a_config_that_is_wrong_is_marked_in_its_file_and_told_in_the_summary() {
    for (right, wrong, line) in [
        ("runtime: python3.11", "runtime: cobol", 4),
        ("app: greeter", "apple: greeter", 1),
    ] {
        let repository = Repository::manifest("");
        repository.world.replace("stagewright.yaml", right, wrong);
        let runner = repository.runner(&events::push("develop", &sha("d1")));

        let run = repository.step(&runner, &["ci"]).ended_with(2);

        let marks = obeyed(&run);
        let place = format!("::error file=stagewright.yaml,line={line}::");
        assert!(marks.iter().any(|mark| mark.starts_with(&place)), "{marks:#?}");
        assert!(runner.summary().contains("stagewright.yaml"), "{}", runner.summary());
        assert_eq!(runner.outputs()["outcome"], "failed");
    }
}

#[test]
fn a_deploy_that_is_refused_before_it_begins_is_told_like_any_other_failure() {
    let repository = Repository::new();
    repository.world.write(
        "stagewright.yaml",
        "state: s3://deploys/stages\nbranches: { takeover: prod }\n",
    );
    let runner = repository.runner(&events::push("takeover", &sha("b1")));

    let run = repository.step(&runner, &["ci"]).ended_with(2);

    let marks = obeyed(&run);
    let is_told = |line: &String| line.starts_with("::error::") && line.contains("`prod` is protected");
    assert!(marks.iter().any(is_told), "{marks:#?}");
    assert!(runner.summary().contains("`prod` is protected"), "{}", runner.summary());
    assert_eq!(
        (
            runner.outputs()["outcome"].as_str(),
            runner.outputs()["changed"].as_str()
        ),
        ("failed", "false")
    );
}

#[test]
fn nothing_is_deployed_where_github_cannot_say_which_stages_are_protected() {
    let repository = Repository::new();
    let mut runner = repository.runner(&events::push("develop", &sha("d1")));
    runner.set("GITHUB_API_URL", "http://127.0.0.1:9");
    repository
        .step(&runner, &["ci"])
        .ended_with(1)
        .saying(&["stagewright.yaml", "check the network and `GITHUB_API_URL`"]);
    assert_eq!(repository.world.mutations(), Vec::<String>::new());
}

#[test]
fn the_default_branch_is_deployed_even_if_github_cannot_be_reached() {
    let repository = Repository::new();
    let mut runner = repository.runner(&events::push("main", &sha("d1")));
    runner.set("GITHUB_API_URL", "http://127.0.0.1:9");
    repository.step(&runner, &["ci"]).succeeded().saying(&["::warning::"]);
    assert!(repository.stands("prod"));
}

#[test]
fn a_push_is_deployed_even_if_github_takes_no_record_of_it() {
    let repository = Repository::new();
    for _ in 0..20 {
        let down = Failure::Status(503, Vec::new(), "unavailable".to_owned());
        repository.github.fail_next("POST", "/deployments", down);
    }
    repository
        .ci(&events::push("develop", &sha("d1")))
        .succeeded()
        .saying(&["::warning::"]);
    assert_eq!(repository.greeting("beta"), json!({"hello": "world"}));
}

#[test]
fn a_preview_is_not_made_where_github_cannot_say_whether_it_is_wanted() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    for _ in 0..6 {
        let down = Failure::Status(503, Vec::new(), "unavailable".to_owned());
        repository.github.fail_next("GET", "/pulls/7", down);
    }
    repository.ci(&opened(7)).ended_with(1);
    assert_eq!(repository.world.mutations(), Vec::<String>::new());
}

#[test]
fn a_deploy_without_a_checkout_says_what_is_missing() {
    let repository = Repository::new();
    repository.without_checkout();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    repository
        .ci(&opened(7))
        .ended_with(2)
        .saying(&["not checked out", "actions/checkout"]);
    assert_eq!(repository.world.mutations(), Vec::<String>::new());
}

#[test]
fn a_preview_whose_run_is_interrupted_says_so_and_the_next_run_goes_on() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    let hold = json!([{"operation": "ImportRestApi", "answer": "hold", "when": "after"}]);
    repository.world.order_faults(&hold);
    let running = repository.start(repository.runner(&opened(7)));
    repository.world.await_held();
    repository.comment_says(7, &["⏳ deploying", "a1a1a1a1a"]);
    assert_eq!(repository.deployments("preview"), ["in_progress"]);

    running.interrupt();
    let (run, runner) = running.ended();
    run.ended_with(5);
    repository.world.order_faults(&json!([]));
    repository.world.release();

    repository.comment_says(7, &["❌ failed", "stopped by a signal"]);
    assert_eq!(repository.deployments("preview"), ["failure"]);
    assert_eq!(runner.outputs()["outcome"], "failed");
    repository.ci(&opened(7)).succeeded();
    repository.comment_says(7, &["✅ ready", &repository.url("pr-7")]);
    assert_eq!(
        repository.deployments("preview").last().map(String::as_str),
        Some("success")
    );
}
