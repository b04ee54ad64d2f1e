//! One resource in Chalice's words: how its deployed files record what we know, and what we know from such a record.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::names::{Address, AppName, StageName, last};
use crate::resource::{
    Outputs, deployment, domain_name, event_source_mapping, function, layer, log_group, notification, rest_api, role,
    rule, subscription, v2_api,
};
use crate::state::{Deployed, State};

/// The domains that Chalice knows: that of an HTTP API is ours alone.
const DOMAINS: [&str; 2] = ["api_gateway_custom_domain", "websocket_api_custom_domain"];

/// A resource as a deployed file records it.
#[derive(Serialize, Deserialize)]
struct Record {
    name: String,
    #[serde(flatten)]
    kind: Kind,
}

/// What is recorded of each kind. Their order is that in which Chalice records them, as far as it matters: it deletes from
/// the end, so that what calls a function goes before the function.
#[derive(Serialize, Deserialize)]
#[serde(tag = "resource_type", rename_all = "snake_case")]
enum Kind {
    LambdaLayer {
        layer_version_arn: String,
    },
    LogGroup {
        log_group_name: String,
    },
    IamRole {
        role_arn: String,
        role_name: String,
    },
    LambdaFunction {
        lambda_arn: String,
    },
    CloudwatchEvent {
        rule_name: String,
    },
    S3Event {
        bucket: String,
        lambda_arn: String,
    },
    SnsEvent {
        topic: String,
        lambda_arn: String,
        subscription_arn: String,
        topic_arn: String,
    },
    SqsEvent {
        queue_arn: String,
        event_uuid: String,
        queue: String,
        lambda_arn: String,
    },
    KinesisEvent {
        kinesis_arn: String,
        event_uuid: String,
        stream: String,
        lambda_arn: String,
    },
    DynamodbEvent {
        stream_arn: String,
        event_uuid: String,
        lambda_arn: String,
    },
    RestApi {
        rest_api_id: String,
        rest_api_url: String,
    },
    WebsocketApi {
        websocket_api_url: String,
        websocket_api_id: String,
    },
    DomainName(Domain),
}

#[derive(Serialize, Deserialize)]
struct Domain {
    #[serde(default)]
    hosted_zone_id: String,
    #[serde(default)]
    alias_domain_name: String,
    #[serde(default)]
    certificate_arn: String,
    #[serde(default)]
    security_policy: String,
    domain_name: String,
    #[serde(default)]
    api_mapping: Vec<Mapping>,
}

impl Domain {
    /// The first segment of the paths that lead to the API.
    fn path(&self) -> Option<String> {
        let mapping = self.api_mapping.first()?;
        let path = mapping.key.trim_start_matches('/');
        (!path.is_empty()).then(|| path.to_owned())
    }
}

/// Where in a domain an API is: `/`, or `/v1`.
#[derive(Serialize, Deserialize)]
struct Mapping {
    key: String,
}

/// All that is deployed and that Chalice has words for. What it has none for must not be there: its `delete` would end with
/// an error.
pub fn write(state: &State) -> Vec<Value> {
    let mut listed: Vec<(u8, Value)> = state
        .deployed
        .iter()
        .filter_map(|(address, deployed)| {
            let kind = kind(state, address, deployed)?;
            let name = address.plain_name().to_owned();
            Some((rank(&kind), json!(Record { name, kind })))
        })
        .collect();
    listed.sort_by_key(|(rank, _)| *rank);
    listed.into_iter().map(|(_, resource)| resource).collect()
}

fn rank(kind: &Kind) -> u8 {
    match kind {
        Kind::LambdaLayer { .. } => 0,
        Kind::LogGroup { .. } => 1,
        Kind::IamRole { .. } => 2,
        Kind::LambdaFunction { .. } => 3,
        Kind::CloudwatchEvent { .. }
        | Kind::S3Event { .. }
        | Kind::SnsEvent { .. }
        | Kind::SqsEvent { .. }
        | Kind::KinesisEvent { .. }
        | Kind::DynamodbEvent { .. } => 4,
        Kind::RestApi { .. } => 5,
        Kind::WebsocketApi { .. } => 6,
        Kind::DomainName(_) => 7,
    }
}

