//! `doctor`, the store that is tried before it is relied on, and updates that name the revision that they mean.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::github::{Failure, GitHub, REPOSITORY, RUN, TOKEN};
use crate::http::Request;
use crate::world::{Run, World};

#[test]
fn a_store_that_lies_is_refused_before_anything_is_changed() {
    for lies in ["all", "if-match", "race"] {
        let world = World::new();
        world.chalice_hello();
        world.set_aws(&json!({"lies": lies}));
        for _ in 0..2 {
            world.run(&["deploy", "--stage", "dev"]).ended_with(2).saying(&[
                "s3://deploys/stages/hello/stagewright-probe.json",
                &world.endpoint(""),
                "`If-",
                "a bucket of AWS's own S3, or a folder",
                "nothing was changed",
            ]);
        }
        assert_eq!(world.mutations(), Vec::<String>::new(), "{lies}");
        assert_eq!(world.object("stages/hello/dev.json").status, 404, "{lies}");
    }
}

#[test]
fn a_store_that_lied_is_trusted_again_when_its_probe_was_removed_and_it_is_honest() {
    let world = World::new();
    world.chalice_hello();
    world.set_aws(&json!({"lies": "race"}));
    world
        .run(&["doctor"])
        .ended_with(2)
        .saying(&["more than one were accepted"]);
    world.set_aws(&json!({}));
    world
        .run(&["deploy"])
        .ended_with(2)
        .saying(&["stagewright-probe.json", "remove"]);
    let probe = world.endpoint("/deploys/stages/hello/stagewright-probe.json");
    Request::new("DELETE", &probe).send();
    world.run(&["doctor"]).succeeded();
    world.deploy("dev");
}

#[test]
fn a_first_deploy_makes_three_requests_for_the_state_and_a_store_is_tried_once() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    assert_eq!(
        requests(&world, "hello/dev.json"),
        ["GetObject", "PutObject", "PutObject"]
    );
    assert!(requests(&world, "stagewright-probe.json").len() > 3);

    world.forget_calls();
    world.deploy("prod");
    assert_eq!(
        requests(&world, "hello/prod.json"),
        ["GetObject", "PutObject", "PutObject"]
    );
    assert_eq!(requests(&world, "stagewright-probe.json"), ["GetObject"]);
    assert!(!world.run(&["stages"]).succeeded().stdout.contains("probe"));
}

#[test]
fn a_throttled_probe_is_tried_again_and_is_no_lie() {
    let world = World::new();
    world.chalice_hello();
    let of = |answer: Value, when: &str| json!({"operation": "PutObject", "match": "stagewright-probe.json", "answer": answer, "when": when, "times": 2});
    let slow = json!({"status": 503, "code": "SlowDown", "message": "on order"});
    world.order_faults(&json!([of(slow, "before"), of(json!("close"), "after")]));
    world.deploy("dev");
}

#[test]
fn several_first_deploys_at_once_try_the_store_and_none_calls_it_a_liar() {
    let world = World::new();
    world.chalice_hello();
    let start = |stage: &str| {
        let mut program = world.program();
        program.args(["deploy", "--stage", stage]);
        let program = program.stdout(Stdio::null()).stderr(Stdio::piped());
        program.spawn().expect("it starts")
    };
    let all = ["one", "two", "three"].map(start);
    for one in all {
        let ended = one.wait_with_output().expect("it ends");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
}

#[test]
fn the_name_of_the_probe_is_no_stage() {
    let world = World::with_folder_state();
    world.chalice_hello();
    let run = world.run(&["deploy", "--stage", "stagewright-probe"]);
    run.ended_with(2).saying(&["stagewright-probe", "kept"]);
}

#[test]
fn where_all_is_well_doctor_says_so_and_changes_only_its_probe() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("dev");
    world.forget_calls();
    let verdicts = verdicts(&world.run(&["doctor", "--json"]).succeeded());
    for about in [
        "config",
        "app",
        "state",
        "credentials",
        "bucket",
        "conditional writes",
        "clock",
        "stages",
    ] {
        assert_eq!(
            verdicts.get(about).map(String::as_str),
            Some("ok"),
            "{about}: {verdicts:?}"
        );
    }
    // The bucket of a world is as plain as it can be.
    assert_eq!(verdicts["versions"], "warning");
    assert_eq!(verdicts["public access"], "warning");
    let written: Vec<String> = world
        .calls()
        .into_iter()
        .filter(|call| call.mutates)
        .map(|call| call.target)
        .collect();
    assert!(
        written.iter().all(|target| target.ends_with("/stagewright-probe.json")),
        "{written:?}"
    );
}

