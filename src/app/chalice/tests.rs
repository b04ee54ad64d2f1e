//! Apps as we read them, against what real Chalice made of them: see `tests/fixtures/chalice/expect.py`.

use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::app::events::{Event, EventSource, Stream};
use crate::app::withheld::{Allowed, withheld};
use crate::app::{AuthorizerKind, Endpoint, Tracing};

const APPS: [(&str, &[&str]); 6] = [
    ("hello", &["dev"]),
    ("routes", &["dev", "prod"]),
    ("functions", &["dev", "prod", "files"]),
    ("private", &["one", "many", "file"]),
    ("called", &["dev", "prod"]),
    ("layered", &["dev", "prod", "plain"]),
];

fn project(app: &str) -> PathBuf {
    std::env::current_dir()
        .unwrap()
        .join("tests/fixtures/chalice")
        .join(app)
}

fn fixture(app: &str, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(project(app).join(name)).unwrap()).unwrap()
}

fn facts(app: &str) -> Facts {
    serde_json::from_value(fixture(app, "discovered.json")).unwrap()
}

fn app(name: &str, stage: &str) -> App {
    read_app(name, stage, &facts(name))
}

fn read_app(name: &str, stage: &str, facts: &Facts) -> App {
    let config = Config::read(&project(name)).unwrap();
    let stage: StageName = stage.parse().unwrap();
    let settings = config.stage(&stage).unwrap();
    let (project, nothing) = (project(name), tempfile::tempdir().unwrap());
    let places = Places {
        project: &project,
        packages: nothing.path(),
        host: nothing.path(),
    };
    let layer = sources::layer(places, settings.dependencies, ("3.11", settings.architecture));
    let read = Read {
        config: &config,
        name: &stage,
        stage: settings,
        facts,
        functions: declared(&config, &stage, facts).unwrap(),
        analysis: Some(Analysis {
            policy: fixture(name, "analysed.json"),
            unknown_services: Vec::new(),
        }),
    };
    App {
        layer,
        ..read.app("3.11")
    }
}

/// Every app on every stage: its name, the stage, how we read it, and what Chalice makes of it.
pub fn every_stage() -> impl Iterator<Item = (&'static str, &'static str, App, Value)> {
    APPS.into_iter().flat_map(|(name, stages)| {
        let read = |stage: &&'static str| {
            (
                name,
                *stage,
                app(name, stage),
                fixture(name, &format!("expected-{stage}.json")),
            )
        };
        stages.iter().map(read).collect::<Vec<_>>()
    })
}

/// The name that a function or role has in AWS.
pub fn name_in_aws(app: &App, stage: &str, suffix: &str) -> String {
    match suffix {
        "" => format!("{}-{stage}", app.name),
        suffix => format!("{}-{stage}-{suffix}", app.name),
    }
}

#[test]
fn the_apis_settings_are_chalices() {
    for (name, stage, app, expected) in every_stage() {
        let ours: Vec<Value> = app
            .api
            .iter()
            .map(|api| {
                json!({
                    "endpoint_type": match api.endpoint {
                        Endpoint::Edge => "EDGE",
                        Endpoint::Regional => "REGIONAL",
                        Endpoint::Private { .. } => "PRIVATE",
                    },
                    "minimum_compression": api.minimum_compression_size.map_or_else(String::new, |size| size.to_string()),
                    "stage": api.stage_name,
                    "xray": api.tracing == Tracing::Active,
                })
            })
            .collect();
        assert_eq!(Value::Array(ours), expected["api"], "{name} on {stage}");
    }
}

#[test]
fn roles_and_policies_are_chalices_but_for_sids() {
    for (name, stage, app, expected) in every_stage() {
        let role = |role: &Role| {
            let facts = json!({"name": name_in_aws(&app, stage, &role.suffix), "policy": role.policy});
            (role.name.clone(), facts)
        };
        let ours: serde_json::Map<String, Value> = app.roles.iter().map(role).collect();
        assert_eq!(Value::Object(ours), expected["roles"], "{name} on {stage}");
    }
}

#[test]
fn functions_are_configured_as_chalice_configures_them() {
    for (name, stage, app, expected) in every_stage() {
        let ours: serde_json::Map<String, Value> = app
            .functions
            .iter()
            .map(|function| (function.name.clone(), described(&app, stage, function)))
            .collect();
        assert_eq!(Value::Object(ours), expected["functions"], "{name} on {stage}");
    }
}

