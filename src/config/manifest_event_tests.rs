//! What calls the functions of a manifest, and what is told of what AWS would refuse.

use serde_json::json;

use super::manifest_tests::{World, flaw, function};
use crate::app::events::{Batch, EventSource, Stream, UrlAccess};
use crate::app::{App, Endpoint, Package, Tracing};

/// The flaw of an event that stands from line 8, column 9 on.
fn event(text: &str) -> String {
    flaw(&format!("    events:\n      - {text}\n"))
}

fn app(keys: &str) -> App {
    World::of(&function(keys)).app("dev")
}

fn sources(keys: &str) -> Vec<EventSource> {
    let events = app(keys).events;
    events.into_iter().map(|event| event.source).collect()
}

#[test]
fn events_are_called_after_their_function_and_kind_and_only_rules_are_counted() {
    let app = app(
        "    events:\n      - queue: jobs\n      - schedule: rate(1 hour)\n      - queue: mail\n      - schedule: rate(2 hours)\n",
    );
    let names: Vec<_> = app.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["api-queue", "api-schedule", "api-queue", "api-schedule-2"]);
    assert!(app.events.iter().all(|event| event.function == "api"));
}

#[test]
fn what_is_left_out_of_an_event_has_the_default_of_aws() {
    let read = sources(
        "    events:\n      - bucket: uploads\n      - queue: { name: jobs, maximum_concurrency: 2 }\n      \
         - stream: { kinesis: clicks }\n      - schedule: { expression: rate(1 day), description: daily }\n",
    );
    let batch = |size| Batch { size, window_s: 0 };
    let wanted = [
        EventSource::Bucket {
            bucket: "uploads".to_owned(),
            events: vec!["s3:ObjectCreated:*".to_owned()],
            prefix: None,
            suffix: None,
        },
        EventSource::Queue {
            queue: "jobs".to_owned(),
            batch: batch(10),
            maximum_concurrency: Some(2),
        },
        EventSource::Stream {
            stream: Stream::Kinesis("clicks".to_owned()),
            batch: batch(100),
            starting_position: "LATEST".to_owned(),
        },
        EventSource::Schedule {
            expression: "rate(1 day)".to_owned(),
            description: Some("daily".to_owned()),
        },
    ];
    assert_eq!(read, wanted);
}

#[test]
fn the_stage_stands_in_names_and_patterns() {
    let read = sources(
        "    events:\n      - topic: news-${stage}\n      - pattern: { source: [\"shop.${stage}\"], detail: { code: [200] } }\n",
    );
    let topic = "news-dev".to_owned();
    let pattern = json!({"source": ["shop.dev"], "detail": {"code": [200]}});
    let description = None;
    assert_eq!(
        read,
        [
            EventSource::Topic { topic },
            EventSource::Pattern { pattern, description }
        ]
    );
    assert_eq!(
        event("queue: jobs-${Stage}"),
        "8:16: only `${stage}` is replaced in `jobs-${Stage}`"
    );
}

#[test]
fn a_stage_may_have_other_events_or_none() {
    let world = World::of(&function(
        "    events:\n      - schedule: rate(1 hour)\nstages:\n  beta:\n    functions: { api: { events: [] } }\n  \
         prod:\n    functions: { api: { events: [{ schedule: rate(5 minutes) }] } }\n",
    ));
    let expressions = |stage| {
        let events = world.app(stage).events;
        events.into_iter().map(|event| event.source).collect::<Vec<_>>()
    };
    let schedule = |expression: &str| EventSource::Schedule {
        expression: expression.to_owned(),
        description: None,
    };
    assert_eq!(expressions("dev"), [schedule("rate(1 hour)")]);
    assert_eq!(expressions("beta"), []);
    assert_eq!(expressions("prod"), [schedule("rate(5 minutes)")]);
}