fn kind(state: &State, address: &Address, deployed: &Deployed) -> Option<Kind> {
    Some(match &deployed.outputs {
        // Chalice's `delete` would take it from the other previews.
        Outputs::Role(role) if !role.sharing.is_own() => return None,
        Outputs::Role(role) => Kind::IamRole {
            role_arn: role.arn.clone(),
            role_name: role.name.clone(),
        },
        Outputs::Function(function) => Kind::LambdaFunction {
            lambda_arn: function.arn.clone(),
        },
        Outputs::RestApi(api) => Kind::RestApi {
            rest_api_id: api.id.clone(),
            rest_api_url: state.served().map(|served| served.url.clone()).unwrap_or_default(),
        },
        Outputs::Rule(rule) => Kind::CloudwatchEvent {
            rule_name: rule.name.clone(),
        },
        Outputs::Notification(notification) => Kind::S3Event {
            bucket: notification.bucket.clone(),
            lambda_arn: notification.function_arn.clone(),
        },
        Outputs::Subscription(subscription) => Kind::SnsEvent {
            topic: subscription.topic.clone(),
            lambda_arn: subscription.function_arn.clone(),
            subscription_arn: subscription.arn.clone(),
            topic_arn: subscription.topic_arn.clone(),
        },
        Outputs::EventSourceMapping(mapping) => mapped(mapping)?,
        Outputs::V2Api(api) if api.url.starts_with("wss://") => Kind::WebsocketApi {
            websocket_api_url: api.url.clone(),
            websocket_api_id: api.id.clone(),
        },
        Outputs::DomainName(domain) if DOMAINS.contains(&address.plain_name()) => Kind::DomainName(Domain {
            hosted_zone_id: domain.hosted_zone_id.clone(),
            alias_domain_name: domain.alias_domain_name.clone(),
            certificate_arn: domain.certificate_arn.clone(),
            security_policy: domain.security_policy.clone(),
            domain_name: domain.domain_name.clone(),
            api_mapping: vec![Mapping {
                key: format!("/{}", domain.path.as_deref().unwrap_or_default()),
            }],
        }),
        Outputs::Layer(layer) => Kind::LambdaLayer {
            layer_version_arn: layer.arn.clone(),
        },
        Outputs::LogGroup(group) => Kind::LogGroup {
            log_group_name: group.name.clone(),
        },
        Outputs::V2Api(_)
        | Outputs::DomainName(_)
        | Outputs::Permission(_)
        | Outputs::Deployment(_)
        | Outputs::FunctionUrl(_) => return None,
    })
}

/// A mapping's kind is that of its source; from other sources Chalice has none.
fn mapped(mapping: &event_source_mapping::Outputs) -> Option<Kind> {
    let event_source_mapping::Outputs {
        uuid,
        source_arn,
        function_arn,
    } = mapping.clone();
    let name = last(&source_arn);
    match source_arn.split(':').nth(2)? {
        "sqs" => Some(Kind::SqsEvent {
            queue: name.to_owned(),
            queue_arn: source_arn,
            event_uuid: uuid,
            lambda_arn: function_arn,
        }),
        "kinesis" => Some(Kind::KinesisEvent {
            stream: name.trim_start_matches("stream/").to_owned(),
            kinesis_arn: source_arn,
            event_uuid: uuid,
            lambda_arn: function_arn,
        }),
        "dynamodb" => Some(Kind::DynamodbEvent {
            stream_arn: source_arn,
            event_uuid: uuid,
            lambda_arn: function_arn,
        }),
        _ => None,
    }
}

/// What a record says that exists. A REST API is two resources: itself, and what is served of it.
///
/// # Errors
///
/// What kind of resource we cannot take over, with its name.
pub fn read(entry: &Value, of: (&AppName, &StageName)) -> Result<Vec<(Address, Outputs)>, String> {
    let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let Record { name, kind } = Record::deserialize(entry).map_err(|error| {
        tracing::debug!(%error, "a resource of Chalice's cannot be taken over");
        let (name, of) = (text("name"), text("resource_type"));
        format!("the resource `{name}` of type `{of}` is not supported yet, or is incomplete")
    })?;
    let word = word(&kind);
    let served = served(&kind, &name);
    let own = match source(&kind, of) {
        Some(source) => Address::at(word, &name, source),
        None => Address::new(word, &name),
    };
    Ok(std::iter::once((own, outputs(kind))).chain(served).collect())
}

/// What is served of a REST API.
fn served(kind: &Kind, name: &str) -> Option<(Address, Outputs)> {
    let Kind::RestApi {
        rest_api_id,
        rest_api_url,
    } = kind
    else {
        return None;
    };
    let stage_name = rest_api_url.trim_end_matches('/').rsplit('/').next()?;
    let served = deployment::Outputs {
        rest_api_id: rest_api_id.clone(),
        stage_name: stage_name.to_owned(),
        url: rest_api_url.clone(),
    };
    Some((Address::new("deployment", name), Outputs::Deployment(served)))
}

