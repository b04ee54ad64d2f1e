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
fn a_kind_that_we_cannot_keep_is_named_and_not_dropped() {
    let (app, stage) = names();
    for (event, named) in [
        (
            json!({"name": "tick", "resource_type": "step_function"}),
            "`tick` of type `step_function`",
        ),
        (
            json!({"name": "tick-event", "resource_type": "cloudwatch_event"}),
            "`tick-event` of type `cloudwatch_event`",
        ),
    ] {
        let document = json!({"resources": [event], "schema_version": "2.0", "backend": "api"}).to_string();
        let error = parse(document.as_bytes(), expected(Some(&app), &stage), String::new()).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}

/// Every kind that Chalice records, in its order.
fn every_kind() -> Value {
    let function = "arn:aws:lambda:eu-west-1:1:function:shop-prod-handle";
    json!([
        {"name": "managed-layer", "resource_type": "lambda_layer",
            "layer_version_arn": "arn:aws:lambda:eu-west-1:1:layer:shop-prod-managed-layer:3"},
        {"name": "handle-log-group", "resource_type": "log_group", "log_group_name": "/aws/lambda/shop-prod-handle"},
        {"name": "default-role", "resource_type": "iam_role", "role_arn": "arn:aws:iam::1:role/shop-prod",
            "role_name": "shop-prod"},
        {"name": "handle", "resource_type": "lambda_function", "lambda_arn": function},
        {"name": "handle-dynamodb-event-source", "resource_type": "dynamodb_event", "event_uuid": "u3",
            "stream_arn": "arn:aws:dynamodb:eu-west-1:1:table/t/stream/2026-01-02T03:04:05.678", "lambda_arn": function},
        {"name": "handle-kinesis-event-source", "resource_type": "kinesis_event", "event_uuid": "u2",
            "kinesis_arn": "arn:aws:kinesis:eu-west-1:1:stream/clicks", "stream": "clicks", "lambda_arn": function},
        {"name": "handle-sqs-event-source", "resource_type": "sqs_event", "event_uuid": "u1",
            "queue_arn": "arn:aws:sqs:eu-west-1:1:orders", "queue": "orders", "lambda_arn": function},
        {"name": "handle-s3event", "resource_type": "s3_event", "bucket": "images", "lambda_arn": function},
        {"name": "handle-event", "resource_type": "cloudwatch_event", "rule_name": "shop-prod-handle-event"},
        {"name": "handle-sns-subscription", "resource_type": "sns_event", "topic": "news", "lambda_arn": function,
            "topic_arn": "arn:aws:sns:eu-west-1:1:news", "subscription_arn": "arn:aws:sns:eu-west-1:1:news:s"},
        {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": "abc",
            "rest_api_url": "https://abc.execute-api.eu-west-1.amazonaws.com/api/"},
        {"name": "websocket_api", "resource_type": "websocket_api", "websocket_api_id": "ws",
            "websocket_api_url": "wss://ws.execute-api.eu-west-1.amazonaws.com/api/"},
        {"name": "api_gateway_custom_domain", "resource_type": "domain_name", "domain_name": "shop.example.com",
            "hosted_zone_id": "Z", "alias_domain_name": "d.cloudfront.net", "certificate_arn": "c",
            "security_policy": "TLS_1_2", "api_mapping": [{"key": "/v1"}]},
    ])
}

fn adopted(resources: &Value) -> State {
    let (app, stage) = names();
    let document = json!({"resources": resources, "schema_version": "2.0", "backend": "api"}).to_string();
    parse(document.as_bytes(), expected(Some(&app), &stage), String::new()).unwrap()
}

#[test]
fn every_kind_that_chalice_records_is_written_back_as_it_was() {
    let state = adopted(&every_kind());
    let written: Value = serde_json::from_slice(&render(&state)).unwrap();
    assert_eq!(written["resources"], every_kind());
    let addresses: Vec<&str> = state.deployed.keys().map(crate::names::Address::as_str).collect();
    for address in [
        "layer/managed-layer@3",
        "notification/handle-s3event@images",
        "event_source_mapping/handle-sqs-event-source@orders",
        "domain_name/api_gateway_custom_domain@shop.example.com",
    ] {
        assert!(addresses.contains(&address), "{address} in {addresses:?}");
    }
}

#[test]
fn the_log_group_that_chalice_makes_for_no_function_is_not_that_of_the_routes() {
    let state = adopted(&json!([
        {"name": "api_handler-log-group", "resource_type": "log_group",
            "log_group_name": "/aws/lambda/shop-prod-api_handler"},
    ]));
    assert!(
        !state
            .deployed
            .contains_key(&crate::names::Address::new("log_group", "api_handler-log-group"))
    );
    assert_eq!(state.deployed.len(), 1);
}

#[test]
fn the_first_chalices_file_has_every_stage_and_only_the_parts_of_a_url() {
    let (app, stage) = names();
    let arn = "arn:aws:lambda:eu-west-1:1:function:shop-prod";
    let file = json!({"prod": {
        "backend": "api", "region": "eu-west-1", "chalice_version": "0.10.0", "api_gateway_stage": "v1",
        "api_handler_name": "shop-prod", "api_handler_arn": arn, "rest_api_id": "abc",
        "lambda_functions": {"shop-prod-auth": format!("{arn}-auth"),
            "shop-prod-tick": {"type": "pure_lambda", "arn": format!("{arn}-tick")}},
    }});
    let read = |stage: &StageName| {
        of_chalice(file.to_string().as_bytes(), expected(Some(&app), stage), String::new()).unwrap()
    };
    let state = read(&stage).unwrap();
    let addresses: Vec<&str> = state.deployed.keys().map(crate::names::Address::as_str).collect();
    assert_eq!(
        addresses,
        [
            "deployment/rest_api",
            "function/api_handler",
            "function/auth",
            "function/tick",
            "rest_api/rest_api"
        ]
    );
    assert_eq!(
        state.served().map(|served| served.url.as_str()),
        Some("https://abc.execute-api.eu-west-1.amazonaws.com/v1/")
    );
    assert_eq!(read(&"beta".parse().unwrap()), None);
}

#[test]
fn a_record_of_ours_is_no_file_of_chalices() {
    let (app, stage) = names();
    let state = adopted(&every_kind());
    let read = of_chalice(&render(&state), expected(Some(&app), &stage), String::new()).unwrap();
    assert_eq!(read, None);
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
        let recorded = before["stagewright"]["deployed"].as_object().map(|ours| ours.len());
        let of_chalices_three = 4;
        assert_eq!(state.deployed.len(), recorded.unwrap_or(of_chalices_three), "{file}");
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
