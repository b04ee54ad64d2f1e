//! A stage whose holder is gone: who takes it over, when, and what becomes of calls that land late.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::github::events;
use crate::github::runner::Runner;
use crate::repository::{Repository, sha};
use crate::world::World;

/// A run of its own that a push started.
fn run(repository: &Repository, id: u64) -> Runner {
    let mut runner = repository.runner(&events::push("develop", &sha("d1")));
    runner.set("GITHUB_RUN_ID", &id.to_string());
    runner.set("GITHUB_RUN_NUMBER", &id.to_string());
    runner.set("RUNNER_NAME", &format!("machine {id}"));
    runner
}

/// A repository whose stage `beta` is held by a run that was killed in the middle of its first deploy.
fn with_a_killed_run(id: u64) -> Repository {
    let repository = Repository::new();
    let world = &repository.world;
    world.order_faults(&json!([{"operation": "CreateFunction", "answer": "hold"}]));
    let killed = repository.start(run(&repository, id));
    world.await_held();
    killed.kill();
    world.order_faults(&json!([]));
    world.release();
    repository
}

#[test]
fn a_holder_whose_run_has_ended_is_replaced_without_waiting_for_its_lease() {
    let repository = with_a_killed_run(2001);
    repository.github.set_run(2001, 1, "completed");
    let mut next = run(&repository, 2002);
    // A lease lasts 30 s: whoever waited for its end would give up before.
    next.input("wait", "27s");
    repository
        .step(&next, &["ci"])
        .succeeded()
        .saying(&["waiting: octo/app run 2001 holds stage `beta`"]);
    assert_eq!(repository.greeting("beta"), json!({"hello": "world"}));
}

#[test]
fn a_holder_whose_run_goes_on_is_never_replaced_however_long_it_is_silent() {
    let repository = with_a_killed_run(2001);
    repository.github.set_run(2001, 1, "in_progress");
    let before = repository.world.state("hello", "beta");
    let mut next = run(&repository, 2002);
    // Longer than a lease lasts.
    next.input("wait", "36s");
    repository
        .step(&next, &["ci"])
        .ended_with(3)
        .saying(&["octo/app run 2001", "stagewright unlock --stage beta"]);
    assert_eq!(repository.world.state("hello", "beta"), before);
}

#[test]
fn a_holder_whose_job_has_ended_is_replaced_though_its_run_goes_on() {
    let repository = with_a_killed_run(2001);
    let github = &repository.github;
    github.set_run(2001, 1, "in_progress");
    let mut jobs = vec![("completed", Some("another machine")); 100];
    jobs.extend([
        ("in_progress", Some("slow machine")),
        ("waiting", None),
        ("completed", Some("machine 2001")),
    ]);
    github.set_jobs(2001, 1, &jobs);
    let mut next = run(&repository, 2002);
    // Too short for whoever waits for the end of a lease.
    next.input("wait", "27s");
    repository.step(&next, &["ci"]).succeeded();
    assert_eq!(repository.greeting("beta"), json!({"hello": "world"}));
    assert_eq!(github.violations(), Vec::<String>::new());
}

#[test]
fn a_job_that_has_ended_on_another_runner_says_nothing_of_the_holder() {
    let repository = with_a_killed_run(2001);
    let github = &repository.github;
    github.set_run(2001, 1, "in_progress");
    github.set_jobs(
        2001,
        1,
        &[("completed", Some("machine 2")), ("in_progress", Some("machine 2001"))],
    );
    let before = repository.world.state("hello", "beta");
    let mut next = run(&repository, 2002);
    // Longer than a lease lasts.
    next.input("wait", "36s");
    repository.step(&next, &["ci"]).ended_with(3);
    assert_eq!(repository.world.state("hello", "beta"), before);
}

#[test]
fn a_job_that_was_killed_does_not_keep_out_a_later_job_of_its_run() {
    let repository = with_a_killed_run(2001);
    let github = &repository.github;
    github.set_run(2001, 1, "in_progress");
    github.set_jobs(
        2001,
        1,
        &[
            ("completed", Some("machine 2001")),
            ("in_progress", Some("later machine")),
        ],
    );
    let mut next = run(&repository, 2001);
    next.set("RUNNER_NAME", "later machine");
    next.input("wait", "27s");
    repository.step(&next, &["ci"]).succeeded();
    assert_eq!(repository.greeting("beta"), json!({"hello": "world"}));
}

#[test]
fn a_holder_of_whom_the_host_says_nothing_is_replaced_when_its_lease_has_run_out() {
    let repository = with_a_killed_run(2001);
    let mut next = run(&repository, 2002);
    next.input("wait", "50s");
    repository.step(&next, &["ci"]).succeeded();
    assert_eq!(repository.greeting("beta"), json!({"hello": "world"}));
}