#[test]
fn an_event_that_aws_would_refuse_is_told_with_its_place() {
    assert_eq!(
        event("schedule: rate(1 hours)"),
        "8:19: `rate(1 hours)` is no schedule: EventBridge wants `rate(1 hour)`"
    );
    assert!(event("pattern: { source: aws.s3 }").starts_with("8:18: `source` in the event pattern must be a list"));
    assert!(event("bucket: \"s3://uploads\"").starts_with("8:17: `s3://uploads` is not the name of a bucket"));
    assert_eq!(
        event("bucket: { name: uploads, events: [\"s3:ObjectCreate:*\"] }"),
        "8:43: `s3:ObjectCreate:*` is no change that S3 tells of, like `s3:ObjectCreated:*` (did you mean `s3:ObjectCreated:*`?)"
    );
    assert!(event("topic: news.fifo").starts_with("8:16: `news.fifo` is a FIFO topic"));
    assert!(
        event("queue: { name: jobs, batch_size: 11 }").starts_with("8:42: a batch size of 11 needs a batching window")
    );
    assert!(event("queue: { name: jobs, maximum_concurrency: 1 }").starts_with("8:51: a maximum concurrency of 1"));
    assert!(event("stream: { batch_size: 1 }").ends_with(": a stream is either `kinesis` or `dynamodb`"));
    assert!(event("stream: { dynamodb: guests }").contains(": `guests` is not the ARN of a table's stream"));
}

#[test]
fn an_event_is_one_thing() {
    assert_eq!(
        event("{ queue: jobs, topic: news }"),
        "8:9: this is `topic` and `queue` at once, and an event is one thing (begin each with a `-` of its own)"
    );
    assert!(event("{ description: nothing }").starts_with("8:9: an event is a `schedule`, `pattern`"));
    assert_eq!(
        event("{ queue: jobs, description: work }"),
        "8:37: `description` belongs to a `schedule` or a `pattern`"
    );
}

#[test]
fn two_receivers_of_one_thing_are_told() {
    let two = |one: &str, other: &str| {
        format!(
            "    events:\n      - {one}\n  other:\n    runtime: python3.13\n    handler: app.handler\n    code: src\n    events:\n      - {other}\n"
        )
    };
    let overlap = flaw(&two(
        "bucket: { name: uploads, prefix: in/ }",
        "bucket: { name: uploads, suffix: .csv }",
    ));
    assert!(
        overlap.starts_with("14:9: `api` and `other` would be told of one change of bucket `uploads`"),
        "{overlap}"
    );
    let world = World::of(&function(&two("queue: jobs", "queue: jobs")));
    let (_, warnings) = world.read("dev").unwrap();
    let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["stagewright.yaml:14:9: `api` and `other` both read queue `jobs`: a message comes to one of them"]
    );
    assert_eq!(
        flaw("    events:\n      - queue: jobs\n      - queue: jobs\n"),
        "9:9: `api` has queue `jobs` twice"
    );
}

#[test]
fn one_thing_that_is_named_once_and_once_by_its_arn_is_there_twice() {
    let twice = |one: &str, other: &str| flaw(&format!("    events:\n      - {one}\n      - {other}\n"));
    let hint = "(take one of them out, or write both as ARNs if they are two things)";
    let arn = |service: &str, name: &str| format!("arn:aws:{service}:eu-west-1:111111111111:{name}");
    assert_eq!(
        twice("queue: jobs", &format!("queue: {}", arn("sqs", "jobs"))),
        format!("9:9: `api` has queue `{}` twice {hint}", arn("sqs", "jobs"))
    );
    assert_eq!(
        twice(&format!("topic: {}", arn("sns", "news")), "topic: news"),
        format!("9:9: `api` has topic `news` twice {hint}")
    );
    let stream = format!("stream: {{ kinesis: \"{}\" }}", arn("kinesis", "stream/clicks"));
    assert_eq!(
        twice("stream: { kinesis: clicks }", &stream),
        format!("9:9: `api` has a stream twice {hint}")
    );
}

#[test]
fn queues_of_one_name_in_two_accounts_are_two_queues() {
    let queue = |account: u64| format!("      - queue: arn:aws:sqs:eu-west-1:{account}:jobs\n");
    let read = sources(&format!(
        "    events:\n{}{}",
        queue(111_111_111_111),
        queue(222_222_222_222)
    ));
    assert_eq!(read.len(), 2);
}

#[test]
fn a_role_may_read_the_queue_of_its_function_and_no_other() {
    let app = app("    events:\n      - queue: jobs\n");
    let statements = app.roles[0].policy["Statement"].as_array().unwrap().clone();
    let wanted = json!({
        "Effect": "Allow",
        "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        "Resource": ["arn:*:sqs:*:*:jobs"],
    });
    assert_eq!((statements.len(), statements.last()), (2, Some(&wanted)));
}

#[test]
fn a_function_of_a_websocket_may_answer() {
    let app = app("websocket: { routes: { $connect: api, say: api } }\n");
    let statements = app.roles[0].policy["Statement"].as_array().unwrap();
    assert_eq!(statements[1]["Action"], json!(["execute-api:ManageConnections"]));
    let websocket = app.websocket.unwrap();
    assert_eq!(websocket.stage_name, "api");
    let route = |key: &str| (key.to_owned(), "api".to_owned());
    assert_eq!(websocket.routes, [route("$connect"), route("say")]);
}

