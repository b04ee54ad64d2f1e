//! An older commit never lands on a newer one, in whatever order runs begin, are started again, or fail.

use serde_json::json;

use crate::github::events;
use crate::github::runner::Runner;
use crate::init::git;
use crate::repository::{Repository, opened, sha};
use crate::world::{Run, World};

/// A push to `main` by a run of some number.
fn push(repository: &Repository, commit: &str, number: u64) -> Runner {
    let mut runner = repository.runner(&events::push("main", &sha(commit)));
    runner.set("GITHUB_RUN_NUMBER", &number.to_string());
    runner.set("GITHUB_RUN_ID", &(1000 + number).to_string());
    runner
}

/// Puts another greeting into the app, and deploys it as a commit.
fn deploy(repository: &Repository, commit: &str, number: u64, greeting: &str) -> Run {
    repository.world.write("app.py", &app(greeting));
    repository.step(&push(repository, commit, number), &["ci"])
}

fn app(greeting: &str) -> String {
    format!(
        "from chalice import Chalice\n\napp = Chalice(app_name=\"hello\")\n\n\n\
         @app.route(\"/\")\ndef index():\n    return {{\"hello\": \"{greeting}\"}}\n"
    )
}

/// Says how `ours` stands to `theirs`, as GitHub would.
fn history(repository: &Repository, theirs: &str, ours: &str, status: &str) {
    let back = match status {
        "ahead" => "behind",
        "behind" => "ahead",
        same => same,
    };
    repository
        .github
        .set_comparison([&sha(theirs), &sha(ours)], status, &["app.py"]);
    repository
        .github
        .set_comparison([&sha(ours), &sha(theirs)], back, &["app.py"]);
}

#[test]
fn an_older_commit_that_is_deployed_again_is_superseded_and_says_why() {
    let repository = Repository::new();
    history(&repository, "c1", "c2", "ahead");
    repository.github.set_branch("main", &sha("c2"));
    deploy(&repository, "c1", 1, "one").succeeded();
    deploy(&repository, "c2", 2, "two").succeeded();
    repository.world.forget_calls();

    repository.world.write("app.py", &app("one"));
    let again = push(&repository, "c1", 1);
    repository
        .step(&again, &["ci"])
        .succeeded()
        .saying(&["c2c2c2c2c", "contains `c1c1c1c1c` already"]);

    assert_eq!(again.outputs()["outcome"], "superseded");
    assert_eq!(again.outputs()["commit"], sha("c2"));
    assert!(again.summary().contains("superseded"), "{}", again.summary());
    assert_eq!(repository.world.mutations(), Vec::<String>::new());
    assert_eq!(repository.greeting("prod"), json!({"hello": "two"}));
    assert_eq!(repository.deployments("prod"), ["inactive", "success"]);
}

#[test]
fn an_older_commit_is_deployed_where_it_is_asked_for_on_purpose() {
    let repository = Repository::new();
    history(&repository, "c1", "c2", "ahead");
    deploy(&repository, "c2", 2, "two").succeeded();

    repository.world.write("app.py", &app("one"));
    let mut again = push(&repository, "c1", 1);
    again.input("allow-older", "true");
    repository.step(&again, &["ci"]).succeeded();
    assert_eq!(repository.greeting("prod"), json!({"hello": "one"}));

    again.input("allow-older", "yes");
    repository
        .step(&again, &["ci"])
        .ended_with(2)
        .saying(&["allow-older", "`true` and `false`"]);
}

#[test]
fn the_same_commit_is_never_older() {
    let repository = Repository::new();
    deploy(&repository, "c1", 5, "one").succeeded();
    deploy(&repository, "c1", 3, "set anew").succeeded();
    assert_eq!(repository.greeting("prod"), json!({"hello": "set anew"}));
}

#[test]
fn a_newer_deploy_that_failed_does_not_let_an_older_one_in() {
    let repository = Repository::new();
    history(&repository, "c1", "c2", "ahead");
    history(&repository, "c1", "c3", "ahead");
    history(&repository, "c2", "c3", "ahead");
    deploy(&repository, "c1", 1, "one").succeeded();
    repository
        .world
        .order_faults(&json!([{"operation": "UpdateFunctionCode", "answer": {"status": 400, "code": "InvalidParameterValueException", "message": "on order"}}]));
    assert_ne!(deploy(&repository, "c3", 3, "three").code, 0);

    deploy(&repository, "c2", 2, "two").succeeded().saying(&[
        "c3c3c3c3c",
        "which was begun after it",
        "contains `c2c2c2c2c` already",
    ]);
    assert_eq!(repository.greeting("prod"), json!({"hello": "one"}));

    deploy(&repository, "c3", 3, "three").succeeded();
    assert_eq!(repository.greeting("prod"), json!({"hello": "three"}));
}