#[test]
fn a_step_of_the_same_run_is_not_kept_out_by_one_that_was_killed() {
    let repository = with_a_killed_run(2001);
    repository.github.set_run(2001, 1, "in_progress");
    let mut next = run(&repository, 2001);
    next.input("wait", "50s");
    repository.step(&next, &["ci"]).succeeded();
    assert_eq!(repository.greeting("beta"), json!({"hello": "world"}));
}

/// A stage that was taken over from a killed deploy, whose import lands only now.
fn with_a_late_import() -> (World, String) {
    let world = World::new();
    world.chalice_hello();
    world.order_faults(&json!([{"operation": "ImportRestApi", "answer": "hold"}]));
    kill_when_held(&world);
    let url = world.run(&["deploy", "--stage", "dev"]).succeeded().last_word();
    assert_eq!(apis(&world), 1);
    world.release();
    (world, url)
}

/// Deploys, and kills that when a call of it is held.
fn kill_when_held(world: &World) {
    let mut program = world.program();
    let program = program.args(["deploy", "--stage", "dev"]);
    let mut killed = program.stdout(Stdio::null()).spawn().expect("it starts");
    world.await_held();
    killed.kill().expect("it can be killed");
    killed.wait().expect("it is gone");
    world.order_faults(&json!([]));
}

fn apis(world: &World) -> usize {
    world.aws()["apis"].as_array().map_or(0, Vec::len)
}

/// Lets the store's clock have gone on since the takeover.
fn age(world: &World, stage: &str, minutes: i64) {
    let mut state = world.state("hello", stage);
    let late = state["stagewright"]["late"].as_object_mut().expect("something is late");
    for entry in late.values_mut() {
        let since: jiff::Timestamp = entry["since"].as_str().expect("a moment").parse().expect("a moment");
        let earlier = since - jiff::SignedDuration::from_mins(minutes);
        entry["since"] = Value::String(earlier.to_string());
    }
    world.write_state("hello", stage, &state.to_string());
}

#[test]
fn an_import_of_a_killed_deploy_that_lands_late_is_found_and_removed() {
    let (world, url) = with_a_late_import();
    assert_eq!(apis(&world), 2);
    age(&world, "dev", 6);

    world.run(&["deploy", "--stage", "dev"]).succeeded();

    assert_eq!(apis(&world), 1);
    assert_eq!(world.get(&url).json(), json!({"hello": "world"}));
    assert_eq!(world.state("hello", "dev")["stagewright"]["late"], Value::Null);
    world
        .run(&["plan", "--stage", "dev"])
        .succeeded()
        .saying(&["Nothing to change"]);
}

#[test]
fn an_import_that_lands_behind_the_removal_of_its_stage_is_removed_by_the_sweep() {
    let (world, _) = with_a_late_import();
    world.run(&["destroy", "--stage", "dev", "--yes"]).succeeded();
    assert_eq!(apis(&world), 1);
    age(&world, "dev", 6);

    world.run(&["sweep"]).succeeded();

    assert_eq!(apis(&world), 0);
    assert_eq!(world.state("hello", "dev")["stagewright"]["late"], Value::Null);
}

#[test]
fn what_may_land_late_holds_nobody_up() {
    let (world, url) = with_a_late_import();
    world.forget_calls();
    let again = world.run(&["--json", "deploy", "--stage", "dev"]).succeeded();
    assert_eq!(again.json()["outcome"], "unchanged");
    assert_eq!(world.mutations(), Vec::<String>::new());
    world.replace("app.py", "world", "changed world");
    world.run(&["deploy", "--stage", "dev"]).succeeded();
    assert_eq!(world.get(&url).json(), json!({"hello": "changed world"}));
}

#[test]
fn a_function_that_a_late_call_put_back_is_set_up_anew() {
    let world = World::new();
    world.chalice_hello();
    let url = world.deploy("dev");
    world.replace("app.py", "world", "changed world");
    world.order_faults(&json!([{"operation": "UpdateFunctionCode", "answer": "hold"}]));
    kill_when_held(&world);
    world.replace("app.py", "changed world", "newest world");
    world.run(&["deploy", "--stage", "dev"]).succeeded();
    assert_eq!(world.get(&url).json(), json!({"hello": "newest world"}));

    world.release();
    age(&world, "dev", 6);
    world.run(&["deploy", "--stage", "dev"]).succeeded();
    assert_eq!(world.get(&url).json(), json!({"hello": "newest world"}));
}
