//! What Chalice or AWS would not take of what an app declares: each is told at its line.

use super::*;

fn changed(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut facts = fixture("hello", "discovered.json");
    change(&mut facts);
    let facts: Facts = serde_json::from_value(facts).unwrap();
    declared_findings(&facts).iter().map(ToString::to_string).collect()
}

fn function(name: &str, kind: &str) -> Value {
    json!({"name": name, "handler": "app.x", "handler_exists": true, "kind": kind, "file": "app.py", "line": 7})
}

#[test]
fn two_functions_of_one_name_and_reserved_names_are_refused() {
    let messages = changed(|facts| {
        facts["functions"] = json!([
            function("a", ""),
            function("a", ""),
            function("api_handler", ""),
            function("a.b", "")
        ]);
    });
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages[0].contains("another function called `a`"));
    assert!(messages[1].contains("cannot be called `api_handler`"));
    assert!(messages[2].contains("the character `.`"));
}

/// The only message about an app in which an event calls a function.
fn event_flaw(kind: &str, details: &Value) -> String {
    let messages = event_flaws(&[("f", kind, details.clone())]);
    assert_eq!(messages.len(), 1, "{details}: {messages:#?}");
    messages[0].clone()
}

fn event_flaws(sources: &[(&str, &str, Value)]) -> Vec<String> {
    changed(|facts| {
        let sources = sources.iter().map(|(name, kind, details)| {
            let mut source = function(name, kind);
            source["details"] = details.clone();
            source
        });
        facts["event_sources"] = sources.collect();
    })
}

/// The details of an event with one of them changed.
fn with(details: &Value, key: &str, value: Value) -> Value {
    let mut details = details.clone();
    details[key] = value;
    details
}

#[test]
fn a_schedule_that_eventbridge_would_refuse_is_told_at_its_function() {
    let flaw = |expression: Value| {
        let details = json!({"schedule_expression": expression, "description": ""});
        event_flaw("ScheduledEventConfig", &details)
    };
    assert_eq!(
        flaw(json!("rate(x minutes)")),
        "app.py:7:1: `schedule_expression` of function `f`: `rate(x minutes)` is no schedule: `x` is not a whole number \
         from 1 on"
    );
    assert!(flaw(json!("rate(1 hours)")).ends_with("EventBridge wants `rate(1 hour)`"));
    assert!(flaw(json!("rate(5 minute)")).ends_with("EventBridge wants `rate(5 minutes)`"));
    assert!(flaw(json!("rate(0 minutes)")).contains("`0` is not a whole number from 1 on"));
    assert!(flaw(json!("cron(0 10 * * *)")).contains("has 5 fields, and EventBridge wants 6"));
    assert!(flaw(json!("cron(0 10 * * * *)")).contains("must be `?`"));
    assert!(flaw(json!("every day")).contains("is no schedule"));
    assert!(flaw(json!(5)).contains("`schedule_expression` of function `f` must be text, and is 5"));
    let told = json!({"flaw": "Rate(value='x', unit=3) is no schedule: 'int' object has no attribute 'lower'"});
    assert!(event_flaw("ScheduledEventConfig", &told).contains("function `f`: Rate(value='x', unit=3) is no schedule"));
}

/// Sets a key of a declared event, and says how the flaw is told that it makes.
fn told_with(kind: &str, details: &Value, (key, value, told): (&str, &Value, &str)) {
    let flaw = event_flaw(kind, &with(details, key, value.clone()));
    assert!(
        flaw.starts_with("app.py:7:1: ") && flaw.contains(told),
        "{kind} {key}: {flaw}"
    );
}

#[test]
fn a_value_of_a_queue_that_does_not_fit_is_told_by_its_own_name() {
    let queue = json!({"queue": "q", "queue_arn": null, "batch_size": 1, "maximum_batching_window_in_seconds": 0, "maximum_concurrency": null});
    told_with(
        "SQSEventConfig",
        &queue,
        (
            "batch_size",
            &json!("10"),
            "`batch_size` of function `f` must be a whole number, and is the text \"10\"",
        ),
    );
    told_with(
        "SQSEventConfig",
        &queue,
        ("batch_size", &json!(true), "must be a whole number, and is true"),
    );
    told_with(
        "SQSEventConfig",
        &queue,
        ("batch_size", &json!(0), "batch size of 0 is outside 1 to 10000"),
    );
    told_with(
        "SQSEventConfig",
        &queue,
        ("batch_size", &json!(11), "needs a batching window of 1 s"),
    );
    told_with(
        "SQSEventConfig",
        &queue,
        (
            "maximum_batching_window_in_seconds",
            &json!(301),
            "window of 301 s is outside 0 to 300 s",
        ),
    );
    told_with(
        "SQSEventConfig",
        &queue,
        (
            "maximum_concurrency",
            &json!(1),
            "maximum concurrency of 1 is outside 2 to 1000",
        ),
    );
    told_with(
        "SQSEventConfig",
        &queue,
        (
            "queue",
            &json!("https://sqs.eu-west-1.amazonaws.com/1/q"),
            "is not the name of a queue",
        ),
    );
    told_with(
        "SQSEventConfig",
        &queue,
        (
            "queue",
            &json!("arn:aws:sqs:eu-west-1:111111111111:q"),
            "is not the name of a queue",
        ),
    );
    told_with(
        "SQSEventConfig",
        &queue,
        (
            "queue_arn",
            &json!("q"),
            "`queue_arn` of function `f`: `q` is not the ARN of a queue",
        ),
    );
}