#[test]
fn a_bucket_that_init_made_has_nothing_to_be_warned_of() {
    let world = World::with_folder_state();
    world.manifest_hello();
    let made = [
        "init",
        "--yes",
        "--repository",
        "acme/shop",
        "--region",
        "us-east-1",
        "--create-bucket",
    ];
    let state = ["--state", "s3://acme-fresh/stages"];
    world.run(&[&made[..], &state].concat()).succeeded();
    let run = world.run(&[&["doctor"][..], &state].concat()).succeeded();
    assert!(!run.stdout.contains("warning"), "{}", run.stdout);
}

#[test]
fn a_folder_is_tried_too() {
    let world = World::with_folder_state();
    world.chalice_hello();
    world.deploy("dev");
    let said = world.run(&["doctor"]).succeeded();
    said.saying(&["conditional writes", "1 stage is recorded"]);
    assert!(
        world
            .read(".chalice/deployed/stagewright-probe.json")
            .contains("reliable")
    );
    assert!(!world.run(&["stages"]).succeeded().stdout.contains("probe"));
}

#[test]
fn doctor_needs_no_project_and_names_a_bucket_that_is_missing() {
    let world = World::with_folder_state();
    world
        .run(&["doctor"])
        .ended_with(2)
        .saying(&["problem", "config", "--app NAME"]);
    let told = ["--app", "hello", "--state", "s3://nowhere-to-be-found/stages"];
    let run = world.run(&[&["doctor"][..], &told].concat()).ended_with(1);
    run.saying(&["nowhere-to-be-found", "there is no such bucket", "aws s3 mb"]);
}

#[test]
fn stages_that_are_held_or_in_doubt_or_cannot_be_read_are_told() {
    let world = World::new();
    world.chalice_hello();
    world.deploy("held");
    world.deploy("doubtful");
    let mut state = world.state("hello", "held");
    let since = "2026-01-01T00:00:00Z";
    state["stagewright"]["lease"] =
        json!({"mark": "m", "holder": "ann@laptop", "purpose": "deploy", "since": since, "renewals": 1});
    world.write_state("hello", "held", &state.to_string());
    let mut state = world.state("hello", "doubtful");
    let resource = state["stagewright"]["deployed"]["function/api_handler"]["resource"].clone();
    state["stagewright"]["in_doubt"] = json!({"function/api_handler": {"intent": "update", "resource": resource}});
    world.write_state("hello", "doubtful", &state.to_string());

    let run = world.run(&["doctor"]).succeeded();
    run.saying(&[
        "warning  stage held: ann@laptop holds it",
        "warning  stage doubtful: in doubt: function/api_handler",
    ]);
    world.write_state("hello", "broken", "{");
    world
        .run(&["doctor"])
        .ended_with(2)
        .saying(&["problem  stage broken", "is not a state"]);
}

#[test]
fn a_state_that_is_broken_comes_with_the_version_that_could_be_put_back() {
    let world = World::new();
    world.chalice_hello();
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let versioning = world.endpoint("/deploys?versioning");
    assert_eq!(Request::new("PUT", &versioning).body(on.as_bytes()).send().status, 200);
    world.deploy("dev");
    world.write_state("hello", "dev", "{");
    world
        .run(&["doctor"])
        .ended_with(2)
        .saying(&["problem  stage dev", "can be read"]);
}

#[test]
fn the_policy_of_the_bucket_is_printed_and_nothing_else() {
    let world = World::new();
    world.chalice_hello();
    for line in [
        &["doctor", "--bucket-policy"][..],
        &["doctor", "--bucket-policy", "--json"],
    ] {
        let policy = world.run(line).succeeded().json();
        assert_eq!(policy["Statement"][0]["Resource"], "arn:aws:s3:::deploys/stages/*.json");
        assert_eq!(policy["Statement"][0]["Effect"], "Deny");
    }
    assert!(world.calls().is_empty());
    let folder = World::with_folder_state();
    folder.chalice_hello();
    let whole = folder
        .run(&["doctor", "--bucket-policy", "--state", "s3://acme"])
        .succeeded();
    assert_eq!(whole.json()["Statement"][0]["Resource"], "arn:aws:s3:::acme/*.json");
    assert!(
        whole.stderr.contains("every `.json` in bucket `acme`"),
        "{}",
        whole.stderr
    );
    folder
        .run(&["doctor", "--bucket-policy"])
        .ended_with(2)
        .saying(&["s3://BUCKET/PREFIX"]);
}

