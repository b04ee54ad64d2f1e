//! What calls functions beside the REST API -> resources.
//!
//! What AWS does not let one change (which queue a mapping reads) stands in the address, behind an `@`: another one is
//! then another resource, which is made before the former one is removed.

use super::{Ground, Names, tags};
use crate::app::App;
use crate::app::events::{Domain, Event, EventSource, HttpApi, Stream, UrlAccess, Websocket};
use crate::names::Address;
use crate::resource::Resource;
use crate::resource::domain_name::DomainName;
use crate::resource::event_source_mapping::EventSourceMapping;
use crate::resource::function_url::FunctionUrl;
use crate::resource::log_group::LogGroup;
use crate::resource::notification::Notification;
use crate::resource::permission::{Caller, Permission, PublicCall};
use crate::resource::rule::Rule;
use crate::resource::subscription::Subscription;
use crate::resource::v2_api::{Protocol, Route, V2Api};

/// Name of the websocket API, as Chalice has it.
pub const WEBSOCKET_API: &str = "websocket_api";

/// Name of the HTTP API.
pub const HTTP_API: &str = "http_api";

type Named = (Address, Resource);

/// What an event calls: a function, by its address and its name in AWS.
type Called = (Address, String);

/// An event's own resource, and the permission with which it calls its function.
pub fn called_by(event: &Event, names: Names<'_>, ground: Ground<'_>) -> Vec<Named> {
    let called = (
        Address::new("function", &event.function),
        names.function(&event.function),
    );
    match &event.source {
        EventSource::Schedule { .. } | EventSource::Pattern { .. } => {
            let rule = rule(event, called.clone(), names, ground);
            let address = Address::new("permission", &event.name);
            let permission = permission(address, called, Caller::Rule(rule.name.clone()));
            vec![(Address::new("rule", &event.name), Resource::Rule(rule)), permission]
        }
        EventSource::Bucket {
            bucket,
            events,
            prefix,
            suffix,
        } => {
            let address = Address::at("permission", &format!("{}-bucket", event.function), bucket);
            let permission = permission(address, called.clone(), Caller::Bucket(bucket.clone()));
            let notification = Notification {
                event: event.name.clone(),
                bucket: bucket.clone(),
                events: events.clone(),
                prefix: prefix.clone(),
                suffix: suffix.clone(),
                function: called.0,
                function_name: called.1,
                permission: permission.0.clone(),
            };
            let address = Address::at("notification", &event.name, bucket);
            vec![permission, (address, Resource::Notification(notification))]
        }
        EventSource::Topic { topic } => {
            let topic_arn = ground.place.arn("sns", topic);
            let address = Address::at("permission", &format!("{}-topic", event.function), &topic_arn);
            let permission = permission(address, called.clone(), Caller::Topic(topic_arn.clone()));
            let address = Address::at("subscription", &event.name, &topic_arn);
            let subscription = Subscription {
                topic: topic.clone(),
                topic_arn,
                function: called.0,
                function_name: called.1,
            };
            vec![permission, (address, Resource::Subscription(subscription))]
        }
        EventSource::Queue { .. } | EventSource::Stream { .. } => mapping(event, called, ground).into_iter().collect(),
    }
}

fn permission(address: Address, (function, function_name): Called, caller: Caller) -> Named {
    let permission = Permission {
        function,
        function_name,
        caller,
    };
    (address, Resource::Permission(permission))
}

/// What Lambda reads for a function; `None` where somebody else calls it.
fn mapping(event: &Event, (function, function_name): Called, ground: Ground<'_>) -> Option<Named> {
    let (source_arn, batch, maximum_concurrency, starting_position) = match &event.source {
        EventSource::Queue {
            queue,
            batch,
            maximum_concurrency,
        } => (ground.place.arn("sqs", queue), batch, *maximum_concurrency, None),
        EventSource::Stream {
            stream,
            batch,
            starting_position,
        } => {
            let source_arn = match stream {
                Stream::Kinesis(arn) if arn.starts_with("arn:") => arn.clone(),
                Stream::Kinesis(name) => ground.place.arn("kinesis", &format!("stream/{name}")),
                Stream::DynamoDb(arn) => arn.clone(),
            };
            (source_arn, batch, None, Some(starting_position.clone()))
        }
        EventSource::Schedule { .. }
        | EventSource::Pattern { .. }
        | EventSource::Bucket { .. }
        | EventSource::Topic { .. } => return None,
    };
    let address = Address::at("event_source_mapping", &event.name, &source_arn);
    let mapping = EventSourceMapping {
        source_arn,
        function,
        function_name,
        batch_size: batch.size,
        window_s: batch.window_s,
        maximum_concurrency,
        starting_position,
    };
    Some((address, Resource::EventSourceMapping(mapping)))
}