#[test]
fn a_value_of_a_stream_that_does_not_fit_is_told_by_its_own_name() {
    let stream = json!({"stream": "s", "batch_size": 100, "starting_position": "LATEST", "maximum_batching_window_in_seconds": 0});
    told_with(
        "KinesisEventConfig",
        &stream,
        ("stream", &json!("a b"), "is neither the name of a Kinesis stream"),
    );
    told_with(
        "KinesisEventConfig",
        &stream,
        (
            "starting_position",
            &json!("NOW"),
            "`NOW` is neither `LATEST` nor `TRIM_HORIZON`",
        ),
    );
    told_with(
        "KinesisEventConfig",
        &stream,
        ("batch_size", &json!(10_001), "outside 1 to 10000"),
    );
}

#[test]
fn a_value_of_a_bucket_that_does_not_fit_is_told_by_its_own_name() {
    let bucket = json!({"bucket": "guests", "events": ["s3:ObjectCreated:*"], "prefix": null, "suffix": null});
    told_with(
        "S3EventConfig",
        &bucket,
        ("bucket", &json!(""), "`` is not the name of a bucket"),
    );
    told_with(
        "S3EventConfig",
        &bucket,
        (
            "bucket",
            &json!(null),
            "`bucket` of function `f` must be text, and is null",
        ),
    );
    told_with(
        "S3EventConfig",
        &bucket,
        ("bucket", &json!("arn:aws:s3:::guests"), "is not the name of a bucket"),
    );
    told_with(
        "S3EventConfig",
        &bucket,
        ("events", &json!([]), "must be a list of texts that has one at least"),
    );
    told_with(
        "S3EventConfig",
        &bucket,
        (
            "events",
            &json!("s3:ObjectCreated:*"),
            "`events` of function `f` must be a list of texts",
        ),
    );
    told_with(
        "S3EventConfig",
        &bucket,
        (
            "events",
            &json!(["s3:ObjectCreate:*"]),
            "did you mean `s3:ObjectCreated:*`?",
        ),
    );
    told_with(
        "S3EventConfig",
        &bucket,
        ("prefix", &json!(3), "`prefix` of function `f` must be text, and is 3"),
    );
}

#[test]
fn what_is_no_event_of_its_kind_is_told() {
    for (kind, details, told) in [
        (
            "SNSEventConfig",
            json!({"topic": "arn:aws:sqs:eu-west-1:111111111111:q"}),
            "is neither the name of a topic nor its ARN",
        ),
        (
            "DynamoDBEventConfig",
            json!({"stream_arn": "guests", "batch_size": 100, "starting_position": "LATEST", "maximum_batching_window_in_seconds": 0}),
            "is not the ARN of a table's stream",
        ),
        (
            "CloudWatchEventConfig",
            json!({"event_pattern": "aws.ec2"}),
            "`event_pattern` of function `f` must be a dict, and is the text",
        ),
        (
            "CloudWatchEventConfig",
            json!({"event_pattern": {}}),
            "the event pattern is empty",
        ),
        (
            "CloudWatchEventConfig",
            json!({"event_pattern": {"detail": {"state": "stopped"}}}),
            "`detail.state` in the event pattern must be a list",
        ),
        (
            "TeapotEventConfig",
            json!({}),
            "is called by a `TeapotEventConfig`, which is not known",
        ),
    ] {
        let flaw = event_flaw(kind, &details);
        assert!(flaw.contains(told), "{kind}: {flaw}");
    }
}

#[test]
fn all_flaws_of_an_event_are_told_at_once() {
    let queue = json!({"queue": "a b", "batch_size": "1", "maximum_batching_window_in_seconds": null});
    assert_eq!(event_flaws(&[("f", "SQSEventConfig", queue)]).len(), 3);
}

