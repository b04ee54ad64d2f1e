//! The form of a state: what is read, what is refused, and what is written back.

use super::*;

fn expected<'a>(app: Option<&'a AppName>, stage: &'a StageName) -> Expected<'a> {
    Expected {
        app,
        stage,
        object: "s3://b/shop/prod.json",
    }
}

fn names() -> (AppName, StageName) {
    ("shop".parse().unwrap(), "prod".parse().unwrap())
}

const OF_CHALICE: &str = r#"{"resources": [
    {"name": "default-role", "resource_type": "iam_role", "role_arn": "arn:aws:iam::1:role/shop-prod", "role_name": "shop-prod"},
    {"name": "api_handler", "resource_type": "lambda_function", "lambda_arn": "arn:aws:lambda:eu-west-1:1:function:shop-prod"},
    {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "abc", "rest_api_url": "https://abc.execute-api.eu-west-1.amazonaws.com/api/"}
], "schema_version": "2.0", "backend": "api"}"#;

#[test]
fn a_stage_that_chalice_deployed_is_taken_over_with_all_its_ids() {
    let (app, stage) = names();
    let state = parse(OF_CHALICE.as_bytes(), expected(Some(&app), &stage), "salt".to_owned()).unwrap();
    assert_eq!(
        state.served().map(|served| served.url.as_str()),
        Some("https://abc.execute-api.eu-west-1.amazonaws.com/api/")
    );
    assert_eq!(state.deployed.len(), 4);
    assert_eq!(
        state.place.as_ref().map(|place| place.region.as_str()),
        Some("eu-west-1")
    );
    let written: Value = serde_json::from_slice(&render(&state)).unwrap();
    assert_eq!(
        written["resources"],
        serde_json::from_str::<Value>(OF_CHALICE).unwrap()["resources"]
    );
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let (app, stage) = names();
    let state = parse(OF_CHALICE.as_bytes(), expected(Some(&app), &stage), "salt".to_owned()).unwrap();
    let again = parse(&render(&state), expected(None, &stage), String::new()).unwrap();
    assert_eq!(again, state);
}

#[test]
fn a_state_of_another_stage_or_of_the_future_or_of_nobody_is_refused() {
    let (app, stage) = names();
    let other: StageName = "beta".parse().unwrap();
    let state = State::new(app.clone(), stage.clone(), String::new());
    let read = |bytes: &[u8], stage| parse(bytes, expected(Some(&app), stage), String::new());
    assert!(matches!(read(&render(&state), &other), Err(Error::Misplaced { .. })));
    let newer = State {
        format: FORMAT + 1,
        ..state
    };
    assert!(matches!(
        read(&render(&newer), &stage),
        Err(Error::Newer { format: 2, .. })
    ));
    for damaged in [
        "",
        "[]",
        "{}",
        "{\"stagewright\": {\"format\": 1}}",
        "{\"schema_version\": \"1.0\"}",
    ] {
        assert!(
            matches!(read(damaged.as_bytes(), &stage), Err(Error::Damaged { .. })),
            "{damaged}"
        );
    }
}

#[test]
fn a_kind_that_we_cannot_keep_yet_is_named_and_not_dropped() {
    let (app, stage) = names();
    let event = r#"{"resources": [{"name": "tick-event", "resource_type": "cloudwatch_event", "rule_name": "r"}],
        "schema_version": "2.0", "backend": "api"}"#;
    let error = parse(event.as_bytes(), expected(Some(&app), &stage), String::new()).unwrap_err();
    assert!(
        error.to_string().contains("`tick-event` of type `cloudwatch_event`"),
        "{error}"
    );
}

/// The formats that were ever written, as files.
fn formats() -> Vec<(String, Vec<u8>)> {
    let folder = std::env::current_dir().unwrap().join("tests/formats");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |file: std::path::PathBuf| (file.display().to_string(), std::fs::read(&file).unwrap());
    files.map(read).collect()
}

fn read_hello(bytes: &[u8]) -> Result<State, Error> {
    let (app, stage) = ("hello".parse().unwrap(), "dev".parse().unwrap());
    parse(bytes, expected(Some(&app), &stage), "salt".to_owned())
}

#[test]
fn every_format_that_was_ever_written_is_read_and_nothing_of_it_is_lost() {
    let formats = formats();
    assert!(formats.len() >= 3);
    for (file, bytes) in formats {
        let state = read_hello(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        let (before, after): (Value, Value) = (
            serde_json::from_slice(&bytes).unwrap(),
            serde_json::from_slice(&render(&state)).unwrap(),
        );
        assert_eq!(unread(&before, &after), None, "{file}");
        assert_eq!(before["resources"], after["resources"], "{file}");
        assert_eq!(
            state.deployed.len(),
            if before["stagewright"].is_null() { 4 } else { 6 },
            "{file}"
        );
    }
}

#[test]
fn a_state_of_the_present_format_is_written_back_as_it_was() {
    let file = std::env::current_dir().unwrap().join("tests/formats/state-1.json");
    let bytes = std::fs::read(file).unwrap();
    let (before, after): (Value, Value) = (
        serde_json::from_slice(&bytes).unwrap(),
        serde_json::from_slice(&render(&read_hello(&bytes).unwrap())).unwrap(),
    );
    assert_eq!(before, after);
}

#[test]
fn a_commit_alone_as_the_first_states_had_it_is_still_the_one_that_was_begun() {
    let file = std::env::current_dir()
        .unwrap()
        .join("tests/formats/state-1-first.json");
    let state = read_hello(&std::fs::read(file).unwrap()).unwrap();
    let begun = state.attempted.unwrap();
    assert_eq!(
        begun.commit.as_deref(),
        Some("1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d")
    );
}

#[test]
fn a_key_that_would_be_lost_with_the_next_write_is_named_wherever_it_stands() {
    let file = std::env::current_dir().unwrap().join("tests/formats/state-1.json");
    let sound: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    for (place, named) in [
        ("/stagewright", "more"),
        ("/stagewright/lease", "lease.more"),
        ("/stagewright/history/0", "history.0.more"),
        (
            "/stagewright/deployed/function~1api_handler/resource",
            "deployed.function/api_handler.resource.more",
        ),
    ] {
        let mut later = sound.clone();
        later.pointer_mut(place).unwrap()["more"] = json!({"percent": 10});
        match read_hello(later.to_string().as_bytes()) {
            Err(Error::Unread { key, writer, .. }) => {
                assert_eq!((key.as_str(), writer.as_deref()), (named, Some("0.1.0")));
            }
            other => panic!("{place}: {other:?}"),
        }
    }
}
