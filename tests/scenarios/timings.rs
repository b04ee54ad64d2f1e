//! `--timings`: where the time of a run went, call by call; and what is not called twice.

use serde_json::{Value, json};

use crate::github::TOKEN;
use crate::repository::{Repository, opened, sha};
use crate::world::{Call, World};

const ROLE: &str = "arn:aws:iam::000000000000:role/deployer";

/// The requests that timings tell of, those of GitHub apart, in the order of the alphabet.
fn told(timings: &Value, is_wanted: fn(&str) -> bool) -> Vec<String> {
    let calls = timings["calls"].as_array().expect("calls");
    let mut told = Vec::new();
    for call in calls {
        let service = call["service"].as_str().expect("a service");
        let name = format!("{service}:{}", call["operation"].as_str().expect("an operation"));
        let attempts = call["attempts"].as_u64().expect("attempts");
        told.extend((0..attempts).filter(|_| is_wanted(service)).map(|_| name.clone()));
    }
    told.sort();
    told
}

fn aws(service: &str) -> bool {
    service != "github"
}

/// The requests that reached AWS, in the order of the alphabet.
fn reached(calls: &[Call]) -> Vec<String> {
    let mut reached: Vec<String> = calls
        .iter()
        .map(|call| format!("{}:{}", call.service, call.operation))
        .collect();
    reached.sort();
    reached
}

#[test]
fn every_request_that_reached_aws_is_told_and_none_twice() {
    let world = World::new();
    world.chalice_hello();
    // Slow roles make pauses, and a busy store has a call sent again.
    world.set_aws(&json!({"role_delay_s": 6}));
    let busy = json!({"status": 503, "code": "SlowDown", "message": "busy"});
    world.order_faults(&json!([{"operation": "GetObject", "answer": busy}]));
    world.forget_calls();

    let said = world.run(&["deploy", "--timings", "--json"]).succeeded().json();

    let timings = &said["timings"];
    assert_eq!(told(timings, aws), reached(&world.calls()));
    let waits = timings["waits"].as_array().expect("waits");
    assert!(
        waits
            .iter()
            .any(|wait| wait["reason"].as_str().is_some_and(|why| why.contains("assume"))),
        "{waits:?}"
    );
    let created = |call: &&Value| call["operation"] == "CreateFunction" && call["status"] == 201;
    let calls = timings["calls"].as_array().expect("calls");
    let created = calls.iter().find(created).expect("the function is created");
    assert_eq!(
        (&created["target"], &created["phase"], &created["awaited"]),
        (&json!("function/api_handler"), &json!("applying"), &json!(true))
    );
    let phases: Vec<&str> = timings["phases"]
        .as_array()
        .expect("phases")
        .iter()
        .filter_map(|phase| phase["phase"].as_str())
        .collect();
    for phase in [
        "reading state",
        "reading app",
        "packaging",
        "planning",
        "applying",
        "recording",
    ] {
        assert!(phases.contains(&phase), "no {phase} in {phases:?}");
    }
}

#[test]
fn people_are_told_beside_the_result_and_only_where_they_asked() {
    let world = World::new();
    world.chalice_hello();
    let run = world.run(&["deploy", "--timings"]).succeeded();
    assert_eq!(world.get(&run.last_word()).status, 200);
    for text in [
        "Where the time went: ",
        "lambda:CreateFunction function/api_handler",
        "\n* ",
    ] {
        assert!(run.stderr.contains(text), "no {text:?} in\n{}", run.stderr);
    }
    let silent = world.run(&["deploy"]).succeeded();
    assert!(!silent.stderr.contains("Where the time went"), "{}", silent.stderr);
    assert!(
        world
            .run(&["deploy", "--json"])
            .succeeded()
            .json()
            .get("timings")
            .is_none()
    );
}

#[test]
fn plan_and_destroy_tell_theirs_and_a_run_that_fails_does_too() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    for arguments in [
        ["plan", "--stage", "dev", "--json", "--timings"].as_slice(),
        ["destroy", "--stage", "dev", "--yes", "--json", "--timings"].as_slice(),
    ] {
        world.forget_calls();
        let said = world.run(arguments).succeeded().json();
        assert_eq!(told(&said["timings"], aws), reached(&world.calls()), "{arguments:?}");
    }
    let denied = json!({"status": 403, "code": "AccessDenied", "message": "no"});
    world.order_faults(&json!([{"operation": "GetObject", "answer": denied}]));
    world.forget_calls();
    let said = world.run(&["plan", "--json", "--timings"]).ended_with(1).json();
    assert_eq!(told(&said["timings"], aws), ["s3:GetObject"]);
    assert_eq!(said["timings"]["calls"][0]["status"], 403);
}

#[test]
fn a_run_of_github_has_them_folded_in_its_summary_where_the_workflow_asks() {
    let repository = Repository::new();
    repository.github.open_pull_request(7, &sha("a1"), "main");
    let mut runner = repository.runner(&opened(7));
    runner.input("timings", "true");
    repository.github.forget_calls();

    let run = repository.step(&runner, &["ci", "--json"]).succeeded();

    let summary = runner.summary();
    let part = summary.split("<details><summary>Where the time went: ").nth(1);
    let part = part.unwrap_or_else(|| panic!("no timings in\n{summary}"));
    assert!(part.contains("iam:CreateRole role/"), "{part}");
    assert!(part.contains("github:"), "{part}");
    assert!(!part.contains(TOKEN), "{part}");
    let begins = run.stdout.find("{\n").expect("an answer");
    let answer = run.stdout[begins..].split("\n}\n").next().expect("its end");
    let said: Value = serde_json::from_str(&format!("{answer}\n}}")).expect("JSON");
    let of_github = told(&said["timings"], |service| service == "github");
    assert_eq!(of_github.len(), repository.github.calls().len(), "{of_github:?}");

    runner.input("timings", "perhaps");
    repository
        .step(&runner, &["ci"])
        .ended_with(2)
        .saying(&["`timings` is `perhaps`", "`true` and `false`"]);
}

#[test]
fn a_role_that_state_and_stage_are_reached_by_is_assumed_once() {
    let world = World::new();
    world.chalice_hello();
    let said = world
        .run(&["--role", ROLE, "deploy", "--timings", "--json"])
        .succeeded()
        .json();
    let calls = world.calls();
    let assumed = calls.iter().filter(|call| call.operation.starts_with("AssumeRole"));
    assert_eq!(assumed.count(), 1);
    assert_eq!(told(&said["timings"], aws), reached(&calls));
}