#[test]
fn two_functions_for_one_change_of_a_bucket_are_refused_as_s3_refuses_them() {
    let bucket = |events: &str, prefix: Option<&str>, suffix: Option<&str>| json!({"bucket": "guests", "events": [events], "prefix": prefix, "suffix": suffix});
    let both = |one: Value, other: Value| event_flaws(&[("a", "S3EventConfig", one), ("b", "S3EventConfig", other)]);
    let all = || bucket("s3:ObjectCreated:*", None, None);
    let told = both(all(), bucket("s3:ObjectCreated:Put", Some("in/"), Some(".csv")));
    assert_eq!(
        told,
        ["app.py:7:1: an object of bucket `guests` would call two functions, `b` among them, and S3 takes one"]
    );
    assert_eq!(
        both(all(), bucket("s3:ObjectRemoved:*", None, None)),
        Vec::<String>::new()
    );
    let csv = bucket("s3:ObjectCreated:*", None, Some(".csv"));
    assert_eq!(
        both(bucket("s3:ObjectCreated:*", None, Some(".txt")), csv),
        Vec::<String>::new()
    );
    let other = with(&all(), "bucket", json!("others"));
    assert_eq!(both(all(), other), Vec::<String>::new());
}

#[test]
fn of_two_names_of_a_queue_the_arn_counts_and_the_other_is_warned_about() {
    let queue = |name: &str| {
        let arn = "arn:aws:sqs:eu-west-1:111111111111:mails";
        let details =
            json!({"queue": name, "queue_arn": arn, "batch_size": 1, "maximum_batching_window_in_seconds": 0});
        event_flaws(&[("f", "SQSEventConfig", details)])
    };
    assert_eq!(
        queue("posts"),
        ["app.py:7:1: `queue` of function `f` has no effect: `queue_arn` has"]
    );
    assert_eq!(queue("mails"), Vec::<String>::new());
}