#[test]
fn a_newer_commit_that_changes_nothing_keeps_an_older_one_out_as_well() {
    let repository = Repository::new();
    history(&repository, "c1", "c2", "ahead");
    history(&repository, "c1", "c3", "ahead");
    history(&repository, "c2", "c3", "ahead");
    deploy(&repository, "c1", 1, "one").succeeded();
    deploy(&repository, "c3", 3, "one").succeeded();

    deploy(&repository, "c2", 2, "two").succeeded().saying(&["Superseded"]);
    assert_eq!(repository.greeting("prod"), json!({"hello": "one"}));
}

#[test]
fn after_a_forced_push_the_present_head_of_the_branch_decides() {
    let repository = Repository::new();
    history(&repository, "c1", "c2", "diverged");
    deploy(&repository, "c1", 1, "one").succeeded();
    repository.github.set_branch("main", &sha("c2"));
    deploy(&repository, "c2", 2, "two").succeeded();
    assert_eq!(repository.greeting("prod"), json!({"hello": "two"}));

    deploy(&repository, "c1", 1, "one")
        .succeeded()
        .saying(&["`c1c1c1c1c` is not part of the branch any more"]);
    assert_eq!(repository.greeting("prod"), json!({"hello": "two"}));
}

#[test]
fn a_branch_that_was_put_back_by_force_takes_its_stage_back() {
    let repository = Repository::new();
    history(&repository, "c1", "c2", "ahead");
    deploy(&repository, "c2", 2, "two").succeeded();
    repository.github.set_branch("main", &sha("c1"));
    deploy(&repository, "c1", 3, "one").succeeded();
    assert_eq!(repository.greeting("prod"), json!({"hello": "one"}));
}

#[test]
fn where_github_knows_no_history_the_later_run_of_the_workflow_counts() {
    let repository = Repository::new();
    deploy(&repository, "c2", 2, "two").succeeded();
    deploy(&repository, "c1", 1, "one")
        .succeeded()
        .saying(&["is of a later run than `c1c1c1c1c`"]);
    assert_eq!(repository.greeting("prod"), json!({"hello": "two"}));
    deploy(&repository, "c3", 3, "three").succeeded();
    assert_eq!(repository.greeting("prod"), json!({"hello": "three"}));
}

#[test]
fn a_preview_is_not_put_back_by_a_run_of_a_former_commit_of_its_pull_request() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    history(&repository, "a1", "a2", "ahead");
    repository.github.push_to(7, &sha("a2"));
    let newer = events::pull_request(7).synchronized(&sha("a2")).base("main");
    repository.ci(&newer).succeeded();
    let comment = repository.comment(7);

    repository.ci(&opened(7)).succeeded().saying(&["Superseded"]);
    assert_eq!(repository.comment(7), comment);
    assert_eq!(
        repository.world.state("hello", "pr-7")["stagewright"]["release"]["commit"],
        sha("a2")
    );
}

#[test]
fn a_superseded_run_stands_in_the_history_of_its_stage() {
    let repository = Repository::new();
    history(&repository, "c1", "c2", "ahead");
    deploy(&repository, "c2", 2, "two").succeeded();
    deploy(&repository, "c1", 1, "one").succeeded();
    let ours = repository.world.state("hello", "prod")["stagewright"].clone();
    assert_eq!(ours["last"]["outcome"], "ready");
    let former = ours["history"].as_array().cloned().unwrap_or_default();
    let outcomes: Vec<_> = former.iter().map(|run| (&run["outcome"], &run["commit"])).collect();
    assert_eq!(outcomes, [(&json!("superseded"), &json!(sha("c1")))]);
}

#[test]
fn at_a_terminal_the_checkout_says_which_commit_is_older() {
    let world = World::new();
    world.chalice_hello();
    git(&world, &["init", "--quiet"]);
    let commit = |greeting: &str| {
        world.write("app.py", &app(greeting));
        git(&world, &["add", "--all"]);
        let who = ["-c", "user.name=ann", "-c", "user.email=ann@example.com"];
        git(
            &world,
            &[&who[..], &["commit", "--quiet", "--message", greeting]].concat(),
        );
    };
    commit("one");
    commit("two");
    let url = world.deploy("dev");

    git(&world, &["checkout", "--quiet", "HEAD~1"]);
    let run = world.run(&["--json", "deploy", "--stage", "dev"]).succeeded();
    assert_eq!(run.json()["outcome"], "superseded");
    assert!(
        run.json()["reason"].to_string().contains("--allow-older"),
        "{}",
        run.stdout
    );
    assert_eq!(world.get(&url).json(), json!({"hello": "two"}));

    world.run(&["deploy", "--stage", "dev", "--allow-older"]).succeeded();
    assert_eq!(world.get(&url).json(), json!({"hello": "one"}));
}