#[test]
fn routes_of_other_apis_that_lead_nowhere_are_told_with_their_places() {
    assert_eq!(
        flaw("websocket: { routes: { $conect: api } }\n"),
        "7:24: unknown route `$conect` of a websocket (did you mean `$connect`?)"
    );
    assert_eq!(
        flaw("http: { routes: { \"GET /\": apii } }\n"),
        "7:28: there is no function `apii` (did you mean `api`?)"
    );
    assert_eq!(
        flaw("http: { routes: { \"GTE /\": api } }\n"),
        "7:19: unknown method `GTE` (known are GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS, ANY)"
    );
    assert_eq!(flaw("http: { routes: {} }\n"), "7:17: `routes` of `http` is empty");
    assert_eq!(
        flaw("stages: { prod: {} , dev: { http: {} } }\n"),
        "7:35: this app has no `http`"
    );
}

#[test]
fn a_url_is_for_anybody_unless_it_says_otherwise() {
    let url = app("    url: true\n").functions[0].url.clone().unwrap();
    assert_eq!((url.access, url.cors), (UrlAccess::Public, None));
    let url = app("    url: { access: iam, cors: true }\n").functions[0]
        .url
        .clone()
        .unwrap();
    assert_eq!(url.access, UrlAccess::Iam);
    assert_eq!(url.cors.unwrap().allow_origins, ["*"]);
    assert_eq!(app("    url: false\n").functions[0].url, None);
    assert!(
        flaw("    url: { cors: { allow_credentials: true } }\n")
            .starts_with("7:39: browsers refuse `allow_credentials`")
    );
}

#[test]
fn a_function_is_made_of_an_image_or_of_code() {
    let image = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/shop:${stage}";
    let world = |keys: &str| World::of(&format!("app: shop\nfunctions:\n  api:\n    image: {image}\n{keys}"));
    let app = world("    layers: []\n").app("dev");
    let uri = image.replace("${stage}", "dev");
    assert_eq!(app.functions[0].package, Package::Image(uri));
    let settings = &app.functions[0].settings;
    assert_eq!((settings.runtime.as_str(), settings.handler.as_str()), ("", ""));
    assert!(app.sources.is_empty());

    assert_eq!(
        world("    handler: app.handler\n").flaws(),
        ["5:14: `handler` beside `image`: the image says it all"]
    );
    assert_eq!(
        World::of("app: shop\nfunctions:\n  api: { handler: app.handler }\n").flaws(),
        [
            "3:3: the key `runtime` is missing in `functions.api` (a function has `runtime` and `code`, or an `image`)",
            "3:3: the key `code` is missing in `functions.api` (a function has `runtime` and `code`, or an `image`)",
        ]
    );
    assert_eq!(
        flaw(&format!(
            "stages:\n  dev:\n    functions:\n      api: {{ image: \"{image}\" }}\n"
        )),
        "10:21: this function is made of `code`, and has no `image`"
    );
}

#[test]
fn a_stage_may_have_its_own_network_layers_traces_and_retention() {
    let world = World::of(&function(
        "    log_retention_days: 14\nstages:\n  prod:\n    functions:\n      api:\n        log_retention_days: 365\n        \
         tracing: true\n        vpc: { subnet_ids: [subnet-1], security_group_ids: [sg-1] }\n        \
         layers: [\"arn:aws:lambda:eu-west-1:111111111111:layer:tools:3\"]\n",
    ));
    let (dev, prod) = (world.app("dev"), world.app("prod"));
    assert_eq!(dev.functions[0].log_retention_days, Some(14));
    assert_eq!(prod.functions[0].log_retention_days, Some(365));
    let settings = &prod.functions[0].settings;
    assert_eq!((settings.tracing, settings.layers.len()), (Tracing::Active, 1));
    assert!(settings.vpc.is_some() && dev.functions[0].settings.vpc.is_none());
    // Its role may have the network's interfaces there, and nowhere else.
    let count = |app: &App| app.roles[0].policy["Statement"].as_array().unwrap().len();
    assert_eq!((count(&dev), count(&prod)), (1, 3));
    assert_eq!(
        flaw("    log_retention_days: 10\n"),
        "7:25: a log cannot be kept for 10 days, but for 7 or 14"
    );
}