#[test]
fn a_function_that_somebody_changed_meanwhile_is_not_overwritten_and_the_next_run_repairs_it() {
    let world = World::new();
    world.chalice_hello();
    let url = world.deploy("dev");
    world.replace("app.py", "\"world\"", "\"again\"");
    world.order_faults(&json!([{"operation": "UpdateFunctionCode", "answer": "hold"}]));
    let mut program = world.program();
    program.args(["deploy", "--stage", "dev"]);
    let program = program.stdout(Stdio::null()).stderr(Stdio::piped());
    let program = program.spawn().expect("it starts");
    world.await_held();
    let configuration = world.endpoint("/2015-03-31/functions/hello-dev/configuration");
    let changed = Request::new("PUT", &configuration).signed("lambda", "test");
    let changed = changed.body(br#"{"Description": "somebody was here"}"#).send();
    assert_eq!(changed.status, 200, "{}", changed.text());
    world.release();
    let ended = program.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("lambda:UpdateFunctionCode on `hello-dev`"), "{said}");
    assert!(said.contains("somebody else changed the function"), "{said}");
    assert_eq!(world.get(&url).json(), json!({"hello": "world"}));

    assert_eq!(world.deploy("dev"), url);
    assert_eq!(world.get(&url).json(), json!({"hello": "again"}));
}

#[test]
fn an_update_whose_answer_was_lost_is_no_change_of_somebody_else() {
    let world = World::new();
    world.chalice_hello();
    let url = world.deploy("dev");
    world.replace("app.py", "\"world\"", "\"again\"");
    let refused = json!({"status": 500, "code": "ServiceException", "message": "on order"});
    world.order_faults(&json!([
        {"operation": "UpdateFunctionCode", "answer": "close", "when": "after"},
        {"operation": "UpdateFunctionCode", "answer": refused, "when": "after"},
    ]));
    assert_eq!(world.deploy("dev"), url);
    assert_eq!(world.get(&url).json(), json!({"hello": "again"}));
}

#[test]
fn a_token_that_may_not_read_runs_is_warned_of() {
    let (world, github) = (World::new(), GitHub::start());
    world.chalice_hello();
    let doctor = |run: &str| {
        let mut command = world.program();
        let url = github.api_url();
        command.envs([("GITHUB_API_URL", url.as_str()), ("GITHUB_TOKEN", TOKEN)]);
        command.envs([("GITHUB_REPOSITORY", REPOSITORY), ("GITHUB_RUN_ID", run)]);
        command.args(["doctor", "--json"]);
        let found = Run::from(command.output().expect("the program runs"))
            .succeeded()
            .json();
        let found = found["findings"].as_array().cloned().unwrap_or_default();
        let of_github = found.into_iter().find(|finding| finding["about"] == "github");
        let of_github = of_github.expect("GitHub was looked at");
        let text = |key: &str| of_github[key].as_str().unwrap_or_default().to_owned();
        (text("verdict"), text("message"))
    };
    let current = RUN.to_string();
    assert_eq!(doctor(&current).0, "ok");
    github.fail_next("GET", "/actions/runs", Failure::forbidden("actions=read"));
    assert_eq!(doctor(&current).0, "warning");
    for (run, says) in [("4711", "does not see the repository"), ("", "not asked")] {
        let (verdict, message) = doctor(run);
        assert_eq!(verdict, "warning");
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn of_several_ways_to_an_account_the_one_that_fails_is_named() {
    let world = World::new();
    world.manifest_hello();
    let denied = json!({"status": 403, "code": "AccessDenied", "message": "on order"});
    world.order_faults(&json!([{"operation": "GetCallerIdentity", "answer": denied, "times": 9}]));
    let run = world.run(&["--region", "us-east-1", "doctor"]).ended_with(1);
    run.saying(&["problem  credentials: in us-east-1: sts:GetCallerIdentity"]);
}

/// The requests for an object, in their order.
fn requests(world: &World, object: &str) -> Vec<String> {
    let about = world.calls().into_iter().filter(|call| call.target.ends_with(object));
    about.map(|call| call.operation).collect()
}

/// What was found of each thing that was looked at.
fn verdicts(run: &Run) -> BTreeMap<String, String> {
    let findings = run.json()["findings"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings
        .iter()
        .map(|finding| (text(&finding["about"]), text(&finding["verdict"])))
        .collect()
}