fn rule(event: &Event, (function, function_name): Called, names: Names<'_>, ground: Ground<'_>) -> Rule {
    let (schedule, pattern, description) = match &event.source {
        EventSource::Schedule {
            expression,
            description,
        } => (Some(expression.clone()), None, description),
        EventSource::Pattern { pattern, description } => (None, Some(pattern.clone()), description),
        EventSource::Bucket { .. }
        | EventSource::Topic { .. }
        | EventSource::Queue { .. }
        | EventSource::Stream { .. } => (None, None, &None),
    };
    Rule {
        name: names.physical(&event.name),
        schedule,
        pattern,
        description: description.clone(),
        function_name,
        function,
        tags: ground.owner.tags(),
    }
}

/// A websocket API, the permissions of its functions, and its domain.
pub fn websocket(websocket: &Websocket, names: Names<'_>, ground: Ground<'_>) -> Vec<Named> {
    let api = V2Api {
        name: names.physical("websocket-api"),
        protocol: Protocol::Websocket,
        stage_name: websocket.stage_name.clone(),
        routes: routes(&websocket.routes, names),
        cors: None,
        tags: ground.owner.tags(),
    };
    served(
        WEBSOCKET_API,
        api,
        (websocket.domain.as_ref(), "websocket_api_custom_domain"),
        ground,
    )
}

/// An HTTP API, the permissions of its functions, and its domain.
pub fn http_api(http: &HttpApi, names: Names<'_>, ground: Ground<'_>) -> Vec<Named> {
    let api = V2Api {
        name: names.physical("http-api"),
        protocol: Protocol::Http,
        stage_name: "$default".to_owned(),
        routes: routes(&http.routes, names),
        cors: http.cors.clone(),
        tags: ground.owner.tags(),
    };
    served(HTTP_API, api, (http.domain.as_ref(), "http_api_custom_domain"), ground)
}

fn routes(routes: &[(String, String)], names: Names<'_>) -> Vec<Route> {
    let route = |(key, function): &(String, String)| Route {
        key: key.clone(),
        function: Address::new("function", function),
        function_name: names.function(function),
    };
    routes.iter().map(route).collect()
}

fn served(name: &str, api: V2Api, (domain, domain_address): (Option<&Domain>, &str), ground: Ground<'_>) -> Vec<Named> {
    let address = Address::new("v2_api", name);
    let mut called: Vec<(&Address, &str)> = api
        .routes
        .iter()
        .map(|route| (&route.function, route.function_name.as_str()))
        .collect();
    called.sort();
    called.dedup();
    let permissions = called.into_iter().map(|(function, function_name)| {
        let permission = Permission {
            function: function.clone(),
            function_name: function_name.to_owned(),
            caller: Caller::V2Api(address.clone()),
        };
        let own = format!("{}-{name}", function.name());
        (Address::new("permission", &own), Resource::Permission(permission))
    });
    let mut resources: Vec<Named> = permissions.collect();
    let to = (address.clone(), api.stage_name.clone());
    let domain = domain.map(|domain| domain_name(domain_address, domain, to, ("REGIONAL", ground)));
    resources.insert(0, (address, Resource::V2Api(api)));
    resources.extend(domain);
    resources
}

/// A domain that leads to an API Gateway stage.
pub fn domain_name(
    name: &str,
    domain: &Domain,
    (api, stage_name): (Address, String),
    (endpoint_type, ground): (&str, Ground<'_>),
) -> Named {
    let made = DomainName {
        domain_name: domain.name.clone(),
        certificate_arn: domain.certificate_arn.clone(),
        security_policy: domain.tls_version.clone(),
        endpoint_type: endpoint_type.to_owned(),
        api,
        stage_name,
        path: domain.path.clone(),
        tags: tags(&domain.tags, ground),
    };
    (
        Address::at("domain_name", name, &domain.name),
        Resource::DomainName(made),
    )
}

/// Log groups and URLs of an app's functions.
pub fn beside_functions(app: &App, names: Names<'_>, ground: Ground<'_>) -> Vec<Named> {
    let mut resources = Vec::new();
    for function in &app.functions {
        let address = Address::new("function", &function.name);
        let function_name = names.function(&function.name);
        if let Some(retention_days) = function.log_retention_days {
            let group = LogGroup {
                name: format!("/aws/lambda/{function_name}"),
                retention_days,
                tags: ground.owner.tags(),
            };
            let address = Address::new("log_group", &format!("{}-log-group", function.name));
            resources.push((address, Resource::LogGroup(group)));
        }
        let Some(url) = &function.url else { continue };
        let made = FunctionUrl {
            function: address.clone(),
            function_name: function_name.clone(),
            access: url.access,
            cors: url.cors.clone(),
        };
        resources.push((
            Address::new("function_url", &function.name),
            Resource::FunctionUrl(made),
        ));
        let calls: &[(&str, PublicCall)] = match url.access {
            UrlAccess::Public => &[("url", PublicCall::Url), ("url-function", PublicCall::Function)],
            UrlAccess::Iam => &[],
        };
        resources.extend(calls.iter().map(|(suffix, call)| {
            let permission = Permission {
                function: address.clone(),
                function_name: function_name.clone(),
                caller: Caller::Public(*call),
            };
            let address = Address::new("permission", &format!("{}-{suffix}", function.name));
            (address, Resource::Permission(permission))
        }));
    }
    resources
}