#[test]
fn a_private_api_lets_its_vpc_endpoints_in() {
    let api = app("routes:\n  GET /: api\napi: { endpoint: private, vpc_endpoints: [vpce-1] }\n")
        .api
        .unwrap();
    assert_eq!(
        api.endpoint,
        Endpoint::Private {
            vpc_endpoints: Some(json!(["vpce-1"]))
        }
    );
    let statement = &api.policy.unwrap()["Statement"][0];
    assert_eq!(
        statement["Condition"],
        json!({"StringEquals": {"aws:SourceVpce": ["vpce-1"]}})
    );
    let api = "routes:\n  GET /: api\napi: ";
    assert_eq!(
        flaw(&format!("{api}{{ endpoint: private }}\n")),
        "9:18: nobody could call a private API without `vpc_endpoints` or a `policy`"
    );
    assert_eq!(
        flaw(&format!("{api}{{ vpc_endpoints: [vpce-1] }}\n")),
        "9:23: `vpc_endpoints` belong to an API with `endpoint: private`"
    );
}

#[test]
fn who_may_call_an_api_stands_in_a_document() {
    let world = World::of(&function("routes:\n  GET /: api\napi: { policy: who.json }\n"));
    world.write(
        "who.json",
        r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"}]}"#,
    );
    assert_eq!(
        world.app("dev").api.unwrap().policy.unwrap()["Statement"][0]["Principal"],
        "*"
    );
    world.write("who.json", r#"{"Statement": [{"Effect": "Allow"}]}"#);
    assert_eq!(
        world.flaws(),
        ["who.json: a statement of an API's policy has no `Principal`"]
    );
}

#[test]
fn a_domain_is_that_of_the_stage_where_it_has_its_own() {
    let world = World::of(&function(
        "routes:\n  GET /: api\napi:\n  domain: { name: \"${stage}.example.com\", certificate_arn: \"arn:aws:acm:eu-west-1:111111111111:certificate/1\" }\n\
         stages:\n  prod:\n    api:\n      domain: { name: api.example.com, certificate_arn: \"arn:aws:acm:eu-west-1:111111111111:certificate/2\", path: v1 }\n",
    ));
    let dev = world.app("dev").api.unwrap().domain.unwrap();
    assert_eq!(
        (dev.name.as_str(), dev.tls_version.as_str()),
        ("dev.example.com", "TLS_1_2")
    );
    let prod = world.app("prod").api.unwrap().domain.unwrap();
    assert_eq!(
        (prod.name.as_str(), prod.path.as_deref()),
        ("api.example.com", Some("v1"))
    );
}

#[test]
fn a_domain_that_cannot_be_is_told_with_its_place() {
    let api = |rest: &str| flaw(&format!("routes:\n  GET /: api\napi: {{ {rest} }}\n"));
    let certificate = "certificate_arn: \"arn:aws:acm:eu-west-1:111111111111:certificate/1\"";
    assert!(
        api(&format!("domain: {{ name: localhost, {certificate} }}")).starts_with("9:24: `localhost` is not a domain")
    );
    assert!(
        api(&format!(
            "endpoint: edge, domain: {{ name: a.example.com, {certificate} }}"
        ))
        .ends_with("the certificate of an `edge` API's domain must stand in us-east-1")
    );
    let twice = flaw(&format!(
        "routes:\n  GET /: api\napi: {{ domain: {{ name: a.example.com, {certificate} }} }}\n\
         http: {{ routes: {{ \"GET /\": api }}, domain: {{ name: a.example.com, {certificate} }} }}\n"
    ));
    assert!(
        twice.starts_with("10:51: two APIs of this app are to be found under `a.example.com`"),
        "{twice}"
    );
}

#[test]
fn a_function_that_is_called_like_what_calls_another_is_told() {
    let told = flaw("    url: true\n  api-url:\n    runtime: python3.13\n    handler: app.handler\n    code: src\n");
    assert!(told.starts_with("8:3: `api-url` is what calls `api`"), "{told}");
    let told = flaw(
        "    events:\n      - topic: news\n  api-topic:\n    runtime: python3.13\n    handler: app.handler\n    code: src\n",
    );
    assert!(told.starts_with("9:3: `api-topic` is what calls `api`"), "{told}");
}

#[test]
fn the_whole_example_of_the_docs_is_one_that_can_be_deployed() {
    let docs = include_str!("../../docs/configuration.md");
    assert!(docs.contains(include_str!("../../tests/fixtures/manifest/shop/stagewright.yaml")));
}