/// The word of the kind in our addresses.
fn word(kind: &Kind) -> &'static str {
    match kind {
        Kind::LambdaLayer { .. } => "layer",
        Kind::LogGroup { .. } => "log_group",
        Kind::IamRole { .. } => "role",
        Kind::LambdaFunction { .. } => "function",
        Kind::CloudwatchEvent { .. } => "rule",
        Kind::S3Event { .. } => "notification",
        Kind::SnsEvent { .. } => "subscription",
        Kind::SqsEvent { .. } | Kind::KinesisEvent { .. } | Kind::DynamodbEvent { .. } => "event_source_mapping",
        Kind::RestApi { .. } => "rest_api",
        Kind::WebsocketApi { .. } => "v2_api",
        Kind::DomainName(_) => "domain_name",
    }
}

/// What stands behind the `@` in our addresses, where another one is another resource.
fn source<'a>(kind: &'a Kind, (app, stage): (&AppName, &StageName)) -> Option<&'a str> {
    match kind {
        // Which content a version has is not recorded: the next content has another address in any case.
        Kind::LambdaLayer { layer_version_arn: arn } => arn.rsplit(':').next(),
        Kind::S3Event { bucket, .. } => Some(bucket),
        Kind::SnsEvent { topic_arn, .. } => Some(topic_arn),
        Kind::SqsEvent { queue_arn: arn, .. }
        | Kind::KinesisEvent { kinesis_arn: arn, .. }
        | Kind::DynamodbEvent { stream_arn: arn, .. } => Some(arn),
        Kind::DomainName(domain) => Some(&domain.domain_name),
        // For the routes Chalice makes a group whose name is of no function. Ours is another one; that one goes.
        Kind::LogGroup { log_group_name: group } => {
            (*group == format!("/aws/lambda/{app}-{stage}-api_handler")).then_some(group)
        }
        Kind::IamRole { .. }
        | Kind::LambdaFunction { .. }
        | Kind::CloudwatchEvent { .. }
        | Kind::RestApi { .. }
        | Kind::WebsocketApi { .. } => None,
    }
}

fn outputs(kind: Kind) -> Outputs {
    match kind {
        Kind::LambdaLayer { layer_version_arn: arn } => Outputs::Layer(layer::Outputs { arn }),
        Kind::LogGroup { log_group_name: name } => Outputs::LogGroup(log_group::Outputs { name }),
        Kind::IamRole {
            role_arn: arn,
            role_name: name,
        } => Outputs::Role(role::Outputs {
            arn,
            name,
            sharing: role::Sharing::Own,
        }),
        Kind::LambdaFunction { lambda_arn: arn } => Outputs::Function(function::Outputs { arn }),
        Kind::CloudwatchEvent { rule_name: name } => Outputs::Rule(rule::Outputs { name }),
        Kind::S3Event {
            bucket,
            lambda_arn: function_arn,
        } => Outputs::Notification(notification::Outputs {
            bucket,
            function_arn,
            id: None,
        }),
        Kind::SnsEvent {
            topic,
            lambda_arn: function_arn,
            subscription_arn: arn,
            topic_arn,
        } => Outputs::Subscription(subscription::Outputs {
            arn,
            topic,
            topic_arn,
            function_arn,
        }),
        Kind::SqsEvent {
            queue_arn: source_arn,
            event_uuid: uuid,
            lambda_arn: function_arn,
            ..
        }
        | Kind::KinesisEvent {
            kinesis_arn: source_arn,
            event_uuid: uuid,
            lambda_arn: function_arn,
            ..
        }
        | Kind::DynamodbEvent {
            stream_arn: source_arn,
            event_uuid: uuid,
            lambda_arn: function_arn,
        } => Outputs::EventSourceMapping(event_source_mapping::Outputs {
            uuid,
            source_arn,
            function_arn,
        }),
        Kind::RestApi { rest_api_id: id, .. } => Outputs::RestApi(rest_api::Outputs { id }),
        Kind::WebsocketApi {
            websocket_api_url: url,
            websocket_api_id: id,
        } => Outputs::V2Api(v2_api::Outputs { id, url }),
        Kind::DomainName(domain) => Outputs::DomainName(domain_name::Outputs {
            path: domain.path(),
            domain_name: domain.domain_name,
            hosted_zone_id: domain.hosted_zone_id,
            alias_domain_name: domain.alias_domain_name,
            certificate_arn: domain.certificate_arn,
            security_policy: domain.security_policy,
            api: None,
            mark: None,
        }),
    }
}