fn described(app: &App, stage: &str, function: &Function) -> Value {
    let settings = &function.settings;
    let (subnets, groups) = match &settings.vpc {
        Some(vpc) => (vpc.subnet_ids.clone(), vpc.security_group_ids.clone()),
        None => (Vec::new(), Vec::new()),
    };
    json!({
        "name": name_in_aws(app, stage, &function.suffix),
        "handler": settings.handler,
        "environment": settings.environment,
        "tags": function.tags,
        "timeout": settings.timeout_s,
        "memory": settings.memory_mib,
        "role": match &function.role {
            FunctionRole::Managed(name) => name,
            FunctionRole::Given(arn) => arn,
        },
        "security_group_ids": groups,
        "subnet_ids": subnets,
        "reserved_concurrency": function.reserved_concurrency,
        "layers": settings.layers,
        "xray": settings.tracing == Tracing::Active,
        "architecture": settings.architecture,
        "log_retention": function.log_retention_days,
        "managed_layer": app.layer.as_ref().map(|layer| name_in_aws(app, stage, &layer.name)),
    })
}

#[test]
fn functions_are_in_chalices_order() {
    for (name, stage, app, expected) in every_stage() {
        let ours: Vec<&str> = app.functions.iter().map(|function| function.name.as_str()).collect();
        assert_eq!(json!(ours), expected["order"], "{name} on {stage}");
    }
}

#[test]
fn functions_are_called_by_what_chalice_has_them_called_by() {
    for (name, stage, app, expected) in every_stage() {
        let ours: Vec<Value> = app.events.iter().map(of_event).collect();
        assert_eq!(Value::Array(ours), expected["events"], "{name} on {stage}");
    }
}

/// An event in Chalice's words, without what is not set.
fn of_event(event: &Event) -> Value {
    let mut fields = match &event.source {
        EventSource::Schedule {
            expression,
            description,
        } => json!({"schedule_expression": expression, "rule_description": description}),
        EventSource::Pattern { pattern, description } => json!({"event_pattern": pattern, "description": description}),
        EventSource::Bucket {
            bucket,
            events,
            prefix,
            suffix,
        } => json!({"bucket": bucket, "events": events, "prefix": prefix, "suffix": suffix}),
        EventSource::Topic { topic } => json!({"topic": topic}),
        EventSource::Queue {
            queue,
            batch,
            maximum_concurrency,
        } => json!({
            "queue": queue,
            "batch_size": batch.size,
            "maximum_batching_window_in_seconds": batch.window_s,
            "maximum_concurrency": maximum_concurrency,
        }),
        EventSource::Stream {
            stream,
            batch,
            starting_position,
        } => {
            let (key, stream) = match stream {
                Stream::Kinesis(stream) => ("stream", stream),
                Stream::DynamoDb(arn) => ("stream_arn", arn),
            };
            json!({
                key: stream,
                "batch_size": batch.size,
                "maximum_batching_window_in_seconds": batch.window_s,
                "starting_position": starting_position,
            })
        }
    };
    let known = fields.as_object_mut().unwrap();
    known.retain(|_, value| !value.is_null());
    known.insert("resource_name".to_owned(), json!(event.name));
    known.insert("function".to_owned(), json!(event.function));
    fields
}

#[test]
fn websocket_apis_are_chalices_and_need_no_route() {
    for (name, stage, app, expected) in every_stage() {
        let ours = app.websocket.iter().map(|api| {
            let mut keys: Vec<&str> = api.routes.iter().map(|(key, _)| key.as_str()).collect();
            keys.sort_unstable();
            let names = api.routes.iter().map(|(_, function)| {
                let short = function.strip_prefix("websocket_").unwrap();
                (short.to_owned(), json!(function))
            });
            json!({
                "name": name_in_aws(&app, stage, "websocket-api"),
                "stage": api.stage_name,
                "routes": keys,
                "functions": names.collect::<serde_json::Map<_, _>>(),
            })
        });
        assert_eq!(
            json!(ours.collect::<Vec<_>>()),
            expected["websocket"],
            "{name} on {stage}"
        );
    }
}

#[test]
fn domains_are_chalices() {
    for (name, stage, app, expected) in every_stage() {
        let of_api = app.api.as_ref().and_then(|api| api.domain.as_ref());
        let of_websocket = app.websocket.as_ref().and_then(|api| api.domain.as_ref());
        let mut ours = serde_json::Map::new();
        for (key, domain) in [
            ("api_gateway_custom_domain", of_api),
            ("websocket_api_custom_domain", of_websocket),
        ] {
            let Some(domain) = domain else { continue };
            let facts = json!({
                "name": domain.name,
                "certificate_arn": domain.certificate_arn,
                "tls_version": domain.tls_version,
                "path": domain.path.as_deref().unwrap_or("(none)"),
                "tags": domain.tags,
            });
            ours.insert(key.to_owned(), facts);
        }
        assert_eq!(Value::Object(ours), expected["domains"], "{name} on {stage}");
    }
}