#[test]
fn a_name_that_something_else_of_the_stage_has_is_refused() {
    let tick = json!({"schedule_expression": "rate(5 minutes)"});
    let messages = changed(|facts| {
        let mut source = function("tick", "ScheduledEventConfig");
        source["details"] = tick.clone();
        facts["event_sources"] = json!([source]);
        facts["websockets"] = json!([function("any", "$connect")]);
        facts["functions"] = json!([
            function("tick-event", ""),
            function("websocket_connect", ""),
            function("websocket_message", ""),
            function("rest_api", ""),
            function("default-role", ""),
        ]);
    });
    let expected = [
        "app.py:7:1: a function cannot be called `tick-event`: what calls function `tick` is",
        "app.py:7:1: a function cannot be called `websocket_connect`: the function of the websocket API's `$connect` is",
        "app.py:7:1: a function cannot be called `rest_api`: the REST API is",
        "app.py:7:1: a function cannot be called `default-role`: the role of the functions that have none of their own is",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn a_handler_that_lambda_would_not_find_is_an_error_at_its_line() {
    let messages = changed(|facts| {
        let mut source = function("work", "");
        source["handler_exists"] = json!(false);
        facts["functions"] = json!([source.clone()]);
        source["kind"] = json!("$default");
        source["name"] = json!("talk");
        facts["websockets"] = json!([source]);
    });
    let expected = [
        "app.py:7:1: function `work`: Lambda will not find its handler `app.x`",
        "app.py:7:1: function `talk`: Lambda will not find its handler `app.x`",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn websockets_must_be_asked_for_as_chalice_wants_it() {
    let mut facts = fixture("called", "discovered.json");
    facts["features_missing"] = json!(["WEBSOCKETS"]);
    let findings = declared_findings(&serde_json::from_value(facts).unwrap());
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].severity, Severity::Error);
    assert!(findings[0].place.is_some());
    assert!(findings[0].message.contains("experimental feature `WEBSOCKETS`"));
    let hint = findings[0].hint.as_deref().unwrap();
    assert!(
        hint.contains("app.experimental_feature_flags.update(['WEBSOCKETS'])"),
        "{hint}"
    );
}

#[test]
fn authorizers_of_two_blueprints_may_have_one_name() {
    let guarded = |function: &str| json!({"name": "door", "scopes": [], "function": function, "header": "Authorization", "ttl_s": null, "credentials": null});
    let mut facts = fixture("hello", "discovered.json");
    let route = facts["routes"][0].clone();
    facts["routes"] = json!([
        with(&route, "authorizer", guarded("front_door")),
        with(
            &with(&route, "path", json!("/back")),
            "authorizer",
            guarded("back_door")
        ),
    ]);
    let facts: Facts = serde_json::from_value(facts).unwrap();
    let guards: Vec<String> = routes::routes(&facts)
        .into_iter()
        .filter_map(|route| Some(route.guard?.authorizer))
        .collect();
    assert_eq!(guards, ["front_door", "back_door"]);
    let names: Vec<String> = routes::authorizers(&facts)
        .into_iter()
        .map(|authorizer| authorizer.name)
        .collect();
    assert_eq!(names, ["front_door", "back_door"]);
    assert_eq!(declared_findings(&facts), []);
}

#[test]
fn a_route_that_another_authorizer_of_the_same_name_would_guard_is_warned_about() {
    let pool = |arn: &str| {
        let details = json!({"type": "cognito_user_pools", "providerARNs": [arn]});
        let definition = json!({
            "name": "Authorization",
            "x-amazon-apigateway-authtype": "cognito_user_pools",
            "x-amazon-apigateway-authorizer": details,
        });
        json!({"name": "pool", "scopes": [], "definition": definition})
    };
    let messages = changed(|facts| {
        let route = with(&facts["routes"][0], "line", json!(3));
        let first = with(&with(&route, "path", json!("/first")), "authorizer", pool("arn:one"));
        let last = with(&with(&route, "path", json!("/last")), "authorizer", pool("arn:two"));
        facts["routes"] = json!([first, last]);
    });
    assert_eq!(
        messages,
        ["app.py:3:1: two authorizers are called `pool`: the other one guards this route"]
    );
}

#[test]
fn what_api_gateway_refuses_of_a_route_is_found_before() {
    let route = |change: Value| {
        changed(|facts| {
            let one = facts["routes"][0].clone();
            let mut other = one;
            for (key, value) in change.as_object().unwrap() {
                other[key] = value.clone();
            }
            facts["routes"].as_array_mut().unwrap().push(other);
        })
    };
    assert!(route(json!({"path": "/x/"}))[0].contains("cannot end in a slash: `/x/`"));
    assert!(route(json!({"path": ""}))[0].contains("cannot be empty"));
    assert!(route(json!({"path": "/b", "content_types": ["image/png", "text/plain"]}))[0].contains("partly binary"));
    for (path, why) in [
        ("/a b", "the character ` `"),
        ("guests", "does not begin with `/`"),
        ("/{proxy+}/x", "before its end"),
        ("/a//b", "has `//`"),
    ] {
        let told = route(json!({"path": path}));
        assert!(told.len() == 1 && told[0].contains(why), "{path}: {told:?}");
    }
    for path in ["/{proxy+}", "/guests:all", "/a,b/{id}"] {
        assert_eq!(route(json!({"path": path})), Vec::<String>::new(), "{path}");
    }
    assert!(route(json!({"path": "/m", "method": "get"}))[0].contains("never answers the method `get`"));
    let stranger = json!({"name": "odd", "scopes": [], "definition": {"type": "apiKey"}});
    assert!(route(json!({"path": "/o", "authorizer": stranger}))[0].contains("none of Chalice's four kinds"));
}

#[test]
fn two_parameters_at_one_level_are_told_at_the_second() {
    let messages = changed(|facts| {
        let mut other = facts["routes"][0].clone();
        other["line"] = json!(40);
        for path in ["/same/{id}", "/same/{name}/x"] {
            other["path"] = json!(path);
            facts["routes"].as_array_mut().unwrap().push(other.clone());
        }
    });
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].starts_with("app.py:40:1: path `/same/{name}/x` has `{name}` where"));
}

#[test]
fn cors_of_a_path_is_one_and_leaves_options_to_itself() {
    let path = |second: Value| {
        changed(|facts| {
            facts["routes"][0]["cors"] = json!([["Access-Control-Allow-Origin", "*"]]);
            let mut other = facts["routes"][0].clone();
            for (key, value) in second.as_object().unwrap() {
                other[key] = value.clone();
            }
            facts["routes"].as_array_mut().unwrap().push(other);
        })
    };
    assert!(path(json!({"method": "OPTIONS", "cors": null}))[0].contains("both CORS"));
    let other = json!([["Access-Control-Allow-Origin", "https://x"]]);
    assert!(path(json!({"method": "PUT", "cors": other}))[0].contains("different CORS"));
    assert_eq!(path(json!({"method": "PUT"})), Vec::<String>::new());
}

#[test]
fn a_module_that_is_not_packaged_is_a_warning() {
    let messages = changed(|facts| facts["unpackaged"] = json!(["helpers.py"]));
    assert_eq!(
        messages,
        ["helpers.py: the app imports this file, and it is not packaged"]
    );
}