#[test]
fn the_committed_apps_have_no_flaws() {
    for (name, stages) in APPS {
        let stages: Vec<StageName> = stages.iter().map(|stage| stage.parse().unwrap()).collect();
        let config = Config::read(&project(name)).unwrap();
        for stage in &stages {
            assert_eq!(config.findings(stage, None), [], "{name}");
        }
        assert_eq!(declared_findings(&facts(name)), [], "{name}");
    }
}

#[test]
fn all_four_kinds_of_authorizer_are_told_apart() {
    let authorizers = app("routes", "dev").api.unwrap().authorizers;
    let kinds: Vec<&str> = authorizers
        .iter()
        .map(|authorizer| match authorizer.kind {
            AuthorizerKind::Iam => "iam",
            AuthorizerKind::Cognito { .. } => "cognito",
            AuthorizerKind::Custom { .. } => "custom",
            AuthorizerKind::Function { .. } => "function",
        })
        .collect();
    assert_eq!(kinds, ["function", "iam", "cognito", "custom", "function", "function"]);
}

#[test]
fn the_functions_of_routes_come_with_routes_alone() {
    assert!(app("functions", "dev").api.is_none());
    let names: Vec<String> = app("private", "one")
        .functions
        .into_iter()
        .map(|function| function.name)
        .collect();
    assert_eq!(names, ["work", "api_handler"]);
}

#[test]
fn the_config_may_name_functions_of_events_and_of_the_websocket_api() {
    let facts = facts("called");
    let names = functions::names(&facts);
    for name in [
        "orders-work",
        "daily",
        "websocket_connect",
        "websocket_message",
        "plain",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    // The app calls them so, and Chalice does not.
    assert!(!names.contains(&"join") && !names.contains(&"message"));
}

#[test]
fn a_domain_of_an_api_that_the_app_does_not_have_is_a_warning() {
    let told = |name: &str, facts: &Facts| {
        let config = Config::read(&project(name)).unwrap();
        idle_domains(&config, &"prod".parse().unwrap(), facts)
    };
    assert_eq!(told("called", &facts("called")), []);
    assert_eq!(told("layered", &facts("layered")), []);
    let [of_websocket, of_api] = [told("called", &facts("layered")), told("layered", &facts("called"))];
    assert_eq!((of_websocket.len(), of_api.len()), (1, 1));
    assert_eq!(
        of_api[0].message,
        "`api_gateway_custom_domain` has no effect: the app has no route"
    );
    assert_eq!(of_api[0].severity, Severity::Warning);
}

#[test]
fn a_websocket_speaks_whichever_of_its_functions_has_the_stages_role() {
    // Chalice looks at the first of them alone.
    let mut facts = fixture("called", "discovered.json");
    facts["websockets"]
        .as_array_mut()
        .unwrap()
        .retain(|handler| handler["kind"] != "$connect");
    let facts: Facts = serde_json::from_value(facts).unwrap();
    let app = read_app("called", "prod", &facts);
    let shared = app.roles.iter().find(|role| role.name == DEFAULT_ROLE).unwrap();
    let statements = shared.policy["Statement"].as_array().unwrap();
    assert!(
        statements
            .iter()
            .any(|one| one["Action"] == json!(["execute-api:ManageConnections"]))
    );
}

#[test]
fn a_preview_of_a_chalice_app_cannot_read_the_queues_and_streams_that_it_does_without() {
    let rights = |allowed: &[&str]| {
        let mut app = app("called", "dev");
        withheld(&mut app, &Allowed::of(allowed));
        let policy = app.roles.remove(0).policy.to_string();
        ["sqs:ReceiveMessage", "kinesis:GetRecords", "dynamodb:GetRecords"].map(|action| policy.contains(action))
    };
    assert_eq!(rights(&["all"]), [true, true, true]);
    assert_eq!(rights(&[]), [false, false, false]);
    assert_eq!(rights(&["queue"]), [true, false, false]);
}

#[test]
fn a_generated_policy_has_no_sids() {
    let analysis = Analysis {
        policy: json!({"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"], "Sid": "random"}]}),
        unknown_services: Vec::new(),
    };
    let needs = Needs {
        vpc_of_routes: false,
        vpc_of_any: false,
        tracing: Tracing::PassThrough,
        access: Vec::new(),
    };
    let policy = policy::generated(&analysis, &needs);
    assert_eq!(
        policy["Statement"][0],
        json!({"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]})
    );
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 2);
}

mod declared;
